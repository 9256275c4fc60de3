"""Tenants that are kept in the database: made, changed, suspended by command and API.

Every change of a tenant raises its version in the same transaction that checks it, writes its numbers, its audit entry
and its event, so two editors never overwrite each other unseen. `context.tenants.directory` reads from here what the
server answers with; `context.tenants.removal` takes a tenant away.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from context.events.event import Event, EventType
from context.events.outbox import publish
from context.security.audit import AuditLog, Entry
from context.store.database import Store
from context.store.transaction import Row, TenantTransaction
from context.tenants.checks import Check
from context.tenants.config import TenantConfig
from context.tenants.errors import (
    NumberTakenError,
    TenantExistsError,
    TenantStateError,
    TenantVersionError,
    UnknownTenantError,
)
from context.tenants.lifecycle import Change, TenantState, after
from context.tenants.tables import removed_tenants, tenant_numbers, tenants
from context.tenants.tenant_file import check_stored

LIST_LIMIT = 100
SOURCE = "tenants"
FIRST_VERSION = 1

Clock = Callable[[], dt.datetime]


class StoredTenant(msgspec.Struct, frozen=True):
    """A tenant as the database has it. created_at, changed_at: aware, UTC."""

    config: TenantConfig
    state: TenantState
    version: int
    created_at: dt.datetime
    changed_at: dt.datetime
    reason: str = ""


class Probe(msgspec.Struct, frozen=True):
    """Changes when any tenant changes: versions only grow, and a removal leaves a certificate."""

    tenants: int
    versions: int
    removed: int


class StoredTenants:
    """The tenants of the database. also: further checks of a configuration. now: aware. audit: None for unsigned.

    Every method raises StoreError when the database fails.
    """

    def __init__(self, store: Store, now: Clock, also: Sequence[Check] = (), *, audit: AuditLog | None = None) -> None:
        self._store = store
        self._now = now
        self._also = tuple(also)
        self.audit = audit or AuditLog(store)

    async def create(self, config: TenantConfig, *, actor: str, state: TenantState = TenantState.TRIAL) -> StoredTenant:
        """Add a tenant and publish `tenant.provisioned`. actor: id of whoever does it, for the audit log.

        Raises TenantInvalidError, TenantExistsError, also for the id of a tenant that was removed, and
        NumberTakenError.
        """
        check_stored(config, *self._also)
        now_s = int(self._now().timestamp())
        row = {
            "state": state.value,
            "version": FIRST_VERSION,
            **_columns(config),
            "created_at_s": now_s,
            "changed_at_s": now_s,
            "reason": "",
        }
        async with self._store.tenant(config.id).writing() as transaction:
            if not await transaction.insert_once(tenants, row):
                raise TenantExistsError(f"id: there is a tenant {config.id!r} already; choose another id")
            if await transaction.row(removed_tenants):
                raise TenantExistsError(f"id: {config.id!r} was a tenant that has been removed; choose another id")
            await self._take_numbers(transaction, config)
            await publish(transaction, self._provisioned(config, state))
            await self._note(
                transaction, actor, "tenant.created", config.id, {"plan": config.plan, "state": state.value}
            )
        return _stored(row)

    async def get(self, tenant_id: str) -> StoredTenant | None:
        """The tenant with this id, None when there is none."""
        async with self._store.tenant(tenant_id).reading() as transaction:
            row = await transaction.row(tenants)
        return _stored(row) if row else None

    async def some(self, tenant_ids: Sequence[str]) -> dict[str, StoredTenant]:
        """Tenant id -> tenant, of those that there are."""
        found: dict[str, StoredTenant] = {}
        for at in range(0, len(tenant_ids), LIST_LIMIT):
            asked = tenants.c.tenant_id.in_(tenant_ids[at : at + LIST_LIMIT])
            async with self._store.reading_every_tenant() as transaction:
                rows = await transaction.rows(tenants, asked)
            found.update({row["tenant_id"]: _stored(row) for row in rows})
        return found

    async def page(self, after_id: str = "", limit: int = LIST_LIMIT) -> list[StoredTenant]:
        """The next tenants by id, at most `limit`."""
        async with self._store.reading_every_tenant() as transaction:
            rows = await transaction.rows(
                tenants, tenants.c.tenant_id > after_id, order_by=[tenants.c.tenant_id.asc()], limit=limit
            )
        return [_stored(row) for row in rows]

    async def put(self, config: TenantConfig, *, actor: str, expected_version: int | None = None) -> StoredTenant:
        """Change the configuration. expected_version: what it was changed from; None takes whatever is there.

        Raises TenantInvalidError, UnknownTenantError, TenantVersionError, TenantStateError while it is being removed,
        and NumberTakenError. A configuration that is the same as before changes nothing.
        """
        check_stored(config, *self._also)
        async with self._store.tenant(config.id).writing() as transaction:
            found = await self._for_change(transaction, config.id, expected_version)
            before = _stored(found)
            if before.state is TenantState.DELETING:
                raise TenantStateError(f"state: the tenant {config.id!r} is being removed and cannot change any more")
            if before.config == config:
                return before
            row = {**found, **_columns(config), **self._next_version(found)}
            await self._write(transaction, row)
            await self._take_numbers(transaction, config)
            parts = {"fields": changed_fields(before.config, config), "version": row["version"]}
            await self._note(transaction, actor, "tenant.changed", config.id, parts)
        return _stored(row)

    async def change(
        self, tenant_id: str, change: Change, *, actor: str, reason: str = "", expected_version: int | None = None
    ) -> StoredTenant:
        """Activate, suspend, resume or begin to delete. A change that was made already changes nothing.

        Raises UnknownTenantError, TenantStateError and TenantVersionError.
        """
        async with self._store.tenant(tenant_id).writing() as transaction:
            found = await self._for_change(transaction, tenant_id, expected_version)
            state = TenantState(found["state"])
            reached = after(state, change)
            if reached is state:
                return _stored(found)
            row = {**found, "state": reached.value, "reason": reason, **self._next_version(found)}
            await self._write(transaction, row)
            detail = {"from": state.value, "to": reached.value, "version": row["version"]}
            await self._note(transaction, actor, f"tenant.{change.value}", tenant_id, detail)
        return _stored(row)

    async def probe(self) -> Probe:
        """What tells, in one cheap question, whether anything changed."""
        counts = [sa.func.count().label("tenants"), sa.func.coalesce(sa.func.sum(tenants.c.version), 0).label("sum")]
        async with self._store.reading_every_tenant() as transaction:
            [row] = await transaction.rows(tenants, columns=counts)
            removed = await transaction.count(removed_tenants)
        return Probe(int(row["tenants"]), int(row["sum"]), removed)

    async def versions(self) -> dict[str, int]:
        """Tenant id -> version, of every tenant."""
        async with self._store.reading_every_tenant() as transaction:
            rows = await transaction.rows(tenants, columns=[tenants.c.tenant_id, tenants.c.version])
        return {row["tenant_id"]: row["version"] for row in rows}

    async def _for_change(self, transaction: TenantTransaction, tenant_id: str, expected: int | None) -> Row:
        # An update takes the row's lock on Postgres before it is read: two editors come one after the other.
        if not await transaction.update(tenants, {"tenant_id": tenant_id}):
            raise UnknownTenantError(f"there is no tenant {tenant_id!r}")
        [row] = await transaction.rows(tenants)
        if expected is not None and row["version"] != expected:
            raise TenantVersionError(tenant_id, expected, row["version"])
        return row

    def _next_version(self, row: Row) -> dict[str, int]:
        return {"version": row["version"] + 1, "changed_at_s": int(self._now().timestamp())}

    async def _write(self, transaction: TenantTransaction, row: Row) -> None:
        await transaction.update(tenants, {name: value for name, value in row.items() if name != "tenant_id"})

    async def _take_numbers(self, transaction: TenantTransaction, config: TenantConfig) -> None:
        await transaction.delete(tenant_numbers, tenant_numbers.c.number.not_in(config.numbers))
        held = {row["number"] for row in await transaction.rows(tenant_numbers)}
        for at, number in enumerate(config.numbers):
            if number not in held:
                try:
                    await transaction.insert(tenant_numbers, [{"number": number}])
                except IntegrityError as error:
                    # The constraint sees every tenant's numbers; this transaction must not.
                    raise NumberTakenError(f"$.numbers[{at}]: {number} reaches another tenant already") from error

    async def _note(
        self, transaction: TenantTransaction, actor: str, action: str, target: str, detail: dict[str, Any]
    ) -> None:
        await self.audit.write(transaction, Entry(actor=actor, action=action, target=target, detail=detail))

    def _provisioned(self, config: TenantConfig, state: TenantState) -> Event:
        return Event(
            id=f"tenant.provisioned:{config.id}",
            type=EventType.TENANT_PROVISIONED,
            tenant_id=config.id,
            occurred_at=self._now().timestamp(),
            source=SOURCE,
            payload={"sector": config.sector, "plan": config.plan, "state": state.value, "country": config.country},
        )


def changed_fields(before: TenantConfig, now: TenantConfig) -> list[str]:
    """Names of the fields that differ: their values may be personal."""
    return [name for name in TenantConfig.__struct_fields__ if getattr(before, name) != getattr(now, name)]


def _columns(config: TenantConfig) -> dict[str, Any]:
    ends = config.trial_ends_at
    return {
        "tenant_id": config.id,
        "config": msgspec.json.encode(config).decode(),
        "plan": config.plan,
        "trial_ends_at_s": None if ends is None else int(ends.timestamp()),
    }


def _stored(row: Row) -> StoredTenant:
    return StoredTenant(
        config=msgspec.json.decode(row["config"], type=TenantConfig),
        state=TenantState(row["state"]),
        version=row["version"],
        created_at=dt.datetime.fromtimestamp(row["created_at_s"], dt.UTC),
        changed_at=dt.datetime.fromtimestamp(row["changed_at_s"], dt.UTC),
        reason=row["reason"],
    )
