"""Boxes built from events: whoever calls again is known, and an event told twice counts once."""

import asyncio
from typing import Any

import pytest

from context.contacts.box import CommitmentKind, CommitmentStatus, HistoryKind
from context.contacts.boxes import ContextBoxes
from context.contacts.call_report import CallReportError
from context.contacts.points import external_point
from context.contacts.store import ContactStore
from context.contacts.subscriber import BoxBuilder, box_from_events
from context.events.event import Event
from context.events.tables import events
from context.store.database import Store
from tests.contacts.someone import (
    NOW_MS,
    NOW_S,
    OTHER_TENANT,
    PHONE,
    SPOKEN_PHONE,
    TENANT,
    call_payload,
    event,
    line,
    quiet_call,
)

OFFICE = "+33142000000"


class Told:
    """Hands events to the subscriber as the bus does: each in a transaction of its own."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._handle = BoxBuilder(lambda tenant_id: "FR").handle

    async def __call__(self, *told: Event) -> None:
        for one in told:
            async with self._store.tenant(one.tenant_id).writing() as transaction:
                await self._handle(one, transaction)


@pytest.fixture
def told(store: Store) -> Told:
    return Told(store)


def completed(payload: dict[str, Any], **more: Any) -> Event:
    return event("call.completed", payload, **more)


def booking_event(type_: str, booking_id: str = "booking-1", **more: Any) -> Event:
    payload = {
        "booking_id": booking_id,
        "call_id": "call-1",
        "service_id": "cleaning",
        "starts_at": "2026-11-24T10:00:00+01:00",
        "name": "Marie Curie",
        "phone": PHONE,
        "email": "",
    }
    return event(type_, payload | more)


async def test_who_has_booked_is_known_when_they_call_again(
    told: Told, boxes: ContextBoxes, contacts: ContactStore
) -> None:
    await told(completed(call_payload()))
    box = await boxes.for_caller(TENANT, phone=SPOKEN_PHONE)
    assert box is not None
    assert (box.state, box.identity.names, box.identity.phones) == ("booked", ("Marie Curie",), (PHONE,))
    assert (box.intent.name, box.intent.detail) == ("booking", "cleaning")
    by_kind = {promise.kind: promise for promise in box.commitments}
    assert by_kind[CommitmentKind.APPOINTMENT].due == "2026-11-24T10:00:00+01:00"
    assert by_kind[CommitmentKind.CALLBACK].due == "tomorrow"
    assert by_kind[CommitmentKind.CALLBACK].source.turn == 2
    preference = next(fact for fact in box.facts if fact.type == "preference")
    assert (preference.value, preference.quote, preference.source.turn) == ("mornings", "I prefer mornings.", 1)
    assert [turn.role for turn in box.turns] == ["agent", "caller", "agent", "caller"]
    assert [entry.what for entry in box.history if entry.kind is HistoryKind.CALL] == ["booking, booked, 60 s, en"]
    contact = await contacts.of_call(TENANT, "call-1")
    assert contact is not None
    assert contact.id == box.contact_id


async def test_an_event_told_twice_counts_once(told: Told, boxes: ContextBoxes, store: Store) -> None:
    await told(completed(call_payload()), booking_event("booking.confirmed"))
    before = await boxes.for_caller(TENANT, phone=PHONE)
    await told(completed(call_payload()), booking_event("booking.confirmed"))
    assert await boxes.for_caller(TENANT, phone=PHONE) == before
    async with store.tenant(TENANT).reading() as transaction:
        assert before is not None
        assert await transaction.count(events, events.c.type == "context.updated") == before.version


async def test_what_was_booked_before_the_call_was_over_belongs_to_the_same_person(
    told: Told, boxes: ContextBoxes, contacts: ContactStore
) -> None:
    await told(booking_event("booking.requested"), booking_event("booking.confirmed"), completed(call_payload()))
    assert len(await contacts.page(TENANT)) == 1
    box = await boxes.for_caller(TENANT, phone=PHONE)
    assert box is not None
    assert [promise.kind for promise in box.commitments].count(CommitmentKind.APPOINTMENT) == 1
    assert [entry.to_state for entry in box.history if entry.kind is HistoryKind.STATE] == [
        "engaged",
        "qualified",
        "booked",
    ]


async def test_a_cancelled_appointment_is_no_promise_any_more_and_stays_cancelled(
    told: Told, boxes: ContextBoxes
) -> None:
    await told(completed(call_payload()), booking_event("booking.cancelled"), booking_event("booking.confirmed"))
    box = await boxes.for_caller(TENANT, phone=PHONE)
    assert box is not None
    appointment = next(promise for promise in box.commitments if promise.kind is CommitmentKind.APPOINTMENT)
    assert appointment.status is CommitmentStatus.CANCELLED
    assert box.state == "booked"


async def test_a_caller_who_says_nothing_of_themselves_is_anonymous_until_it_comes_out(
    told: Told, boxes: ContextBoxes, contacts: ContactStore
) -> None:
    await told(completed(quiet_call("call-1", caller="")))
    stranger = await contacts.of_call(TENANT, "call-1")
    assert stranger is not None
    assert (stranger.points, stranger.name) == ((), "")
    assert (await boxes.get(TENANT, stranger.id)).state == "engaged"
    marie = await contacts.find_or_make(TENANT, (contacts.phone(TENANT, PHONE),), names=("Marie Curie",))
    await told(booking_event("booking.confirmed", call_id="call-1"))
    assert (await contacts.get(TENANT, stranger.id)).id == marie.id
    box = await boxes.get(TENANT, marie.id)
    assert [turn.text for turn in box.turns] == ["Hello?", "Are you open on Saturday?"]
    assert box.state == "booked"


async def test_two_strangers_are_two_people(told: Told, contacts: ContactStore) -> None:
    await told(completed(quiet_call("call-1", caller="")), completed(quiet_call("call-2", caller="")))
    assert len(await contacts.page(TENANT)) == 2


async def test_colleagues_who_call_from_one_number_are_kept_apart(
    told: Told, boxes: ContextBoxes, contacts: ContactStore
) -> None:
    def booked(call_id: str, name: str, phone: str) -> dict[str, Any]:
        slot = {"id": f"booking-{call_id}", "service_id": "cleaning", "starts_at": "x", "name": name, "phone": phone}
        return call_payload(call_id, caller=OFFICE, bookings=[slot], tools=[])

    await told(
        completed(booked("call-1", "Marie Curie", "+33612345678")),
        completed(booked("call-2", "Paul Roy", "+33612345679")),
    )
    marie = await boxes.for_caller(TENANT, phone="+33612345678")
    paul = await boxes.for_caller(TENANT, phone="+33612345679")
    assert marie is not None
    assert paul is not None
    assert marie.contact_id != paul.contact_id
    assert (marie.identity.names, paul.identity.names) == (("Marie Curie",), ("Paul Roy",))
    assert (marie.identity.phones, paul.identity.phones) == ((OFFICE, "+33612345678"), ("+33612345679",))


async def test_the_same_person_with_a_new_number_is_the_same_person(told: Told, contacts: ContactStore) -> None:
    slot = {"id": "booking-2", "service_id": "cleaning", "starts_at": "x", "name": "Marie", "phone": "+33612345679"}
    await told(completed(call_payload()), completed(call_payload("call-2", bookings=[slot], tools=[])))
    (marie,) = await contacts.page(TENANT)
    assert (marie.phones, marie.names) == (("+33612345678", "+33612345679"), ("Marie", "Marie Curie"))


async def test_points_of_two_people_are_noted_and_not_merged(
    told: Told, boxes: ContextBoxes, contacts: ContactStore
) -> None:
    marie = await contacts.find_or_make(TENANT, (contacts.phone(TENANT, PHONE),))
    slot = {"id": "b", "service_id": "s", "starts_at": "x", "name": "M", "phone": PHONE, "email": "m@example.com"}
    other = await told_of_address(told, contacts)
    await told(completed(call_payload("call-2", bookings=[slot], tools=[])))
    box = await boxes.get(TENANT, marie.id)
    noted = [entry.reference for entry in box.history if entry.kind is HistoryKind.NOTE]
    assert noted == [other]


async def told_of_address(told: Told, contacts: ContactStore) -> str:
    """Somebody else has the address m@example.com."""
    await told(event("lead.scored", {"score": 10, "email": "m@example.com"}))
    (found,) = [contact for contact in await contacts.page(TENANT) if contact.emails]
    return found.id


async def test_a_lead_goes_its_way_to_a_customer(told: Told, boxes: ContextBoxes) -> None:
    lead = {"phone": SPOKEN_PHONE, "name": "Marie"}
    parts = {"need": {"level": "high", "points": 30, "quote": "I need it now"}, "budget": "unknown"}
    await told(event("lead.scored", lead | {"score": 20}, id_="e1"))
    box = await boxes.for_caller(TENANT, phone=PHONE)
    assert box is not None
    assert (box.state, box.qualification.rating) == ("new", "cold")
    await told(event("lead.qualified", lead | {"score": 75, "parts": parts}, id_="e2", at_s=NOW_S + 1))
    box = await boxes.get(TENANT, box.contact_id)
    assert (box.state, box.qualification.rating, box.qualification.score) == ("qualified", "hot", 75)
    assert [(part.name, part.quote) for part in box.qualification.parts] == [("need", "I need it now"), ("budget", "")]
    assert [slot.name for slot in box.open_slots] == ["budget"]
    await told(event("lead.converted", lead, id_="e3", at_s=NOW_S + 2))
    assert (await boxes.get(TENANT, box.contact_id)).state == "won"


async def test_a_lead_that_names_nobody_is_passed_over(told: Told, contacts: ContactStore) -> None:
    await told(event("lead.scored", {"score": 20}), event("lead.scored", {"score": 20, "contact_id": "gone"}))
    assert await contacts.page(TENANT) == []


async def test_calls_of_one_person_that_end_together_lose_nothing(told: Told, boxes: ContextBoxes) -> None:
    said = [line("caller", "I prefer mornings.", 1)]
    calls = [completed(quiet_call(f"call-{n}", transcript=said)) for n in range(6)]
    await asyncio.gather(*(told(call) for call in calls))
    box = await boxes.for_caller(TENANT, phone=PHONE)
    assert box is not None
    assert {entry.reference for entry in box.history if entry.kind is HistoryKind.CALL} == {
        f"call-{n}" for n in range(6)
    }
    assert len(box.turns) == 6
    assert box.version == 6


async def test_tenants_know_nothing_of_each_others_callers(told: Told, boxes: ContextBoxes) -> None:
    await told(completed(call_payload()))
    assert await boxes.for_caller(OTHER_TENANT, phone=PHONE) is None
    await told(completed(call_payload(), tenant_id=OTHER_TENANT))
    ours, theirs = await boxes.for_caller(TENANT, phone=PHONE), await boxes.for_caller(OTHER_TENANT, phone=PHONE)
    assert ours is not None
    assert theirs is not None
    assert ours.contact_id != theirs.contact_id


async def test_a_call_back_keeps_the_promise_to_call_back(told: Told, boxes: ContextBoxes) -> None:
    await told(completed(call_payload()))
    await told(completed(quiet_call("call-2", direction="outbound", ended_at=NOW_S + 600, started_at=NOW_S + 500)))
    box = await boxes.for_caller(TENANT, phone=PHONE)
    assert box is not None
    assert {promise.kind: promise.status for promise in box.commitments} == {
        CommitmentKind.APPOINTMENT: CommitmentStatus.OPEN,
        CommitmentKind.CALLBACK: CommitmentStatus.KEPT,
    }
    assert box.activity_ms == NOW_MS + 600_000


async def test_an_event_whose_person_was_erased_brings_nobody_back(told: Told, contacts: ContactStore) -> None:
    await told(event("call.completed", {"call_id": "call-1", "outcome": "booked", "erased": True}))
    await told(event("booking.confirmed", {"booking_id": "booking-1", "call_id": "call-1", "erased": True}))
    assert await contacts.page(TENANT) == []
    assert await contacts.of_call(TENANT, "call-1") is None


async def test_half_a_call_is_an_error_that_names_the_field(told: Told, contacts: ContactStore) -> None:
    with pytest.raises(CallReportError, match="transcript"):
        await told(completed(call_payload(transcript="all of it")))
    assert await contacts.page(TENANT) == []


async def test_what_other_versions_say_or_leave_out_does_not_matter(
    told: Told, boxes: ContextBoxes, contacts: ContactStore
) -> None:
    crm = await contacts.find_or_make(TENANT, (external_point("crm-7"),))
    await contacts.link_call(TENANT, "call-9", crm.id)
    await told(event("call.completed", {"call_id": "call-9", "mood": "unheard of"}))
    box = await boxes.get(TENANT, crm.id)
    assert [(entry.kind, entry.reference) for entry in box.history] == [(HistoryKind.CALL, "call-9")]
    assert box.state == "new"


def test_the_subscription_is_one_that_the_bus_takes() -> None:
    subscription = box_from_events(lambda tenant_id: "FR")
    assert all(map(subscription.wants, ("call.completed", "booking.cancelled", "lead.converted")))
    assert not any(map(subscription.wants, ("call.started", "context.updated")))
