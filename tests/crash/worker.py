"""A process that takes calls until it is killed: what `parley serve` does after the voice, without the voice.

Each acknowledged write is noted in a file at once, as a caller would remember it. It can also die by itself just
before or just after its n-th commit, of any database in the process (DBOS's own included): these are the edges of
every step. Forked by `harness`.
"""

import asyncio
import itertools
import os
import secrets
import signal
from pathlib import Path

from sqlalchemy import PoolProxiedConnection
from sqlalchemy.engine.default import DefaultDialect

from context.bookings.store import StoredBookingDesk
from context.calls.completed import CallDetails
from context.calls.store import CallStore
from context.events.bus import EventBus
from context.events.delivery_states import UNFINISHED
from context.events.event import Event
from context.events.outbox import publish
from context.events.subscription import HandlerKind, Subscription
from context.events.tables import event_deliveries, unplaced_events
from context.security.audit import AuditLog, Entry
from context.store.database import Store
from context.store.transaction import TenantTransaction
from context.webhooks.destination import Reach
from context.webhooks.sender import Sender
from context.webhooks.service import Webhooks
from tests.context.clinic import NOW
from tests.crash.world import (
    BUS,
    LANES,
    NOTED,
    SERVICE,
    Call,
    Life,
    Mode,
    acknowledgements,
    ledger,
    told_outside,
    whole_lines,
)

DRAIN_LIMIT_S = 300.0
"""Two hundred lives leave some ten thousand deliveries, of which a busy machine does a hundred a second."""
PAUSE_S = 0.005
AUDIT_KEY = b"the audit log of the crash tests"


def live(life: Life) -> None:
    """Live one life. Ends the process: with 0 when it was drained, else it is killed."""
    if life.boundary is not None:
        die_at_commit(life.boundary)
    asyncio.run(_live(life))


def die_at_commit(boundary: int) -> None:
    """Die at an edge of a commit: 0 is just before the first one, 1 just after it, 2 before the second..."""
    edges = itertools.count()
    commit = DefaultDialect.do_commit

    def at_edge() -> None:
        if next(edges) == boundary:
            os.kill(os.getpid(), signal.SIGKILL)

    def dying_commit(self: DefaultDialect, dbapi_connection: PoolProxiedConnection) -> None:
        at_edge()
        commit(self, dbapi_connection)
        at_edge()

    DefaultDialect.do_commit = dying_commit


class Worker:
    """One process's stores, bus and subscribers."""

    def __init__(self, life: Life, store: Store) -> None:
        self._folder = life.folder
        self._lanes = range(life.worker * LANES, (life.worker + 1) * LANES)
        self._store = store
        self._calls = CallStore(store)
        self._audit = AuditLog(store, AUDIT_KEY)
        self._outside = _appending(told_outside(life.folder, life.worker))
        self.bus = EventBus(store, life.url, settings=BUS)
        webhooks = Webhooks(store, NoVault(), self._audit, Sender(_no_names, Reach.PUBLIC_ONLY))
        self.bus.subscribe(Subscription("ledger", ("call.completed",), self._bill))
        self.bus.subscribe(webhooks.subscription)
        self.bus.subscribe(Subscription("outside", ("call.*",), self._tell, HandlerKind.EXTERNAL))

    async def take_calls(self) -> None:
        """Take calls in every lane, for ever."""
        async with asyncio.TaskGroup() as lanes:
            for lane in self._lanes:
                lanes.create_task(self._take_calls(lane))

    async def drain(self) -> None:
        """Wait until everything that was published is handled."""
        async with asyncio.timeout(DRAIN_LIMIT_S):
            while True:
                async with self._store.reading_every_tenant() as server:
                    unfinished = event_deliveries.c.state.in_(UNFINISHED)
                    if not await server.count(unplaced_events) and not await server.count(event_deliveries, unfinished):
                        return
                await asyncio.sleep(0.05)

    async def _take_calls(self, lane: int) -> None:
        path = acknowledgements(self._folder, lane)
        file = _appending(path)
        os.write(file, b"\n")  # ends a line that the last life could not end
        saved = [int(line.split()[2]) for line in whole_lines(path) if line.startswith("saved ")]
        # The call that was under way is taken again: whatever of it was done must not be done twice.
        for number in itertools.count(max(saved, default=-1) + 1):
            await self._take(Call(lane, number), file)
            await asyncio.sleep(PAUSE_S)

    async def _take(self, call: Call, file: int) -> None:
        tenant, record = call.tenant, call.record
        await self._calls.begin(
            tenant.id, call.id, started_at=record.started_at, language="en", details=CallDetails(channel="phone")
        )
        os.write(file, f"begun {call.lane} {call.number}\n".encode())
        desk = StoredBookingDesk(self._store, tenant, lambda: NOW)
        booking = await desk.book(
            call_id=call.id, service_id=SERVICE, starts_at=call.starts_at, name="Jo", phone="+33612345678"
        )
        os.write(file, f"booked {call.lane} {call.number} {booking.id}\n".encode())
        noted = Event(
            id=f"{call.id}.noted",
            type=NOTED,
            tenant_id=tenant.id,
            occurred_at=record.started_at,
            source="crash",
            correlation_id=call.id,
        )
        async with self._store.tenant(tenant.id).writing() as transaction:
            if await publish(transaction, noted):
                await self._audit.write(transaction, Entry("worker", "call.noted", call.id))
        os.write(file, f"noted {call.lane} {call.number}\n".encode())
        await self._calls.save(tenant.id, record)
        os.write(file, f"saved {call.lane} {call.number}\n".encode())
        self.bus.wake()

    async def _bill(self, event: Event, transaction: TenantTransaction) -> None:
        row = {"id": secrets.token_hex(8), "event_id": event.id, "call_id": event.correlation_id}
        await transaction.insert(ledger, [row])
        await self._audit.write(transaction, Entry("ledger", "call.billed", event.correlation_id))

    async def _tell(self, event: Event, attempt: int) -> None:
        os.write(self._outside, f"{event.id} {attempt}\n".encode())


class NoVault:
    """Nothing is sent in a crash test, so nothing is signed."""

    async def put(self, tenant_id: str, name: str, secret: str) -> None:
        raise AssertionError("nothing is signed")

    async def get(self, tenant_id: str, name: str) -> str | None:
        raise AssertionError("nothing is signed")

    async def delete(self, tenant_id: str, name: str) -> None:
        raise AssertionError("nothing is signed")


async def _no_names(host: str, port: int) -> list[str]:
    raise OSError


async def _live(life: Life) -> None:
    store = await Store.open(life.url)
    worker = Worker(life, store)
    async with asyncio.TaskGroup() as both:
        # Calls do not wait for the bus: what is published before it delivers must arrive too.
        both.create_task(worker.bus.start())
        if life.mode is Mode.LOAD:
            both.create_task(worker.take_calls())
    await worker.drain()
    await worker.bus.stop()
    await store.aclose()


def _appending(path: Path) -> int:
    return os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
