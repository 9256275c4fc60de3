"""However requests fall on however many processes, together they let through no more than the stated bound."""

import asyncio
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from context.errors import StoreError
from context.security.rate_limit import Limit, RateLimiter, ahead_of

START_S = 1_800_000_000.0
DELAY_S = 0.02


class VirtualTime:
    """Seconds that pass when the test says so; sleepers wake in order."""

    def __init__(self) -> None:
        self.now = START_S
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        if seconds > 0:
            woken = asyncio.get_running_loop().create_future()
            self._sleepers.append((self.now + seconds, woken))
            await woken

    async def until(self, instant: float) -> None:
        while True:
            await settled()
            due = [sleeper for sleeper in self._sleepers if sleeper[0] <= instant]
            if not due:
                break
            first = min(due, key=lambda sleeper: sleeper[0])
            self._sleepers.remove(first)
            self.now = max(self.now, first[0])
            if not first[1].done():
                first[1].set_result(None)
        self.now = instant


async def settled() -> None:
    """Let everything run that can run without time passing."""
    for _ in range(25):
        await asyncio.sleep(0)


class Meters:
    """What the store keeps, without the store; `down` makes it fail. A report takes `DELAY_S`, as a commit does."""

    def __init__(self, time: VirtualTime) -> None:
        self._time = time
        self.full_until: dict[str, float] = {}
        self.reports = 0
        self.down = False

    async def charge(self, costs_s: Mapping[str, float], now: float) -> dict[str, float]:
        self.reports += 1
        if self.down:
            raise StoreError("gone")
        await self._time.sleep(DELAY_S)
        for bucket, cost_s in costs_s.items():
            self.full_until[bucket] = max(self.full_until.get(bucket, 0.0), now) + cost_s
        return {bucket: self.full_until[bucket] for bucket in costs_s}


class Processes:
    """Limiters that share meters, as processes do."""

    def __init__(self, count: int) -> None:
        self.time = VirtualTime()
        self.meters = Meters(self.time)
        # The store is not touched: the meters stand for it.
        self.limiters = [
            RateLimiter(None, now=self.time, meters=self.meters, sleep=self.time.sleep)  # type: ignore[arg-type]
            for _ in range(count)
        ]
        self.let_through: list[float] = []

    async def request(self, process: int, limit: Limit) -> float:
        wait_s = await self.limiters[process].take("caller", limit)
        if wait_s == 0:
            self.let_through.append(self.time.now)
        return wait_s

    async def aclose(self) -> None:
        closing = asyncio.gather(*(limiter.aclose() for limiter in self.limiters))
        while not closing.done():
            await self.time.until(self.time.now + DELAY_S)
        await closing


def most_in_any(span_s: float, instants: list[float]) -> int:
    return max((sum(1 for other in instants if start <= other <= start + span_s) for start in instants), default=0)


limits = st.builds(Limit, count=st.integers(1, 40), per_s=st.sampled_from([1.0, 10.0, 60.0]))
requests = st.lists(
    st.tuples(st.integers(0, 3), st.floats(0, 20).map(lambda gap: 0.0 if gap < 10 else gap - 10), st.integers(1, 12)),
    max_size=40,
)


@settings(max_examples=60)
@given(limit=limits, processes=st.integers(1, 4), schedule=requests, scale=st.sampled_from([0.02, 0.3, 3.0]))
async def test_processes_together_keep_the_bound_in_every_span_of_time(
    limit: Limit, processes: int, schedule: list[tuple[int, float, int]], scale: float
) -> None:
    house = Processes(processes)
    waiting: list[asyncio.Task[float]] = []
    for process, gap_s, burst in schedule:
        await house.time.until(house.time.now + gap_s * scale)
        waiting += [asyncio.create_task(house.request(process % processes, limit)) for _ in range(burst)]
        await settled()
    await house.time.until(house.time.now + 5)
    await asyncio.gather(*waiting)
    await house.aclose()
    ahead = processes * ahead_of(limit)
    for span_s in (0.0, limit.per_s / 4, limit.per_s, 3 * limit.per_s):
        allowed = limit.count * (1 + span_s / limit.per_s) + ahead
        assert most_in_any(span_s, house.let_through) <= allowed + 1e-6


@settings(max_examples=40)
@given(limit=limits, schedule=st.lists(st.floats(0, 5), max_size=60))
async def test_one_process_lets_through_exactly_what_the_limit_says(limit: Limit, schedule: list[float]) -> None:
    """Against the plain definition: a bucket of `count` that refills evenly; reports may only make it stricter by the
    time that they are late."""
    house = Processes(1)
    full_until = 0.0
    for gap_s in schedule:
        await house.time.until(house.time.now + gap_s)
        waiting = asyncio.create_task(house.request(0, limit))
        await house.time.until(house.time.now + 0.1)
        wait_s = await waiting
        start = max(full_until, house.time.now - 0.1)
        if wait_s == 0:
            assert start + limit.interval_s <= house.time.now + limit.per_s + 1e-6
            full_until = start + limit.interval_s
    await house.aclose()


async def test_who_waits_as_long_as_told_is_let_through() -> None:
    house, limit = Processes(1), Limit(3, 7)
    while (wait_s := await asyncio.wait_for(_passing(house, limit), 5)) == 0:
        pass
    await house.time.until(house.time.now + wait_s)
    assert await _passing(house, limit) == 0
    await house.aclose()


async def _passing(house: Processes, limit: Limit) -> float:
    """One request, with as much time as its report needs."""
    task = asyncio.create_task(house.request(0, limit))
    while not task.done():
        await house.time.until(house.time.now + 0.01)
    return task.result()


async def test_a_flood_is_refused_from_memory() -> None:
    house, limit = Processes(1), Limit(8, 60)
    for _ in range(8):
        assert await _passing(house, limit) == 0
    await house.time.until(house.time.now + 2)
    reports = house.meters.reports
    for _ in range(10_000):
        assert await house.request(0, limit) > 0
    assert house.meters.reports == reports
    assert reports <= 8
    await house.aclose()


async def test_ten_thousand_callers_at_once_cost_few_transactions_and_no_wait() -> None:
    house = Processes(1)
    for caller in range(10_000):
        assert await house.limiters[0].take(f"rest:{caller}", Limit(60, 60)) == 0
    assert house.meters.reports == 0
    await house.time.until(house.time.now + 30)
    assert 0 < house.meters.reports <= 30
    assert len(house.meters.full_until) == 10_000
    await house.aclose()


async def test_without_the_database_each_process_limits_alone_and_recovers_within_one_bucket() -> None:
    house, limit = Processes(2), Limit(20, 10)
    house.meters.down = True
    let_through = 0
    for _ in range(600):  # a minute, ten requests a second on each process
        await house.time.until(house.time.now + 0.1)
        for process in (0, 1):
            waiting = asyncio.create_task(house.request(process, limit))
            await house.time.until(house.time.now)
            let_through += await waiting == 0
    assert 2 * (20 + 60 / 10 * 20) * 0.9 <= let_through <= 2 * (20 + 61 / 10 * 20)
    house.meters.down = False
    await house.time.until(house.time.now + 2)
    (full_until,) = house.meters.full_until.values()
    assert house.time.now < full_until <= house.time.now + 2 * limit.per_s  # not the whole minute that was let through
    await house.time.until(full_until)
    assert await house.request(0, limit) == 0
    await house.aclose()


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("context.security.rate_limit.MOST_BUCKETS", 100)
    house = Processes(1)
    for caller in range(1_000):
        await house.limiters[0].take(f"rest:{caller}", Limit(60, 60))
    assert len(house.limiters[0]._buckets) == 100
    assert len(house.limiters[0]._unreported) <= 100
    await house.aclose()


async def test_what_is_being_reported_counts_as_not_reported_yet() -> None:
    house, limit = Processes(3), Limit(16, 3_600)
    while await _passing(house, limit) == 0:  # process 0 takes everything; the others have not heard of it
        pass
    waiting: list[asyncio.Task[float]] = []
    for _ in range(20):  # all along while the first reports of the others are under way
        waiting += [asyncio.create_task(house.request(process, limit)) for process in (1, 2)]
        await house.time.until(house.time.now + DELAY_S / 4)
    await house.time.until(house.time.now + 5)
    await asyncio.gather(*waiting)
    await house.aclose()
    assert limit.count < len(house.let_through) <= limit.count + 3 * ahead_of(limit)
