"""Kills workers, starts them again, and at the end looks at what they have left.

Every other life ends at an edge of a commit (see `worker.die_at_commit`), a later one each time, so that a long run
visits every step; the others are killed from outside at a random moment, start-up included. Workers are forked from a
server that has imported everything already, or most of the time would go into imports. Used by the tests and
by `python -m tests.crash`.
"""

import asyncio
import multiprocessing
import random
import signal
import time
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

import msgspec
from sqlalchemy.ext.asyncio import create_async_engine

from context.store.database import Store
from context.webhooks.endpoint import Endpoint, EndpointState
from context.webhooks.endpoints import EndpointStore
from tests.crash.verify import Findings, verify
from tests.crash.worker import NoVault, live
from tests.crash.world import ENDPOINT, LANES, TENANTS, Life, Mode, acknowledgements, ledger, whole_lines

LONGEST_LIFE_S = 20.0
"""A life whose edge never comes is killed from outside after it."""

DRAIN_LIMIT_S = 330.0
POLL_S = 0.002


class Plan(msgspec.Struct, frozen=True):
    """What to do. random_life_s: a life that is killed from outside lasts up to so long. first_edge, edge_step: which
    edges end lives: the first, and how far the next one is. acknowledged: after the kills the last lives go on until
    so much was acknowledged, so that a slow machine tests something too."""

    kills: int
    workers: int = 2
    seed: int = 1
    random_life_s: float = 1.5
    first_edge: int = 0
    edge_step: int = 1
    acknowledged: int = 0

    @property
    def limit_s(self) -> float:
        """When something is wrong: no machine is so slow."""
        return 60 + self.kills * 2 * LONGEST_LIFE_S


class Outcome(msgspec.Struct, frozen=True):
    """What happened. edges: lives that ended at the edge of a commit, as planned."""

    kills: int
    edges: int
    took_s: float
    findings: Findings


class CrashError(Exception):
    """A worker ended by itself, or could not be drained: worse than any finding."""


async def prepare(url: str) -> None:
    """Make the tables, and an endpoint for each tenant that wants every event."""
    store = await Store.open(url)
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(ledger.metadata.create_all)
    await engine.dispose()
    endpoint = Endpoint(
        id=ENDPOINT,
        url="https://hooks.example/",
        types=("*",),
        description="",
        state=EndpointState.ACTIVE,
        version=1,
        secret_id="",
        previous_secret_id="",
        previous_until_ms=0,
        failing_since_ms=None,
        created_at_ms=0,
    )
    for tenant in TENANTS:
        async with store.tenant(tenant.id).writing() as transaction:
            await EndpointStore(NoVault()).add(transaction, endpoint)
    await store.aclose()


def crash(url: str, folder: Path, plan: Plan) -> Outcome:
    """Kill and restart until `plan.kills` lives have ended, then let one worker finish what is left, and verify.

    Raises CrashError when a worker ends otherwise than by being killed.
    """
    began_s = time.monotonic()
    asyncio.run(prepare(url))
    chance = random.Random(plan.seed)
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(["tests.crash.worker"])
    killed = edges = started = 0
    lives: dict[int, tuple[ForkServerProcess, Life, float]] = {}
    try:
        while killed < plan.kills or _acknowledged(folder, plan.workers) < plan.acknowledged:
            _require(time.monotonic() - began_s < plan.limit_s, "the workers get nothing done")
            for worker in range(plan.workers):
                if worker not in lives:
                    at_edge = started % 2 == 0 and killed < plan.kills
                    boundary = plan.first_edge + started // 2 * plan.edge_step if at_edge else None
                    life = Life(url, folder, worker, boundary=boundary)
                    random_life = not at_edge and killed < plan.kills
                    lasts_s = chance.uniform(0, plan.random_life_s) if random_life else LONGEST_LIFE_S
                    lives[worker] = (_start(forks, life), life, time.monotonic() + lasts_s)
                    started += 1
                process, life, until_s = lives[worker]
                if process.is_alive():
                    if time.monotonic() < until_s:
                        continue
                    process.kill()
                    process.join()
                elif life.boundary is not None:
                    edges += 1
                _require(process.exitcode == -signal.SIGKILL, f"worker {worker} ended with {process.exitcode}")
                del lives[worker]
                killed += 1
            time.sleep(POLL_S)
    finally:
        for process, _, _ in lives.values():
            process.kill()
            process.join()
    last = _start(forks, Life(url, folder, 0, Mode.DRAIN))
    last.join(DRAIN_LIMIT_S)
    if last.is_alive():
        last.kill()
    _require(last.exitcode == 0, f"what was left could not be finished: the last worker ended with {last.exitcode}")
    findings = asyncio.run(verify(url, folder, plan.workers))
    return Outcome(killed, edges, time.monotonic() - began_s, findings)


def _acknowledged(folder: Path, workers: int) -> int:
    lanes = range(workers * LANES)
    return sum(len([line for line in whole_lines(acknowledgements(folder, lane)) if line]) for lane in lanes)


def _start(forks: ForkServerContext, life: Life) -> ForkServerProcess:
    process = forks.Process(target=live, args=(life,), daemon=True)
    process.start()
    return process


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise CrashError(message)
