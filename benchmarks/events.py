"""Publishes and handles events on SQLite beside a ticking loop: does a flood of events disturb calls?

    python -m benchmarks.events [--events 10000] [--publishers 4] [--per-second 20]

The loop ticks every 5 ms, as the pacer of calls does nearly; how late the ticks come is what a caller would hear. One
transactional subscriber writes a row for each event. Figures come three times: idle, while events are published and
handled at once, and while what is left is handled.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import sqlalchemy as sa
import uvloop

from context.events.bus import EventBus
from context.events.event import Event
from context.events.subscription import Subscription
from context.store.database import Store
from context.store.row_security import EVERY_TENANT
from context.store.transaction import TenantTransaction

TICK_S = 0.005
IDLE_S = 5.0
TENANTS = 20
EVENTS_A_CALL = 5

effects_metadata = sa.MetaData()
effects = sa.Table(
    "effects",
    effects_metadata,
    sa.Column("tenant_id", sa.String, primary_key=True),
    sa.Column("event_id", sa.String, primary_key=True),
)


class Lateness:
    """How late a loop's ticks come."""

    def __init__(self) -> None:
        self._late_s: list[float] = []
        self._task = asyncio.create_task(self._tick())

    async def _tick(self) -> None:
        due = time.perf_counter()
        while True:
            due += TICK_S
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            late = time.perf_counter() - due
            self._late_s.append(late)
            if late > TICK_S:
                due = time.perf_counter()

    def take(self) -> str:
        """The figures since the last time."""
        late, self._late_s = self._late_s, []
        return figures(late)

    def stop(self) -> None:
        """Tick no more."""
        self._task.cancel()


def figures(seconds: Sequence[float]) -> str:
    """Quantiles in ms."""
    ordered = sorted(seconds)

    def quantile(part: float) -> str:
        return f"{ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1000:.1f}"

    return f"p50 {quantile(0.5)}  p99 {quantile(0.99)}  max {quantile(1.0)} ms"


async def run(count: int, publishers: int, per_second: float, folder: Path) -> None:
    """Measure, and print. per_second: of all publishers together, 0 for as many as they can."""
    url = f"sqlite+aiosqlite:///{folder / 'parley.db'}"
    store = await Store.open(url)
    async with store.writing_as(EVERY_TENANT) as connection:
        await connection.run_sync(effects_metadata.create_all)

    async def handle(event: Event, transaction: TenantTransaction) -> None:
        await transaction.insert(effects, [{"event_id": event.id}])

    bus = EventBus(store, url)
    bus.subscribe(Subscription("benchmark", ("*",), handle))
    lateness = Lateness()
    await asyncio.sleep(IDLE_S)
    print(f"idle, no bus          ticks {lateness.take()}")
    await bus.start()
    await asyncio.sleep(IDLE_S)
    cpu_s = time.process_time()
    await asyncio.sleep(IDLE_S)
    idle_cpu = (time.process_time() - cpu_s) / IDLE_S
    print(f"idle, bus running     ticks {lateness.take()}  {idle_cpu:.1%} of a core")

    took_s: list[float] = []
    began_s, cpu_s = time.perf_counter(), time.process_time()

    async def publish(first: int) -> None:
        for number in range(first, count, publishers):
            if per_second:
                await asyncio.sleep(max(0.0, began_s + number / per_second - time.perf_counter()))
            before_s = time.perf_counter()
            await bus.publish(an_event(number))
            took_s.append(time.perf_counter() - before_s)

    await asyncio.gather(*(publish(first) for first in range(publishers)))
    published_s = time.perf_counter() - began_s
    handled = bus.metrics.of("benchmark").handled
    print(
        f"published {count} by {publishers} at once in {published_s:.1f} s: {count / published_s:.0f}/s, "
        f"publish {figures(took_s)}"
    )
    print(f"  meanwhile handled {handled}, ticks {lateness.take()}")
    while bus.metrics.of("benchmark").handled < count:
        await asyncio.sleep(0.05)
    all_s = time.perf_counter() - began_s
    cpu_ms = (time.process_time() - cpu_s) * 1000 / count
    print(
        f"all handled after {all_s:.1f} s: {count / all_s:.0f}/s from publication to effect, "
        f"{cpu_ms:.1f} ms of processor time an event"
    )
    if handled < count:
        print(f"  the rest              ticks {lateness.take()}")
    async with store.reading_every_tenant() as transaction:
        assert await transaction.count(effects) == count, "each event has one effect"
    print(msgspec.json.encode(bus.metrics).decode())
    lateness.stop()
    await bus.stop()
    await store.aclose()


def an_event(number: int) -> Event:
    """One of the events of a call, about as long as most are."""
    call = number // EVENTS_A_CALL
    return Event(
        id=f"event-{number}",
        type="context.updated",
        tenant_id=f"tenant-{call % TENANTS}",
        occurred_at=time.time(),
        source="benchmark",
        correlation_id=f"call-{call}",
        payload={"contact_id": f"contact-{call}", "version": number, "state": "engaged", "change": "x" * 200},
    )


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--publishers", type=int, default=4, help="1: each waits for the one before")
    parser.add_argument("--per-second", type=float, default=0, help="at this pace, as sessions do [as fast as it goes]")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        uvloop.run(run(chosen.events, chosen.publishers, chosen.per_second, Path(folder)))


if __name__ == "__main__":
    main()
