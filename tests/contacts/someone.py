"""Made-up callers, what they leave behind, and strategies for boxes of any history."""

from typing import Any

from hypothesis import strategies as st

from context.contacts.box import (
    Attribution,
    Commitment,
    CommitmentKind,
    CommitmentStatus,
    ContextBox,
    HistoryEntry,
    HistoryKind,
    Identity,
    Intent,
    OpenSlot,
    Qualification,
    QualificationPart,
    Sentiment,
    Source,
    Turn,
    key_fact,
    stable_id,
)
from context.contacts.states import BoxState
from context.events.event import Event

TENANT = "park"
OTHER_TENANT = "lake"
NOW_MS = 1_795_000_000_000
NOW_S = NOW_MS / 1_000
PHONE = "+33612345678"
SPOKEN_PHONE = "06 12 34 56 78"


def call_payload(call_id: str = "call-1", **changes: Any) -> dict[str, Any]:
    """call.completed of an English call in which Marie books a cleaning."""
    payload: dict[str, Any] = {
        "call_id": call_id,
        "tenant_id": TENANT,
        "channel": "phone",
        "direction": "inbound",
        "language": "en",
        "caller": PHONE,
        "persona_id": "clara",
        "started_at": NOW_S - 60,
        "answered_at": NOW_S - 60,
        "ended_at": NOW_S,
        "duration_s": 60.0,
        "outcome": "booked",
        "qualification": None,
        "bookings": [
            {
                "id": "booking-1",
                "service_id": "cleaning",
                "starts_at": "2026-11-24T10:00:00+01:00",
                "minutes": 45,
                "name": "Marie Curie",
                "phone": PHONE,
                "email": "",
            }
        ],
        "transcript": [
            line("agent", "Hello, how can I help?", 300, 1_900),
            line("caller", "I would like a cleaning. I prefer mornings.", 2_600, 4_700),
            line("agent", "Tuesday at ten is free. Someone will call you back tomorrow.", 5_000, 7_000),
            line("caller", "Yes please, I am Marie Curie.", 8_000, 9_000),
        ],
        "tools": [
            {
                "name": "create_booking",
                "arguments": {"service": "cleaning", "slot": "2026-11-24T10:00", "name": "Marie Curie", "phone": PHONE},
                "result": {"booking_id": "booking-1", "starts_at": "2026-11-24T10:00:00+01:00"},
                "ok": True,
                "at_ms": 9_500.0,
            }
        ],
        "reason": "goodbye",
    }
    return payload | changes


def line(role: str, text: str, started_ms: float = 0, ended_ms: float = 0, language: str = "en") -> dict[str, Any]:
    return {"role": role, "text": text, "started_ms": started_ms, "ended_ms": ended_ms, "language": language}


def quiet_call(call_id: str, **changes: Any) -> dict[str, Any]:
    """A call in which nothing was booked and nobody said who they were."""
    said = [line("agent", "Hello?", 0, 900), line("caller", "Are you open on Saturday?", 1_000, 2_000)]
    return call_payload(
        call_id, **({"bookings": [], "tools": [], "outcome": "completed", "transcript": said} | changes)
    )


def event(type_: str, payload: dict[str, Any], *, tenant_id: str = TENANT, at_s: float = NOW_S, id_: str = "") -> Event:
    call_id = str(payload.get("call_id", ""))
    return Event(
        id=id_ or f"{type_}:{call_id}:{payload.get('booking_id', '')}",
        type=type_,
        tenant_id=tenant_id,
        occurred_at=at_s,
        source="calls",
        correlation_id=call_id,
        payload=payload,
    )


WORDS = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
IDS = st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True)
INSTANTS = st.integers(NOW_MS - 10**9, NOW_MS)
SOURCES = st.builds(Source, IDS, st.integers(-1, 200))
FACTS = st.builds(key_fact, IDS, WORDS, SOURCES, st.floats(0, 1), INSTANTS, WORDS)
COMMITMENTS = st.builds(
    lambda kind, who, what, source, at_ms, due, status: Commitment(
        stable_id(source.call_id, who, kind, what), kind, who, what, source, at_ms, due, status
    ),
    st.sampled_from(CommitmentKind),
    st.sampled_from(["agent", "caller"]),
    WORDS,
    SOURCES,
    INSTANTS,
    WORDS,
    st.sampled_from(CommitmentStatus),
)
OPEN_SLOTS = st.builds(OpenSlot, IDS, WORDS, SOURCES)
TURNS = st.builds(Turn, st.sampled_from(["caller", "agent"]), WORDS, SOURCES, INSTANTS, st.just("en"))
SENTIMENTS = st.builds(Sentiment, st.floats(-1, 1), SOURCES, INSTANTS)
ENTRIES = st.builds(HistoryEntry, st.sampled_from(HistoryKind), INSTANTS, IDS, WORDS, IDS)


def _tuples(of: st.SearchStrategy[Any], key: Any = None, max_size: int = 5) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(of, max_size=max_size, unique_by=key).map(tuple)


BOXES = st.builds(
    ContextBox,
    tenant_id=st.just(TENANT),
    contact_id=st.just("contact-1"),
    version=st.integers(1, 1_000),
    state=st.sampled_from(BoxState),
    identity=st.builds(Identity, _tuples(WORDS, max_size=3), st.just((PHONE,)), st.just(("marie@example.com",))),
    intent=st.builds(Intent, IDS, WORDS, SOURCES, INSTANTS),
    qualification=st.builds(
        Qualification,
        st.integers(0, 100),
        st.sampled_from(["", "hot", "warm", "cold"]),
        _tuples(st.builds(QualificationPart, IDS, IDS, st.integers(0, 30), WORDS), max_size=4),
        SOURCES,
        INSTANTS,
    ),
    sentiment=_tuples(SENTIMENTS),
    facts=_tuples(FACTS, lambda fact: fact.id),
    commitments=_tuples(COMMITMENTS, lambda promise: promise.id),
    open_slots=_tuples(OPEN_SLOTS, lambda slot: slot.name),
    history=_tuples(ENTRIES),
    turns=_tuples(TURNS, lambda turn: turn.source, max_size=12),
    summary=WORDS,
    attribution=st.builds(Attribution, st.dictionaries(IDS, WORDS, max_size=3), WORDS, WORDS),
    activity_ms=INSTANTS,
)
"""A box with anything in it."""
