"""A writer that is cancelled, at whatever moment, harms nobody but itself.

A client that hangs up and a server that stops cancel whoever writes for them. The database must be free at once, and
what was being written is there whole or not at all.
"""

import asyncio
import random
import time

from context.calls.tables import calls
from context.events.event import Event
from context.events.outbox import publish
from context.events.tables import events
from context.store.database import Store

ROUNDS = 150
NEXT_WRITER_S = 3.0
"""SQLite gives up on a lock after ten seconds; a free database takes milliseconds, on a busy machine some hundreds."""


def call_row(call_id: str) -> dict[str, object]:
    words = {"language": "en", "outcome": "", "reason": "", "record": ""}
    return {"call_id": call_id, "started_at": 1.0, "duration_s": 0.0, **words}


async def call_with_its_event(store: Store, call_id: str) -> None:
    async with store.tenant("clinic").writing() as transaction:
        await transaction.insert(calls, [call_row(call_id)])
        event = Event(id=call_id, type="call.started", tenant_id="clinic", occurred_at=1.0, source="test")
        await publish(transaction, event)


async def test_the_next_writer_does_not_wait_for_one_that_was_cancelled(database_url: str) -> None:
    chance = random.Random(1)
    store = await Store.open(database_url)
    slowest_s = 0.0
    try:
        for number in range(ROUNDS):
            writing = asyncio.create_task(call_with_its_event(store, f"cancelled-{number}"))
            await asyncio.sleep(chance.random() * 0.008)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            began_s = time.monotonic()
            await call_with_its_event(store, f"next-{number}")
            slowest_s = max(slowest_s, time.monotonic() - began_s)
        async with store.tenant("clinic").reading() as transaction:
            stored = {row["call_id"] for row in await transaction.rows(calls)}
            told = {row["id"] for row in await transaction.rows(events)}
    finally:
        await store.aclose()
    assert slowest_s < NEXT_WRITER_S
    assert stored == told, "the change and its event are there together or not at all"
    assert {f"next-{number}" for number in range(ROUNDS)} <= stored
    assert any(f"cancelled-{number}" not in stored for number in range(ROUNDS)), "some were cancelled in time"


async def test_a_reader_that_is_cancelled_gives_its_view_back(database_url: str) -> None:
    chance = random.Random(2)
    store = await Store.open(database_url)

    async def read() -> None:
        async with store.tenant("clinic").reading() as transaction:
            await transaction.rows(calls)

    try:
        for _ in range(100):
            reading = asyncio.create_task(read())
            await asyncio.sleep(chance.random() * 0.004)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        assert await store.checkpoint(), "no reader holds an old view of the database"
    finally:
        await store.aclose()
