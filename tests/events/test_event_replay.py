"""Replay: old events once more, to those who are named, and nobody else's."""

import pytest

from context.events.event import Event
from context.events.log import EventQuery
from context.events.replay import UnknownSubscriberError, known_subscribers, replay
from context.events.subscription import Subscription
from context.store.database import Store
from context.store.transaction import TenantTransaction
from tests.events.small_bus import LAKE, PARK, an_event, deliveries, note, noted, running_bus, until_settled


def noting(name: str, *types: str) -> Subscription:
    async def handle(event: Event, transaction: TenantTransaction) -> None:
        await note(transaction, name, event)

    return Subscription(name, types, handle)


async def test_a_replay_delivers_the_same_events_again_to_the_subscriber_that_is_named(
    store: Store, database_url: str
) -> None:
    subscribers = (noting("first", "*"), noting("second", "*"), noting("late", "crm.*"))
    async with running_bus(store, database_url, *subscribers) as bus:
        for number in range(4):
            await bus.publish(an_event(f"e{number}", call=f"c{number % 2}"))
        await bus.publish(an_event("theirs", tenant=LAKE))
        await until_settled(store, 10)
        assert await known_subscribers(store) == ["first", "late", "second"]
        assert await replay(store, PARK, ["first"], EventQuery(correlation_id="c1")) == 2
        assert await replay(store, PARK, ["late"], EventQuery(types=("call.completed",))) == 4
        bus.wake()
        rows = await until_settled(store, 14)
    assert sorted(await noted(store, "first", PARK)) == ["e0", "e1", "e1", "e2", "e3", "e3"]
    assert sorted(await noted(store, "second", PARK)) == ["e0", "e1", "e2", "e3"]
    assert await noted(store, "late") == ["e0", "e1", "e2", "e3"], "it never got them before, and gets them in order"
    assert await noted(store, "first", LAKE) == ["theirs"]
    again = {(row["subscriber"], row["event_id"]) for row in rows if row["round"] == 1}
    assert again == {("first", "e1"), ("first", "e3"), *(("late", f"e{number}") for number in range(4))}


async def test_a_subscriber_that_never_was_is_refused_by_name_and_nothing_is_replayed(
    file_store: Store, file_url: str
) -> None:
    async with running_bus(file_store, file_url, noting("first", "*")) as bus:
        await bus.publish(an_event("e1"))
        await until_settled(file_store, 1)
        with pytest.raises(UnknownSubscriberError, match="'nobody' is none of first"):
            await replay(file_store, PARK, ["first", "nobody"], EventQuery())
    assert [row["round"] for row in await deliveries(file_store)] == [0]
