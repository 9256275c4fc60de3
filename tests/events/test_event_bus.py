"""The bus as subscribers know it: everything once, in order, for the right tenant; what fails is tried again."""

import asyncio
from collections import Counter

import pytest

from context.events.bus import BusState, EventBus
from context.events.durable import DurableWorkError
from context.events.event import Event
from context.events.replay import dead_letters, drop_dead_letters, retry_dead_letters
from context.events.settings import BusSettings
from context.events.subscription import HandlerKind, Subscription, SubscriptionError
from context.events.tables import event_deliveries
from context.store.database import Store
from context.store.transaction import TenantTransaction
from tests.events.small_bus import (
    LAKE,
    PARK,
    QUICK,
    an_event,
    deliveries,
    note,
    noted,
    running_bus,
    until,
    until_settled,
)


class Counting:
    """A transactional subscriber that leaves an effect for each event, and fails as told."""

    def __init__(self, name: str = "counting", fails: int = 0, only: str = "") -> None:
        self.name = name
        self.fails = Counter[str]()
        self._times = fails
        self._only = only

    async def handle(self, event: Event, transaction: TenantTransaction) -> None:
        await note(transaction, self.name, event)
        if self._only in ("", event.id) and self.fails[event.id] < self._times:
            # After the effect, before the mark is on disk: the worst moment.
            self.fails[event.id] += 1
            raise RuntimeError("poison: call +33 6 12 34 56 78")

    def cure(self) -> None:
        self._times = 0

    def to(self, *types: str) -> Subscription:
        return Subscription(self.name, types, self.handle)


async def test_each_event_takes_effect_once_for_each_subscriber_that_wants_its_type(
    store: Store, database_url: str
) -> None:
    everything, calls = Counting("everything"), Counting("calls")
    async with running_bus(store, database_url, everything.to("*"), calls.to("call.*")) as bus:
        for number in range(12):
            kind = "call.completed" if number % 2 else "their.own_kind"
            for _ in range(2):  # whoever publishes may not know whether the first time succeeded
                await bus.publish(an_event(f"e{number}", kind=kind, tenant=PARK if number % 3 else LAKE))
        await until_settled(store, 18)
        numbers = bus.metrics
    assert sorted(await noted(store, "everything")) == sorted(f"e{number}" for number in range(12))
    assert sorted(await noted(store, "calls")) == sorted(f"e{number}" for number in range(1, 12, 2))
    assert (numbers.placed, numbers.of("everything").handled, numbers.of("calls").handled) == (12, 12, 6)


async def test_a_handler_that_fails_after_its_effect_leaves_one_effect_in_the_end(
    store: Store, database_url: str
) -> None:
    failing = Counting(fails=2)
    async with running_bus(store, database_url, failing.to("*")) as bus:
        for number in range(5):
            await bus.publish(an_event(f"e{number}"))
        rows = await until_settled(store, 5)
    assert sorted(await noted(store, "counting")) == [f"e{number}" for number in range(5)]
    assert {row["state"] for row in rows} == {"handled"}


async def test_events_of_one_call_arrive_in_order_even_past_one_that_fails_for_a_while(
    store: Store, database_url: str
) -> None:
    failing = Counting(fails=3, only="a3")
    settings = BusSettings(first_pause_s=0.3, poll_s=0.05, round_s=0.01)
    async with running_bus(store, database_url, failing.to("*"), settings=settings) as bus:
        for number in range(8):
            await bus.publish(an_event(f"a{number}", call="a"))
            await bus.publish(an_event(f"b{number}", call="b"))
        await until_settled(store, 16)
    handled = await noted(store, "counting")
    assert [event_id for event_id in handled if event_id[0] == "a"] == [f"a{number}" for number in range(8)]
    assert [event_id for event_id in handled if event_id[0] == "b"] == [f"b{number}" for number in range(8)]
    assert handled.index("b7") < handled.index("a3"), "another call does not wait"


async def test_poison_becomes_a_dead_letter_without_a_payload_and_can_be_retried_or_dropped(
    store: Store, database_url: str
) -> None:
    poisoned = Counting(fails=99, only="bad")
    async with running_bus(store, database_url, poisoned.to("*")) as bus:
        for event_id in ("bad", "worse", "good"):
            await bus.publish(an_event(event_id, call="c1" if event_id == "bad" else "c2", words="secret"))
        await until_settled(store, 3)
        (letter,) = await dead_letters(store, PARK, limit=10)
        assert (letter.event_id, letter.subscriber, letter.attempts) == ("bad", "counting", 4)
        assert (letter.error_class, letter.error) == ("RuntimeError", "poison: call [phone]")
        assert bus.metrics.of("counting").dead == 1
        assert await noted(store, "counting") == ["worse", "good"]

        # Its cause is still there: it dies again. Then it is gone.
        assert await retry_dead_letters(store, PARK) == 1
        await until(lambda: _is_dead_again(store, 1), "it is dead again")
        poisoned.cure()
        assert await retry_dead_letters(store, PARK, event_id="bad") == 1
        rows = await until_settled(store, 3)
    assert await noted(store, "counting") == ["worse", "good", "bad"]
    assert {row["state"] for row in rows} == {"handled"}
    assert await drop_dead_letters(store, PARK) == 0


async def test_a_dropped_dead_letter_is_not_delivered_any_more(file_store: Store, file_url: str) -> None:
    poisoned = Counting(fails=99)
    async with running_bus(file_store, file_url, poisoned.to("*")) as bus:
        await bus.publish(an_event("bad"))
        await until_settled(file_store, 1)
        assert await drop_dead_letters(file_store, LAKE) == 0, "it is not theirs"
        assert await drop_dead_letters(file_store, PARK) == 1
        assert await retry_dead_letters(file_store, PARK) == 0
        assert await dead_letters(file_store, PARK, limit=10) == []


async def test_an_external_handler_is_told_the_attempt_and_may_take_its_time(store: Store, database_url: str) -> None:
    seen: list[tuple[str, int]] = []

    async def call_them(event: Event, attempt: int) -> None:
        seen.append((event.id, attempt))
        await asyncio.sleep(0.01)
        if event.id == "flaky" and attempt < 3:
            raise OSError("no answer")

    subscription = Subscription("them", ("call.completed",), call_them, HandlerKind.EXTERNAL)
    async with running_bus(store, database_url, subscription) as bus:
        for event_id in ("first", "flaky", "last"):
            await bus.publish(an_event(event_id))
        await until_settled(store, 3)
    assert Counter(seen) == Counter([("first", 1), ("flaky", 1), ("flaky", 2), ("flaky", 3), ("last", 1)])


async def test_a_handler_that_hangs_counts_as_failed(file_store: Store, file_url: str) -> None:
    async def hang(event: Event, attempt: int) -> None:
        await asyncio.sleep(3600)

    settings = BusSettings(first_pause_s=0.01, poll_s=0.05, round_s=0.01, handler_limit_s=0.05)
    subscription = Subscription("them", ("*",), hang, HandlerKind.EXTERNAL)
    async with running_bus(file_store, file_url, subscription, settings=settings) as bus:
        await bus.publish(an_event("e1"))
        (row,) = await until_settled(file_store, 1)
    assert (row["state"], row["error_class"]) == ("dead", "TimeoutError")


async def test_a_flood_of_one_tenant_does_not_delay_the_others(file_store: Store, file_url: str) -> None:
    counting = Counting()
    settings = BusSettings(poll_s=0.05, round_s=0.01, batch=10, batches_a_subscriber=2)
    bus = EventBus(file_store, file_url, settings=settings)
    bus.subscribe(counting.to("*"))
    for number in range(200):
        await bus.publish(an_event(f"flood{number}", tenant="a-flood"))
    for number in range(3):
        await bus.publish(an_event(f"quiet{number}", tenant=f"quiet{number}"))
    await bus.start()
    await until_settled(file_store, 203)
    await bus.stop()
    handled = await noted(file_store, "counting")
    assert max(handled.index(f"quiet{number}") for number in range(3)) < 60, "they were published after 200 others"
    flood = [event_id for event_id in handled if event_id.startswith("flood")]
    assert flood == [f"flood{number}" for number in range(200)]


async def test_what_was_published_before_a_start_and_left_by_a_stop_is_delivered_at_the_next(
    store: Store, database_url: str
) -> None:
    first, second = EventBus(store, database_url, settings=QUICK), EventBus(store, database_url, settings=QUICK)
    counting = Counting(fails=2)
    for bus in (first, second):
        bus.subscribe(counting.to("*"))
    await first.publish(an_event("early"))
    await first.start()
    await until(lambda: _has_failed(counting, "early"), "it was tried")
    await first.stop()  # in the middle of its retries
    await first.publish(an_event("while stopped"))
    assert first.state is BusState.STOPPED
    await second.start()
    await until_settled(store, 2)
    await second.stop()
    assert sorted(await noted(store, "counting")) == ["early", "while stopped"]


async def test_deliveries_whose_workflow_was_lost_are_delivered_all_the_same(file_store: Store, file_url: str) -> None:
    counting = Counting()
    async with running_bus(file_store, file_url, counting.to("*")) as bus:
        await bus.publish(an_event("e1"))
        await until_settled(file_store, 1)
    # As after a crash between the claim and the start of its workflow, or with a restored backup.
    async with file_store.tenant(PARK).writing() as transaction:
        await transaction.update(event_deliveries, {"state": "running", "workflow_id": "counting:e1:lost"})
    async with running_bus(file_store, file_url, counting.to("*")):
        await until_settled(file_store, 1)
    assert await noted(file_store, "counting") == ["e1", "e1"]


async def test_a_process_has_one_bus_at_a_time_and_the_second_leaves_the_first_alone(
    postgres_url: str, file_store: Store, file_url: str
) -> None:
    other = await Store.open(postgres_url)
    counting = Counting()
    async with running_bus(file_store, file_url, counting.to("*")) as bus:
        second = EventBus(other, postgres_url, settings=QUICK)
        with pytest.raises(DurableWorkError):
            await second.start()
        await bus.publish(an_event("e1"))
        await until_settled(file_store, 1)
    await other.aclose()


async def test_a_subscriber_that_could_not_work_is_refused_at_once(file_store: Store, file_url: str) -> None:
    async def handler(event: Event, transaction: TenantTransaction) -> None:
        raise AssertionError

    for name, types, kind in (
        ("Wrong Name", ("*",), HandlerKind.TRANSACTIONAL),
        ("fine", (), HandlerKind.TRANSACTIONAL),
        ("fine", ("*",), HandlerKind.EXTERNAL),
    ):
        with pytest.raises(SubscriptionError):
            Subscription(name, types, handler, kind)
    bus = EventBus(file_store, file_url)
    bus.subscribe(Subscription("fine", ("*",), handler))
    with pytest.raises(SubscriptionError, match="two subscribers"):
        bus.subscribe(Subscription("fine", ("*",), handler))


async def _has_failed(counting: Counting, event_id: str) -> bool:
    return counting.fails[event_id] > 0


async def _is_dead_again(store: Store, round_number: int) -> bool:
    rows = await deliveries(store, event_deliveries.c.event_id == "bad")
    return rows[0]["state"] == "dead" and rows[0]["round"] == round_number
