"""Forgets what was said in calls that are older than a tenant keeps its history; bills keep what they rest on.

Run by the server's housekeeping once a day, and once more after it was killed: files go first, and how far the rows
are done is written with the last of them.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import sqlalchemy as sa
import structlog

from context.calls.life import OVER
from context.calls.tables import calls
from context.erasure.recordings import RecordingFiles
from context.erasure.registry import PersonalData, Subject
from context.erasure.tables import retentions
from context.store.database import Store

DAY_S = 86_400
CALLS_AT_A_TIME = 100
"""Calls forgotten in one transaction: milliseconds, so that live calls are not held up."""

log = structlog.get_logger(__name__)


class Forgotten(msgspec.Struct, frozen=True):
    """What a run removed. calls: by tenant id. files: recordings and event logs."""

    calls: dict[str, int]
    files: int


class RetentionJob:
    """Removal by age.

    history_days: how long a tenant's history is kept, None for ever. of_calls: who holds what was said in calls
    (calls, events, webhooks); each is asked to erase a subject that is nothing but call ids.
    """

    def __init__(
        self,
        store: Store,
        recordings: Path,
        history_days: Callable[[str], int | None],
        of_calls: Sequence[PersonalData],
    ) -> None:
        self._store = store
        self._files = RecordingFiles(recordings)
        self._history_days = history_days
        self._of_calls = tuple(of_calls)

    async def run(self, now_s: float) -> Forgotten:
        """Forget what is too old at `now_s` (seconds since the epoch). Raises StoreError."""
        async with self._store.reading_every_tenant() as transaction:
            tenants = await transaction.distinct(calls, calls.c.tenant_id)
        forgotten, files = dict[str, int](), 0
        days = {tenant_id: self._history_days(tenant_id) for tenant_id in tenants}
        for tenant_id, kept_days in days.items():
            if kept_days is not None:
                count, removed = await self._forget(tenant_id, int(now_s) - kept_days * DAY_S)
                forgotten[tenant_id] = count
                files += removed
        limits = [kept_days for kept_days in days.values() if kept_days is not None]
        if limits and len(limits) == len(days):
            # Of calls that left no row: the process was killed before their first second was over.
            files += await self._remove(await asyncio.to_thread(self._files.older_than, now_s - max(limits) * DAY_S))
        log.info("history_forgotten", calls=sum(forgotten.values()), files=files)
        return Forgotten(forgotten, files)

    async def _forget(self, tenant_id: str, before_s: int) -> tuple[int, int]:
        """Forget a tenant's calls that began before an instant; how many, and how many files."""
        tenant = self._store.tenant(tenant_id)
        async with tenant.reading() as transaction:
            done = await transaction.row(retentions)
        since_s = done["expired_before_s"] if done else 0
        over = calls.c.state.in_([state.value for state in OVER])
        place: tuple[float, str] = (since_s, "")
        forgotten, files = 0, 0
        while True:
            async with tenant.reading() as transaction:
                rows = await transaction.rows(
                    calls,
                    sa.tuple_(calls.c.started_at, calls.c.call_id) > sa.tuple_(*map(sa.literal, place)),
                    calls.c.started_at < before_s,
                    over,
                    columns=[calls.c.started_at, calls.c.call_id],
                    order_by=[calls.c.started_at.asc(), calls.c.call_id.asc()],
                    limit=CALLS_AT_A_TIME,
                )
            ids = frozenset(row["call_id"] for row in rows)
            files += await self._remove(await asyncio.to_thread(self._files.of_calls, ids))
            async with tenant.writing() as transaction:
                for provider in self._of_calls:
                    await provider.erase(transaction, Subject("", call_ids=ids))
                if len(rows) < CALLS_AT_A_TIME:
                    await transaction.upsert(retentions, {"expired_before_s": max(since_s, before_s)})
                    return forgotten + len(rows), files
            forgotten += len(rows)
            place = (rows[-1]["started_at"], rows[-1]["call_id"])

    async def _remove(self, names: Sequence[str]) -> int:
        if names:
            await asyncio.to_thread(self._files.remove, names)
        return len(names)
