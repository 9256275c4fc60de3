"""Puts published events in order, and hands waiting deliveries out in fair batches.

Positions are given here, after the publishing transactions have committed, because numbers counted by a database at
insertion become visible out of order and a reader would step over the late ones. Batches go round the tenants, one at a
time for each, so that a flood of one tenant delays nobody else's events. Driven by `context.events.bus`.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence

import msgspec
import sqlalchemy as sa

from context.events.delivery_states import UNFINISHED, DeliveryMove, DeliveryState, target
from context.events.metrics import BusMetrics
from context.events.patterns import matches
from context.events.settings import BusSettings
from context.events.subscription import Subscription
from context.events.tables import (
    event_deliveries,
    event_places,
    event_relay,
    event_subscribers,
    events,
    unplaced_events,
)
from context.store.database import Store
from context.store.transaction import Row, ServerTransaction

RELAY = "relay"
WORKFLOW_TOKEN_BYTES = 12

_ORPHANS_AT_A_TIME = 200


class Claim(msgspec.Struct, frozen=True):
    """Deliveries of one subscriber and tenant that `workflow_id` now holds."""

    subscriber: str
    tenant_id: str
    workflow_id: str
    deliveries: int


class Relay:
    """Ordering and claiming. Processes take turns by the row of `event_relay`."""

    def __init__(self, store: Store, settings: BusSettings, metrics: BusMetrics, now: Callable[[], float]) -> None:
        self._store = store
        self._settings = settings
        self._metrics = metrics
        self._now = now
        self._last_tenant: dict[str, str] = {}

    async def register(self, subscriptions: Sequence[Subscription]) -> None:
        """Let every process make deliveries for these subscribers, from now on. Raises StoreError."""
        async with self._store.writing_every_tenant() as transaction:
            for subscription in subscriptions:
                types = msgspec.json.encode(subscription.types).decode()
                row = {"name": subscription.name, "types": types, "seen_at_ms": self._now_ms()}
                await transaction.upsert(event_subscribers, row)

    async def place(self) -> int:
        """Give published events their position and their deliveries; the last position, 0 when nothing was waiting.

        Raises StoreError.
        """
        async with self._store.reading_every_tenant() as transaction:
            if await transaction.row(unplaced_events) is None:
                return 0
        last = 0
        while True:
            async with self._store.writing_every_tenant() as transaction:
                placed, position = await self._place_some(transaction)
            self._metrics.placed += placed
            last = max(last, position)
            if placed < self._settings.place_at_a_time:
                return last

    async def claim(self, subscriber: str, busy: frozenset[str]) -> Claim | None:
        """Take the next batch of `subscriber`, of the tenant whose turn it is; None when nothing can be taken.

        busy: tenants to pass over. Raises StoreError.
        """
        async with self._store.reading_every_tenant() as transaction:
            if await self._next_tenant(transaction, subscriber, "") is None:
                return None
        async with self._store.writing_every_tenant() as transaction:
            await _hold(transaction)
            after, seen = self._last_tenant.get(subscriber, ""), set[str]()
            while True:
                tenant_id = await self._next_tenant(transaction, subscriber, after)
                if tenant_id is None and after:
                    tenant_id = await self._next_tenant(transaction, subscriber, "")
                if tenant_id is None or tenant_id in seen:
                    return None
                seen.add(tenant_id)
                after = tenant_id
                if tenant_id in busy:
                    continue
                claim = await self._claim_of(transaction, subscriber, tenant_id)
                if claim is not None:
                    self._last_tenant[subscriber] = tenant_id
                    return claim

    async def release(self, workflow_id: str) -> int:
        """Let what a workflow holds wait again; how many deliveries there were. Raises StoreError."""
        async with self._store.writing_every_tenant() as transaction:
            return await transaction.update(
                event_deliveries,
                {"state": target(DeliveryMove.RELEASE), "changed_at_ms": self._now_ms()},
                event_deliveries.c.workflow_id == workflow_id,
                event_deliveries.c.state.in_((DeliveryState.RUNNING, DeliveryState.RETRYING)),
            )

    async def held_since(self, before_ms: int) -> set[str]:
        """Workflows that hold deliveries which did not change since `before_ms`. Raises StoreError."""
        async with self._store.reading_every_tenant() as transaction:
            rows = await transaction.rows(
                event_deliveries,
                event_deliveries.c.state.in_((DeliveryState.RUNNING, DeliveryState.RETRYING)),
                event_deliveries.c.changed_at_ms <= before_ms,
                columns=[event_deliveries.c.workflow_id],
                limit=_ORPHANS_AT_A_TIME,
            )
        return {row["workflow_id"] for row in rows}

    async def measure(self, subscribers: Sequence[str]) -> None:
        """Bring the gauges up to date. Raises StoreError."""
        for subscriber in subscribers:
            async with self._store.reading_every_tenant() as transaction:
                (row,) = await transaction.rows(
                    event_deliveries,
                    event_deliveries.c.subscriber == subscriber,
                    event_deliveries.c.state.in_(UNFINISHED),
                    event_deliveries.c.tenant_id == events.c.tenant_id,
                    event_deliveries.c.event_id == events.c.id,
                    columns=[
                        sa.func.count().label("waiting"),
                        sa.func.min(events.c.published_at_ms).label("oldest_ms"),
                    ],
                )
            numbers = self._metrics.of(subscriber)
            numbers.waiting = row["waiting"]
            numbers.lag_s = max(0.0, self._now() - row["oldest_ms"] / 1000) if row["oldest_ms"] is not None else 0.0

    async def _place_some(self, transaction: ServerTransaction) -> tuple[int, int]:
        position = await _hold(transaction)
        rows = await transaction.rows(
            unplaced_events,
            events.c.tenant_id == unplaced_events.c.tenant_id,
            events.c.id == unplaced_events.c.event_id,
            columns=[
                unplaced_events.c.sequence,
                events.c.tenant_id,
                events.c.id,
                events.c.type,
                events.c.correlation_id,
            ],
            order_by=[unplaced_events.c.sequence.asc()],
            limit=self._settings.place_at_a_time,
        )
        if not rows:
            return 0, position
        subscribers = await self._subscribers(transaction)
        places: list[Row] = []
        deliveries: list[Row] = []
        for row in rows:
            position += 1
            places.append({"tenant_id": row["tenant_id"], "position": position, "event_id": row["id"]})
            deliveries += [
                new_delivery(row["tenant_id"], row["id"], row["correlation_id"], name, position, self._now_ms())
                for name, types in subscribers.items()
                if matches(types, row["type"])
            ]
        await transaction.insert(event_places, places)
        await transaction.insert(event_deliveries, deliveries)
        await transaction.delete(unplaced_events, unplaced_events.c.sequence.in_([row["sequence"] for row in rows]))
        await transaction.update(event_relay, {"last_position": position}, event_relay.c.name == RELAY)
        return len(rows), position

    async def _subscribers(self, transaction: ServerTransaction) -> Mapping[str, list[str]]:
        """Subscribers that some process has had lately: what is gone for good is not kept waiting for."""
        oldest_ms = self._now_ms() - int(self._settings.retention_s * 1000)
        rows = await transaction.rows(event_subscribers, event_subscribers.c.seen_at_ms >= oldest_ms)
        return {row["name"]: msgspec.json.decode(row["types"], type=list[str]) for row in rows}

    async def _next_tenant(self, transaction: ServerTransaction, subscriber: str, after: str) -> str | None:
        # One step in the index for each tenant, however many deliveries wait.
        (row,) = await transaction.rows(
            event_deliveries,
            event_deliveries.c.subscriber == subscriber,
            event_deliveries.c.state == DeliveryState.PENDING,
            event_deliveries.c.tenant_id > after,
            columns=[sa.func.min(event_deliveries.c.tenant_id).label("tenant_id")],
        )
        return row["tenant_id"]

    async def _claim_of(self, transaction: ServerTransaction, subscriber: str, tenant_id: str) -> Claim | None:
        mine = (event_deliveries.c.subscriber == subscriber, event_deliveries.c.tenant_id == tenant_id)
        # Another process may be at work for this tenant: its events would be handled out of order.
        if await transaction.count(event_deliveries, *mine, event_deliveries.c.state == DeliveryState.RUNNING):
            return None
        retrying = await transaction.count(event_deliveries, *mine, event_deliveries.c.state == DeliveryState.RETRYING)
        if retrying >= self._settings.retries_a_tenant:
            return None
        other = event_deliveries.alias("other")
        standing = sa.exists().where(
            other.c.subscriber == subscriber,
            other.c.tenant_id == tenant_id,
            other.c.state == DeliveryState.RETRYING,
            other.c.lane == event_deliveries.c.lane,
        )
        rows = await transaction.rows(
            event_deliveries,
            *mine,
            event_deliveries.c.state == DeliveryState.PENDING,
            *((~standing,) if retrying else ()),
            columns=[event_deliveries.c.event_id],
            order_by=[event_deliveries.c.position.asc()],
            limit=self._settings.batch,
        )
        if not rows:
            return None
        workflow_id = new_workflow_id(subscriber, rows[0]["event_id"])
        claimed = await transaction.update(
            event_deliveries,
            {"state": target(DeliveryMove.CLAIM), "workflow_id": workflow_id, "changed_at_ms": self._now_ms()},
            *mine,
            event_deliveries.c.state == DeliveryState.PENDING,
            event_deliveries.c.event_id.in_([row["event_id"] for row in rows]),
        )
        return Claim(subscriber, tenant_id, workflow_id, claimed)

    def _now_ms(self) -> int:
        return int(self._now() * 1000)


def new_delivery(
    tenant_id: str, event_id: str, correlation_id: str, subscriber: str, position: int, now_ms: int
) -> Row:
    """A row of `event_deliveries` that waits to be handled."""
    return {
        "tenant_id": tenant_id,
        "event_id": event_id,
        "subscriber": subscriber,
        "state": DeliveryState.PENDING,
        "position": position,
        # An event of no call stands in nobody's way.
        "lane": correlation_id or event_id,
        "round": 0,
        "attempts": 0,
        "workflow_id": "",
        "error_class": "",
        "error": "",
        "changed_at_ms": now_ms,
    }


def new_workflow_id(subscriber: str, event_id: str) -> str:
    """A name for the next workflow: written with the deliveries that it holds, so each runs once."""
    return f"{subscriber}:{event_id}:{secrets.token_hex(WORKFLOW_TOKEN_BYTES)}"


async def _hold(transaction: ServerTransaction) -> int:
    """Be the only one that places or claims until the transaction ends; the last position given."""
    await transaction.insert_once(event_relay, {"name": RELAY, "last_position": 0})
    # Writing the row is what locks it on Postgres; SQLite's writer holds the database already.
    await transaction.update(event_relay, {"last_position": event_relay.c.last_position}, event_relay.c.name == RELAY)
    (row,) = await transaction.rows(event_relay, event_relay.c.name == RELAY)
    return int(row["last_position"])
