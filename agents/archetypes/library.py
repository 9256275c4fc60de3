"""The forty archetypes, read from one YAML file each.

An archetype says how an agent of a trade behaves when its tenant has said nothing else: what it is like, what it never
does, when it passes a call on and with which words. The files are data of ours, so a fault in them is a bug: loading
raises and a test loads them all. Asked by `agents.archetypes.personas` and `starter`, and by the API.
"""

from functools import lru_cache
from importlib import resources
from string import Formatter
from typing import Literal

import msgspec

from context.tenants.archetypes import ARCHETYPES, FRAMEWORKS
from context.tenants.checks import ID_SHAPE, SERVICE_MINUTES, WORD_SHAPE
from context.tenants.config import (
    LANGUAGES,
    BookingPolicy,
    Channel,
    Complaint,
    Escalation,
    Localised,
    OpeningHours,
    Service,
)

GREETING_VALUES: set[str | None] = {"business", "name"}
"""What a greeting is filled with."""


class ArchetypeError(ValueError):
    """The file of an archetype is wrong; the message names file, path, value and what is allowed."""


class ComplaintType(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A complaint that callers of this trade make. response: {} for the common words for this type."""

    type: str
    response: Localised = {}


class Starter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a new tenant of this trade begins with, so that it answers and books at once."""

    hours: dict[str, tuple[OpeningHours, ...]]
    services: tuple[Service, ...]
    booking: BookingPolicy = BookingPolicy()


class Archetype(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One archetype. greeting: with {business} and {name}. framework: of marketing guidance, "none" for none."""

    id: str
    sensitivity: Literal["normal", "high"]
    channels: tuple[Channel, ...]
    framework: str
    name: str
    personality: str
    tone: str
    background: str
    forbidden: tuple[str, ...]
    greeting: Localised
    escalations: tuple[Escalation, ...]
    complaints: tuple[ComplaintType, ...]
    starter: Starter

    def complaint_responses(self) -> tuple[Complaint, ...]:
        """Every complaint with its words, this trade's own or the common ones."""
        common = common_responses()
        return tuple(Complaint(one.type, one.response or common[one.type]) for one in self.complaints)


@lru_cache(maxsize=len(ARCHETYPES))
def archetype(archetype_id: str) -> Archetype:
    """An archetype by its name. Raises LookupError when there is none, ArchetypeError when its file is wrong."""
    if archetype_id not in ARCHETYPES:
        raise LookupError(f"no archetype {archetype_id!r}: there are {', '.join(sorted(ARCHETYPES))}")
    name = f"{archetype_id.lower()}.yaml"
    content = resources.files(__package__ or "").joinpath("data", name).read_bytes()
    return read_archetype(name, content)


def read_archetype(name: str, content: bytes) -> Archetype:
    """The archetype in a file. name: of the file, for messages. Raises ArchetypeError."""
    try:
        found = msgspec.yaml.decode(content, type=Archetype)
    except msgspec.DecodeError as error:
        raise ArchetypeError(f"{name}: {error}") from error
    _check(name, found)
    return found


def every_archetype() -> tuple[Archetype, ...]:
    """All of them, by name."""
    return tuple(archetype(archetype_id) for archetype_id in sorted(ARCHETYPES))


@lru_cache(maxsize=1)
def common_responses() -> dict[str, Localised]:
    """Type of complaint -> the words for it in every language. Raises ArchetypeError."""
    content = resources.files(__package__ or "").joinpath("complaints.yaml").read_bytes()
    responses = msgspec.yaml.decode(content, type=dict[str, Localised])
    for kind, texts in responses.items():
        _check_texts("complaints.yaml", kind, texts)
    return responses


def _check(name: str, found: Archetype) -> None:
    _require(found.id == name.removesuffix(".yaml").upper(), name, "$.id", found.id, "the name of the file")
    _require(bool(found.channels), name, "$.channels", found.channels, "one channel at least")
    _require(found.framework in FRAMEWORKS, name, "$.framework", found.framework, ", ".join(FRAMEWORKS))
    for field in ("name", "personality", "tone", "background"):
        _require(bool(getattr(found, field).strip()), name, f"$.{field}", "", "a text")
    _require(bool(found.forbidden), name, "$.forbidden", found.forbidden, "one behaviour at least")
    _check_texts(name, "$.greeting", found.greeting)
    for language, text in found.greeting.items():
        values: set[str | None] = {value for _, value, _, _ in Formatter().parse(text)} - {None}
        _require(values == GREETING_VALUES, name, f"$.greeting.{language}", text, "{business} and {name} once each")
    for at, escalation in enumerate(found.escalations):
        path = f"$.escalations[{at}]"
        for field, word in (("condition", escalation.condition), ("action", escalation.action)):
            _require(WORD_SHAPE.fullmatch(word) is not None, name, f"{path}.{field}", word, "a word such as long_wait")
        _check_texts(name, f"{path}.message", escalation.message)
    for at, complaint in enumerate(found.complaints):
        path = f"$.complaints[{at}]"
        if complaint.response:
            _check_texts(name, f"{path}.response", complaint.response)
        else:
            _require(complaint.type in common_responses(), name, path, complaint.type, "a type of complaints.yaml")
    _require(bool(found.starter.services), name, "$.starter.services", "", "one service at least")
    low, high = SERVICE_MINUTES
    for at, service in enumerate(found.starter.services):
        path = f"$.starter.services[{at}]"
        _require(ID_SHAPE.fullmatch(service.id) is not None, name, f"{path}.id", service.id, "lower-case letters")
        _require(low <= service.minutes <= high, name, f"{path}.minutes", service.minutes, f"{low} to {high}")
        _check_texts(name, f"{path}.name", service.name)
        for language in LANGUAGES:
            _require(bool(service.words.get(language)), name, f"{path}.words.{language}", "", "one word at least")


def _check_texts(name: str, path: str, texts: Localised) -> None:
    for language in LANGUAGES:
        _require(bool(texts.get(language, "").strip()), name, f"{path}.{language}", "", "a text")
    for language in texts:
        _require(language in LANGUAGES, name, f"{path}.{language}", language, ", ".join(LANGUAGES))


def _require(holds: bool, name: str, path: str, value: object, allowed: str) -> None:
    if not holds:
        raise ArchetypeError(f"{name}: {path}: expected {allowed}; found {value!r}")
