"""Deliveries on the store: what is due, who is sending it, and the log of every attempt.

A delivery that is being sent is leased to one process for some seconds, so that several processes share the work and
a dead one's deliveries are taken over. Called by `dispatcher`; people read the log through `context.webhooks.service`.
"""

import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec
import sqlalchemy as sa

from context.events.event import Event
from context.store.database import Store
from context.store.transaction import Row, TenantTransaction
from context.webhooks.delivery import TRANSITIONS, Answer, Attempt, Delivery, DeliveryState, Next, Origin
from context.webhooks.endpoints import remove_deliveries
from context.webhooks.errors import DeliveryNotFoundError
from context.webhooks.tables import webhook_attempts, webhook_deliveries

LEASE_MS = 30_000
"""Longer than an attempt may take; after it another process sends again."""

PARALLEL = 4
"""Requests to one endpoint at the same time, a process: a slow one holds these and no more."""

CLAIMS = 50
"""Deliveries looked at in one go."""

ID_BYTES = 6

T = TypeVar("T", bound=msgspec.Struct)

_due = webhook_deliveries.c.due_at_ms
_leased = webhook_deliveries.c.lease_until_ms
_is_pending = webhook_deliveries.c.state == DeliveryState.PENDING.value


class Claim(msgspec.Struct, frozen=True):
    """A delivery that this process may send now. attempts: made before."""

    tenant_id: str
    id: str
    endpoint_id: str
    event_id: str
    attempts: int


class DeliveryStore:
    """Deliveries of every tenant, as one process sends them. owner: tells this process from others."""

    def __init__(self, store: Store, owner: str) -> None:
        self._store = store
        self._owner = owner

    async def add(
        self, transaction: TenantTransaction, endpoint_id: str, event: Event, origin: Origin, now_ms: int
    ) -> str:
        """Plan a delivery for now, in the caller's transaction; its id."""
        delivery_id = new_delivery_id(now_ms)
        row = _row(delivery_id, endpoint_id, event, origin, DeliveryState.PENDING, now_ms)
        await transaction.insert(webhook_deliveries, [row])
        return delivery_id

    async def add_finished(
        self,
        transaction: TenantTransaction,
        endpoint_id: str,
        event: Event,
        delivery_id: str,
        attempt: Attempt,
        state: DeliveryState,
    ) -> None:
        """Log a delivery that was tried once already: the test of an endpoint."""
        row = _row(delivery_id, endpoint_id, event, Origin.TEST, state, attempt.at_ms)
        await transaction.insert(webhook_deliveries, [{**row, "attempts": attempt.attempt}])
        await transaction.insert(webhook_attempts, [_attempt_row(delivery_id, attempt)])

    async def claim(self, now_ms: int, under_way: Mapping[str, int], room: int) -> Sequence[Claim]:
        """Lease what is due, up to `room` deliveries and `PARALLEL` of each endpoint.

        under_way: endpoint id -> deliveries that this process is sending there already.
        """
        free = (_is_pending, _due <= now_ms, _leased <= now_ms)
        busy = [endpoint_id for endpoint_id, number in under_way.items() if number >= PARALLEL]
        async with self._store.reading_every_tenant() as server:
            due = await server.rows(
                webhook_deliveries,
                *free,
                webhook_deliveries.c.endpoint_id.not_in(busy),
                order_by=[_due.asc(), webhook_deliveries.c.id.asc()],
                limit=CLAIMS,
            )
        wanted: list[Row] = []
        numbers = Counter(under_way)
        for row in due:
            if numbers[row["endpoint_id"]] < PARALLEL and len(wanted) < room:
                numbers[row["endpoint_id"]] += 1
                wanted.append(row)
        claimed: list[Claim] = []
        if not wanted:
            return claimed
        async with self._store.writing_every_tenant() as server:
            # In one order in every process, or two of them could wait for each other.
            for row in sorted(wanted, key=lambda row: (row["tenant_id"], row["id"])):
                lease = {"lease_owner": self._owner, "lease_until_ms": now_ms + LEASE_MS}
                # Asked again: another process may have been faster.
                if await server.update(webhook_deliveries, lease, *_is(row["tenant_id"], row["id"]), *free):
                    claimed.append(_from_row(row, Claim))
        return claimed

    async def finish(
        self, transaction: TenantTransaction, claim: Claim, answer: Answer, at_ms: int, following: Next
    ) -> bool:
        """Log an attempt and say what follows; False when the lease was lost meanwhile, which changes nothing."""
        attempts = claim.attempts + 1
        if not await self._settle(transaction, claim, following, attempts):
            return False
        attempt = Attempt(
            attempt=attempts,
            at_ms=at_ms,
            duration_ms=answer.duration_ms,
            status=answer.status,
            error=answer.failure.value,
            response=answer.response,
        )
        await transaction.insert(webhook_attempts, [_attempt_row(claim.id, attempt)])
        return True

    async def cancel(self, transaction: TenantTransaction, claim: Claim, now_ms: int) -> None:
        """End a delivery that nobody wants any more."""
        await self._settle(transaction, claim, Next(DeliveryState.CANCELLED, now_ms), claim.attempts)

    async def release(self) -> None:
        """Give back what this process has leased: the next one need not wait for the leases to end."""
        mine = (_is_pending, webhook_deliveries.c.lease_owner == self._owner)
        async with self._store.writing_every_tenant() as server:
            await server.update(webhook_deliveries, {"lease_owner": "", "lease_until_ms": 0}, *mine)

    async def next_due_ms(self, now_ms: int) -> int | None:
        """When the first delivery after `now_ms` is due, None when none is planned."""
        later = (_is_pending, _due > now_ms)
        async with self._store.reading_every_tenant() as server:
            rows = await server.rows(webhook_deliveries, *later, columns=[_due], order_by=[_due.asc()], limit=1)
        return rows[0]["due_at_ms"] if rows else None

    async def forget_before(self, before_ms: int) -> int:
        """Remove deliveries that are over and were made before `before_ms`; how many there were."""
        old = (webhook_deliveries.c.created_at_ms < before_ms, sa.not_(_is_pending))
        async with self._store.reading_every_tenant() as server:
            columns = [webhook_deliveries.c.tenant_id, webhook_deliveries.c.id]
            rows = await server.rows(webhook_deliveries, *old, columns=columns)
        by_tenant: dict[str, list[str]] = {}
        for row in rows:
            by_tenant.setdefault(row["tenant_id"], []).append(row["id"])
        removed = 0
        for tenant_id, ids in by_tenant.items():
            async with self._store.tenant(tenant_id).writing() as transaction:
                removed += await remove_deliveries(transaction, ids)
        return removed

    async def get(self, transaction: TenantTransaction, delivery_id: str) -> Delivery:
        """One delivery with its log. Raises DeliveryNotFoundError."""
        row = await transaction.row(webhook_deliveries, webhook_deliveries.c.id == delivery_id)
        if row is None:
            raise DeliveryNotFoundError(f"no webhook delivery {delivery_id!r}")
        return (await _with_logs(transaction, [row]))[0]

    async def page(
        self,
        transaction: TenantTransaction,
        limit: int,
        *,
        endpoint_id: str | None = None,
        state: DeliveryState | None = None,
        event_id: str | None = None,
        before_id: str | None = None,
    ) -> Sequence[Delivery]:
        """Deliveries newest first, each with its log. before_id: of the last one on the page before."""
        column = webhook_deliveries.c
        asked = ((column.endpoint_id, endpoint_id), (column.state, state and state.value), (column.event_id, event_id))
        where = [column == value for column, value in asked if value is not None]
        if before_id is not None:
            where.append(column.id < before_id)
        rows = await transaction.rows(webhook_deliveries, *where, order_by=[column.id.desc()], limit=limit)
        return await _with_logs(transaction, rows)

    async def _settle(self, transaction: TenantTransaction, claim: Claim, following: Next, attempts: int) -> bool:
        assert following.state in TRANSITIONS[DeliveryState.PENDING]
        values = {
            "state": following.state.value,
            "due_at_ms": following.due_at_ms,
            "attempts": attempts,
            "lease_owner": "",
            "lease_until_ms": 0,
        }
        mine = (webhook_deliveries.c.lease_owner == self._owner, _is_pending)
        return bool(await transaction.update(webhook_deliveries, values, webhook_deliveries.c.id == claim.id, *mine))


def new_delivery_id(now_ms: int) -> str:
    """An id that sorts by time."""
    return f"wd_{now_ms:012x}{secrets.token_hex(ID_BYTES)}"


def _is(tenant_id: str, delivery_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    return webhook_deliveries.c.tenant_id == tenant_id, webhook_deliveries.c.id == delivery_id


async def _with_logs(transaction: TenantTransaction, rows: Sequence[Row]) -> list[Delivery]:
    ids = [row["id"] for row in rows]
    found = await transaction.rows(
        webhook_attempts, webhook_attempts.c.delivery_id.in_(ids), order_by=[webhook_attempts.c.attempt.asc()]
    )
    logs: dict[str, list[Attempt]] = {}
    for row in found:
        logs.setdefault(row["delivery_id"], []).append(_from_row(row, Attempt))
    return [msgspec.structs.replace(_from_row(row, Delivery), log=tuple(logs.get(row["id"], ()))) for row in rows]


def _from_row(row: Row, kind: type[T]) -> T:
    return msgspec.convert({name: row[name] for name in kind.__struct_fields__ if name in row}, kind)


def _row(
    delivery_id: str, endpoint_id: str, event: Event, origin: Origin, state: DeliveryState, now_ms: int
) -> dict[str, object]:
    contact_id = event.payload.get("contact_id", "")
    return {
        "id": delivery_id,
        "endpoint_id": endpoint_id,
        "event_id": event.id,
        "event_type": event.type,
        "correlation_id": event.correlation_id,
        "contact_id": contact_id if isinstance(contact_id, str) else "",
        "origin": origin.value,
        "state": state.value,
        "attempts": 0,
        "created_at_ms": now_ms,
        "due_at_ms": now_ms,
        "lease_owner": "",
        "lease_until_ms": 0,
    }


def _attempt_row(delivery_id: str, attempt: Attempt) -> Row:
    return {"delivery_id": delivery_id, **msgspec.structs.asdict(attempt)}
