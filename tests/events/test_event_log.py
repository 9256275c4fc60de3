"""Reading events: pages that lose nothing, and a tail that hears of everything once."""

import asyncio
from collections.abc import AsyncIterator

from context.events.bus import EventBus
from context.events.log import EventLog, EventQuery, PlacedEvent
from context.store.database import Store
from tests.events.small_bus import LAKE, PARK, an_event, running_bus


async def test_pages_are_newest_first_and_hold_what_the_query_asks_for(store: Store, database_url: str) -> None:
    async with running_bus(store, database_url) as bus:
        for number in range(6):
            await bus.publish(
                an_event(f"e{number}", call=f"c{number % 2}", kind=("call.started", "crm.won")[number // 3])
            )
        await bus.publish(an_event("theirs", tenant=LAKE))
        await _until_placed(bus, 7)
    log = EventLog(store)

    async def ids(query: EventQuery, limit: int = 10, before: int | None = None) -> list[str]:
        return [placed.event.id for placed in await log.page(PARK, query, limit, before)]

    assert await ids(EventQuery()) == ["e5", "e4", "e3", "e2", "e1", "e0"]
    assert await ids(EventQuery(types=("crm.*",))) == ["e5", "e4", "e3"]
    assert await ids(EventQuery(types=("call.started", "crm.won"), correlation_id="c1")) == ["e5", "e3", "e1"]
    assert await ids(EventQuery(since=1_763_972_000.25, until=1_763_972_000.26)) == await ids(EventQuery())
    assert await ids(EventQuery(until=1_763_972_000.25)) == []
    first = await log.page(PARK, EventQuery(), 4)
    assert await ids(EventQuery(), 4, first[-1].position) == ["e1", "e0"]


async def test_a_tail_gives_each_event_once_in_order_those_before_it_too_when_asked(
    store: Store, database_url: str
) -> None:
    async with running_bus(store, database_url) as bus:
        for number in range(3):
            await bus.publish(an_event(f"old{number}"))
        await _until_placed(bus, 3)
        everything = bus.log.tail(0)
        news = bus.log.tail(await bus.log.last_position(), PARK, ("call.*",))
        publishing = asyncio.create_task(_publish_slowly(bus))
        assert [placed.event.id for placed in await _some(everything, 7)] == [
            *(f"old{number}" for number in range(3)),
            *("new0", "lake1", "crm2", "new3"),
        ]
        assert [placed.event.id for placed in await _some(news, 2)] == ["new0", "new3"]
        await publishing


async def test_a_tail_in_another_process_hears_of_events_too(file_store: Store, file_url: str) -> None:
    other = EventLog(file_store)  # nobody wakes it
    async with running_bus(file_store, file_url) as bus:
        coming = asyncio.create_task(_some(other.tail(0), 1))
        await asyncio.sleep(0.05)
        await bus.publish(an_event("e1"))
        (placed,) = await coming
    assert (placed.position, placed.event.id) == (1, "e1")


async def _publish_slowly(bus: EventBus) -> None:
    for number, (name, tenant, kind) in enumerate(
        [
            ("new", PARK, "call.started"),
            ("lake", LAKE, "call.started"),
            ("crm", PARK, "crm.won"),
            ("new", PARK, "call.x"),
        ]
    ):
        await bus.publish(an_event(f"{name}{number}", tenant=tenant, kind=kind))
        await asyncio.sleep(0.02)


async def _some(tail: AsyncIterator[PlacedEvent], count: int) -> list[PlacedEvent]:
    async with asyncio.timeout(20):
        found = [await anext(tail) for _ in range(count)]
    await tail.aclose()  # type: ignore[attr-defined]
    return found


async def _until_placed(bus: EventBus, count: int) -> None:
    async with asyncio.timeout(20):
        while bus.metrics.placed < count:
            await asyncio.sleep(0.01)
