"""Calls of every tenant: begun, followed through their states, completed exactly once each.

What a call leaves is on disk before `save` returns, together with the event that tells everybody, so the same call
saved twice counts once and a process killed right after has lost nothing. Called by the server at both ends of a call.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from context.bookings.tables import bookings
from context.calls.completed import CallDetails, completed, started
from context.calls.life import OVER, CallState, require_transition
from context.calls.tables import calls
from context.errors import ContextError
from context.events.outbox import publish
from context.store.database import Store
from context.store.transaction import Row, TenantTransaction
from voice_core.record import CallRecord

RECENT_LIMIT = 50


class CallNotFoundError(ContextError):
    """The tenant has no such call."""

    code = "call_not_found"


class StoredCall(msgspec.Struct, frozen=True):
    """A call as it is stored. outcome and reason are "" and record is None until it is over."""

    call_id: str
    started_at: float
    duration_s: float
    language: str
    state: CallState
    outcome: str
    reason: str
    details: CallDetails
    record: CallRecord | None


class CallFilter(msgspec.Struct, frozen=True):
    """Which calls are meant; None and () mean any. since and until: seconds since the epoch, of the start."""

    outcome: str | None = None
    language: str | None = None
    channel: str | None = None
    direction: str | None = None
    state: CallState | None = None
    persona_id: str | None = None
    since: float | None = None
    until: float | None = None
    call_ids: frozenset[str] | None = None


NO_DETAILS = CallDetails()
ANY_CALL = CallFilter()


def no_bus() -> None:
    """For processes without a bus: whoever has one finds the events at its next poll."""


class CallStore:
    """Calls by tenant. node: the process that carries the calls begun here. wake: tells the bus that events were
    committed. Every method raises StoreError when the database fails."""

    def __init__(self, store: Store, node: str = "", wake: Callable[[], None] = no_bus) -> None:
        self._store = store
        self._node = node
        self._wake = wake

    async def begin(
        self,
        tenant_id: str,
        call_id: str,
        *,
        started_at: float,
        language: str,
        details: CallDetails,
        state: CallState = CallState.ACTIVE,
    ) -> bool:
        """Store a call that starts and publish call.started; False when it was begun before."""
        row = {
            "call_id": call_id,
            "started_at": started_at,
            "duration_s": 0.0,
            "language": language,
            "outcome": "",
            "reason": "",
            "record": "",
            "state": state.value,
            "node": self._node,
            **msgspec.to_builtins(details),
        }
        async with self._store.tenant(tenant_id).writing() as transaction:
            added = await transaction.insert_once(calls, row)
            if added:
                await publish(transaction, started(tenant_id, call_id, started_at, language, details))
        if added:
            self._wake()
        return added

    async def change_state(self, tenant_id: str, call_id: str, state: CallState) -> None:
        """Follow a call that goes on. Raises CallNotFoundError, and CallTransitionError for what may not follow."""
        async with self._store.tenant(tenant_id).writing() as transaction:
            row = await transaction.row(calls, calls.c.call_id == call_id)
            if row is None:
                raise CallNotFoundError(f"call_id: there is no call {call_id!r}")
            require_transition(CallState(row["state"]), state)
            await transaction.update(calls, {"state": state.value}, calls.c.call_id == call_id)

    async def save(
        self,
        tenant_id: str,
        record: CallRecord,
        details: CallDetails = NO_DETAILS,
        state: CallState = CallState.ENDED,
    ) -> bool:
        """Store the record of a call that is over and publish call.completed.

        details: for a call that was not begun here; those it began with stay. False when this call was completed
        before, which stays as it was.
        """
        values = {
            "started_at": record.started_at,
            "duration_s": record.duration_s,
            "language": record.language,
            "outcome": record.outcome.value,
            "reason": record.reason,
            "record": msgspec.json.encode(record).decode(),
            "state": state.value,
        }
        async with self._store.tenant(tenant_id).writing() as transaction:
            this = calls.c.call_id == record.call_id
            found = await transaction.row(calls, this)
            if found is None:
                row = {"call_id": record.call_id, "node": self._node, **values, **msgspec.to_builtins(details)}
                if not await transaction.insert_once(calls, row):
                    return False
            elif CallState(found["state"]) in OVER or not await transaction.update(
                calls, values, this, calls.c.state == found["state"]
            ):
                return False
            else:
                details = _details(found)
            ended_at = record.started_at + record.duration_s
            sold = await _bookings_of(transaction, record.call_id)
            await publish(transaction, completed(tenant_id, record, details, sold, ended_at))
        self._wake()
        return True

    async def find(self, tenant_id: str, call_id: str) -> StoredCall | None:
        """One call of this tenant, whatever its state; None when there is none."""
        async with self._store.tenant(tenant_id).reading() as transaction:
            row = await transaction.row(calls, calls.c.call_id == call_id)
        return None if row is None else _stored(row)

    async def get(self, tenant_id: str, call_id: str) -> CallRecord | None:
        """The record of one call of this tenant, None when there is none (yet)."""
        found = await self.find(tenant_id, call_id)
        return None if found is None else found.record

    async def recent(self, tenant_id: str, limit: int = RECENT_LIMIT) -> list[CallRecord]:
        """The records of the newest calls of this tenant that are over, newest first."""
        over = calls.c.state.in_([state.value for state in OVER])
        async with self._store.tenant(tenant_id).reading() as transaction:
            rows = await transaction.rows(calls, over, calls.c.record != "", order_by=_NEWEST_FIRST, limit=limit)
        return [msgspec.json.decode(row["record"], type=CallRecord) for row in rows]

    async def page(
        self,
        tenant_id: str,
        only: CallFilter = ANY_CALL,
        *,
        after: tuple[float, str] | None = None,
        limit: int = RECENT_LIMIT,
    ) -> list[StoredCall]:
        """Calls, newest first. after: (started_at, call_id) of the last call of the page before."""
        where = _conditions(only)
        if after is not None:
            where.append(sa.tuple_(calls.c.started_at, calls.c.call_id) < sa.tuple_(*map(sa.literal, after)))
        async with self._store.tenant(tenant_id).reading() as transaction:
            rows = await transaction.rows(calls, *where, order_by=_NEWEST_FIRST, limit=limit)
        return [_stored(row) for row in rows]


_NEWEST_FIRST = [calls.c.started_at.desc(), calls.c.call_id.desc()]


def _conditions(only: CallFilter) -> list[sa.ColumnElement[bool]]:
    equal: dict[str, Any] = {
        "outcome": only.outcome,
        "language": only.language,
        "channel": only.channel,
        "direction": only.direction,
        "state": only.state,
        "persona_id": only.persona_id,
    }
    where = [calls.c[name] == value for name, value in equal.items() if value is not None]
    if only.since is not None:
        where.append(calls.c.started_at >= only.since)
    if only.until is not None:
        where.append(calls.c.started_at < only.until)
    if only.call_ids is not None:
        where.append(calls.c.call_id.in_(sorted(only.call_ids)))
    return where


async def _bookings_of(transaction: TenantTransaction, call_id: str) -> Sequence[dict[str, Any]]:
    columns = [bookings.c[name] for name in ("id", "service_id", "starts_at_s", "minutes", "name", "phone", "email")]
    mine = (bookings.c.call_id == call_id, bookings.c.cancelled_at_s.is_(None))
    rows = await transaction.rows(bookings, *mine, columns=columns, order_by=[bookings.c.starts_at_s.asc()])
    return [dict(row) for row in rows]


def _details(row: Row) -> CallDetails:
    return CallDetails(**{name: row[name] for name in CallDetails.__struct_fields__})


def _stored(row: Row) -> StoredCall:
    return StoredCall(
        call_id=row["call_id"],
        started_at=row["started_at"],
        duration_s=row["duration_s"],
        language=row["language"],
        state=CallState(row["state"]),
        outcome=row["outcome"],
        reason=row["reason"],
        details=_details(row),
        record=msgspec.json.decode(row["record"], type=CallRecord) if row["record"] else None,
    )
