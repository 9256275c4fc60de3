"""The context box: what is known of one person, carried from agent to agent.

Plain data, one box for each contact of a tenant. Everything that was learned names its source, the call and the turn in
it, so that whoever relies on it can hear it said. Changed by `context.contacts.changes`, kept by `boxes`, shown to
models by `view`, handed on by `handoff`.
"""

import hashlib
from enum import StrEnum

import msgspec

from context.contacts.states import BoxState

SENTIMENTS_KEPT = 20
ID_CHARS = 16
NO_TURN = -1
"""Turn of a source that is no sentence of the transcript: a tool, an event, a person at a keyboard."""


class Source(msgspec.Struct, frozen=True):
    """Where something was learned. call_id: "" when not in a call. turn: index in its transcript, or `NO_TURN`."""

    call_id: str = ""
    turn: int = NO_TURN


class Identity(msgspec.Struct, frozen=True):
    """Who it is, as the contact had it when the box was last changed. names: the newest first."""

    names: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()


class Intent(msgspec.Struct, frozen=True):
    """What they came for. name: one of `extraction.INTENTS`, "" when unknown. detail: the service, in our words."""

    name: str = ""
    detail: str = ""
    source: Source = Source()
    at_ms: int = 0


class QualificationPart(msgspec.Struct, frozen=True):
    """One of need, timeline, budget, authority. quote: the caller's words that it rests on."""

    name: str
    level: str
    points: int = 0
    quote: str = ""


class Qualification(msgspec.Struct, frozen=True):
    """How well they fit. score: 0-100. rating: hot, warm or cold, "" when nobody has asked yet."""

    score: int = 0
    rating: str = ""
    parts: tuple[QualificationPart, ...] = ()
    source: Source = Source()
    at_ms: int = 0


class Sentiment(msgspec.Struct, frozen=True):
    """How they sounded. value: -1 (angry) to 1 (delighted)."""

    value: float
    source: Source
    at_ms: int


class KeyFact(msgspec.Struct, frozen=True):
    """Something true about them. confidence: 0 to 1. quote: their words. id: of type and value."""

    id: str
    type: str
    value: str
    source: Source
    confidence: float
    at_ms: int
    quote: str = ""


class CommitmentKind(StrEnum):
    """What was promised."""

    APPOINTMENT = "appointment"
    CALLBACK = "callback"
    INFORMATION = "information"
    TRANSFER = "transfer"
    PAYMENT = "payment"
    OTHER = "other"


class CommitmentStatus(StrEnum):
    """Whether it was kept."""

    OPEN = "open"
    KEPT = "kept"
    CANCELLED = "cancelled"


class Commitment(msgspec.Struct, frozen=True):
    """A promise. who: "agent" or "caller". what: in plain words. due: ISO 8601 or as it was said, "" when open.

    reference: what it is about (a booking's id), "" when it has none. id: the same promise told twice is one.
    """

    id: str
    kind: CommitmentKind
    who: str
    what: str
    source: Source
    at_ms: int
    due: str = ""
    status: CommitmentStatus = CommitmentStatus.OPEN
    reference: str = ""


class OpenSlot(msgspec.Struct, frozen=True):
    """Something still to be asked. name: "phone", "service". why: what it is needed for."""

    name: str
    why: str
    source: Source = Source()


class HistoryKind(StrEnum):
    """What happened."""

    CALL = "call"
    BOOKING = "booking"
    LEAD = "lead"
    STATE = "state"
    HANDOFF = "handoff"
    MERGE = "merge"
    NOTE = "note"


class HistoryEntry(msgspec.Struct, frozen=True):
    """One thing that happened. actor: who did it. reference: call, booking, event or contact it is about.

    from_state and to_state: of a change of state, else None.
    """

    kind: HistoryKind
    at_ms: int
    actor: str
    what: str
    reference: str = ""
    from_state: BoxState | None = None
    to_state: BoxState | None = None


class Turn(msgspec.Struct, frozen=True):
    """What one side said and the other heard. role: "caller" or "agent"."""

    role: str
    text: str
    source: Source
    at_ms: int
    language: str = ""


class Attribution(msgspec.Struct, frozen=True):
    """Which advertisement brought them: the first that is known stays. utm: source, medium, campaign, term, content."""

    utm: dict[str, str] = {}
    gclid: str = ""
    fbclid: str = ""


class ContextBox(msgspec.Struct, frozen=True, kw_only=True):
    """Everything known of one person.

    version: 0 before the first change. facts, commitments, history, turns: oldest first. summary: what was said before
    the oldest turn kept. activity_ms: the last time they were heard of. stale_ms: when the box was found stale, 0 while
    it is fresh.
    """

    tenant_id: str
    contact_id: str
    version: int = 0
    state: BoxState = BoxState.NEW
    identity: Identity = Identity()
    intent: Intent = Intent()
    qualification: Qualification = Qualification()
    sentiment: tuple[Sentiment, ...] = ()
    facts: tuple[KeyFact, ...] = ()
    commitments: tuple[Commitment, ...] = ()
    open_slots: tuple[OpenSlot, ...] = ()
    history: tuple[HistoryEntry, ...] = ()
    turns: tuple[Turn, ...] = ()
    summary: str = ""
    attribution: Attribution = msgspec.field(default_factory=Attribution)
    activity_ms: int = 0
    stale_ms: int = 0

    @property
    def open_commitments(self) -> tuple[Commitment, ...]:
        """Promises that nobody has kept yet."""
        return tuple(promise for promise in self.commitments if promise.status is CommitmentStatus.OPEN)


def one_line(text: str) -> str:
    """The printable characters of a text, its spaces single: a database column takes no others."""
    return "".join(character for character in " ".join(text.split()) if character.isprintable())


def stable_id(*parts: str) -> str:
    """An id that the same parts always have, so that what is told twice is known once."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:ID_CHARS]


def key_fact(type_: str, value: str, source: Source, confidence: float, at_ms: int, quote: str = "") -> KeyFact:
    """A fact; its id does not depend on case or spaces. Raises ValueError for a confidence beyond 0..1."""
    if not 0.0 <= confidence <= 1.0:
        raise ValueError(f"confidence: {confidence} must be 0 to 1")
    plain = one_line(value)
    return KeyFact(stable_id(type_, plain.casefold()), type_, plain, source, confidence, at_ms, quote)
