"""DBOS, in a thread of its own: what it has accepted is finished, even if the process is killed.

The bus gives it two kinds of work, a batch of deliveries and the retries of one delivery; it keeps which are under way
and where a pause ends. DBOS is one object a process and computes between its waits, so it lives in a thread with its
own loop, and the handlers that it calls run in the loop that started it: its database never waits in the loop of the
calls. Workflows know ids alone, so that nothing personal is in its database. Used by `context.events.bus`.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Coroutine, Sequence
from concurrent.futures import Future
from contextvars import Context
from pathlib import Path
from typing import Any, Protocol, TypeVar

import structlog
from dbos import DBOS, DBOSConfig, SetWorkflowID

from context.errors import ContextError

NAME = "parley"
VERSION = "1"
"""Of the workflows below. Work that an older Parley left is finished by a newer one as long as this is the same."""

EXECUTOR_THREADS = 4
"""DBOS writes and waits in these; more only compete for the interpreter lock."""

LISTENER_POLL_S = 0.25
"""We send no notifications. Stopping waits for one round of it."""

SCHEDULER_POLL_S = 3600.0
"""We have no schedules."""

STOP_LIMIT_S = 5.0
"""How long a stop waits for statements that are under way."""

STEP_ATTEMPTS = 5
STEP_FIRST_PAUSE_S = 0.5
"""A step raises only when the database fails: handlers' errors are counted by the deliveries."""

UNFINISHED = ("PENDING", "ENQUEUED", "DELAYED")
PAGE = 500

log = structlog.get_logger(__name__)

Result = TypeVar("Result")


class DurableWorkError(ContextError):
    """Durable work cannot be started."""

    code = "durable_work_failed"


class Work(Protocol):
    """What the workflows do, in the loop of whoever started them."""

    async def run_batch(self, workflow_id: str) -> None:
        """Handle every delivery that `workflow_id` holds. May be called again for the same."""
        ...

    async def run_retry(self, workflow_id: str, attempt: int) -> bool:
        """Try one delivery again; whether that was the last attempt that it needs."""
        ...


class DurableWork:
    """Starts workflows, and takes over those that a dead process left. One at a time in a process."""

    def __init__(self, url: str, executor_id: str, work: Work) -> None:
        """url: SQLAlchemy address of DBOS's own database. executor_id: of this process, while it lives."""
        self._url = url
        self._executor_id = executor_id
        self._work = work
        self._dbos: DBOS | None = None
        self._caller = asyncio.get_running_loop()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="event-workflows", daemon=True)

    async def start(self) -> None:
        """Open the database, making it when there is none. Raises DurableWorkError."""
        global _running
        if _running is not None:
            raise DurableWorkError("durable work runs in this process already; stop that bus first")
        _running = self
        self._thread.start()
        try:
            await self._there(self._launch())
        except BaseException as error:
            await self._end()
            if isinstance(error, Exception):
                raise DurableWorkError(f"the database of durable work cannot be used: {error}") from error
            raise

    async def stop(self) -> None:
        """Stop at once; what is unfinished stays so in the database."""
        await self._there(self._cancel_all())
        self._do_not_wait_for_the_database()
        await asyncio.to_thread(DBOS.destroy)
        await self._end()

    async def start_batch(self, workflow_id: str) -> None:
        """On disk when it returns. Raises whatever the database raises."""
        await self._there(self._start_batch(workflow_id))

    async def start_retry(self, workflow_id: str, first_attempt: int, pauses_s: Sequence[float]) -> None:
        """As `start_batch`: try again after each of the pauses, until an attempt says that it was the last."""
        await self._there(self._start_retry(workflow_id, first_attempt, list(pauses_s)))

    async def unfinished(self, workflow_ids: Sequence[str]) -> set[str]:
        """Which of these are under way or will be."""
        return await self._there(self._unfinished(list(workflow_ids)))

    async def take_over(self, living: frozenset[str]) -> int:
        """Continue the unfinished workflows of every process but `living`; how many there were."""
        return await self._there(self._take_over(living))

    async def forget_finished(self) -> int:
        """Delete finished workflows; how many there were. What they did is in the deliveries."""
        return await self._there(self._forget_finished())

    async def call(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """From the thread of the workflows: run a coroutine in the loop of the bus."""
        return await _in(self._caller, coroutine)

    @property
    def work(self) -> Work:
        """What the workflows do."""
        return self._work

    async def _there(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        return await _in(self._loop, coroutine)

    async def _launch(self) -> None:
        path = _sqlite_path(self._url)
        if path is not None:
            with sqlite3.connect(path) as connection:
                # Kept in the file: readers and the writer do not wait for each other.
                connection.execute("PRAGMA journal_mode=WAL")
            connection.close()
        config: DBOSConfig = {
            "name": NAME,
            "system_database_url": self._url,
            "application_version": VERSION,
            "executor_id": self._executor_id,
            "log_level": "ERROR",
            "max_executor_threads": EXECUTOR_THREADS,
            "use_listen_notify": False,
            "notification_listener_polling_interval_sec": LISTENER_POLL_S,
            "scheduler_polling_interval_sec": SCHEDULER_POLL_S,
            "sys_db_pool_size": EXECUTOR_THREADS,
        }
        self._dbos = DBOS(config=config)
        DBOS.launch()

    async def _cancel_all(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # What the tasks were waiting for goes on in threads: all of them at the barrier means that none is left.
        barrier = threading.Barrier(EXECUTOR_THREADS)
        waiting = (asyncio.to_thread(barrier.wait, STOP_LIMIT_S) for _ in range(EXECUTOR_THREADS))
        await asyncio.gather(*waiting, return_exceptions=True)

    def _do_not_wait_for_the_database(self) -> None:
        # DBOS repeats a statement for ever whose connection is lost, in threads that the interpreter waits for when it
        # exits: a process whose database went away first would not end. It has no public switch for this.
        database = getattr(self._dbos, "_sys_db_field", None)
        if database is not None:
            database._retry_connection_errors = False

    async def _end(self) -> None:
        global _running
        self._loop.call_soon_threadsafe(self._loop.stop)
        await asyncio.to_thread(self._thread.join)
        self._loop.close()
        _running = None

    async def _start_batch(self, workflow_id: str) -> None:
        with SetWorkflowID(workflow_id):
            await DBOS.start_workflow_async(_batch, workflow_id)

    async def _start_retry(self, workflow_id: str, first_attempt: int, pauses_s: list[float]) -> None:
        with SetWorkflowID(workflow_id):
            await DBOS.start_workflow_async(_retry, workflow_id, first_attempt, pauses_s)

    async def _unfinished(self, workflow_ids: list[str]) -> set[str]:
        found = await DBOS.list_workflows_async(
            workflow_ids=workflow_ids, status=list(UNFINISHED), load_input=False, load_output=False
        )
        return {status.workflow_id for status in found}

    async def _take_over(self, living: frozenset[str]) -> int:
        taken, passed = 0, 0
        while True:
            found = await DBOS.list_workflows_async(
                status="PENDING", app_version=VERSION, load_input=False, load_output=False, limit=PAGE, offset=passed
            )
            left = [status.workflow_id for status in found if status.executor_id not in living]
            if left:
                await DBOS.resume_workflows_async(left)
            taken += len(left)
            passed += len(found) - len(left)
            if len(found) < PAGE:
                return taken

    async def _forget_finished(self) -> int:
        forgotten = 0
        while True:
            found = await DBOS.list_workflows_async(
                status=["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"],
                load_input=False,
                load_output=False,
                limit=PAGE,
            )
            if found:
                await DBOS.delete_workflows_async([status.workflow_id for status in found])
                forgotten += len(found)
            if len(found) < PAGE:
                return forgotten


async def _in(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine in another thread's loop, in a context of its own: DBOS keeps there which step it is in, and
    a workflow that is started inside a step would be part of it."""
    future: Future[Result] = Context().run(asyncio.run_coroutine_threadsafe, coroutine, loop)
    return await asyncio.wrap_future(future)


_running: DurableWork | None = None
"""DBOS knows functions of modules alone, so this is how they find who started them."""


def _current() -> DurableWork:
    if _running is None:
        raise DurableWorkError("durable work is not running")
    return _running


@DBOS.step(
    name="parley.events.batch.run",
    retries_allowed=True,
    max_attempts=STEP_ATTEMPTS,
    interval_seconds=STEP_FIRST_PAUSE_S,
)
async def _batch_step(workflow_id: str) -> None:
    durable = _current()
    await durable.call(durable.work.run_batch(workflow_id))


@DBOS.workflow(name="parley.events.batch")
async def _batch(workflow_id: str) -> None:
    await _batch_step(workflow_id)


@DBOS.step(
    name="parley.events.retry.attempt",
    retries_allowed=True,
    max_attempts=STEP_ATTEMPTS,
    interval_seconds=STEP_FIRST_PAUSE_S,
)
async def _retry_step(workflow_id: str, attempt: int) -> bool:
    durable = _current()
    return await durable.call(durable.work.run_retry(workflow_id, attempt))


@DBOS.workflow(name="parley.events.retry")
async def _retry(workflow_id: str, first_attempt: int, pauses_s: list[float]) -> None:
    for attempt, pause_s in enumerate(pauses_s, start=first_attempt):
        await DBOS.sleep_async(pause_s)
        if await _retry_step(workflow_id, attempt):
            return


def _sqlite_path(url: str) -> Path | None:
    return Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None
