"""The contacts of each tenant: looked up, searched, changed, and named for an erasure.

Every method is one transaction of its own. Used by REST, by agents at the start of a call and by whoever exports or
erases a person.
"""

import time
from collections.abc import Callable

import msgspec
import sqlalchemy as sa

from context.contacts import contact_rows
from context.contacts.contact import Contact, ContactConflictError
from context.contacts.points import ContactPoint, ContactPointError, PointKind, email_point, external_point, phone_point
from context.contacts.tables import contact_points, contacts
from context.erasure.registry import Subject
from context.security.audit import AuditLog, Entry
from context.store.database import Store

PAGE_LIMIT = 100


def no_country(_tenant_id: str) -> str:
    """For installations that do not know where their tenants are: only international numbers are understood."""
    return ""


def wall_clock_ms() -> int:
    """Milliseconds since the epoch, UTC."""
    return time.time_ns() // 1_000_000


class ContactStore:
    """Contacts by tenant. country_of: tenant id -> ISO 3166 alpha-2, "" when unknown. now_ms: the wall clock.

    Every method raises StoreError when the database fails.
    """

    def __init__(
        self, store: Store, country_of: Callable[[str], str] = no_country, now_ms: Callable[[], int] = wall_clock_ms
    ) -> None:
        self._store = store
        self._country_of = country_of
        self._now_ms = now_ms
        self._audit = AuditLog(store, now=lambda: now_ms() / 1_000)

    def phone(self, tenant_id: str, text: str) -> ContactPoint:
        """A number as people of the tenant's country write it. Raises ContactPointError."""
        return phone_point(text, self._country_of(tenant_id))

    async def get(self, tenant_id: str, contact_id: str) -> Contact:
        """The contact, or the one that it was merged into. Raises ContactNotFoundError."""
        async with self._store.tenant(tenant_id).reading() as transaction:
            return await contact_rows.load(transaction, contact_id)

    async def by_point(self, tenant_id: str, point: ContactPoint) -> Contact | None:
        """Who has this number, address or id; None when nobody has."""
        async with self._store.tenant(tenant_id).reading() as transaction:
            owner = (await contact_rows.owners(transaction, [point])).get(point)
            return await contact_rows.load(transaction, owner) if owner else None

    async def of_call(self, tenant_id: str, call_id: str) -> Contact | None:
        """Whose call it was; None when nobody has said yet."""
        async with self._store.tenant(tenant_id).reading() as transaction:
            contact_id = await contact_rows.contact_of_call(transaction, call_id)
            return await contact_rows.load(transaction, contact_id) if contact_id else None

    async def calls(self, tenant_id: str, contact_id: str) -> list[str]:
        """Ids of the contact's calls, in no order."""
        async with self._store.tenant(tenant_id).reading() as transaction:
            contact = await contact_rows.load(transaction, contact_id)
            return await contact_rows.calls_of(transaction, [contact.id])

    async def find_or_make(
        self,
        tenant_id: str,
        points: tuple[ContactPoint, ...],
        *,
        names: tuple[str, ...] = (),
        languages: tuple[str, ...] = (),
    ) -> Contact:
        """Who has the first of these points that anybody has, else a new contact; free points become theirs."""
        async with self._store.tenant(tenant_id).writing() as transaction:
            await contact_rows.lock(transaction)
            now_ms = self._now_ms()
            return await contact_rows.find_or_make(transaction, points, names=names, languages=languages, now_ms=now_ms)

    async def create(
        self,
        tenant_id: str,
        points: tuple[ContactPoint, ...],
        *,
        names: tuple[str, ...],
        languages: tuple[str, ...],
        actor: str,
    ) -> Contact:
        """A new contact with all of these points. actor: for the audit log. Raises ContactConflictError when somebody
        has one of the points."""
        async with self._store.tenant(tenant_id).writing() as transaction:
            await contact_rows.lock(transaction)
            now_ms = self._now_ms()
            made = await contact_rows.make(transaction, names=names, languages=languages, now_ms=now_ms)
            whole = msgspec.structs.replace(made, points=tuple(sorted(points)))
            stored = await contact_rows.save(transaction, made, whole, now_ms)
            await self._audit.write(transaction, Entry(actor, "contact.created", made.id))
            return stored

    async def link_call(self, tenant_id: str, call_id: str, contact_id: str) -> None:
        """Say whose call it is. Raises ContactNotFoundError."""
        async with self._store.tenant(tenant_id).writing() as transaction:
            await contact_rows.lock(transaction)
            contact = await contact_rows.load(transaction, contact_id)
            await contact_rows.link_call(transaction, call_id, contact.id, self._now_ms())

    async def change(
        self,
        tenant_id: str,
        contact_id: str,
        change: Callable[[Contact], Contact],
        *,
        actor: str,
        expected_version: int | None = None,
    ) -> Contact:
        """The contact after `change`, as stored.

        actor: for the audit log. expected_version: what the caller has read, None to change whatever is there. Raises
        ContactNotFoundError and ContactConflictError (changed since, or a point that belongs to another contact).
        """
        async with self._store.tenant(tenant_id).writing() as transaction:
            await contact_rows.lock(transaction)
            before = await contact_rows.load(transaction, contact_id)
            if expected_version is not None and expected_version != before.version:
                raise ContactConflictError(f"version: {expected_version} was read, {before.version} is there now")
            stored = await contact_rows.save(transaction, before, change(before), self._now_ms())
            if stored.version != before.version:
                detail = {"version": stored.version}
                await self._audit.write(transaction, Entry(actor, "contact.changed", stored.id, detail))
            return stored

    async def page(
        self, tenant_id: str, *, query: str = "", after: tuple[int, str] | None = None, limit: int = PAGE_LIMIT
    ) -> list[Contact]:
        """Contacts that are not merged into another, the newest first.

        query: part of a name, or a whole number, address or id; "" for all. after: created_ms and id of the last
        contact of the page before.
        """
        async with self._store.tenant(tenant_id).reading() as transaction:
            where = [contacts.c.merged_into == ""]
            if query.strip():
                where.append(self._meets(tenant_id, query))
            if after is not None:
                created_ms, contact_id = after
                older = contacts.c.created_ms < created_ms
                where.append(sa.or_(older, sa.and_(contacts.c.created_ms == created_ms, contacts.c.id < contact_id)))
            newest_first = (contacts.c.created_ms.desc(), contacts.c.id.desc())
            rows = await transaction.rows(contacts, *where, order_by=newest_first, limit=limit)
            return await contact_rows.with_points(transaction, rows)

    async def subject(self, tenant_id: str, contact_id: str) -> Subject:
        """Everything that names the person in the tenant's data. Raises ContactNotFoundError."""
        async with self._store.tenant(tenant_id).reading() as transaction:
            contact = await contact_rows.load(transaction, contact_id)
            merged = await contact_rows.merged_ids(transaction, contact.id)
            call_ids = await contact_rows.calls_of(transaction, [contact.id, *merged])
        return Subject(contact.id, frozenset(contact.phones), frozenset(contact.emails), frozenset(call_ids))

    def _meets(self, tenant_id: str, query: str) -> sa.ColumnElement[bool]:
        """Whose name has this text, or who has it as a number, address or id."""
        meets = [contacts.c.search_text.contains(" ".join(query.split()).casefold(), autoescape=True)]
        for point in _possible_points(query, self._country_of(tenant_id)):
            same = (contact_points.c.kind == point.kind.value, contact_points.c.value == point.value)
            owner = sa.select(contact_points.c.contact_id).where(contact_points.c.tenant_id == tenant_id, *same)
            meets.append(contacts.c.id.in_(owner))
        return sa.or_(*meets)


def changed_points(contact: Contact, kind: PointKind, points: tuple[ContactPoint, ...]) -> Contact:
    """The contact with these points of one kind instead of those it has."""
    others = [point for point in contact.points if point.kind is not kind]
    return msgspec.structs.replace(contact, points=tuple(sorted({*others, *points})))


def _possible_points(text: str, country: str) -> list[ContactPoint]:
    found: list[ContactPoint] = []
    for made in (lambda: phone_point(text, country), lambda: email_point(text), lambda: external_point(text)):
        try:
            found.append(made())
        except ContactPointError:
            continue
    return found
