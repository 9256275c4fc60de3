"""Sends what is due to the endpoints, many at a time, and plans what follows each attempt.

Deliveries are rows (`deliveries`), so a killed process loses none: its leases end and another process, or the next
start, goes on. An endpoint has at most `PARALLEL` requests under way, so a slow one only delays itself. Started by
`context.webhooks.service`.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable

import msgspec
import structlog

from context.errors import ContextError
from context.events.event import Event, EventType
from context.events.outbox import publish
from context.store.database import Store
from context.store.transaction import TenantTransaction
from context.webhooks.deliveries import LEASE_MS, Claim, DeliveryStore
from context.webhooks.delivery import Answer, DeliveryState, Failure, after
from context.webhooks.endpoint import Endpoint, EndpointState
from context.webhooks.endpoints import EndpointStore
from context.webhooks.errors import EndpointNotFoundError
from context.webhooks.message import event_to_send, headers_of
from context.webhooks.sender import Sender

MOST_UNDER_WAY = 256
"""Requests at the same time, a process."""

POLL_S = 1.0
"""How soon work is found that another process planned."""

SETTLE_S = 0.02
"""After a wake-up: who planned a delivery wakes the dispatcher just before the commit."""

LONGEST_SENDING_S = LEASE_MS / 1000 - 5
GRACE_S = 3.0
"""How long requests under way may take to end when the server stops."""

PATIENCE_MS = 3 * 24 * 3600 * 1000
"""An endpoint that has lost deliveries for so long, with none that arrived, is disabled."""

KEPT_MS = 30 * 24 * 3600 * 1000
"""The delivery log."""

CLEANING_MS = 3600 * 1000

SOURCE = "webhooks"

log = structlog.get_logger(__name__)


class Dispatcher:
    """Sends deliveries of every tenant. now: seconds since the epoch."""

    def __init__(
        self,
        store: Store,
        endpoints: EndpointStore,
        deliveries: DeliveryStore,
        sender: Sender,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._endpoints = endpoints
        self._deliveries = deliveries
        self._sender = sender
        self._now = now
        self._awake = asyncio.Event()
        self._under_way: dict[asyncio.Task[None], Claim] = {}
        self._loop: asyncio.Task[None] | None = None
        self._cleaned_at_ms = 0

    def start(self) -> None:
        """Send from now on, in the background."""
        self._loop = asyncio.create_task(self._run(), name="webhooks")

    async def stop(self) -> None:
        """Let requests under way end for a moment, then give back what is left."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
            self._loop = None
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=GRACE_S)
        left = list(self._under_way)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        with contextlib.suppress(ContextError):  # the leases end by themselves
            await self._deliveries.release()

    def wake(self) -> None:
        """Something was planned."""
        self._awake.set()

    async def send_due(self) -> None:
        """Begin to send what is due now, as far as there is room. Raises StoreError."""
        while room := MOST_UNDER_WAY - len(self._under_way):
            under_way = Counter(claim.endpoint_id for claim in self._under_way.values())
            claims = await self._deliveries.claim(self._now_ms(), under_way, room)
            for claim in claims:
                task = asyncio.create_task(self._send(claim), name=f"webhook {claim.id}")
                self._under_way[task] = claim
                task.add_done_callback(self._ended)
            if not claims:
                return

    @property
    def sending(self) -> int:
        """Requests under way."""
        return len(self._under_way)

    async def settled(self) -> None:
        """Wait until nothing is under way."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def clean(self) -> None:
        """Forget old deliveries. Raises StoreError."""
        removed = await self._deliveries.forget_before(self._now_ms() - KEPT_MS)
        if removed:
            log.info("webhook_log_cleaned", removed=removed)

    async def _run(self) -> None:
        while True:
            self._awake.clear()
            pause_s = POLL_S
            try:
                await self.send_due()
                if self._now_ms() - self._cleaned_at_ms >= CLEANING_MS:
                    self._cleaned_at_ms = self._now_ms()
                    await self.clean()
                now_ms = self._now_ms()
                next_ms = await self._deliveries.next_due_ms(now_ms)
                if next_ms is not None:
                    pause_s = min(POLL_S, (next_ms - now_ms) / 1000)
            except Exception as error:
                # A database that is away comes back; whatever it is, deliveries of all tenants hang on this loop.
                log.error("webhooks_not_sent", exc_info=error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._awake.wait()
                await asyncio.sleep(SETTLE_S)

    def _ended(self, task: asyncio.Task[None]) -> None:
        claim = self._under_way.pop(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # Its lease ends, then it is sent again: a failure of ours is no attempt.
            log.error("webhook_not_sent", delivery_id=claim.id, tenant_id=claim.tenant_id, exc_info=error)
        self._awake.set()  # there is room again

    async def _send(self, claim: Claim) -> None:
        async with asyncio.timeout(LONGEST_SENDING_S):
            store = self._store.tenant(claim.tenant_id)
            async with store.reading() as transaction:
                try:
                    endpoint = await self._endpoints.get(transaction, claim.endpoint_id)
                except EndpointNotFoundError:
                    return  # removed since the claim, with its deliveries
                event = await event_to_send(transaction, claim.event_id)
            if endpoint.state is not EndpointState.ACTIVE:
                async with store.writing() as transaction:
                    await self._deliveries.cancel(transaction, claim, self._now_ms())
                return
            at_ms = self._now_ms()
            answer = await self._answer(claim, endpoint, event)
            async with store.writing() as transaction:
                disabled = await self._record(transaction, claim, endpoint, answer, at_ms)
        if disabled:
            log.warning("webhook_endpoint_disabled", endpoint_id=endpoint.id, tenant_id=claim.tenant_id)

    async def _answer(self, claim: Claim, endpoint: Endpoint, event: Event | None) -> Answer:
        if event is None:
            return Answer(None, Failure.EVENT_GONE, 0)
        secrets = await self._endpoints.secrets(claim.tenant_id, endpoint, self._now_ms())
        body = msgspec.json.encode(event)
        return await self._sender.send(endpoint.url, headers_of(event, body, secrets, self._now()), body)

    async def _record(
        self, transaction: TenantTransaction, claim: Claim, endpoint: Endpoint, answer: Answer, at_ms: int
    ) -> bool:
        """Write down what came of an attempt; whether the endpoint is disabled now."""
        now_ms = self._now_ms()
        following = after(claim.attempts + 1, answer, now_ms)
        if not await self._deliveries.finish(transaction, claim, answer, at_ms, following):
            return False
        if following.state is DeliveryState.DELIVERED:
            await self._endpoints.arrived(transaction, endpoint)
        if following.state is not DeliveryState.FAILED or answer.failure is Failure.EVENT_GONE:
            return False
        disabled = await self._endpoints.lost(transaction, endpoint.id, now_ms, PATIENCE_MS)
        if disabled:
            await publish(transaction, _alert(claim, endpoint, self._now()))
        return disabled

    def _now_ms(self) -> int:
        return int(self._now() * 1000)


def _alert(claim: Claim, endpoint: Endpoint, now_s: float) -> Event:
    return Event(
        id=f"{endpoint.id}.disabled.{endpoint.version}",
        type=EventType.SYSTEM_ALERT,
        tenant_id=claim.tenant_id,
        occurred_at=now_s,
        source=SOURCE,
        causation_id=claim.event_id,
        payload={
            "alert": "webhook_disabled",
            "endpoint_id": endpoint.id,
            "failing_since": (endpoint.failing_since_ms or 0) / 1000,
        },
    )
