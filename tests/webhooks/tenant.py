"""A tenant with webhooks, and a clock that tests turn themselves."""

from collections.abc import Sequence
from typing import Any

from context.events.event import Event
from context.events.outbox import publish
from context.security.audit import AuditLog
from context.security.master_key import MasterKeys
from context.security.vault import Vault
from context.store.database import Store
from context.webhooks.delivery import Delivery
from context.webhooks.destination import Reach, Resolver
from context.webhooks.sender import Sender
from context.webhooks.service import NewEndpoint, Webhooks

CLINIC = "clinic"
PILOT = "user-1"
START_S = 1_800_000_000.0


class Clock:
    """Wall clock of a test, in seconds since the epoch."""

    def __init__(self) -> None:
        self.now_s = START_S

    def __call__(self) -> float:
        return self.now_s


async def no_names(host: str, port: int) -> Sequence[str]:
    """A resolver that knows nobody."""
    raise OSError("no such name")


class Tenant:
    """Webhooks of one tenant, driven by hand."""

    def __init__(
        self,
        store: Store,
        tenant_id: str = CLINIC,
        *,
        clock: Clock | None = None,
        resolver: Resolver = no_names,
        reach: Reach = Reach.LOOPBACK_TOO,
        timeout_s: float = 5.0,
        vault: Vault | None = None,
    ) -> None:
        self.id = tenant_id
        self.store = store
        self.clock = clock or Clock()
        self.sender = Sender(resolver, reach, timeout_s=timeout_s)
        self.vault = vault or Vault.in_store(store, MasterKeys.random(), self.clock)
        self.audit = AuditLog(store, now=self.clock)
        self.webhooks = Webhooks(store, self.vault, self.audit, self.sender, now=self.clock)

    def in_another_process(self) -> "Tenant":
        """The same tenant as another process with the same keys serves it."""
        other = Tenant(self.store, self.id, clock=self.clock)
        other.webhooks = Webhooks(self.store, self.vault, self.audit, other.sender, now=self.clock)
        return other

    async def add(self, url: str, types: Sequence[str] = ("*",)) -> NewEndpoint:
        """An endpoint."""
        return await self.webhooks.create(self.id, PILOT, url, types)

    async def happens(self, event_type: str = "call.completed", number: int = 1, **changes: Any) -> Event:
        """An event is published and handed to webhooks, as the bus does."""
        fields: dict[str, Any] = {
            "id": f"{event_type}-{number}",
            "type": event_type,
            "tenant_id": self.id,
            "occurred_at": self.clock.now_s,
            "source": "tests",
            "payload": {"outcome": "booked", "n": number},
        }
        event = Event(**{**fields, **changes})
        async with self.store.tenant(self.id).writing() as transaction:
            await publish(transaction, event)
            await self.webhooks.plan(event, transaction)
        return event

    async def send(self, later_s: float = 0.0) -> None:
        """Let time pass, then send what is due."""
        self.clock.now_s += later_s
        dispatcher = self.webhooks.dispatcher
        await dispatcher.send_due()
        while dispatcher.sending:
            await dispatcher.settled()
            await dispatcher.send_due()

    async def log(self, endpoint_id: str | None = None) -> Sequence[Delivery]:
        """The delivery log, newest first."""
        return await self.webhooks.deliveries(self.id, 100, endpoint_id=endpoint_id)
