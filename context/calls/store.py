"""Records of finished calls: stored exactly once each, on disk before `save` returns.

Billing and everything else after a call reads them, so the same call saved twice counts once and a
process killed right after the answer has lost nothing. Called by the server when a call ends.
"""

import msgspec

from context.calls.tables import calls
from context.store.database import Store
from voice_core.record import CallRecord

RECENT_LIMIT = 50


class CallStore:
    """Call records by tenant. Every method raises StoreError when the database fails."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def save(self, tenant_id: str, record: CallRecord) -> bool:
        """Store the record; False when this call id was stored before, which stays as it was."""
        row = {
            "call_id": record.call_id,
            "started_at": record.started_at,
            "duration_s": record.duration_s,
            "language": record.language,
            "outcome": record.outcome.value,
            "reason": record.reason,
            "record": msgspec.json.encode(record).decode(),
        }
        async with self._store.tenant(tenant_id).writing() as transaction:
            return await transaction.insert_once(calls, row)

    async def get(self, tenant_id: str, call_id: str) -> CallRecord | None:
        """The record of one call of this tenant, None when there is none."""
        async with self._store.tenant(tenant_id).reading() as transaction:
            rows = await transaction.rows(calls, calls.c.call_id == call_id)
        return _record(rows[0]["record"]) if rows else None

    async def recent(self, tenant_id: str, limit: int = RECENT_LIMIT) -> list[CallRecord]:
        """The newest calls of this tenant, newest first."""
        async with self._store.tenant(tenant_id).reading() as transaction:
            newest_first = [calls.c.started_at.desc(), calls.c.call_id.desc()]
            rows = await transaction.rows(calls, order_by=newest_first, limit=limit)
        return [_record(row["record"]) for row in rows]


def _record(json: str) -> CallRecord:
    return msgspec.json.decode(json, type=CallRecord)
