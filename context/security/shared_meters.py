"""The meters of rate limits that every process sees, in the store.

One row a bucket in use: it is removed soon after it has recovered, so the table stays as small as the traffic of the
last minutes. Buckets are named by digests: their names hold addresses. Used by `context.security.rate_limit`.
"""

from collections.abc import Mapping

import sqlalchemy as sa

from context.security.tables import THE_SERVER, rate_limits
from context.store.database import Store

SWEPT_EVERY_S = 60.0
KEPT_S = 300.0
"""How long a recovered meter stays: longer than the clocks of two machines differ."""


class StoredMeters:
    """Implements `context.security.rate_limit.SharedMeters`."""

    def __init__(self, store: Store) -> None:
        self._store = store.tenant(THE_SERVER)
        self._swept_at = 0.0

    async def charge(self, costs_s: Mapping[str, float], now: float) -> dict[str, float]:
        """Move each meter on by its cost, from `now` if it had recovered; where each stands. Raises StoreError."""
        stood = rate_limits.c.full_until_s
        async with self._store.writing() as transaction:
            # In order: two processes that hold rows of each other would wait for ever.
            for bucket, cost_s in sorted(costs_s.items()):
                moved = {"full_until_s": sa.case((stood > now, stood), else_=now) + cost_s}
                if not await transaction.update(rate_limits, moved, rate_limits.c.bucket == bucket):
                    added = await transaction.insert_once(rate_limits, {"bucket": bucket, "full_until_s": now + cost_s})
                    if not added:
                        await transaction.update(rate_limits, moved, rate_limits.c.bucket == bucket)
            rows = await transaction.rows(rate_limits, rate_limits.c.bucket.in_(list(costs_s)))
            if now - self._swept_at > SWEPT_EVERY_S:
                await transaction.delete(rate_limits, stood < now - KEPT_S)
                self._swept_at = now
        return {row["bucket"]: row["full_until_s"] for row in rows}
