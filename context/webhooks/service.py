"""Webhooks as the rest of Parley sees them: manage endpoints, subscribe to the bus, send, look at the log.

Publishing an event never waits for a receiver: the bus hands each event to `plan`, which writes one delivery for each
endpoint that wants it in the bus's own transaction (so exactly once), and the dispatcher sends them. Built by the
server; called by REST and the bus.
"""

import secrets as random_secrets
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager

import msgspec

from context.errors import ContextError
from context.events.event import Event
from context.events.subscription import Subscription
from context.security.audit import AuditLog, Entry
from context.store.database import Store
from context.store.transaction import TenantTransaction
from context.webhooks.deliveries import DeliveryStore, new_delivery_id
from context.webhooks.delivery import MOST_ATTEMPTS, Attempt, Delivery, DeliveryState, Origin, after
from context.webhooks.destination import Reach, SystemResolver
from context.webhooks.dispatcher import Dispatcher
from context.webhooks.endpoint import LONGEST_DESCRIPTION, Endpoint, EndpointState, checked_types, require_transition
from context.webhooks.endpoints import EndpointStore, SecretKeeper, new_endpoint_id
from context.webhooks.errors import DestinationRefusedError, EndpointStateError, EventGoneError, WebhookError
from context.webhooks.message import event_to_send, headers_of, new_test_id, test_event
from context.webhooks.sender import Sender

SUBSCRIBER = "webhooks"
"""Name of the subscription to the bus."""

EVENT_TYPES = ("*",)

OVERLAP_S = 24 * 3600
"""How long the old secret signs too, unless the tenant says otherwise."""

LONGEST_OVERLAP_S = 7 * 24 * 3600
OWNER_BYTES = 8


class NewEndpoint(msgspec.Struct, frozen=True):
    """An endpoint with its secret, which is shown this once."""

    endpoint: Endpoint
    secret: str


class Change(msgspec.Struct, frozen=True):
    """What to change of an endpoint; None leaves a field as it is."""

    url: str | None = None
    types: Sequence[str] | None = None
    description: str | None = None
    state: EndpointState | None = None


class Webhooks:
    """Webhooks of every tenant. now: seconds since the epoch. Methods raise StoreError besides what they say."""

    def __init__(
        self,
        store: Store,
        vault: SecretKeeper,
        audit: AuditLog,
        sender: Sender,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._audit = audit
        self._sender = sender
        self._now = now
        self._endpoints = EndpointStore(vault)
        self._deliveries = DeliveryStore(store, random_secrets.token_hex(OWNER_BYTES))
        self.dispatcher = Dispatcher(store, self._endpoints, self._deliveries, sender, now)

    @property
    def subscription(self) -> Subscription:
        """For `EventBus.subscribe`."""
        return Subscription(SUBSCRIBER, EVENT_TYPES, self.plan)

    async def plan(self, event: Event, transaction: TenantTransaction) -> None:
        """Handler of the bus (transactional): plan a delivery to each endpoint that wants the event."""
        wanting = [each for each in await self._endpoints.list(transaction) if each.wants(event.type)]
        for endpoint in wanting:
            await self._deliveries.add(transaction, endpoint.id, event, Origin.EVENT, self._now_ms())
        if wanting:
            self.dispatcher.wake()

    async def endpoints(self, tenant_id: str) -> Sequence[Endpoint]:
        """Every endpoint of the tenant, oldest first."""
        async with self._store.tenant(tenant_id).reading() as transaction:
            return await self._endpoints.list(transaction)

    async def get(self, tenant_id: str, endpoint_id: str) -> Endpoint:
        """One endpoint. Raises EndpointNotFoundError."""
        async with self._store.tenant(tenant_id).reading() as transaction:
            return await self._endpoints.get(transaction, endpoint_id)

    async def create(
        self, tenant_id: str, actor: str, url: str, types: Sequence[str], description: str = ""
    ) -> NewEndpoint:
        """Add an endpoint that is active at once. actor: id of who asks, for the audit log.

        Raises DestinationRefusedError, UnknownTypeError, EndpointLimitError and WebhookError.
        """
        await self._check(url)
        checked, endpoint_id = checked_types(types), new_endpoint_id()
        description = _checked_description(description)
        kept = await self._endpoints.keep_secret(tenant_id, endpoint_id)
        endpoint = Endpoint(
            id=endpoint_id,
            url=url,
            types=checked,
            description=description,
            state=EndpointState.ACTIVE,
            version=1,
            secret_id=kept.id,
            previous_secret_id="",
            previous_until_ms=0,
            failing_since_ms=None,
            created_at_ms=self._now_ms(),
        )
        try:
            async with self._store.tenant(tenant_id).writing() as transaction:
                await self._endpoints.add(transaction, endpoint)
                await self._write(transaction, actor, "webhook.created", endpoint_id)
        except ContextError:
            await self._endpoints.forget_secret(tenant_id, endpoint_id, kept.id)
            raise
        return NewEndpoint(endpoint, kept.secret)

    async def change(self, tenant_id: str, actor: str, endpoint_id: str, change: Change) -> Endpoint:
        """Change an endpoint; making it active also forgets that it failed.

        Raises what `create` raises, EndpointNotFoundError, and EndpointStateError.
        """
        if change.url is not None:
            await self._check(change.url)
        async with self._store.tenant(tenant_id).writing() as transaction:
            before = await self._endpoints.get(transaction, endpoint_id)
            after_change = _changed(before, change)
            if after_change == before:
                return before
            stored = await self._endpoints.change(transaction, before, after_change)
            fields = [name for name in Change.__struct_fields__ if getattr(before, name) != getattr(stored, name)]
            await self._write(transaction, actor, "webhook.changed", endpoint_id, fields=fields)
        return stored

    async def rotate(self, tenant_id: str, actor: str, endpoint_id: str, overlap_s: int = OVERLAP_S) -> NewEndpoint:
        """Replace the secret; the old one signs too for `overlap_s`, one older than that no more.

        Raises EndpointNotFoundError, and EndpointStateError when two rotate at once.
        """
        if not 0 <= overlap_s <= LONGEST_OVERLAP_S:
            raise WebhookError(f"overlap_s: {overlap_s} is not between 0 and {LONGEST_OVERLAP_S}")
        before = await self.get(tenant_id, endpoint_id)
        kept = await self._endpoints.keep_secret(tenant_id, endpoint_id)
        rotated = msgspec.structs.replace(
            before,
            secret_id=kept.id,
            previous_secret_id=before.secret_id,
            previous_until_ms=self._now_ms() + overlap_s * 1000,
        )
        try:
            async with self._store.tenant(tenant_id).writing() as transaction:
                stored = await self._endpoints.change(transaction, before, rotated)
                await self._write(transaction, actor, "webhook.secret_rotated", endpoint_id, overlap_s=overlap_s)
        except ContextError:
            await self._endpoints.forget_secret(tenant_id, endpoint_id, kept.id)
            raise
        await self._endpoints.forget_secret(tenant_id, endpoint_id, before.previous_secret_id)
        return NewEndpoint(stored, kept.secret)

    async def delete(self, tenant_id: str, actor: str, endpoint_id: str) -> None:
        """Remove an endpoint, its secrets, its log and what was still to be sent. Raises EndpointNotFoundError."""
        async with self._store.tenant(tenant_id).writing() as transaction:
            endpoint = await self._endpoints.get(transaction, endpoint_id)
            await self._endpoints.remove(transaction, endpoint_id)
            await self._write(transaction, actor, "webhook.deleted", endpoint_id)
        for secret_id in (endpoint.secret_id, endpoint.previous_secret_id):
            await self._endpoints.forget_secret(tenant_id, endpoint_id, secret_id)

    async def send_test(self, tenant_id: str, actor: str, endpoint_id: str) -> Delivery:
        """Send a `webhook.test` now, once, whatever the endpoint's state, and say what came back.

        Raises EndpointNotFoundError.
        """
        endpoint = await self.get(tenant_id, endpoint_id)
        at_ms = self._now_ms()
        event = test_event(tenant_id, new_test_id(at_ms))
        body = msgspec.json.encode(event)
        secrets = await self._endpoints.secrets(tenant_id, endpoint, at_ms)
        answer = await self._sender.send(endpoint.url, headers_of(event, body, secrets, self._now()), body)
        state = after(MOST_ATTEMPTS, answer, at_ms).state
        attempt = Attempt(
            attempt=1,
            at_ms=at_ms,
            duration_ms=answer.duration_ms,
            status=answer.status,
            error=answer.failure.value,
            response=answer.response,
        )
        delivery_id = new_delivery_id(at_ms)
        async with self._store.tenant(tenant_id).writing() as transaction:
            await self._endpoints.get(transaction, endpoint_id)  # it may be gone by now
            await self._deliveries.add_finished(transaction, endpoint_id, event, delivery_id, attempt, state)
            await self._write(transaction, actor, "webhook.tested", endpoint_id)
            return await self._deliveries.get(transaction, delivery_id)

    async def redeliver(self, tenant_id: str, actor: str, delivery_id: str) -> Delivery:
        """Send the event of a delivery once more, with the same idempotency key; the new delivery.

        Raises DeliveryNotFoundError, EventGoneError, and EndpointStateError for an endpoint that is not active.
        """
        async with self._store.tenant(tenant_id).writing() as transaction:
            before = await self._deliveries.get(transaction, delivery_id)
            endpoint = await self._endpoints.get(transaction, before.endpoint_id)
            if endpoint.state is not EndpointState.ACTIVE:
                raise EndpointStateError(f"endpoint {endpoint.id} is {endpoint.state.value}: make it active first")
            event = await event_to_send(transaction, before.event_id)
            if event is None:
                raise EventGoneError(f"event {before.event_id!r} is not kept any more: it cannot be sent again")
            new_id = await self._deliveries.add(transaction, endpoint.id, event, Origin.REDELIVERY, self._now_ms())
            await self._write(transaction, actor, "webhook.redelivered", delivery_id, delivery_id=new_id)
            planned = await self._deliveries.get(transaction, new_id)
        self.dispatcher.wake()
        return planned

    async def delivery(self, tenant_id: str, delivery_id: str) -> Delivery:
        """One delivery with its log. Raises DeliveryNotFoundError."""
        async with self._store.tenant(tenant_id).reading() as transaction:
            return await self._deliveries.get(transaction, delivery_id)

    async def deliveries(
        self,
        tenant_id: str,
        limit: int,
        *,
        endpoint_id: str | None = None,
        state: DeliveryState | None = None,
        event_id: str | None = None,
        before_id: str | None = None,
    ) -> Sequence[Delivery]:
        """Deliveries newest first, each with its log. before_id: of the last one on the page before."""
        async with self._store.tenant(tenant_id).reading() as transaction:
            return await self._deliveries.page(
                transaction, limit, endpoint_id=endpoint_id, state=state, event_id=event_id, before_id=before_id
            )

    async def _check(self, url: str) -> None:
        try:
            await self._sender.check(url)
        except OSError as error:
            raise DestinationRefusedError("url: its host name has no address at the moment") from error

    async def _write(
        self, transaction: TenantTransaction, actor: str, action: str, target: str, **detail: str | int | Sequence[str]
    ) -> None:
        await self._audit.write(transaction, Entry(actor, action, target, detail))

    def _now_ms(self) -> int:
        return int(self._now() * 1000)


@asynccontextmanager
async def open_webhooks(
    store: Store, vault: SecretKeeper, audit: AuditLog, reach: Reach = Reach.PUBLIC_ONLY
) -> AsyncGenerator[Webhooks, None]:
    """Webhooks that send until the block ends. reach: LOOPBACK_TOO for development alone.

    Give `Webhooks.subscription` to the bus before it starts.
    """
    resolver = SystemResolver()
    sender = Sender(resolver, reach)
    webhooks = Webhooks(store, vault, audit, sender)
    webhooks.dispatcher.start()
    try:
        yield webhooks
    finally:
        await webhooks.dispatcher.stop()
        await sender.aclose()
        resolver.close()


def _changed(before: Endpoint, change: Change) -> Endpoint:
    changed = before
    if change.url is not None:
        changed = msgspec.structs.replace(changed, url=change.url)
    if change.types is not None:
        changed = msgspec.structs.replace(changed, types=checked_types(change.types))
    if change.description is not None:
        changed = msgspec.structs.replace(changed, description=_checked_description(change.description))
    if change.state is not None and change.state is not before.state:
        if change.state is EndpointState.DISABLED:
            raise WebhookError("state: only Parley disables an endpoint; allowed: active, paused")
        require_transition(before.state, change.state)
        changed = msgspec.structs.replace(changed, state=change.state, failing_since_ms=None)
    return changed


def _checked_description(text: str) -> str:
    if len(text) > LONGEST_DESCRIPTION or not text.isprintable():
        raise WebhookError(f"description: at most {LONGEST_DESCRIPTION} printable characters are allowed")
    return text
