"""Transactions over people: accounts belong to no tenant, their memberships and the audit entries do.

One transaction may therefore touch both, so that a change and its audit entry are kept together or not at all. Used by
every module of `context.users` that writes.
"""

import hashlib
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from context.security.audit import AuditLog, Entry
from context.security.tables import THE_SERVER
from context.store.database import Store
from context.store.row_security import EVERY_TENANT
from context.store.transaction import ServerTransaction, TenantTransaction

SECRET_BYTES = 32
"""256 random bits: nobody guesses one, so a plain SHA-256 of it may be stored."""

ID_BYTES = 12


class PeopleTransaction(ServerTransaction):
    """Statements over accounts, and `of(tenant)` for what belongs to one tenant, in one transaction."""

    def of(self, tenant_id: str) -> TenantTransaction:
        """The same transaction as this tenant; "" is the server itself."""
        return TenantTransaction(self._connection, tenant_id or THE_SERVER)


@asynccontextmanager
async def reading_people(store: Store) -> AsyncGenerator[PeopleTransaction, None]:
    """A consistent view. Raises StoreError."""
    async with store.reading_as(EVERY_TENANT) as connection:
        yield PeopleTransaction(connection)


@asynccontextmanager
async def writing_people(store: Store) -> AsyncGenerator[PeopleTransaction, None]:
    """A writing transaction, undone when the block raises. Raises StoreError."""
    async with store.writing_as(EVERY_TENANT) as connection:
        yield PeopleTransaction(connection)


class Audited:
    """Writes audit entries about people. tenant_id "": into the server's own chain."""

    def __init__(self, audit: AuditLog) -> None:
        self._audit = audit

    async def write(
        self,
        transaction: PeopleTransaction,
        tenant_id: str,
        actor: str,
        action: str,
        target: str,
        **detail: str | int | bool,
    ) -> None:
        """Add an entry in the caller's transaction."""
        await self._audit.write(transaction.of(tenant_id), Entry(actor, action, target, dict(detail)))


def new_secret() -> str:
    """A random text for cookies, links and states; only its digest is stored."""
    return secrets.token_urlsafe(SECRET_BYTES)


def new_id() -> str:
    """A random id that is no secret."""
    return secrets.token_hex(ID_BYTES)


def digest(secret: str) -> str:
    """What is stored of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
