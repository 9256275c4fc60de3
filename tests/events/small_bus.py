"""A bus for tests: short pauses, a table of effects that shows whatever happens twice, and events to publish."""

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import sqlalchemy as sa

from context.events.bus import EventBus
from context.events.event import Event
from context.events.settings import BusSettings
from context.events.subscription import Subscription
from context.events.tables import event_deliveries
from context.store.database import Store
from context.store.row_security import EVERY_TENANT
from context.store.transaction import Row, TenantTransaction

PARK = "park"
LAKE = "lake"

QUICK = BusSettings(first_pause_s=0.02, poll_s=0.05, round_s=0.01, housekeeping_s=0.2, stop_s=2.0)
PATIENCE_S = 20.0
"""A machine that is busy with other things is slow, not broken."""

effects_metadata = sa.MetaData()
effects = sa.Table(
    "effects",
    effects_metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("at_ns", sa.BigInteger, primary_key=True),
    sa.Column("subscriber", sa.String, primary_key=True),
    sa.Column("event_id", sa.String, nullable=False),
    comment="What handlers did. No key forbids that something is done twice.",
)

_numbers = itertools.count(1)


async def make_effects(store: Store) -> None:
    """The table of effects, which is no table of Parley's."""
    async with store.writing_as(EVERY_TENANT) as connection:
        await connection.run_sync(effects_metadata.create_all)


async def note(transaction: TenantTransaction, subscriber: str, event: Event) -> None:
    """Leave an effect."""
    row = {"at_ns": time.monotonic_ns() + next(_numbers), "subscriber": subscriber, "event_id": event.id}
    await transaction.insert(effects, [row])


async def noted(store: Store, subscriber: str, tenant_id: str | None = None) -> list[str]:
    """Ids of the events whose effects are there, in the order in which they came about."""
    async with store.reading_every_tenant() as transaction:
        where = [effects.c.subscriber == subscriber]
        if tenant_id is not None:
            where.append(effects.c.tenant_id == tenant_id)
        rows = await transaction.rows(effects, *where, order_by=[effects.c.at_ns.asc()])
    return [row["event_id"] for row in rows]


def an_event(
    event_id: str, *, tenant: str = PARK, kind: str = "call.completed", call: str = "", **payload: Any
) -> Event:
    return Event(
        id=event_id,
        type=kind,
        tenant_id=tenant,
        occurred_at=1_763_972_000.25,
        source="tests",
        correlation_id=call,
        payload=payload,
    )


@asynccontextmanager
async def running_bus(
    store: Store, database_url: str, *subscriptions: Subscription, settings: BusSettings = QUICK
) -> AsyncGenerator[EventBus, None]:
    bus = EventBus(store, database_url, settings=settings)
    for subscription in subscriptions:
        bus.subscribe(subscription)
    await bus.start()
    try:
        yield bus
    finally:
        await bus.stop()


async def deliveries(store: Store, *where: sa.ColumnElement[bool]) -> Sequence[Row]:
    async with store.reading_every_tenant() as transaction:
        return await transaction.rows(event_deliveries, *where, order_by=[event_deliveries.c.position.asc()])


async def until(true: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait for something to become true."""
    ends = time.monotonic() + PATIENCE_S
    while not await true():
        if time.monotonic() > ends:
            raise AssertionError(f"it never happened: {what}")
        await asyncio.sleep(0.01)


async def until_settled(store: Store, count: int) -> Sequence[Row]:
    """Wait until that many deliveries are there and none is under way; they."""

    async def settled() -> bool:
        rows = await deliveries(store)
        return len(rows) >= count and all(row["state"] in ("handled", "dead", "dropped") for row in rows)

    await until(settled, f"{count} deliveries are settled")
    return await deliveries(store)
