"""The event bus: what is published is delivered to every subscriber, though processes die in between.

It puts together the relay (order, fair batches), the durable workflows (what was begun is finished) and the deliverer
(handlers, exactly-once marks). On Postgres every process takes part and takes over the work of those that died; on
SQLite one process at a time does, and the others only publish. Built by the server's composition.
"""

import asyncio
import contextlib
import os
import secrets
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

import structlog
from sqlalchemy import make_url

from context.errors import ContextError, StoreError
from context.events.delivery import Deliverer
from context.events.durable import DurableWork
from context.events.event import Event
from context.events.log import EventLog
from context.events.metrics import BusMetrics
from context.events.one_process import PRIVATE_FILE_MODE, OneProcess
from context.events.outbox import publish
from context.events.relay import Claim, Relay, Wanted
from context.events.retention import forget_old_events
from context.events.settings import BusSettings
from context.events.subscription import Subscription, SubscriptionError
from context.events.tables import event_workers
from context.store.database import Store

WORK_FILE = "events.db"
LOCK_FILE = "events.lock"
"""Beside the SQLite database."""

WORKER_ID_BYTES = 8

log = structlog.get_logger(__name__)


class BusState(StrEnum):
    """What the bus of this process does. PUBLISHING: another process delivers. RELAYING: this one does."""

    STOPPED = "stopped"
    PUBLISHING = "publishing"
    RELAYING = "relaying"


class EventBus:
    """Publishes and delivers events. One that is RELAYING at a time in a process, because DBOS is one a process."""

    def __init__(
        self,
        store: Store,
        database_url: str,
        *,
        settings: BusSettings | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """database_url: that of `store`. now: seconds since the epoch."""
        self._store = store
        self._settings = settings or BusSettings()
        self._now = now
        self._work_url, self._lock = _places(database_url)
        self._worker_id = f"worker-{secrets.token_hex(WORKER_ID_BYTES)}"
        self._subscriptions: dict[str, Subscription] = {}
        self._busy: dict[str, Claim] = {}
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._retention_due_s = 0.0
        self.state = BusState.STOPPED
        self.metrics = BusMetrics()
        self.log = EventLog(store)
        self._relay = Relay(store, self._settings, self.metrics, now)
        self._deliverer = Deliverer(store, self._subscriptions, self._settings, self.metrics, now)
        self._deliverer.finished = self._finished
        self._work: DurableWork | None = None

    def subscribe(self, subscription: Subscription) -> None:
        """Add a subscriber; it gets what is placed in order from `start` on. Raises SubscriptionError."""
        if self.state is not BusState.STOPPED:
            raise SubscriptionError(f"name: {subscription.name} comes too late, the bus has started")
        if subscription.name in self._subscriptions:
            raise SubscriptionError(f"name: two subscribers are called {subscription.name!r}")
        self._subscriptions[subscription.name] = subscription

    async def publish(self, event: Event) -> bool:
        """Publish in a transaction of its own: on disk when it returns; False when the id was published before.

        Raises EventRefusedError and StoreError.
        """
        async with self._store.tenant(event.tenant_id).writing() as transaction:
            published = await publish(transaction, event, self._now)
        self.wake()
        return published

    def wake(self) -> None:
        """Deliver now what was published: call it after committing. Without it the next poll finds it."""
        self._wake.set()

    async def start(self) -> None:
        """Begin to deliver, or wait to, when another process does so on this SQLite database.

        Raises StoreError, and DurableWorkError when this process has a bus already.
        """
        if self._lock is None or self._lock.take():
            try:
                await self._begin()
            except BaseException:
                if self._lock is not None:
                    self._lock.give_back()
                raise
        else:
            self.state = BusState.PUBLISHING
            self._tasks = [asyncio.create_task(self._wait_for_turn(), name="event-turn")]

    async def stop(self) -> None:
        """Finish the batches under way, for a few seconds, and stop. What is left goes on at the next start."""
        relaying, self.state = self.state is BusState.RELAYING, BusState.STOPPED
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        if relaying:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.stop_s):
                    while self._busy:
                        self._wake.clear()
                        await self._wake.wait()
            await self._end_work()
        if self._lock is not None:
            self._lock.give_back()

    async def _end_work(self) -> None:
        work, self._work, self._deliverer.retries = self._work, None, None
        self._busy.clear()
        if work is not None:
            await work.stop()
        with contextlib.suppress(StoreError):
            async with self._store.writing_every_tenant() as transaction:
                await transaction.delete(event_workers, event_workers.c.id == self._worker_id)

    async def _begin(self) -> None:
        work = DurableWork(self._work_url, self._worker_id, self._deliverer)
        await work.start()
        self._work = self._deliverer.retries = work
        try:
            await self._relay.register(list(self._subscriptions.values()))
            self.metrics.taken_over += await work.take_over(await self._living())
            if self._lock is not None:
                # Nobody else can be at work: what no workflow holds was lost between two writes.
                await self._release_orphans(work, held_for_s=0)
        except BaseException:
            await self._end_work()
            raise
        self.state = BusState.RELAYING
        self._wake.set()
        self._tasks = [
            asyncio.create_task(self._deliver(work), name="event-relay"),
            asyncio.create_task(self._keep_house(work), name="event-housekeeping"),
        ]

    async def _wait_for_turn(self) -> None:
        assert self._lock is not None
        while not self._lock.take():  # noqa: ASYNC110 - another process gives it back
            await asyncio.sleep(self._settings.housekeeping_s)
        try:
            await self._begin()
        except ContextError as error:
            self._lock.give_back()
            log.error("event_bus_cannot_deliver", error=str(error))
            return
        log.info("event_bus_delivers_now")

    async def _deliver(self, work: DurableWork) -> None:
        while True:
            self._wake.clear()
            try:
                if await self._relay.place():
                    self.log.placed()
                while await self._start_batches(work):
                    pass
            except StoreError as error:
                log.warning("event_relay_failed", error=str(error))
            # A round costs a dozen statements however much it moves: in a flood it moves more at a time.
            await asyncio.sleep(self._settings.round_s)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._settings.poll_s)

    async def _start_batches(self, work: DurableWork) -> bool:
        """Give each subscriber that has time a batch; whether another look may find more."""
        wanted: list[Wanted] = []
        for subscriber in self._subscriptions:
            busy = frozenset(claim.tenant_id for claim in self._busy.values() if claim.subscriber == subscriber)
            if len(busy) < self._settings.batches_a_subscriber:
                wanted.append(Wanted(subscriber, busy))
        claims = await self._relay.claim(wanted) if wanted else []
        for claim in claims:
            self._busy[claim.workflow_id] = claim
            try:
                await work.start_batch(claim.workflow_id)
            except Exception as error:
                # DBOS raises what its driver raises. The deliveries wait again rather than for an orphan's time.
                log.warning("event_batch_not_started", subscriber=claim.subscriber, error_class=type(error).__name__)
                self._busy.pop(claim.workflow_id, None)
                await self._relay.release(claim.workflow_id)
                return False
        return bool(claims)

    def _finished(self, workflow_id: str) -> None:
        self._busy.pop(workflow_id, None)
        self._wake.set()

    async def _keep_house(self, work: DurableWork) -> None:
        while True:
            await asyncio.sleep(self._settings.housekeeping_s)
            try:
                living = await self._living()
                if min(living) == self._worker_id:
                    # One process does what is needed once.
                    self.metrics.taken_over += await work.take_over(living)
                    await self._forget(work)
                await self._release_orphans(work, self._settings.orphan_s)
                await self._relay.register(list(self._subscriptions.values()))
                await self._relay.measure(list(self._subscriptions))
            except Exception as error:
                # A database that is away comes back; housekeeping goes on then.
                log.warning("event_housekeeping_failed", error_class=type(error).__name__)

    async def _living(self) -> frozenset[str]:
        """Say that this process lives; the ids of all that do."""
        now_ms = int(self._now() * 1000)
        oldest_ms = now_ms - int(self._settings.worker_lease_s * 1000)
        async with self._store.writing_every_tenant() as transaction:
            await transaction.upsert(event_workers, {"id": self._worker_id, "seen_at_ms": now_ms})
            if self._lock is not None:
                return frozenset({self._worker_id})
            await transaction.delete(event_workers, event_workers.c.seen_at_ms < oldest_ms)
            return frozenset(row["id"] for row in await transaction.rows(event_workers))

    async def _release_orphans(self, work: DurableWork, held_for_s: float) -> None:
        """Let deliveries wait again that are held by a workflow that does not exist or has ended."""
        held = await self._relay.held_since(int((self._now() - held_for_s) * 1000), list(self._subscriptions))
        if not held:
            return
        for workflow_id in held - await work.unfinished(sorted(held)):
            log.warning("event_deliveries_released", workflow_id=workflow_id)
            await self._relay.release(workflow_id)
            self._finished(workflow_id)

    async def _forget(self, work: DurableWork) -> None:
        if self._now() < self._retention_due_s:
            return
        self._retention_due_s = self._now() + self._settings.retention_every_s
        forgotten = await forget_old_events(self._store, self._settings, self._now)
        workflows = await work.forget_finished()
        log.info("events_forgotten", events=forgotten, workflows=workflows)


def _places(database_url: str) -> tuple[str, OneProcess | None]:
    """Where durable work is kept, and the lock that only SQLite needs."""
    url = make_url(database_url)
    if not url.drivername.startswith("sqlite"):
        return database_url, None
    if not url.database or url.database == ":memory:":
        raise StoreError("an event bus needs a database that outlives the process: give SQLite a file")
    folder = Path(url.database).absolute().parent
    work_file = folder / WORK_FILE
    os.close(os.open(work_file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, PRIVATE_FILE_MODE))
    return f"sqlite:///{work_file}", OneProcess(folder / LOCK_FILE)
