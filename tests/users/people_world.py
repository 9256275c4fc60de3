"""A small world of people: tenants, a store, a clock that a test moves, and everything of `context.users` on it."""

import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from context.security.audit import AuditLog
from context.security.principal import Role
from context.security.rate_limit import RateLimiter
from context.security.vault import Vault
from context.security.vault_opening import open_vault
from context.store.database import Store
from context.users.accounts import Account
from context.users.assembly import People, build_people
from context.users.passwords import Passwords
from context.users.people import SignedIn
from context.users.provider_file import ProviderSettings

PASSWORD = "a lamp beside the river"
OTHER_PASSWORD = "nine grey herons at dawn"
HERE = "192.0.2.7"
ELSEWHERE = "198.51.100.9"

both_databases = pytest.mark.parametrize("database_url", ["sqlite", "postgres"], indirect=True)
"""For tests of what depends on the database: locks, conflicts, row security."""


class Clock:
    """Seconds since the epoch; stands still until a test moves it."""

    def __init__(self) -> None:
        self.at = float(int(time.time()))

    def __call__(self) -> float:
        return self.at

    def pass_s(self, seconds: float) -> None:
        """Let time pass."""
        self.at += seconds


class World:
    """Everything that a test of people asks."""

    def __init__(self, store: Store, clock: Clock, audit: AuditLog, vault: Vault, people: People) -> None:
        self.store = store
        self.clock = clock
        self.audit = audit
        self.vault = vault
        self.people = people
        self.users = people.users
        self.accounts = people.users.accounts

    async def person(
        self, email: str = "ada@example.com", *, name: str = "Ada", roles: dict[str, Role] | None = None
    ) -> Account:
        """An account with `PASSWORD`."""
        return await self.accounts.create(
            email, name, PASSWORD, actor="test", roles={"lake": Role.ADMIN} if roles is None else roles
        )

    async def signed_in(self, email: str = "ada@example.com", address: str = HERE) -> SignedIn:
        """A session of an account made by `person`."""
        return await self.users.sign_in(email, PASSWORD, address=address)

    async def audited(self, tenant_id: str = "") -> list[tuple[str, str, dict[str, Any]]]:
        """(action, target, detail) of the audit log, oldest first. tenant_id: "" for the server's own chain."""
        entries = await self.audit.entries(tenant_id, newest_first=False)
        return [(entry.action, entry.target, entry.detail) for entry in entries]


@asynccontextmanager
async def opened_world(
    store: Store, folder: Path, clock: Clock, passwords: Passwords, settings: ProviderSettings
) -> AsyncGenerator[World, None]:
    """A world with these providers. folder: where the master key of its vault is."""
    limiter = RateLimiter(store, now=clock)
    audit = AuditLog(store, now=clock)
    vault = open_vault(store, folder, {}, clock)
    people = build_people(store, limiter, audit, vault, settings, passwords=passwords, now=clock)
    try:
        yield World(store, clock, audit, vault, people)
    finally:
        await people.aclose()
        await limiter.aclose()
        await vault.aclose()


async def all_text(store: Store, tables: Iterable[Any]) -> str:
    """Everything that these tables hold, as text."""
    async with store.reading_every_tenant() as transaction:
        return "\n".join([str(row) for table in tables for row in await transaction.rows(table)])
