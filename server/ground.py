"""What outlives every call: the home folder, the database, tenants, keys, secrets, people, the event bus.

Laid before any engine is loaded, because a database that cannot be used must be told at once. Built by
`server.running`; everything above is handed the parts that it needs.
"""

import asyncio
import os
import secrets
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import structlog

import agents.demo
from context.bookings.store import utc_now
from context.calls.nodes import CallNode
from context.calls.store import CallStore
from context.contacts.boxes import ContextBoxes
from context.contacts.store import ContactStore
from context.contacts.subscriber import box_from_events
from context.errors import ContextError
from context.events.bus import EventBus
from context.home import Home
from context.security.audit import AuditLog, signing_key
from context.security.audit_anchors import AnchorFile, AnchorKeeper
from context.security.keys import ApiKeys
from context.security.operator_key import ensure_operator_key
from context.security.rate_limit import RateLimiter
from context.security.vault import Vault
from context.security.vault_opening import open_vault
from context.store.database import Store
from context.tenants.directory import TenantAlert, TenantDirectory
from context.tenants.store import StoredTenants
from context.users.assembly import People, build_people
from context.users.provider_file import load_providers
from context.webhooks.destination import Reach
from context.webhooks.service import Webhooks, open_webhooks
from server.loading import Progress
from server.provisioning import TENANT_CHECKS

NODE_ID_BYTES = 8

WEBHOOK_REACH_VARIABLE = "PARLEY_WEBHOOK_REACH"
"""Set to "loopback_too" while webhooks are developed on this machine."""

log = structlog.get_logger(__name__)


class NoTenantError(ContextError):
    """There is nobody to answer for."""

    code = "no_tenant"


class SettingError(ContextError):
    """A setting of the environment is not one of its values."""

    code = "bad_setting"


class StateSettings(msgspec.Struct, frozen=True):
    """Where state lives. home: folder, None for PARLEY_HOME. database_url: SQLAlchemy URL, None for SQLite there."""

    home: str | None = None
    database_url: str | None = None


class Ground(msgspec.Struct, frozen=True):
    """What the server stands on."""

    home: Home
    store: Store
    tenants: TenantDirectory
    stored_tenants: StoredTenants
    keys: ApiKeys
    audit: AuditLog
    vault: Vault
    anchors: AnchorKeeper
    limiter: RateLimiter
    people: People
    calls: CallStore
    contacts: ContactStore
    boxes: ContextBoxes
    bus: EventBus
    webhooks: Webhooks


async def lay_ground(
    stack: AsyncExitStack, state: StateSettings, progress: Progress, environment: Mapping[str, str] = os.environ
) -> Ground:
    """Open the state and start what watches it; `stack` closes it again.

    Raises ContextError, whose message says what to do.
    """
    reach = _webhook_reach(environment)
    home = await asyncio.to_thread(Home.open, state.home)
    url = state.database_url or home.database_url
    store = await Store.open(url)
    stack.push_async_callback(store.aclose)
    vault = open_vault(store, home.root, environment)
    stack.push_async_callback(vault.aclose)
    audit = AuditLog(store, await signing_key(vault))
    keys = ApiKeys(store, audit=audit)
    keys.start()
    stack.push_async_callback(keys.aclose)
    await ensure_operator_key(home.root, keys)
    limiter = RateLimiter(store)
    stack.push_async_callback(limiter.aclose)
    people = build_people(store, limiter, audit, vault, load_providers(home.root, environment))
    stack.push_async_callback(people.aclose)

    stored = StoredTenants(store, utc_now, TENANT_CHECKS, audit=audit)
    tenants = _tenants_of(home, stored, progress)

    def country_of(tenant_id: str) -> str:
        tenant = tenants.by_id(tenant_id)
        return tenant.country if tenant else ""

    bus = EventBus(store, url)
    webhooks = await stack.enter_async_context(open_webhooks(store, vault, audit, reach))
    bus.subscribe(box_from_events(country_of))
    bus.subscribe(webhooks.subscription)
    await bus.start()
    stack.push_async_callback(bus.stop)
    node = CallNode(store, secrets.token_hex(NODE_ID_BYTES), time.time)
    await node.start()
    stack.push_async_callback(node.stop)
    return Ground(
        home=home,
        store=store,
        tenants=tenants,
        stored_tenants=stored,
        keys=keys,
        audit=audit,
        vault=vault,
        anchors=AnchorKeeper(store, audit, AnchorFile(home.root)),
        limiter=limiter,
        people=people,
        calls=CallStore(store, node.id, wake=bus.wake),
        contacts=ContactStore(store, country_of),
        boxes=ContextBoxes(store, country_of, wake=bus.wake),
        bus=bus,
        webhooks=webhooks,
    )


async def open_tenants(ground: Ground, progress: Progress) -> None:
    """Take in the tenants of the database; those that cannot be used are told, now and whenever that changes.

    Raises NoTenantError when there is nobody to answer for, and StoreError.
    """

    async def tell(alert: TenantAlert) -> None:
        progress.note(f"{alert.kind.value.capitalize()}: {alert.message}")
        log.warning("tenant_alert", code=alert.code, kind=alert.kind.value)

    ground.tenants.on_alert(tell)
    await ground.tenants.refresh()
    if not ground.tenants.tenants:
        raise NoTenantError(f"no tenant to answer for: put a tenant's YAML file into {ground.home.tenants}")


def _webhook_reach(environment: Mapping[str, str]) -> Reach:
    text = environment.get(WEBHOOK_REACH_VARIABLE) or Reach.PUBLIC_ONLY.value
    try:
        return Reach(text)
    except ValueError:
        allowed = " or ".join(reach.value for reach in Reach)
        raise SettingError(f"{WEBHOOK_REACH_VARIABLE}: {text!r} is not {allowed}") from None


def _tenants_of(home: Home, stored: StoredTenants, progress: Progress) -> TenantDirectory:
    demo = Path(agents.demo.__file__ or "").parent
    tenants = TenantDirectory(home.tenants, sorted(demo.glob("*.yaml")), stored, TENANT_CHECKS)
    for problem in tenants.reload():
        progress.note(f"Warning: {problem}")
        log.warning("tenant_file_unusable", code=problem.code)
    return tenants
