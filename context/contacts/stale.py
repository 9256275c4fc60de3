"""Finds the boxes that nothing has happened to for a day: compacts them, marks them, and says so.

A stale box is not wrong, but whoever takes it up again should ask instead of assuming. Run by the composition every
few minutes; each box is marked in a transaction of its own, so a stop in the middle loses nothing and the next run goes
on.
"""

import datetime as dt
from collections.abc import Callable

import msgspec
import sqlalchemy as sa

from context.contacts import box_rows, contact_rows
from context.contacts.box_rows import Writing
from context.contacts.boxes import no_bus
from context.contacts.compaction import STALE_TURNS_LIMIT
from context.contacts.contact import ContactNotFoundError
from context.contacts.tables import context_boxes
from context.store.database import Store

STALE_AFTER = dt.timedelta(hours=24)
BATCH = 200
"""Boxes looked up at a time."""

ACTOR = "context.contacts.stale"


class StaleJob:
    """Marks stale boxes of every tenant. wake: tells the bus that events were committed."""

    def __init__(self, store: Store, wake: Callable[[], None] = no_bus) -> None:
        self._store = store
        self._wake = wake

    async def run(self, now: dt.datetime) -> int:
        """Mark every box without activity for `STALE_AFTER`; how many there were. Raises StoreError."""
        now_ms = int(now.timestamp() * 1_000)
        before_ms = now_ms - int(STALE_AFTER / dt.timedelta(milliseconds=1))
        marked = 0
        last = ("", "")
        while batch := await self._batch(before_ms, last):
            for tenant_id, contact_id in batch:
                marked += await self._mark(tenant_id, contact_id, before_ms, now_ms)
            last = batch[-1]
        if marked:
            self._wake()
        return marked

    async def _batch(self, before_ms: int, last: tuple[str, str]) -> list[tuple[str, str]]:
        """Tenant and contact of stale boxes that come after `last`."""
        columns = context_boxes.c
        key = (columns.tenant_id, columns.contact_id)
        async with self._store.reading_every_tenant() as transaction:
            rows = await transaction.rows(
                context_boxes,
                columns.stale_ms == 0,
                columns.activity_ms < before_ms,
                sa.or_(key[0] > last[0], sa.and_(key[0] == last[0], key[1] > last[1])),
                columns=key,
                order_by=key,
                limit=BATCH,
            )
        return [(row["tenant_id"], row["contact_id"]) for row in rows]

    async def _mark(self, tenant_id: str, contact_id: str, before_ms: int, now_ms: int) -> bool:
        """Whether the box was still there and still stale."""
        async with self._store.tenant(tenant_id).writing() as transaction:
            await contact_rows.lock(transaction)
            try:
                contact = await contact_rows.load(transaction, contact_id)
            except ContactNotFoundError:
                return False
            box = await box_rows.load(transaction, contact)
            if box.contact_id != contact_id or box.stale_ms or box.activity_ms >= before_ms:
                return False
            stale = msgspec.structs.replace(box, stale_ms=now_ms)
            await box_rows.save(transaction, box, stale, Writing(ACTOR, "stale", now_ms), STALE_TURNS_LIMIT)
        return True
