"""A process with a bus, for tests to kill: `main` with its database URL runs until its input closes.

Its transactional subscriber leaves an effect for each event; after each it sleeps a little, so that a kill lands in the
middle of things.
"""

import asyncio
import sys

import msgspec

from context.events.event import Event
from context.events.subscription import Subscription
from context.store.database import Store
from context.store.transaction import TenantTransaction
from tests.events.small_bus import QUICK, note, running_bus

SUBSCRIBER = "survivor"
SETTINGS = msgspec.structs.replace(
    QUICK, batch=10, worker_lease_s=1.5, housekeeping_s=0.3, orphan_s=1.0, commit_at_a_time=3
)


async def main(url: str) -> None:
    store = await Store.open(url)

    async def handle(event: Event, transaction: TenantTransaction) -> None:
        await note(transaction, SUBSCRIBER, event)
        await asyncio.sleep(0.003)

    async with running_bus(store, url, Subscription(SUBSCRIBER, ("*",), handle), settings=SETTINGS) as bus:
        sys.stdout.write(f"{bus.state.value}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)
    await store.aclose()
