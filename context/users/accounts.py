"""Accounts of people and what they are to each tenant.

One account may work for several tenants (an agency's pilot does), so whoever administers a tenant changes memberships,
and only the person or the operator changes the account. Used by `context.users.people`, REST and `parley user`.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec
import sqlalchemy as sa

from context.errors import StoreConflictError
from context.security.principal import Role
from context.store.database import Store
from context.store.transaction import Row
from context.users.errors import (
    AccountExistsError,
    BadEmailError,
    LastAdminError,
    UserNotFoundError,
)
from context.users.passwords import Passwords, check_password
from context.users.sessions import end_sessions_of
from context.users.tables import identities, memberships, one_time_links, sessions, staffs, users
from context.users.transactions import Audited, PeopleTransaction, new_id, reading_people, writing_people

EMAIL_SHAPE = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
LONGEST_EMAIL_CHARS = 254
LONGEST_NAME_CHARS = 120

IDLE_ACCOUNT_S = 30 * 24 * 3600
"""How long an account that works for no tenant is kept: its tenant may be gone, and with it the reason to know them."""


class Standing(StrEnum):
    """What a person is to the installation. OPERATOR: may act for any tenant."""

    MEMBER = "member"
    OPERATOR = "operator"


class AccountState(StrEnum):
    """Whether a person may sign in."""

    ACTIVE = "active"
    DISABLED = "disabled"


class Account(msgspec.Struct, frozen=True):
    """A person. email: sign-in name, "" for who signs in through another provider only. Instants: seconds since the
    epoch, UTC; signed_in_at_s: 0 for never."""

    id: str
    email: str
    name: str
    standing: Standing
    state: AccountState
    created_at_s: int
    signed_in_at_s: int


class Membership(msgspec.Struct, frozen=True):
    """What a person is to a tenant."""

    tenant_id: str
    role: Role


class Member(msgspec.Struct, frozen=True):
    """A person as one tenant sees them."""

    account: Account
    role: Role
    joined_at_s: int


def normal_email(email: str) -> str:
    """The address as it is stored and compared. Raises BadEmailError."""
    normal = unicodedata.normalize("NFKC", email).strip().lower()
    if len(normal) > LONGEST_EMAIL_CHARS or not normal.isprintable() or not EMAIL_SHAPE.fullmatch(normal):
        raise BadEmailError("email: expected an address such as name@example.com")
    return normal


def normal_name(name: str) -> str:
    """The name as it is stored: no control characters, of bounded length."""
    return "".join(c for c in unicodedata.normalize("NFC", name) if c.isprintable()).strip()[:LONGEST_NAME_CHARS]


class Accounts:
    """Accounts and memberships. Every method raises StoreError besides. now: seconds since the epoch."""

    def __init__(self, store: Store, audited: Audited, passwords: Passwords, now: Callable[[], float]) -> None:
        self._store = store
        self._audited = audited
        self._passwords = passwords
        self._now = now

    async def create(
        self,
        email: str,
        name: str,
        password: str,
        *,
        actor: str,
        standing: Standing = Standing.MEMBER,
        roles: Mapping[str, Role] = {},
    ) -> Account:
        """Make an account with a password. roles: tenant id -> what the person is there.

        Raises BadEmailError, WeakPasswordError and AccountExistsError.
        """
        address = normal_email(email)
        check_password(password, known=(name, address.partition("@")[0]))
        hashed = await self._passwords.hash(password)
        try:
            async with writing_people(self._store) as transaction:
                account = await self.insert(transaction, email=address, name=name, password=hashed, standing=standing)
                await self._audited.write(transaction, "", actor, "user.created", account.id, standing=standing.value)
                for tenant_id, role in sorted(roles.items()):
                    await self.join(transaction, tenant_id, account.id, role, actor)
        except StoreConflictError:
            raise AccountExistsError("email: there is an account with this address already") from None
        return account

    async def insert(
        self,
        transaction: PeopleTransaction,
        *,
        email: str | None,
        name: str,
        password: str | None,
        standing: Standing = Standing.MEMBER,
    ) -> Account:
        """Add an account in the caller's transaction. email: normal. password: hashed. Raises StoreConflictError."""
        now_s = int(self._now())
        row = {
            "user_id": new_id(),
            "email": email,
            "name": normal_name(name),
            "standing": standing.value,
            "state": AccountState.ACTIVE.value,
            "password": password,
            "created_at_s": now_s,
            "password_changed_at_s": now_s if password else None,
            "signed_in_at_s": None,
        }
        await transaction.insert(users, [row])
        return account_of(row)

    async def join(self, transaction: PeopleTransaction, tenant_id: str, user_id: str, role: Role, actor: str) -> bool:
        """Make the person work for a tenant, in the caller's transaction; False when they did already."""
        row = {"tenant_id": tenant_id, "user_id": user_id, "role": role.value, "created_at_s": int(self._now())}
        joined = await transaction.insert_once(memberships, row)
        if joined:
            await self._audited.write(transaction, tenant_id, actor, "member.joined", user_id, role=role.value)
        return joined

    async def get(self, user_id: str) -> Account:
        """One account. Raises UserNotFoundError."""
        async with reading_people(self._store) as transaction:
            return account_of(await require_user(transaction, user_id))

    async def by_email(self, email: str) -> Account:
        """The account with this address. Raises BadEmailError and UserNotFoundError."""
        address = normal_email(email)
        async with reading_people(self._store) as transaction:
            row = await transaction.row(users, users.c.email == address)
        if row is None:
            raise UserNotFoundError("there is no account with this address")
        return account_of(row)

    async def every(self) -> list[tuple[Account, list[Membership]]]:
        """Every account with its memberships, for the operator."""
        async with reading_people(self._store) as transaction:
            rows = await transaction.rows(users, order_by=[users.c.created_at_s, users.c.user_id])
            of_user: dict[str, list[Membership]] = {}
            for row in await transaction.rows(memberships, order_by=[memberships.c.tenant_id]):
                of_user.setdefault(row["user_id"], []).append(Membership(row["tenant_id"], Role(row["role"])))
        return [(account_of(row), of_user.get(row["user_id"], [])) for row in rows]

    async def memberships(self, user_id: str) -> list[Membership]:
        """The tenants that a person works for, by id."""
        async with reading_people(self._store) as transaction:
            return await memberships_of(transaction, user_id)

    async def members(self, tenant_id: str, *, after: str = "", limit: int | None = None) -> list[Member]:
        """Who works for the tenant, by user id. after: user id to go on from."""
        async with self._store.tenant(tenant_id).reading() as own:
            rows = await own.rows(
                memberships, memberships.c.user_id > after, order_by=[memberships.c.user_id], limit=limit
            )
        return await self._as_members(rows)

    async def member(self, tenant_id: str, user_id: str) -> Member:
        """One person who works for the tenant. Raises UserNotFoundError."""
        async with self._store.tenant(tenant_id).reading() as own:
            rows = await own.rows(memberships, memberships.c.user_id == user_id)
        found = await self._as_members(rows)
        if not found:
            raise _no_such_user()
        return found[0]

    async def set_role(self, tenant_id: str, user_id: str, role: Role, actor: str) -> Member:
        """Change what a person is to the tenant; their sessions there end, so that nothing old goes on.

        Raises UserNotFoundError, and LastAdminError when nobody would administer the tenant any more.
        """
        async with writing_people(self._store) as transaction:
            before = await self._locked_role(transaction, tenant_id, user_id)
            if before is not role:
                if before is Role.ADMIN:
                    await self._require_other_admin(transaction, tenant_id, user_id)
                await transaction.of(tenant_id).update(
                    memberships, {"role": role.value}, memberships.c.user_id == user_id
                )
                await end_sessions_of(transaction, user_id, tenant_id=tenant_id)
                await self._audited.write(
                    transaction, tenant_id, actor, "member.role_changed", user_id, before=before.value, role=role.value
                )
        return await self.member(tenant_id, user_id)

    async def remove_member(self, tenant_id: str, user_id: str, actor: str) -> None:
        """End a person's work for the tenant. The account stays: it may work for others. So does its identity at the
        tenant's own provider, which would otherwise let the person in again as somebody new.

        Raises UserNotFoundError and LastAdminError.
        """
        async with writing_people(self._store) as transaction:
            if await self._locked_role(transaction, tenant_id, user_id) is Role.ADMIN:
                await self._require_other_admin(transaction, tenant_id, user_id)
            await transaction.of(tenant_id).delete(memberships, memberships.c.user_id == user_id)
            await end_sessions_of(transaction, user_id, tenant_id=tenant_id)
            await self._audited.write(transaction, tenant_id, actor, "member.removed", user_id)

    async def set_password(
        self, transaction: PeopleTransaction, user_id: str, hashed: str, actor: str, *, keep_session: str = ""
    ) -> None:
        """Change the password in the caller's transaction; every other session and every reset link ends."""
        values = {"password": hashed, "password_changed_at_s": int(self._now())}
        await transaction.update(users, values, users.c.user_id == user_id)
        await transaction.delete(one_time_links, one_time_links.c.user_id == user_id)
        await end_sessions_of(transaction, user_id, but=keep_session)
        await self._audited.write(transaction, "", actor, "user.password_changed", user_id)

    async def set_state(self, user_id: str, state: AccountState, actor: str) -> Account:
        """Disable an account, which signs the person out at once, or enable it again. Raises UserNotFoundError."""
        async with writing_people(self._store) as transaction:
            row = await require_user(transaction, user_id)
            if row["state"] != state.value:
                await transaction.update(users, {"state": state.value}, users.c.user_id == user_id)
                await self._audited.write(transaction, "", actor, f"user.{state.value}", user_id)
            if state is AccountState.DISABLED:
                await end_sessions_of(transaction, user_id)
        return account_of({**row, "state": state.value})

    async def export(self, user_id: str) -> dict[str, Any]:
        """Everything kept about a person, as plain JSON, without what opens a door. Raises UserNotFoundError."""
        async with reading_people(self._store) as transaction:
            row = await require_user(transaction, user_id)
            open_sessions = await transaction.rows(sessions, sessions.c.user_id == user_id)
            linked = await transaction.rows(identities, identities.c.user_id == user_id)
            works_for = await transaction.rows(memberships, memberships.c.user_id == user_id)
        hidden = {"password", "session_hash", "user_id"}
        return {
            "account": {name: value for name, value in row.items() if name != "password"},
            "memberships": [_without(membership, hidden) for membership in works_for],
            "identities": [_without(identity, hidden) for identity in linked],
            "sessions": [_without(session, hidden) for session in open_sessions],
        }

    async def delete(self, user_id: str, actor: str) -> None:
        """Remove a person from every table. The audit log keeps the id, which names nobody any more.

        Raises UserNotFoundError, and LastAdminError when a tenant would be left without an administrator.
        """
        async with writing_people(self._store) as transaction:
            await require_user(transaction, user_id)
            works_for = await memberships_of(transaction, user_id)
            for membership in works_for:
                if await self._locked_role(transaction, membership.tenant_id, user_id) is Role.ADMIN:
                    await self._require_other_admin(transaction, membership.tenant_id, user_id)
            for table in (memberships, identities, sessions, one_time_links, users):
                await transaction.delete(table, table.c.user_id == user_id)
            await self._audited.write(transaction, "", actor, "user.deleted", user_id)
            for membership in works_for:
                await self._audited.write(transaction, membership.tenant_id, actor, "member.removed", user_id)

    async def forget_idle(self, actor: str) -> int:
        """Delete accounts that have worked for nobody and signed in nowhere for `IDLE_ACCOUNT_S`; how many."""
        before_s = int(self._now()) - IDLE_ACCOUNT_S
        works = sa.exists().where(memberships.c.user_id == users.c.user_id)
        async with writing_people(self._store) as transaction:
            idle = await transaction.rows(
                users,
                users.c.standing == Standing.MEMBER.value,
                users.c.created_at_s <= before_s,
                sa.func.coalesce(users.c.signed_in_at_s, 0) <= before_s,
                ~works,
            )
            for row in idle:
                for table in (identities, sessions, one_time_links, users):
                    await transaction.delete(table, table.c.user_id == row["user_id"])
                await self._audited.write(transaction, "", actor, "user.deleted", row["user_id"])
        return len(idle)

    async def _as_members(self, rows: Sequence[Row]) -> list[Member]:
        ids = [row["user_id"] for row in rows]
        async with reading_people(self._store) as transaction:
            people = {row["user_id"]: row for row in await transaction.rows(users, users.c.user_id.in_(ids))}
        return [
            Member(account_of(people[row["user_id"]]), Role(row["role"]), row["created_at_s"])
            for row in rows
            if row["user_id"] in people
        ]

    async def _locked_role(self, transaction: PeopleTransaction, tenant_id: str, user_id: str) -> Role:
        own = transaction.of(tenant_id)
        await own.lock(staffs)
        row = await own.row(memberships, memberships.c.user_id == user_id)
        if row is None:
            raise _no_such_user()
        return Role(row["role"])

    async def _require_other_admin(self, transaction: PeopleTransaction, tenant_id: str, user_id: str) -> None:
        others = await transaction.of(tenant_id).count(
            memberships, memberships.c.role == Role.ADMIN.value, memberships.c.user_id != user_id
        )
        if not others:
            raise LastAdminError("this is the tenant's only administrator: make somebody else one first")


def account_of(row: Row) -> Account:
    """The account that a row of `users` holds."""
    return Account(
        id=row["user_id"],
        email=row["email"] or "",
        name=row["name"],
        standing=Standing(row["standing"]),
        state=AccountState(row["state"]),
        created_at_s=row["created_at_s"],
        signed_in_at_s=row["signed_in_at_s"] or 0,
    )


async def memberships_of(transaction: PeopleTransaction, user_id: str) -> list[Membership]:
    """The tenants that a person works for, by id."""
    by_tenant: list[sa.ColumnElement[str]] = [memberships.c.tenant_id]
    rows = await transaction.rows(memberships, memberships.c.user_id == user_id, order_by=by_tenant)
    return [Membership(row["tenant_id"], Role(row["role"])) for row in rows]


async def require_user(transaction: PeopleTransaction, user_id: str) -> Row:
    """The row of an account. Raises UserNotFoundError."""
    row = await transaction.row(users, users.c.user_id == user_id)
    if row is None:
        raise _no_such_user()
    return row


def _no_such_user() -> UserNotFoundError:
    return UserNotFoundError("there is no such user")


def _without(row: Row, hidden: set[str]) -> dict[str, object]:
    return {name: value for name, value in row.items() if name not in hidden}
