"""The watchdog names who blocks the loop."""

import asyncio
import time

from server.stall_watchdog import StallWatchdog
from tests.server.fake_calls import until


def hog_the_loop(seconds: float) -> None:
    time.sleep(seconds)


async def test_a_blocked_loop_is_reported_with_the_culprit() -> None:
    reports: list[tuple[float, str]] = []
    watchdog = StallWatchdog(time.monotonic, lambda stalled_ms, stack: reports.append((stalled_ms, stack)))
    watchdog.start()
    try:
        await asyncio.sleep(0.1)
        hog_the_loop(0.3)
        await until(lambda: any("hog_the_loop" in stack for _, stack in reports))
        stalled_ms, stack = next(report for report in reports if "hog_the_loop" in report[1])
        assert stalled_ms > 150
        assert "test_stall_watchdog.py" in stack
    finally:
        watchdog.stop()


async def test_a_stopped_watchdog_is_silent() -> None:
    reports: list[float] = []
    watchdog = StallWatchdog(time.monotonic, lambda stalled_ms, stack: reports.append(stalled_ms))
    watchdog.start()
    watchdog.stop()
    hog_the_loop(0.2)
    await asyncio.sleep(0.05)
    assert reports == []
