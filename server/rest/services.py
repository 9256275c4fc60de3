"""Everything that a request may need, by name: the stores and objects that the server built once.

`ServiceDoor` is there from the first moment and answers "starting" until the server has built the rest. Filled by
`server.composition`, given to handlers as `services`.
"""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import msgspec

from context.calls.store import CallStore
from context.contacts.boxes import ContextBoxes
from context.contacts.store import ContactStore
from context.conversations.store import Conversations
from context.erasure.erase import Erasures
from context.erasure.registry import PersonalDataRegistry
from context.events.bus import EventBus
from context.idempotency.store import IdempotentRequests
from context.security.audit_anchors import AnchorKeeper
from context.security.keys import ApiKeys
from context.security.rate_limit import REST_PER_ADDRESS, Limit, RateLimiter
from context.store.database import Store
from context.tenants.directory import TenantDirectory
from context.tenants.store import StoredTenants
from context.users.assembly import People
from context.webhooks.service import Webhooks
from server.responders import ResponderFactory
from server.rest.principals import SessionCheck
from server.rest.problems import RETRY_AFTER_S, Problem
from server.rest.turnstile import Turnstile
from server.tenant_runtimes import TenantRuntimes
from server.text_turns import TextTurns

MINUTE_S = 60.0


class RestLimits(msgspec.Struct, frozen=True):
    """How often requests are answered. per_address: without a valid key. per_operator: the installation's owner.

    Keys and users of a tenant have what its plan allows.
    """

    per_address: Limit = REST_PER_ADDRESS
    per_operator: Limit = Limit(600, MINUTE_S)


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """What requests work with; each part of the server adds its own.

    now: aware wall clock. tenants: configurations by id. stored_tenants: those that may be changed here. runtimes: what
    each tenant's calls share. recordings: folder. requests_a_minute: of each key of a tenant, by tenant id.
    hearing, speaking: the queues for the speech engines. anchors: what vouches for the audit log.
    """

    store: Store
    now: Callable[[], dt.datetime]
    keys: ApiKeys
    limiter: RateLimiter
    tenants: TenantDirectory
    stored_tenants: StoredTenants
    calls: CallStore
    contacts: ContactStore
    boxes: ContextBoxes
    personal_data: PersonalDataRegistry
    erasures: Erasures
    recordings: Path
    runtimes: TenantRuntimes
    responders: ResponderFactory
    conversations: Conversations
    text_turns: TextTurns
    idempotency: IdempotentRequests
    hearing: Turnstile
    speaking: Turnstile
    users: SessionCheck | None = None
    bus: EventBus | None = None
    anchors: AnchorKeeper | None = None
    people: People | None = None
    webhooks: Webhooks
    limits: RestLimits = RestLimits()
    requests_a_minute: Callable[[str], int] = lambda tenant_id: REST_PER_ADDRESS.count


class ServiceDoor:
    """Where requests get the services from: closed until the server has built them."""

    def __init__(self) -> None:
        self._services: Services | None = None

    def open(self, services: Services) -> None:
        """Answer requests from now on."""
        self._services = services

    def close(self) -> None:
        """Answer 503 again: the server is stopping."""
        self._services = None

    @property
    def services(self) -> Services:
        """The services. Raises Problem 503 while there are none."""
        if self._services is None:
            raise Problem(
                503,
                "starting",
                "Parley is starting or stopping; try again in a few seconds.",
                headers={"Retry-After": str(RETRY_AFTER_S)},
            )
        return self._services
