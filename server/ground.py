"""What outlives every call: the home folder, the database, tenants, keys, and the work that goes on beside the calls.

Laid before any engine is loaded, because a database that cannot be used must be told at once. Built by
`server.running`; everything above is handed the parts that it needs.
"""

import asyncio
import secrets
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import structlog

import agents.demo
from context.bookings.store import utc_now
from context.calls.nodes import CallNode
from context.calls.store import CallStore
from context.contacts.boxes import ContextBoxes
from context.contacts.store import ContactStore
from context.errors import ContextError
from context.home import Home
from context.security.keys import ApiKeys
from context.store.database import Store
from context.tenants.directory import TenantAlert, TenantDirectory
from context.tenants.store import StoredTenants
from server.loading import Progress

NODE_ID_BYTES = 8

log = structlog.get_logger(__name__)


class NoTenantError(ContextError):
    """There is nobody to answer for."""

    code = "no_tenant"


class StateSettings(msgspec.Struct, frozen=True):
    """Where state lives. home: folder, None for PARLEY_HOME. database_url: SQLAlchemy URL, None for SQLite there."""

    home: str | None = None
    database_url: str | None = None


class Ground(msgspec.Struct, frozen=True):
    """What the server stands on."""

    home: Home
    store: Store
    tenants: TenantDirectory
    keys: ApiKeys
    calls: CallStore
    contacts: ContactStore
    boxes: ContextBoxes


async def lay_ground(stack: AsyncExitStack, state: StateSettings, progress: Progress) -> Ground:
    """Open the state and start what watches it; `stack` closes it again.

    Raises ContextError, whose message says what to do.
    """
    home = await asyncio.to_thread(Home.open, state.home)
    store = await Store.open(state.database_url or home.database_url)
    stack.push_async_callback(store.aclose)
    tenants = _tenants_of(home, store, progress)
    node = CallNode(store, secrets.token_hex(NODE_ID_BYTES), time.time)
    await node.start()
    stack.push_async_callback(node.stop)

    def country_of(tenant_id: str) -> str:
        tenant = tenants.by_id(tenant_id)
        return tenant.country if tenant else ""

    return Ground(
        home=home,
        store=store,
        tenants=tenants,
        keys=ApiKeys(store),
        calls=CallStore(store, node.id),
        contacts=ContactStore(store, country_of),
        boxes=ContextBoxes(store, country_of),
    )


async def watch_tenants(stack: AsyncExitStack, ground: Ground, progress: Progress) -> None:
    """Take in the tenants of the database, and from now on every change; those that cannot be used are told."""

    async def tell(alert: TenantAlert) -> None:
        progress.note(f"{alert.kind.value.capitalize()}: {alert.message}")
        log.warning("tenant_alert", code=alert.code, kind=alert.kind.value)

    ground.tenants.on_alert(tell)
    await ground.tenants.refresh()
    if not ground.tenants.tenants:
        raise NoTenantError(f"no tenant to answer for: put a tenant's YAML file into {ground.home.tenants}")
    keep_running(stack, ground.tenants.watch(), "watch tenants")


def keep_running(stack: AsyncExitStack, work: Coroutine[Any, Any, None], name: str) -> None:
    """Run `work` beside everything else until `stack` closes."""
    task = asyncio.create_task(work, name=name)

    async def stop() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(stop)


def _tenants_of(home: Home, store: Store, progress: Progress) -> TenantDirectory:
    demo = Path(agents.demo.__file__ or "").parent
    tenants = TenantDirectory(home.tenants, sorted(demo.glob("*.yaml")), StoredTenants(store, utc_now))
    for problem in tenants.reload():
        progress.note(f"Warning: {problem}")
        log.warning("tenant_file_unusable", code=problem.code)
    return tenants
