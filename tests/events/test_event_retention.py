"""What is forgotten after 72 hours, and what is not."""

from collections.abc import Sequence

from context.events.delivery_states import DeliveryState
from context.events.event import Event
from context.events.metrics import BusMetrics
from context.events.outbox import publish
from context.events.relay import Relay
from context.events.retention import forget_old_events
from context.events.settings import HOUR_S, BusSettings
from context.events.subscription import Subscription
from context.events.tables import event_deliveries, event_places, events
from context.store.database import Store
from context.store.transaction import TenantTransaction
from tests.events.small_bus import PARK, an_event

START_S = 1_763_972_000.0
DAY_S = 24 * HOUR_S


async def test_after_72_hours_only_what_bills_rest_on_and_what_nobody_handled_is_left(store: Store) -> None:
    await _placed(store, ["call.started", "call.completed", "invoice.sent", "payment.failed", "crm.won", "crm.lost"])
    await _set(store, "crm.lost", DeliveryState.DEAD)
    settings = BusSettings()

    def later(days: float) -> float:
        return START_S + days * DAY_S

    assert await forget_old_events(store, settings, lambda: later(2.9)) == 0
    await _seen(store, later(3))
    assert await forget_old_events(store, settings, lambda: later(3.1)) == 2
    assert await _left(store) == ["call.completed", "crm.lost", "invoice.sent", "payment.failed"]
    await _seen(store, later(30))
    assert await forget_old_events(store, settings, lambda: later(30.1)) == 1
    assert await _left(store) == ["call.completed", "invoice.sent", "payment.failed"]
    async with store.reading_every_tenant() as transaction:
        assert await transaction.count(event_places) == await transaction.count(event_deliveries) == 3


async def test_what_waits_for_a_subscriber_that_is_gone_for_good_is_not_kept_for_it(file_store: Store) -> None:
    await _placed(file_store, ["crm.won"])
    await _set(file_store, "crm.won", DeliveryState.PENDING)
    assert await forget_old_events(file_store, BusSettings(), lambda: START_S + 4 * DAY_S) == 1


async def test_an_event_that_no_relay_has_seen_yet_is_kept_however_old_it_is(file_store: Store) -> None:
    async with file_store.tenant(PARK).writing() as transaction:
        await publish(transaction, an_event("e1", kind="crm.won"), lambda: START_S)
    assert await forget_old_events(file_store, BusSettings(), lambda: START_S + 99 * DAY_S) == 0


def _relay(store: Store, now_s: float) -> Relay:
    return Relay(store, BusSettings(), BusMetrics(), lambda: now_s)


def _subscription() -> Subscription:
    async def handle(event: Event, transaction: TenantTransaction) -> None:
        raise AssertionError

    return Subscription("subscriber", ("*",), handle)


async def _placed(store: Store, types: Sequence[str]) -> None:
    await _seen(store, START_S)
    async with store.tenant(PARK).writing() as transaction:
        for kind in types:
            await publish(transaction, an_event(kind, kind=kind), lambda: START_S)
    assert await _relay(store, START_S).place() == len(types)
    for kind in types:
        await _set(store, kind, DeliveryState.HANDLED)


async def _seen(store: Store, now_s: float) -> None:
    await _relay(store, now_s).register([_subscription()])


async def _set(store: Store, event_id: str, state: DeliveryState) -> None:
    async with store.tenant(PARK).writing() as transaction:
        await transaction.update(event_deliveries, {"state": state}, event_deliveries.c.event_id == event_id)


async def _left(store: Store) -> list[str]:
    async with store.tenant(PARK).reading() as transaction:
        return [row["type"] for row in await transaction.rows(events, order_by=[events.c.type.asc()])]
