"""Delivers again: old events to chosen subscribers, and dead letters once their cause is gone.

A delivery that is moved here starts a new round with the same event and id; the bus finds it with its next poll. Works
beside a running server. Used by the REST interface and the command line.
"""

import time
from collections.abc import Callable, Sequence

import msgspec
import sqlalchemy as sa

from context.errors import ContextError
from context.events.delivery_states import DeliveryMove, sources, target
from context.events.log import EventQuery, conditions_of
from context.events.patterns import checked
from context.events.relay import new_delivery
from context.events.tables import event_deliveries, event_places, event_subscribers, events
from context.store.database import Store
from context.store.transaction import Row, TenantTransaction

AT_A_TIME = 100
"""Events moved in one transaction."""


class UnknownSubscriberError(ContextError):
    """Nobody of that name has ever subscribed."""

    code = "unknown_subscriber"


class DeadLetter(msgspec.Struct, frozen=True):
    """A delivery that was given up. position: that of its event. error: redacted. died_at: seconds since the epoch."""

    event_id: str
    type: str
    tenant_id: str
    subscriber: str
    position: int
    attempts: int
    error_class: str
    error: str
    died_at: float


async def known_subscribers(store: Store) -> list[str]:
    """Names of everybody who has subscribed. Raises StoreError."""
    async with store.reading_every_tenant() as transaction:
        rows = await transaction.rows(event_subscribers, order_by=[event_subscribers.c.name.asc()])
    return [row["name"] for row in rows]


async def replay(
    store: Store,
    tenant_id: str,
    subscribers: Sequence[str],
    query: EventQuery,
    now: Callable[[], float] = time.time,
) -> int:
    """Deliver the tenant's events that meet `query` again to `subscribers`, whether or not their types are among those
    that they subscribed to; how many deliveries that makes. What is still under way is left alone.

    Raises UnknownSubscriberError, PatternError and StoreError.
    """
    checked(query.types)
    known = await known_subscribers(store)
    for subscriber in subscribers:
        if subscriber not in known:
            raise UnknownSubscriberError(f"subscriber: {subscriber!r} is none of {', '.join(known) or '(nobody)'}")
    moved, after = 0, 0
    while True:
        async with store.tenant(tenant_id).writing() as transaction:
            rows = await transaction.rows(
                event_places,
                event_places.c.tenant_id == events.c.tenant_id,
                event_places.c.event_id == events.c.id,
                event_places.c.position > after,
                *conditions_of(query),
                columns=[event_places.c.position, events.c.id, events.c.correlation_id],
                order_by=[event_places.c.position.asc()],
                limit=AT_A_TIME,
            )
            for subscriber in subscribers:
                moved += await _again(transaction, subscriber, rows, int(now() * 1000))
        if len(rows) < AT_A_TIME:
            return moved
        after = rows[-1]["position"]


async def dead_letters(
    store: Store, tenant_id: str, *, limit: int, before: tuple[int, str] | None = None, subscriber: str = ""
) -> list[DeadLetter]:
    """Dead letters of a tenant, the newest event first. before: position and subscriber of the last one seen, to go on
    from there. Raises StoreError."""
    conditions = [event_deliveries.c.state == target(DeliveryMove.GIVE_UP)]
    if subscriber:
        conditions.append(event_deliveries.c.subscriber == subscriber)
    if before is not None:
        position, name = before
        same = sa.and_(event_deliveries.c.position == position, event_deliveries.c.subscriber > name)
        conditions.append(sa.or_(event_deliveries.c.position < position, same))
    async with store.tenant(tenant_id).reading() as transaction:
        rows = await transaction.rows(
            event_deliveries,
            events.c.tenant_id == event_deliveries.c.tenant_id,
            events.c.id == event_deliveries.c.event_id,
            *conditions,
            columns=[*event_deliveries.c, events.c.type],
            order_by=[event_deliveries.c.position.desc(), event_deliveries.c.subscriber.asc()],
            limit=limit,
        )
    return [
        DeadLetter(
            event_id=row["event_id"],
            type=row["type"],
            tenant_id=tenant_id,
            subscriber=row["subscriber"],
            position=row["position"],
            attempts=row["attempts"],
            error_class=row["error_class"],
            error=row["error"],
            died_at=row["changed_at_ms"] / 1000,
        )
        for row in rows
    ]


async def retry_dead_letters(
    store: Store, tenant_id: str, event_id: str = "", subscriber: str = "", now: Callable[[], float] = time.time
) -> int:
    """Deliver dead letters of a tenant again: all, or those of one event or subscriber; how many. Raises StoreError."""
    async with store.tenant(tenant_id).writing() as transaction:
        return await transaction.update(event_deliveries, _next_round(int(now() * 1000)), *_dead(event_id, subscriber))


async def drop_dead_letters(
    store: Store, tenant_id: str, event_id: str = "", subscriber: str = "", now: Callable[[], float] = time.time
) -> int:
    """Give dead letters up for good; how many. Their events stay, and can be replayed. Raises StoreError."""
    async with store.tenant(tenant_id).writing() as transaction:
        return await transaction.update(
            event_deliveries,
            {"state": target(DeliveryMove.DROP), "changed_at_ms": int(now() * 1000)},
            *_dead(event_id, subscriber),
        )


def _dead(event_id: str, subscriber: str) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = [event_deliveries.c.state.in_(sources(DeliveryMove.DROP))]
    if event_id:
        conditions.append(event_deliveries.c.event_id == event_id)
    if subscriber:
        conditions.append(event_deliveries.c.subscriber == subscriber)
    return conditions


def _next_round(now_ms: int) -> Row:
    return {
        "state": target(DeliveryMove.REPLAY),
        "round": event_deliveries.c.round + 1,
        "attempts": 0,
        "error_class": "",
        "error": "",
        "changed_at_ms": now_ms,
    }


async def _again(transaction: TenantTransaction, subscriber: str, rows: Sequence[Row], now_ms: int) -> int:
    if not rows:
        return 0
    mine = (
        event_deliveries.c.subscriber == subscriber,
        event_deliveries.c.event_id.in_([row["id"] for row in rows]),
    )
    known = {row["event_id"] for row in await transaction.rows(event_deliveries, *mine)}
    moved = await transaction.update(
        event_deliveries, _next_round(now_ms), *mine, event_deliveries.c.state.in_(sources(DeliveryMove.REPLAY))
    )
    missing = [
        # It was not for this subscriber, or the subscriber was not there yet.
        {
            **new_delivery(
                transaction.tenant_id, row["id"], row["correlation_id"], subscriber, row["position"], now_ms
            ),
            "round": 1,
        }
        for row in rows
        if row["id"] not in known
    ]
    await transaction.insert(event_deliveries, missing)
    return moved + len(missing)
