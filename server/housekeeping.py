"""Work that is due again and again, beside the calls: stale contexts, retention, what was left half done.

A job that fails is logged and tried again at its next turn; it never stops the others. Several processes may run the
same job at once, so every job is one that does nothing the second time. Run by `server.ground`.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence

import msgspec
import structlog

SPREAD = 0.1
"""Share of its interval by which a turn is put off at random, so that processes started together do not collide."""

log = structlog.get_logger(__name__)


class Job(msgspec.Struct, frozen=True):
    """name: for the log. every_s: seconds between two turns; the first is at the start. run: one turn."""

    name: str
    every_s: float
    run: Callable[[], Awaitable[object]]


async def keep_house(
    jobs: Sequence[Job],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    chance: Callable[[], float] = random.random,
) -> None:
    """Run every job at its pace until cancelled. sleep: seconds. chance: 0..1."""
    async with asyncio.TaskGroup() as group:
        for job in jobs:
            group.create_task(_keep(job, sleep, chance), name=job.name)


async def _keep(job: Job, sleep: Callable[[float], Awaitable[None]], chance: Callable[[], float]) -> None:
    while True:
        try:
            await job.run()
        except Exception:
            log.exception("job_failed", job=job.name)
        await sleep(job.every_s * (1 + SPREAD * chance()))
