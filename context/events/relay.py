"""Puts published events in order, and hands waiting deliveries out in fair batches.

Positions are given here, after the publishing transactions have committed, because numbers counted by a database at
insertion become visible out of order and a reader would step over the late ones. Batches go round the tenants, one at a
time for each, so that a flood of one tenant delays nobody else's events. Driven by `context.events.bus`.
"""

import contextlib
import secrets
from collections.abc import Callable, Mapping, Sequence, Set

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


class _PlacedElsewhereError(Exception):
    """Another process has placed some of these events: nothing was done."""


class Wanted(msgspec.Struct, frozen=True):
    """A subscriber that has time for a batch, of any tenant but the busy ones."""

    subscriber: str
    busy: frozenset[str]


class Claim(msgspec.Struct, frozen=True):
    """Deliveries of one subscriber and tenant that `workflow_id` now holds."""

    subscriber: str
    tenant_id: str
    workflow_id: str


class _Plan(msgspec.Struct, frozen=True):
    subscriber: str
    tenant_id: str
    workflow_id: str
    event_ids: tuple[str, ...]


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
            await transaction.insert_once(event_relay, {"name": RELAY, "last_position": 0})
            for subscription in subscriptions:
                types = msgspec.json.encode(subscription.types).decode()
                row = {"name": subscription.name, "types": types, "seen_at_ms": self._now_ms()}
                await transaction.upsert(event_subscribers, row)

    async def place(self) -> int:
        """Give published events their position and their deliveries; how many there were. Raises StoreError."""
        placed = 0
        while True:
            waiting, subscribers = await self._unplaced()
            if waiting:
                with contextlib.suppress(_PlacedElsewhereError):
                    await self._place(waiting, subscribers)
                    placed += len(waiting)
                    self._metrics.placed += len(waiting)
            if len(waiting) < self._settings.place_at_a_time:
                return placed

    async def claim(self, wanted: Sequence[Wanted]) -> list[Claim]:
        """Take a batch for each that is wanted, of the tenant whose turn it is; fewer when nothing can be taken.

        Raises StoreError.
        """
        # What to take is found by reading: a writer would keep whoever publishes waiting.
        async with self._store.reading_every_tenant() as transaction:
            plans = await self._plans(transaction, wanted)
        claims: list[Claim] = []
        if plans:
            async with self._store.writing_every_tenant() as transaction:
                await _hold(transaction)
                for plan in plans:
                    if await self._take(transaction, plan):
                        claims.append(Claim(plan.subscriber, plan.tenant_id, plan.workflow_id))
        for claim in claims:
            self._last_tenant[claim.subscriber] = claim.tenant_id
        return claims

    async def release(self, workflow_id: str) -> int:
        """Let what a workflow holds wait again; how many deliveries there were. Raises StoreError."""
        async with self._store.writing_every_tenant() as transaction:
            return await transaction.update(
                event_deliveries,
                {"state": target(DeliveryMove.RELEASE), "changed_at_ms": self._now_ms()},
                event_deliveries.c.workflow_id == workflow_id,
                event_deliveries.c.state.in_((DeliveryState.RUNNING, DeliveryState.RETRYING)),
            )

    async def held_since(self, before_ms: int, subscribers: Sequence[str]) -> set[str]:
        """Workflows that hold deliveries of these which did not change since `before_ms`. Raises StoreError."""
        async with self._store.reading_every_tenant() as transaction:
            rows = await transaction.rows(
                event_deliveries,
                event_deliveries.c.subscriber.in_(subscribers),
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

    async def _unplaced(self) -> tuple[Sequence[Row], Mapping[str, list[str]]]:
        """Events to place, in the order of publication, and the types that each subscriber wants."""
        # A subscriber that no process has had for long is gone: nothing is kept waiting for it.
        oldest_ms = self._now_ms() - int(self._settings.retention_s * 1000)
        async with self._store.reading_every_tenant() as transaction:
            waiting = await transaction.rows(
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
            if not waiting:
                return (), {}
            rows = await transaction.rows(event_subscribers, event_subscribers.c.seen_at_ms >= oldest_ms)
        return waiting, {row["name"]: msgspec.json.decode(row["types"], type=list[str]) for row in rows}

    async def _place(self, waiting: Sequence[Row], subscribers: Mapping[str, list[str]]) -> None:
        async with self._store.writing_every_tenant() as transaction:
            last = event_relay.c.last_position
            await transaction.update(event_relay, {"last_position": last + len(waiting)}, event_relay.c.name == RELAY)
            row = await transaction.row(event_relay, event_relay.c.name == RELAY)
            assert row is not None, "register makes it"
            position = int(row["last_position"]) - len(waiting)
            places: list[Row] = []
            deliveries: list[Row] = []
            for event in waiting:
                position += 1
                places.append({"tenant_id": event["tenant_id"], "position": position, "event_id": event["id"]})
                deliveries += [
                    new_delivery(
                        event["tenant_id"], event["id"], event["correlation_id"], name, position, self._now_ms()
                    )
                    for name, types in subscribers.items()
                    if matches(types, event["type"])
                ]
            sequences = [event["sequence"] for event in waiting]
            taken = await transaction.delete(unplaced_events, unplaced_events.c.sequence.in_(sequences))
            if taken < len(waiting):
                raise _PlacedElsewhereError
            await transaction.insert(event_places, places)
            await transaction.insert(event_deliveries, deliveries)

    async def _plans(self, transaction: ServerTransaction, wanted: Sequence[Wanted]) -> list[_Plan]:
        underway = await transaction.rows(
            event_deliveries,
            event_deliveries.c.subscriber.in_([one.subscriber for one in wanted]),
            event_deliveries.c.state.in_((DeliveryState.RUNNING, DeliveryState.RETRYING)),
            columns=[
                event_deliveries.c.subscriber,
                event_deliveries.c.tenant_id,
                event_deliveries.c.state,
                event_deliveries.c.lane,
            ],
        )
        plans: list[_Plan] = []
        for one in wanted:
            busy, standing = set(one.busy), dict[str, set[str]]()
            for row in underway:
                if row["subscriber"] != one.subscriber:
                    continue
                if row["state"] == DeliveryState.RUNNING:
                    # Perhaps in another process: the tenant's events would be handled out of order.
                    busy.add(row["tenant_id"])
                else:
                    standing.setdefault(row["tenant_id"], set()).add(row["lane"])
            busy |= {tenant for tenant, lanes in standing.items() if len(lanes) >= self._settings.retries_a_tenant}
            plan = await self._plan(transaction, one.subscriber, busy, standing)
            if plan is not None:
                plans.append(plan)
        return plans

    async def _plan(
        self, transaction: ServerTransaction, subscriber: str, busy: Set[str], standing: Mapping[str, Set[str]]
    ) -> _Plan | None:
        """The batch of the next tenant after the last one served that has something to do."""
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
            rows = await transaction.rows(
                event_deliveries,
                event_deliveries.c.subscriber == subscriber,
                event_deliveries.c.tenant_id == tenant_id,
                event_deliveries.c.state == DeliveryState.PENDING,
                event_deliveries.c.lane.not_in(standing.get(tenant_id, ())),
                columns=[event_deliveries.c.event_id],
                order_by=[event_deliveries.c.position.asc()],
                limit=self._settings.batch,
            )
            if rows:
                event_ids = tuple(row["event_id"] for row in rows)
                return _Plan(subscriber, tenant_id, new_workflow_id(subscriber, event_ids[0]), event_ids)

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

    async def _take(self, transaction: ServerTransaction, plan: _Plan) -> bool:
        """Take what was planned, unless another process has taken something of this tenant meanwhile."""
        other = event_deliveries.alias("other")
        meanwhile = sa.exists().where(
            other.c.subscriber == plan.subscriber,
            other.c.tenant_id == plan.tenant_id,
            other.c.state == DeliveryState.RUNNING,
        )
        return (
            await transaction.update(
                event_deliveries,
                {"state": target(DeliveryMove.CLAIM), "workflow_id": plan.workflow_id, "changed_at_ms": self._now_ms()},
                event_deliveries.c.subscriber == plan.subscriber,
                event_deliveries.c.tenant_id == plan.tenant_id,
                event_deliveries.c.state == DeliveryState.PENDING,
                event_deliveries.c.event_id.in_(plan.event_ids),
                *(() if transaction.dialect == "sqlite" else (~meanwhile,)),
            )
            > 0
        )

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


async def _hold(transaction: ServerTransaction) -> None:
    """Be the only process that places or takes until the transaction ends."""
    if transaction.dialect != "sqlite":
        # Writing the row locks it. SQLite's writer holds the database already.
        last = event_relay.c.last_position
        await transaction.update(event_relay, {"last_position": last}, event_relay.c.name == RELAY)
