"""Forgets events: after 72 hours, except those that bills and records rest on.

An event that somebody still has to handle is kept longer, and so are dead letters, until they are too old to be of use.
Run by the bus every few minutes.
"""

from collections.abc import Callable

import sqlalchemy as sa

from context.events.delivery_states import UNFINISHED, DeliveryState
from context.events.patterns import column_matches
from context.events.settings import BusSettings
from context.events.tables import event_deliveries, event_places, event_subscribers, events
from context.store.database import Store
from context.store.transaction import ServerTransaction

KEPT_TYPES = ("call.completed", "invoice.*", "payment.*", "billing.*")
"""Never forgotten here: bills are made from them. What is personal in them is erased with the person's data."""

AT_A_TIME = 200
"""Events deleted in one transaction: others wait to write meanwhile."""


async def forget_old_events(store: Store, settings: BusSettings, now: Callable[[], float]) -> int:
    """Delete what is past its time; how many events. Raises StoreError."""
    old_ms = int((now() - settings.retention_s) * 1000)
    too_old_ms = int((now() - settings.hard_retention_s) * 1000)
    waits = sa.exists().where(
        event_deliveries.c.tenant_id == events.c.tenant_id,
        event_deliveries.c.event_id == events.c.id,
        event_deliveries.c.state.in_((*UNFINISHED, DeliveryState.DEAD)),
        event_deliveries.c.subscriber.in_(
            sa.select(event_subscribers.c.name).where(event_subscribers.c.seen_at_ms >= old_ms)
        ),
    )
    placed = sa.exists().where(event_places.c.tenant_id == events.c.tenant_id, event_places.c.event_id == events.c.id)
    forgotten = 0
    while True:
        async with store.writing_every_tenant() as transaction:
            some = await transaction.rows(
                events,
                events.c.published_at_ms < old_ms,
                ~column_matches(events.c.type, KEPT_TYPES),
                placed,
                sa.or_(~waits, events.c.published_at_ms < too_old_ms),
                columns=[events.c.tenant_id, events.c.id],
                limit=AT_A_TIME,
            )
            await _delete(transaction, [(row["tenant_id"], row["id"]) for row in some])
        forgotten += len(some)
        if len(some) < AT_A_TIME:
            return forgotten


async def _delete(transaction: ServerTransaction, keys: list[tuple[str, str]]) -> None:
    if keys:
        for table, event_id in (
            (event_deliveries, event_deliveries.c.event_id),
            (event_places, event_places.c.event_id),
            (events, events.c.id),
        ):
            await transaction.delete(table, sa.tuple_(table.c.tenant_id, event_id).in_(keys))
