"""Erasure: an event keeps what bills count on, and forgets the person."""

from typing import Any

from context.erasure.registry import Subject
from context.events.catalogue import CallCompleted, payload_of
from context.events.log import EventLog
from context.events.outbox import publish
from context.events.personal_data import EventPersonalData
from context.store.database import Store
from tests.events.small_bus import LAKE, PARK, an_event

CALL: dict[str, Any] = {
    "call_id": "c1",
    "started_at": 10.0,
    "ended_at": 84.2,
    "duration_s": 74.2,
    "outcome": "booked",
    "talk_time_s": {"caller": 2.1, "agent": 1.6},
    "caller": "+33612345678",
    "transcript": [{"speaker": "caller", "text": "I am Ada Lovelace"}],
    "qualification": {"quote": "I decide that, Ada does"},
    "bookings": [{"name": "Ada"}],
}
SOMEBODY_ELSE: dict[str, Any] = {**CALL, "call_id": "c2", "caller": "+33687654321"}
PERSON = Subject("contact-1", frozenset({"+33612345678"}), frozenset({"ada@example.org"}), frozenset({"c1"}))


async def test_a_persons_events_can_be_taken_out_and_then_say_nothing_about_the_person(store: Store) -> None:
    await _publish(store)
    data = EventPersonalData()
    async with store.tenant(PARK).writing() as transaction:
        exported = await data.export(transaction, PERSON)
        assert {event["id"] for event in exported} == {"c1.completed", "moved", "crm"}
        assert any("Ada Lovelace" in str(event) for event in exported)
        assert await data.erase(transaction, PERSON) == 3
        assert await data.erase(transaction, PERSON) == 0, "erasing what is gone changes nothing"
    log = EventLog(store)
    for event_id in ("c1.completed", "moved", "crm"):
        event = await log.get(PARK, event_id)
        assert event is not None
        assert not any(word in str(event.payload) for word in ("Ada", "ada@", "+336")), event_id
    completed = await log.get(PARK, "c1.completed")
    assert completed is not None
    call = payload_of(completed)
    assert isinstance(call, CallCompleted)
    assert (call.duration_s, call.outcome, call.talk_time_s.caller, call.erased) == (74.2, "booked", 2.1, True)


async def test_nobody_elses_events_are_touched(store: Store) -> None:
    await _publish(store)
    async with store.tenant(PARK).writing() as transaction:
        await EventPersonalData().erase(transaction, PERSON)
    for tenant, event_id, payload in ((PARK, "c2.completed", SOMEBODY_ELSE), (LAKE, "c1.completed", CALL)):
        event = await EventLog(store).get(tenant, event_id)
        assert event is not None
        assert event.payload == payload


async def _publish(store: Store) -> None:
    for event in (
        an_event("c1.completed", call="c1", **CALL),
        # Of somebody else who called from nowhere.
        an_event("c2.completed", call="c2", **SOMEBODY_ELSE),
        an_event("c1.completed", tenant=LAKE, call="c1", **CALL),
        an_event("moved", kind="booking.confirmed", booking_id="b1", name="Ada", phone="+33612345678", minutes=30),
        an_event("crm", kind="crm.won", note="ada@example.org", state="Ada is happy"),
    ):
        async with store.tenant(event.tenant_id).writing() as transaction:
            await publish(transaction, event)
