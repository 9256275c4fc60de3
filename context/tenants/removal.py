"""Takes a tenant away with everything that is its own, and certifies it.

First its recordings, then its rows in every table of the schema (a table is found by its column `tenant_id`, so none
can be forgotten), at last its own row, in the transaction that writes the certificate and finds nothing left. Every
step is done in small pieces and may be repeated: a process that was killed goes on with `resume_all`. Called by the
command line, the API and the start of the server.
"""

import asyncio
import datetime as dt
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import msgspec
import sqlalchemy as sa

from context.calls.tables import calls
from context.erasure.recordings import RecordingFiles
from context.security.audit import AuditLog, Entry, Query
from context.security.tables import THE_SERVER
from context.security.vault import Vault
from context.store.database import Store
from context.store.schema import whole_schema
from context.store.transaction import Row, TenantTransaction
from context.tenants.errors import UnknownTenantError
from context.tenants.lifecycle import Change, TenantState
from context.tenants.store import Clock, StoredTenants
from context.tenants.tables import removal_steps, removed_tenants, tenants

PIECE_ROWS = 500
"""Rows removed in one transaction: milliseconds, so that calls of other tenants are not held up."""

SWEEP_DAYS = 2
"""How long after a removal late rows are looked for."""

BELONGINGS_STEP = "belongings"

REMOVED = "tenant.removed"
"""The action in the audit log; what vouches for a log knows by it that a log may be gone."""


class RemovalCertificate(msgspec.Struct, frozen=True):
    """What proves that a tenant was removed. rows: table -> how many. files: recordings, event logs and secrets kept
    outside the database.

    finished_at: aware, UTC. digest: SHA-256 of the other fields as sorted JSON.
    """

    tenant_id: str
    requested_by: str
    finished_at: dt.datetime
    rows: dict[str, int]
    files: int
    digest: str = ""


class Belongings(Protocol):
    """Something of a tenant outside the database. Removing it twice is removing it once."""

    async def remove(self, tenant_id: str) -> int:
        """Remove it; how many pieces there were."""
        ...


class CallRecordings:
    """The recordings and event logs of a tenant's calls."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._files = RecordingFiles(folder)

    async def remove(self, tenant_id: str) -> int:
        """Remove the files of every call of the tenant. Raises OSError."""
        removed, last = 0, ""
        while True:
            async with self._store.tenant(tenant_id).reading() as transaction:
                rows = await transaction.rows(
                    calls,
                    calls.c.call_id > last,
                    columns=[calls.c.call_id],
                    order_by=[calls.c.call_id.asc()],
                    limit=PIECE_ROWS,
                )
            if not rows:
                return removed
            last = rows[-1]["call_id"]
            removed += await asyncio.to_thread(self._remove, [row["call_id"] for row in rows])

    def _remove(self, call_ids: Sequence[str]) -> int:
        names = self._files.of_calls(call_ids)
        self._files.remove(names)
        return len(names)


class VaultSecrets:
    """A tenant's secrets, which another service may keep."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def remove(self, tenant_id: str) -> int:
        """Remove every secret. Raises ContextError when the service does not answer."""
        names = await self._vault.names(tenant_id)
        for name in names:
            await self._vault.delete(tenant_id, name)
        return len(names)


class TenantRemoval:
    """Removes tenants. belongings: what they have outside the database."""

    def __init__(
        self,
        store: Store,
        tenants: StoredTenants,
        now: Clock,
        belongings: Sequence[Belongings] = (),
        *,
        audit: AuditLog | None = None,
    ) -> None:
        self._store = store
        self._tenants = tenants
        self._now = now
        self._belongings = tuple(belongings)
        self._audit = audit or tenants.audit

    async def remove(self, tenant_id: str, *, actor: str) -> RemovalCertificate:
        """Remove a tenant now, or go on with it; the certificate of one that is removed already.

        Calls that are still going on may leave rows after it: `resume_all` sweeps them. Raises UnknownTenantError.
        """
        done = await self.certificate(tenant_id)
        if done is not None:
            await self._note(done)
            return done
        await self._tenants.change(tenant_id, Change.DELETE, actor=actor)
        await self._remove_files(tenant_id)
        while True:
            for table in _tables_of_tenants():
                await self._empty(table, tenant_id)
            certificate = await self._finish(tenant_id, actor)
            if certificate is not None:
                return certificate

    async def resume_all(self, *, actor: str) -> list[RemovalCertificate]:
        """Finish every removal that was begun, and sweep what a late writer left of tenants that have just gone.

        For the start of the server, and now and then after it: a call that ended badly may be stored late.
        """
        async with self._store.reading_every_tenant() as transaction:
            begun = await transaction.rows(
                tenants, tenants.c.state == TenantState.DELETING.value, columns=[tenants.c.tenant_id]
            )
            gone = [_certificate(row) for row in await transaction.rows(removed_tenants)]
        finished = [await self.remove(row["tenant_id"], actor=actor) for row in begun]
        oldest = self._now() - dt.timedelta(days=SWEEP_DAYS)
        for certificate in gone:
            if certificate.finished_at >= oldest:
                await self._note(certificate)
                for belongings in self._belongings:
                    await belongings.remove(certificate.tenant_id)
                for table in _tables_of_tenants():
                    await self._empty(table, certificate.tenant_id)
        return finished

    async def certificate(self, tenant_id: str) -> RemovalCertificate | None:
        """The certificate of a tenant that was removed, None for any other."""
        async with self._store.reading_every_tenant() as transaction:
            row = await transaction.row(removed_tenants, removed_tenants.c.tenant_id == tenant_id)
        return _certificate(row) if row else None

    async def _remove_files(self, tenant_id: str) -> None:
        removed = sum([await belongings.remove(tenant_id) for belongings in self._belongings])
        async with self._store.tenant(tenant_id).writing() as transaction:
            await _count(transaction, BELONGINGS_STEP, removed)

    async def _empty(self, table: sa.Table, tenant_id: str) -> None:
        """Remove the tenant's rows of a table, piece by piece, and count them."""
        keys = list(table.primary_key.columns)
        while True:
            async with self._store.tenant(tenant_id).reading() as transaction:
                rows = await transaction.rows(table, columns=keys, limit=PIECE_ROWS)
            if not rows:
                return
            async with self._store.tenant(tenant_id).writing() as transaction:
                names = [column.name for column in keys]
                piece = sa.tuple_(*keys).in_([tuple(row[name] for name in names) for row in rows])
                removed = await transaction.delete(table, piece)
                if await transaction.row(tenants):
                    await _count(transaction, table.name, removed)

    async def _finish(self, tenant_id: str, actor: str) -> RemovalCertificate | None:
        """Write the certificate and take the tenant's own row away; None when rows were written in between."""
        async with self._store.tenant(tenant_id).writing() as transaction:
            row = await transaction.row(tenants)
            if row is None:
                raise UnknownTenantError(f"there is no tenant {tenant_id!r}")
            for table in _tables_of_tenants():
                if await transaction.count(table):
                    return None
            steps = {step["step"]: step["removed"] for step in await transaction.rows(removal_steps)}
            files = steps.pop(BELONGINGS_STEP, 0)
            certificate = _signed(
                RemovalCertificate(tenant_id, actor, self._now().astimezone(dt.UTC), dict(sorted(steps.items())), files)
            )
            await transaction.insert(removed_tenants, [{"certificate": msgspec.json.encode(certificate).decode()}])
            await transaction.delete(removal_steps)
            await transaction.delete(tenants)
        await self._note(certificate)
        return certificate

    async def _note(self, certificate: RemovalCertificate) -> None:
        """Write the removal into the log of the server, unless it is there: the tenant's own log is gone."""
        written = Query(action=REMOVED, target=certificate.tenant_id)
        if await self._audit.entries("", written, limit=1):
            return
        detail = {"digest": certificate.digest, "rows": sum(certificate.rows.values()), "files": certificate.files}
        async with self._store.tenant(THE_SERVER).writing() as transaction:
            entry = Entry(certificate.requested_by, REMOVED, certificate.tenant_id, detail)
            await self._audit.write(transaction, entry)


def _tables_of_tenants() -> list[sa.Table]:
    """Every table with rows of tenants, those first whose rows point at others. Its own three come last, elsewhere."""
    kept = {tenants, removal_steps, removed_tenants}
    found = [table for table in whole_schema().sorted_tables if "tenant_id" in table.c and table not in kept]
    return list(reversed(found))


async def _count(transaction: TenantTransaction, step: str, removed: int) -> None:
    await transaction.insert_once(removal_steps, {"step": step, "removed": 0})
    here = removal_steps.c.step == step
    await transaction.update(removal_steps, {"removed": removal_steps.c.removed + removed}, here)


def _certificate(row: Row) -> RemovalCertificate:
    return msgspec.json.decode(row["certificate"], type=RemovalCertificate)


def _signed(certificate: RemovalCertificate) -> RemovalCertificate:
    digest = hashlib.sha256(msgspec.json.encode(certificate, order="sorted")).hexdigest()
    return msgspec.structs.replace(certificate, digest=digest)


def is_genuine(certificate: RemovalCertificate) -> bool:
    """Whether the digest fits the rest."""
    return _signed(msgspec.structs.replace(certificate, digest="")) == certificate
