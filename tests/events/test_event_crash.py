"""Processes that die in the middle: what was published takes effect once, whoever is left to do it."""

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from context.events.bus import BusState
from context.events.outbox import publish
from context.events.tables import event_workers
from context.store.database import Store
from tests.events.bus_process import SUBSCRIBER
from tests.events.small_bus import LAKE, PARK, an_event, deliveries, make_effects, noted, until

PROJECT = Path(__file__).parents[2]
EVENTS = 60
SCRIPT = "import sys, asyncio; from tests.events.bus_process import main; asyncio.run(main(sys.argv[1]))"


class Process:
    """One process with a bus."""

    def __init__(self, process: asyncio.subprocess.Process, state: str) -> None:
        self.state = state
        self._process = process

    async def kill(self) -> None:
        """As the kernel or a power cut does it."""
        self._process.send_signal(signal.SIGKILL)
        await self._process.wait()

    async def end(self) -> None:
        """Let it stop by itself."""
        assert self._process.stdin
        self._process.stdin.close()
        await self._process.wait()


@asynccontextmanager
async def a_process(url: str) -> AsyncGenerator[Process, None]:
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        SCRIPT,
        url,
        cwd=PROJECT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert started.stdout
        while (line := (await started.stdout.readline()).decode().strip()) not in tuple(BusState):
            assert line, "it ended while it started"  # other lines are its log
        yield Process(started, line)
    finally:
        if started.returncode is None:
            started.kill()
            await started.wait()


async def test_a_process_killed_at_any_moment_has_lost_nothing_and_repeats_nothing(
    file_store: Store, file_url: str
) -> None:
    await _publish_all(file_store)
    for enough in (7, 25):
        async with a_process(file_url) as process:
            assert process.state == "relaying"
            await _until_noted(file_store, enough)
            await process.kill()
    async with a_process(file_url) as process:
        await _until_all_handled(file_store)
        await process.end()
    await _assert_once_and_in_order(file_store)


async def test_on_sqlite_a_second_process_only_publishes_until_the_first_is_gone(
    file_store: Store, file_url: str
) -> None:
    async with a_process(file_url) as first, a_process(file_url) as second:
        assert (first.state, second.state) == ("relaying", "publishing")
        await first.kill()
        await _publish_all(file_store)
        await _until_all_handled(file_store)
        await second.end()
    await _assert_once_and_in_order(file_store)


async def test_on_postgres_two_processes_share_the_work_and_one_finishes_what_the_dead_one_began(
    postgres_url: str,
) -> None:
    store = await Store.open(postgres_url)
    await make_effects(store)
    async with a_process(postgres_url) as first, a_process(postgres_url) as second:
        assert (first.state, second.state) == ("relaying", "relaying")
        async with store.reading_every_tenant() as transaction:
            assert await transaction.count(event_workers) == 2
        await _publish_all(store)
        await _until_noted(store, 15)
        await first.kill()
        await _until_all_handled(store)
        await second.end()
    await _assert_once_and_in_order(store)
    async with store.reading_every_tenant() as transaction:
        assert await transaction.count(event_workers) == 0, "the dead one was buried, the other said goodbye"
    await store.aclose()


async def _publish_all(store: Store) -> None:
    for number in range(EVENTS):
        tenant, call = (PARK, LAKE)[number % 2], f"call{number % 6}"
        async with store.tenant(tenant).writing() as transaction:
            await publish(transaction, an_event(f"{call}-{number:03}", tenant=tenant, call=call))


async def _until_noted(store: Store, enough: int) -> None:
    async def noted_enough() -> bool:
        return len(await noted(store, SUBSCRIBER)) >= enough

    await until(noted_enough, f"{enough} effects")


async def _until_all_handled(store: Store) -> None:
    async def handled() -> bool:
        rows = await deliveries(store)
        return len(rows) == EVENTS and all(row["state"] == "handled" for row in rows)

    await until(handled, "everything is handled")


async def _assert_once_and_in_order(store: Store) -> None:
    done = await noted(store, SUBSCRIBER)
    assert len(done) == len(set(done)) == EVENTS
    for call in range(6):
        of_call = [event_id for event_id in done if event_id.startswith(f"call{call}-")]
        assert of_call == sorted(of_call)
