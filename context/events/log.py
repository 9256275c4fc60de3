"""Reads events: one by its id, a page of them, or all that come from now on.

Everything is by position, the order in which events were placed: nobody who follows it misses one. Used by the REST
interface, the command line and the webhooks' page.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

import msgspec
import sqlalchemy as sa

from context.events.event import Event
from context.events.outbox import event_of
from context.events.patterns import EVERY, column_matches
from context.events.tables import event_places, event_relay, events
from context.store.database import Store
from context.store.transaction import Row, ServerTransaction, TenantTransaction

TAIL_POLL_S = 1.0
"""How often events that another process placed are looked for; those of this process are heard of at once."""

TAIL_PAGE = 100


class PlacedEvent(msgspec.Struct, frozen=True):
    """An event and its place in the order of all events of the installation, from 1."""

    position: int
    event: Event


class EventQuery(msgspec.Struct, frozen=True):
    """Which events. types: patterns. correlation_id: "" for any. since, until: of `occurred_at`, seconds since the
    epoch, from and before."""

    types: tuple[str, ...] = (EVERY,)
    correlation_id: str = ""
    since: float | None = None
    until: float | None = None


class EventLog:
    """All events. Every method raises StoreError when the database fails."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._placed = asyncio.Event()

    async def get(self, tenant_id: str, event_id: str) -> Event | None:
        """One event of this tenant."""
        async with self._store.tenant(tenant_id).reading() as transaction:
            row = await transaction.row(events, events.c.id == event_id)
        return event_of(row) if row is not None else None

    async def page(self, tenant_id: str, query: EventQuery, limit: int, before: int | None = None) -> list[PlacedEvent]:
        """The newest events of this tenant that meet the query, newest first. before: a position, to go on from."""
        conditions = conditions_of(query)
        if before is not None:
            conditions.append(event_places.c.position < before)
        async with self._store.tenant(tenant_id).reading() as transaction:
            rows = await _read(transaction, conditions, [event_places.c.position.desc()], limit)
        return [PlacedEvent(row["position"], event_of(row)) for row in rows]

    async def last_position(self) -> int:
        """The position of the newest event of all tenants, 0 when there was none yet."""
        async with self._store.reading_every_tenant() as transaction:
            row = await transaction.row(event_relay)
        return int(row["last_position"]) if row is not None else 0

    async def tail(
        self, after: int, tenant_id: str | None = None, types: Sequence[str] = (EVERY,)
    ) -> AsyncIterator[PlacedEvent]:
        """Every event after a position, in order, for ever. tenant_id: None for all tenants, which is for the
        operator alone."""
        query = EventQuery(types=tuple(types))
        while True:
            # Asked for before reading: an event that is placed meanwhile wakes us at once.
            placed = self._placed
            newest = await self.last_position()
            found = await self._after(after, newest, tenant_id, query) if newest > after else []
            for event in found:
                yield event
            if len(found) == TAIL_PAGE:
                after = found[-1].position
                continue
            after = max(after, newest)
            try:
                await asyncio.wait_for(placed.wait(), TAIL_POLL_S)
            except TimeoutError:
                continue

    def placed(self) -> None:
        """Wake whoever follows: the bus has placed events."""
        self._placed.set()
        self._placed = asyncio.Event()

    async def _after(self, after: int, newest: int, tenant_id: str | None, query: EventQuery) -> list[PlacedEvent]:
        conditions = [*conditions_of(query), event_places.c.position > after, event_places.c.position <= newest]
        order = [event_places.c.position.asc()]
        if tenant_id is None:
            async with self._store.reading_every_tenant() as transaction:
                rows = await _read(transaction, conditions, order, TAIL_PAGE)
        else:
            async with self._store.tenant(tenant_id).reading() as transaction:
                rows = await _read(transaction, conditions, order, TAIL_PAGE)
        return [PlacedEvent(row["position"], event_of(row)) for row in rows]


async def _read(
    transaction: TenantTransaction | ServerTransaction,
    conditions: Sequence[sa.ColumnElement[bool]],
    order: Sequence[sa.ColumnElement[int]],
    limit: int,
) -> Sequence[Row]:
    return await transaction.rows(
        event_places,
        event_places.c.tenant_id == events.c.tenant_id,
        event_places.c.event_id == events.c.id,
        *conditions,
        columns=[event_places.c.position, *events.c],
        order_by=order,
        limit=limit,
    )


def conditions_of(query: EventQuery) -> list[sa.ColumnElement[bool]]:
    """What rows of `events` must meet."""
    conditions: list[sa.ColumnElement[bool]] = []
    if EVERY not in query.types:
        conditions.append(column_matches(events.c.type, query.types))
    if query.correlation_id:
        conditions.append(events.c.correlation_id == query.correlation_id)
    if query.since is not None:
        conditions.append(events.c.occurred_at_s >= query.since)
    if query.until is not None:
        conditions.append(events.c.occurred_at_s < query.until)
    return conditions
