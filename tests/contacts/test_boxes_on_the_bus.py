"""Boxes with the real bus, and with two processes on one database."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from context.contacts.box import ContextBox, HistoryKind, Source, key_fact
from context.contacts.boxes import ContextBoxes
from context.contacts.changes import learned
from context.contacts.store import ContactStore
from context.contacts.subscriber import box_from_events
from context.events.bus import EventBus
from context.events.settings import BusSettings
from context.events.tables import event_deliveries
from context.store.database import Store
from tests.contacts.someone import NOW_MS, PHONE, TENANT, call_payload, event, quiet_call

QUICK = BusSettings(first_pause_s=0.02, poll_s=0.05, round_s=0.01, housekeeping_s=0.2, stop_s=2.0)
PATIENCE_S = 30.0


@pytest.fixture
async def bus(store: Store, database_url: str) -> AsyncIterator[EventBus]:
    running = EventBus(store, database_url, settings=QUICK)
    running.subscribe(box_from_events(lambda tenant_id: "FR"))
    await running.start()
    yield running
    await running.stop()


async def box_with(boxes: ContextBoxes, calls: int) -> ContextBox:
    """Marie's box, once so many calls are in it."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        box = await boxes.for_caller(TENANT, phone=PHONE)
        if box is not None and sum(entry.kind is HistoryKind.CALL for entry in box.history) >= calls:
            return box
        await asyncio.sleep(0.02)
    raise AssertionError(f"no box with {calls} calls within {PATIENCE_S} s")


async def test_a_finished_call_becomes_a_box_through_the_bus(store: Store, boxes: ContextBoxes, bus: EventBus) -> None:
    for call_id in ("call-2", "call-3"):
        assert await bus.publish(event("call.completed", quiet_call(call_id)))
    assert await bus.publish(event("call.completed", call_payload("call-1")))
    assert not await bus.publish(event("call.completed", call_payload("call-1")))
    box = await box_with(boxes, 3)
    assert (box.state, len(box.turns)) == ("booked", 8)
    async with store.tenant(TENANT).reading() as transaction:
        states = {row["state"] for row in await transaction.rows(event_deliveries)}
    assert states == {"handled"}


async def test_two_processes_lose_no_change(store: Store, contacts: ContactStore, database_url: str) -> None:
    marie = await contacts.find_or_make(TENANT, (contacts.phone(TENANT, PHONE),))
    other = await Store.open(database_url)
    try:
        processes = [ContextBoxes(store), ContextBoxes(other)]

        async def learn(number: int) -> None:
            fact = key_fact("preference", f"value {number}", Source("call-1", number), 0.5, NOW_MS)
            await processes[number % 2].change(
                TENANT, marie.id, lambda box: learned(box, [fact]), actor="a", what="learned"
            )

        await asyncio.gather(*(learn(number) for number in range(10)))
        box = await processes[0].get(TENANT, marie.id)
        assert {fact.value for fact in box.facts} == {f"value {number}" for number in range(10)}
        assert (box.version, await processes[1].get(TENANT, marie.id)) == (10, box)
    finally:
        await other.aclose()


async def test_two_processes_make_one_contact_of_one_caller(store: Store, database_url: str) -> None:
    other = await Store.open(database_url)
    try:
        stores = [ContactStore(store), ContactStore(other)]
        point = stores[0].phone(TENANT, PHONE)
        made = await asyncio.gather(*(stores[n % 2].find_or_make(TENANT, (point,)) for n in range(8)))
        assert len({contact.id for contact in made}) == 1
    finally:
        await other.aclose()
