"""From the end of a call to the tenant's server, through the real bus, with everything running by itself."""

import asyncio
from pathlib import Path

import msgspec

from context.calls.store import CallStore
from context.events.bus import EventBus
from context.events.log import EventQuery
from context.events.replay import replay
from context.events.settings import BusSettings
from context.security.audit import AuditLog
from context.security.master_key import MasterKeys
from context.security.vault import Vault
from context.store.database import Store
from context.webhooks.delivery import DeliveryState, Origin
from context.webhooks.destination import Reach
from context.webhooks.service import SUBSCRIBER, open_webhooks
from context.webhooks.signature import verify
from tests.context.test_call_store import RECORD
from tests.webhooks.receiver import Receiver
from tests.webhooks.tenant import CLINIC, PILOT

QUICK = BusSettings(poll_s=0.05, round_s=0.01)
LIMIT_S = 10


async def until_received(receiver: Receiver, number: int) -> None:
    async with asyncio.timeout(LIMIT_S):
        while len(receiver.received) < number:
            await asyncio.sleep(0.01)


async def test_a_call_that_ends_is_told_to_the_tenant_once_and_again_when_it_is_replayed(
    store: Store, tmp_path: Path, receiver: Receiver
) -> None:
    vault = Vault.in_store(store, MasterKeys.random())
    bus = EventBus(store, f"sqlite+aiosqlite:///{tmp_path / 'parley.db'}", settings=QUICK)
    async with open_webhooks(store, vault, AuditLog(store), Reach.LOOPBACK_TOO) as webhooks:
        bus.subscribe(webhooks.subscription)
        await bus.start()
        shown = await webhooks.create(CLINIC, PILOT, receiver.url, ["call.completed"])
        await CallStore(store).save(CLINIC, RECORD)
        assert not await CallStore(store).save(CLINIC, RECORD)
        bus.wake()
        await until_received(receiver, 1)
        (request,) = receiver.received
        verify(shown.secret, request.headers, request.body, float(request.headers["Parley-Timestamp"]))
        assert msgspec.json.decode(request.body)["payload"]["call_id"] == RECORD.call_id
        async with asyncio.timeout(LIMIT_S):
            while (log := await webhooks.deliveries(CLINIC, 9))[0].state is not DeliveryState.DELIVERED:
                await asyncio.sleep(0.01)
        assert [delivery.origin for delivery in log] == [Origin.EVENT]
        assert await replay(store, CLINIC, [SUBSCRIBER], EventQuery()) == 1
        bus.wake()
        await until_received(receiver, 2)
        assert receiver.received[1].body == request.body
        assert receiver.received[1].headers["Parley-Idempotency-Key"] == request.headers["Parley-Idempotency-Key"]
        await bus.stop()
    assert len(receiver.received) == 2
