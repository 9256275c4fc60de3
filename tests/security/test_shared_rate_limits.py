"""Rate limits between real processes' worth of limiters, on each database."""

import asyncio

import pytest
import sqlalchemy as sa

from context.security.rate_limit import Limit, RateLimiter, address_bucket, ahead_of
from context.security.shared_meters import KEPT_S, StoredMeters
from context.security.tables import THE_SERVER, rate_limits
from context.store.database import Store
from tests.security.conftest import Clock

LIMIT = Limit(24, 3_600)


async def test_two_processes_share_a_limit_under_concurrent_load(any_store: Store, second_store: Store) -> None:
    limiters = [RateLimiter(any_store), RateLimiter(second_store)]
    waits = await asyncio.gather(*(limiters[turn % 2].take("caller", LIMIT) for turn in range(100)))
    let_through = waits.count(0.0)
    assert LIMIT.count <= let_through <= LIMIT.count + 2 * ahead_of(LIMIT)
    await asyncio.gather(*(limiter.aclose() for limiter in limiters))
    late = RateLimiter(any_store)
    for _ in range(ahead_of(LIMIT)):  # a process that knows nothing yet may run ahead, and no further
        await late.take("caller", LIMIT)
    assert await late.take("caller", LIMIT) > 0
    await late.aclose()


async def test_buckets_do_not_touch_each_other(store: Store) -> None:
    limiter = RateLimiter(store)
    for _ in range(40):
        await limiter.take("a", LIMIT)
    assert await limiter.take("a", LIMIT) > 0
    assert await limiter.take("b", LIMIT) == 0
    await limiter.aclose()


async def test_no_address_is_stored(store: Store) -> None:
    limiter = RateLimiter(store)
    await limiter.take(address_bucket("rest", "203.0.113.9"), LIMIT)
    await limiter.aclose()
    async with store.tenant(THE_SERVER).reading() as transaction:
        (row,) = await transaction.rows(rate_limits)
    assert "203" not in row["bucket"] or len(row["bucket"]) == 64
    assert row["bucket"].isalnum()


async def test_recovered_meters_are_swept(any_store: Store, clock: Clock) -> None:
    meters = StoredMeters(any_store)
    await meters.charge({"old": 10.0}, clock())
    clock.pass_s(KEPT_S + 11)
    await meters.charge({"new": 10.0}, clock())
    async with any_store.tenant(THE_SERVER).reading() as transaction:
        assert [row["bucket"] for row in await transaction.rows(rate_limits)] == ["new"]


async def test_reports_of_the_same_buckets_in_any_order_do_not_lock_each_other_out(
    any_store: Store, second_store: Store, clock: Clock
) -> None:
    names = [f"b{number:02}" for number in range(20)]
    charges = [
        StoredMeters(one).charge(dict.fromkeys(order, 1.0), clock())
        for one, order in ((any_store, names), (second_store, names[::-1])) * 5
    ]
    await asyncio.wait_for(asyncio.gather(*charges), 20)
    async with any_store.tenant(THE_SERVER).reading() as transaction:
        highest = await transaction.rows(rate_limits, columns=[sa.func.min(rate_limits.c.full_until_s).label("least")])
    assert highest[0]["least"] == pytest.approx(clock() + 10)


@pytest.mark.parametrize(
    ("address", "bucket"),
    [
        ("203.0.113.9", "rest:203.0.113.9"),
        ("::ffff:203.0.113.9", "rest:203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "rest:2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "rest:2001:db8:1:2::/64"),
        ("fe80::1%eth0", "rest:fe80::/64"),
        ("unix", "rest:unix"),
    ],
)
def test_a_callers_bucket_is_its_line(address: str, bucket: str) -> None:
    assert address_bucket("rest", address) == bucket


@pytest.mark.parametrize(("count", "per_s"), [(0, 1), (-1, 1), (1, 0), (1, -1), (1, float("inf")), (1, float("nan"))])
def test_a_limit_that_means_nothing_is_refused(count: int, per_s: float) -> None:
    with pytest.raises(ValueError, match="limit"):
        Limit(count, per_s)
