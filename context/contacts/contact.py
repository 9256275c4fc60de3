"""A person who calls a tenant: what they are called, how they are reached, what they agreed to.

A contact without any number or address is anonymous: somebody who called and said nothing that names them, to be
merged when it comes out who it was. Kept by `context.contacts.store`, shown by REST.
"""

from enum import StrEnum

import msgspec

from context.contacts.box import one_line
from context.contacts.points import ContactPoint, PointKind
from context.errors import ContextError

NAMES_KEPT = 10
NAME_LIMIT_CHARS = 120


class ContactNotFoundError(ContextError):
    """The tenant has no such contact, or has erased it."""

    code = "contact_not_found"


class ContactConflictError(ContextError):
    """The contact was changed by somebody else, or a number or address belongs to another contact."""

    code = "contact_conflict"


class ConsentPurpose(StrEnum):
    """What may be done with the person's data."""

    RECORDING = "recording"
    CALLBACK = "callback"
    MARKETING = "marketing"


class ConsentState(StrEnum):
    """What they said about it. Nothing said is no entry at all."""

    GRANTED = "granted"
    REFUSED = "refused"


class Consent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One statement. at_ms: when. source: the call id it was said in, or who wrote it down."""

    purpose: ConsentPurpose
    state: ConsentState
    at_ms: int
    source: str = ""


class Contact(msgspec.Struct, frozen=True):
    """One person of one tenant. names: the newest first. points: sorted. Instants: ms since the epoch, UTC.

    merged_into: "" or the contact that this one was found to be, which `ContactStore.get` then returns instead.
    """

    id: str
    tenant_id: str
    version: int
    created_ms: int
    updated_ms: int
    names: tuple[str, ...] = ()
    points: tuple[ContactPoint, ...] = ()
    languages: tuple[str, ...] = ()
    consents: tuple[Consent, ...] = ()
    merged_into: str = ""

    @property
    def name(self) -> str:
        """What they call themselves, "" when they never said."""
        return self.names[0] if self.names else ""

    @property
    def phones(self) -> tuple[str, ...]:
        """Numbers, E.164."""
        return self._values(PointKind.PHONE)

    @property
    def emails(self) -> tuple[str, ...]:
        """Addresses, normalised."""
        return self._values(PointKind.EMAIL)

    @property
    def external_ids(self) -> tuple[str, ...]:
        """Ids of other systems."""
        return self._values(PointKind.EXTERNAL)

    def _values(self, kind: PointKind) -> tuple[str, ...]:
        return tuple(point.value for point in self.points if point.kind is kind)


def joined_names(newer: tuple[str, ...], older: tuple[str, ...]) -> tuple[str, ...]:
    """Both, each spelling once (case and spaces do not count), the newer first; the oldest go beyond `NAMES_KEPT`."""
    found: dict[str, str] = {}
    for name in (*newer, *older):
        plain = one_line(name)[:NAME_LIMIT_CHARS].strip()
        if plain:
            found.setdefault(plain.casefold(), plain)
    return tuple(found.values())[:NAMES_KEPT]


def joined_consents(one: tuple[Consent, ...], other: tuple[Consent, ...]) -> tuple[Consent, ...]:
    """For each purpose what was said last; of two statements at the same moment the refusal counts."""
    latest: dict[ConsentPurpose, Consent] = {}
    for consent in (*one, *other):
        known = latest.get(consent.purpose)
        if known is None or _weight(consent) > _weight(known):
            latest[consent.purpose] = consent
    return tuple(latest[purpose] for purpose in ConsentPurpose if purpose in latest)


def _weight(consent: Consent) -> tuple[int, bool]:
    return consent.at_ms, consent.state is ConsentState.REFUSED
