"""Rate limits shared by every process, decided in memory.

Each bucket is a meter (GCRA: one instant, when everything taken will have been given back). A process counts in its
own copy and reports what it let through in batches, at most one short transaction every `REPORT_GAP_S` however many
requests there are; the answer brings what the others let through. A process may run ahead of its reports by
`ahead_of(limit)` requests a bucket and then waits for the next report, hence the law: N processes together let through
at most count x (1 + T / per_s) + N x ahead in any T seconds. When the database fails each process limits alone. Asked
by REST, the voice socket and sign-in.
"""

import asyncio
import contextlib
import hashlib
import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

import msgspec
import structlog

from context.errors import StoreError
from context.security.shared_meters import StoredMeters
from context.store.database import Store

REPORT_GAP_S = 0.05
"""Shortest time between two reports of a process."""

REPORT_WITHIN_S = 1.0
"""What nobody waits for is reported this much later, so that the other processes know."""

MOST_REPORTED = 500
"""Buckets in one report."""

MOST_BUCKETS = 50_000
"""Buckets that a process remembers; the longest unused is forgotten first, and may then run ahead once more."""

AHEAD_SHARE = 8
"""One request in this many may be let through before it is reported."""

FEWEST_AHEAD = 2

LONGEST_WAIT_S = 0.5
"""Who waits for a report longer than this is let through without: a slow database does not slow every request."""

TOLERANCE = 1e-9
"""Of a limit's time: who waited exactly as long as it was told is let through, whatever rounding says."""

ADDRESS_PREFIX_V6 = 64
"""Bits of an IPv6 address that name a customer's line; the rest they choose themselves."""

log = structlog.get_logger(__name__)


class Limit(msgspec.Struct, frozen=True):
    """How often: `count` at once, and `count` more in each `per_s` seconds."""

    count: int
    per_s: float

    def __post_init__(self) -> None:
        if self.count < 1 or not 0 < self.per_s < math.inf:
            raise ValueError(f"a limit lets through at least 1 in a positive time, not {self.count} in {self.per_s} s")

    @property
    def interval_s(self) -> float:
        """After how long one request is given back."""
        return self.per_s / self.count


REST_PER_ADDRESS = Limit(60, 60)
REALTIME_CONNECTS_PER_ADDRESS = Limit(20, 60)
TELEPHONY_WEBHOOKS_PER_ADDRESS = Limit(30, 60)
"""Product facts, section 2."""


def address_bucket(kind: str, address: str) -> str:
    """Name of the bucket of a caller. kind: such as "rest". IPv6 addresses of one line share a bucket."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return f"{kind}:{address[:100]}"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return f"{kind}:{parsed.ipv4_mapped}"
        return f"{kind}:{ipaddress.ip_network((parsed, ADDRESS_PREFIX_V6), strict=False)}"
    return f"{kind}:{parsed}"


def ahead_of(limit: Limit) -> int:
    """How many requests of a bucket a process may let through before it reports them."""
    return max(FEWEST_AHEAD, limit.count // AHEAD_SHARE)


class SharedMeters(Protocol):
    """The meters that all processes see."""

    async def charge(self, costs_s: Mapping[str, float], now: float) -> dict[str, float]:
        """Move each meter on by its cost, from `now` if it had recovered; where each stands. Raises StoreError."""
        ...


class _Meter(msgspec.Struct):
    """One bucket as this process sees it. until: when all that was taken will have been given back. pending: let
    through and not reported. reporting: in the report that is under way."""

    limit: Limit
    until: float
    pending: int = 0
    reporting: int = 0

    def cost_s(self, requests: int) -> float:
        """What these requests add. What a process let through alone counts no more than one full bucket."""
        return min(requests, max(self.limit.count, ahead_of(self.limit))) * self.limit.interval_s


class RateLimiter:
    """Lets requests through or says how long to wait. Close it with `aclose`.

    now: seconds since the epoch, the same in every process up to clock error. meters: None for those in `store`.
    """

    def __init__(
        self,
        store: Store,
        *,
        now: Callable[[], float] = time.time,
        meters: SharedMeters | None = None,
        sleep: Callable[[float], Coroutine[Any, Any, None]] = asyncio.sleep,
    ) -> None:
        self._meters = meters or StoredMeters(store)
        self._now = now
        self._sleep = sleep
        self._buckets: OrderedDict[str, _Meter] = OrderedDict()
        self._unreported: OrderedDict[str, _Meter] = OrderedDict()
        self._reporter: asyncio.Task[None] | None = None
        self._reported_at = -math.inf
        self._awaited = asyncio.Event()
        self._round: asyncio.Future[None] | None = None
        self._alone = False

    async def take(self, bucket: str, limit: Limit) -> float:
        """Take one request from a bucket: 0 when it is let through, else the seconds until one would be.

        What is refused costs nothing. The same bucket must come with the same limit everywhere.
        """
        name = hashlib.sha256(bucket.encode()).hexdigest()
        meter = self._meter(name, limit)
        heard = True
        while True:
            now = self._now()
            until = max(meter.until, now)
            wait_s = until + limit.interval_s - limit.per_s - now
            if wait_s > TOLERANCE * limit.per_s:
                return wait_s
            if self._alone or not heard or meter.pending + meter.reporting < ahead_of(limit):
                meter.until = until + limit.interval_s
                meter.pending += 1
                self._unreported[name] = meter
                self._ensure_reporter()
                return 0.0
            heard = await self._next_round(name)

    async def aclose(self) -> None:
        """Report what is left and stop."""
        if self._reporter is not None:
            self._reporter.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reporter
            self._reporter = None
        while self._unreported and await self._send():
            pass

    def _meter(self, name: str, limit: Limit) -> _Meter:
        meter = self._buckets.get(name)
        if meter is None or meter.limit != limit:
            while len(self._buckets) >= MOST_BUCKETS:
                forgotten, _ = self._buckets.popitem(last=False)
                self._unreported.pop(forgotten, None)
            meter = _Meter(limit, -math.inf)
            self._buckets[name] = meter
        self._buckets.move_to_end(name)
        return meter

    async def _next_round(self, name: str) -> bool:
        """Wait for the end of the next report, this bucket first in it; False when it does not come in time."""
        if name in self._unreported:
            self._unreported.move_to_end(name, last=False)
        self._round = self._round or asyncio.get_running_loop().create_future()
        self._awaited.set()
        self._ensure_reporter()
        ending = self._round
        await self._first_of(ending, self._sleep(LONGEST_WAIT_S))
        return ending.done()

    def _ensure_reporter(self) -> None:
        if self._reporter is None or self._reporter.done():
            self._reporter = asyncio.create_task(self._report(), name="rate limits")

    async def _report(self) -> None:
        """Report until nothing is left: soon when somebody waits for it, else when it is time."""
        while self._unreported:
            await self._first_of(self._awaited.wait(), self._sleep(REPORT_WITHIN_S))
            await self._sleep(max(0.0, self._reported_at + REPORT_GAP_S - self._now()))
            self._awaited.clear()
            await self._send()

    async def _first_of(self, *awaitables: asyncio.Future[None] | Coroutine[Any, Any, Any]) -> None:
        """Return when one of them has ended; coroutines are cancelled, futures are left alone."""
        tasks = [asyncio.create_task(one) for one in awaitables if not isinstance(one, asyncio.Future)]
        try:
            futures = [one for one in awaitables if isinstance(one, asyncio.Future)]
            await asyncio.wait([*futures, *tasks], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    async def _send(self) -> bool:
        """Report a batch and end the round; whether it was taken."""
        batch: dict[str, _Meter] = {}
        while self._unreported and len(batch) < MOST_REPORTED:
            name, meter = self._unreported.popitem(last=False)
            meter.reporting, meter.pending = meter.pending, 0
            batch[name] = meter
        self._reported_at = self._now()
        stands: dict[str, float] | None = None
        try:
            stands = await self._meters.charge(
                {name: meter.cost_s(meter.reporting) for name, meter in batch.items()}, self._reported_at
            )
        except StoreError as error:
            if not self._alone:
                log.warning("rate_limits_not_shared", code=error.code)
        finally:
            self._settle(batch, stands)
        return stands is not None

    def _settle(self, batch: Mapping[str, _Meter], stands: Mapping[str, float] | None) -> None:
        for name, meter in batch.items():
            if stands is None:
                meter.pending += meter.reporting
                if self._buckets.get(name) is meter:
                    self._unreported[name] = meter
            else:
                meter.until = stands[name] + meter.cost_s(meter.pending)
            meter.reporting = 0
        self._alone = stands is None
        if self._round is not None:
            self._round.set_result(None)
            self._round = None
