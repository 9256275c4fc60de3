"""The context boxes of each tenant: what agents ask at the start of a call and write while they work.

Every method is one transaction of its own, and a change is told to the bus in it. Used by agents, by REST and by the
command center.
"""

from collections.abc import Callable

import msgspec

from context.contacts import box_rows, contact_rows, merging
from context.contacts.box import ContextBox, HistoryEntry, HistoryKind
from context.contacts.box_rows import SOURCE, BoxConflictError, Writing
from context.contacts.changes import Change, happened, moved, touched
from context.contacts.contact import Contact
from context.contacts.handoff import HandoffPackage, packed
from context.contacts.points import points_found
from context.contacts.states import BoxState
from context.contacts.store import no_country, wall_clock_ms
from context.contacts.tables import context_versions, tenant_memory
from context.contacts.view import BUDGET_TOKENS, ContextView, viewed
from context.errors import ContextError
from context.events.event import Event, EventType
from context.events.outbox import publish
from context.security.audit import AuditLog, Detail, Entry
from context.store.database import Store
from context.store.transaction import TenantTransaction


class VersionNotFoundError(ContextError):
    """The box has no such version, or it is older than the versions that are kept."""

    code = "context_version_not_found"


class BoxVersion(msgspec.Struct, frozen=True):
    """One change of a box: its number, when, by whom and what it was."""

    version: int
    at_ms: int
    actor: str
    change: str
    state: BoxState


class Memory(msgspec.Struct, frozen=True):
    """A fact that the whole tenant knows, with the contact and the call that it comes from."""

    contact_id: str
    fact_id: str
    type: str
    value: str
    confidence: float
    call_id: str
    turn: int


def no_bus() -> None:
    """For installations without a bus in this process: events are found by the next poll."""


class ContextBoxes:
    """Boxes by tenant.

    country_of: tenant id -> ISO 3166 alpha-2, "" when unknown. now_ms: the wall clock. wake: tells the bus that events
    were committed. Methods that take a contact's id follow merges, raise ContactNotFoundError when there is no such
    contact, and StoreError when the database fails.
    """

    def __init__(
        self,
        store: Store,
        country_of: Callable[[str], str] = no_country,
        now_ms: Callable[[], int] = wall_clock_ms,
        wake: Callable[[], None] = no_bus,
    ) -> None:
        self._store = store
        self._country_of = country_of
        self._now_ms = now_ms
        self._wake = wake
        self._audit = AuditLog(store, now=lambda: now_ms() / 1_000)

    async def get(self, tenant_id: str, contact_id: str) -> ContextBox:
        """The box as it is now; a new one of version 0 for a contact of whom nothing is known."""
        async with self._store.tenant(tenant_id).reading() as transaction:
            return await box_rows.load(transaction, await contact_rows.load(transaction, contact_id))

    async def for_caller(self, tenant_id: str, phone: str = "", email: str = "") -> ContextBox | None:
        """The box of who has this number or this address, the number first; None for a stranger."""
        # A withheld or mistyped number belongs to nobody that is known.
        points = points_found((phone,), (email,), self._country_of(tenant_id))
        async with self._store.tenant(tenant_id).reading() as transaction:
            owned = await contact_rows.owners(transaction, points)
            owner = next((owned[point] for point in points if point in owned), None)
            if owner is None:
                return None
            return await box_rows.load(transaction, await contact_rows.load(transaction, owner))

    async def view(self, tenant_id: str, contact_id: str, budget_tokens: int = BUDGET_TOKENS) -> ContextView:
        """The box for a model's prompt, never more than `budget_tokens`."""
        return viewed(await self.get(tenant_id, contact_id), budget_tokens)

    async def versions(
        self, tenant_id: str, contact_id: str, *, before: int | None = None, limit: int = box_rows.VERSIONS_KEPT
    ) -> list[BoxVersion]:
        """The versions that are kept, the newest first; only those below `before` when it is given."""
        columns = context_versions.c
        async with self._store.tenant(tenant_id).reading() as transaction:
            contact = await contact_rows.load(transaction, contact_id)
            where = [columns.contact_id == contact.id, *([columns.version < before] if before is not None else [])]
            rows = await transaction.rows(context_versions, *where, order_by=(columns.version.desc(),), limit=limit)
        return [
            BoxVersion(row["version"], row["at_ms"], row["actor"], row["change"], box_rows.decoded(row).state)
            for row in rows
        ]

    async def version(self, tenant_id: str, contact_id: str, version: int) -> ContextBox:
        """The box as it was. Raises VersionNotFoundError."""
        async with self._store.tenant(tenant_id).reading() as transaction:
            contact = await contact_rows.load(transaction, contact_id)
            mine = (context_versions.c.contact_id == contact.id, context_versions.c.version == version)
            row = await transaction.row(context_versions, *mine)
        if row is None:
            raise VersionNotFoundError(f"version: {version} is not kept; the newest {box_rows.VERSIONS_KEPT} are")
        return box_rows.decoded(row)

    async def change(
        self,
        tenant_id: str,
        contact_id: str,
        change: Change,
        *,
        actor: str,
        what: str,
        expected_version: int | None = None,
    ) -> ContextBox:
        """The box after `change`, as stored.

        what: a few words for the history of versions. expected_version: what the caller has read, None to change
        whatever is there. Raises BoxConflictError, and what `change` raises; then nothing is changed.
        """
        async with self._store.tenant(tenant_id).writing() as transaction:
            before = await self._read_to_change(transaction, contact_id, expected_version)
            now_ms = self._now_ms()
            after = change(before)
            # Whoever works with a box keeps it fresh; asking for a change that changes nothing does not.
            after = touched(after, now_ms) if after != before else before
            stored = await box_rows.save(transaction, before, after, Writing(actor, what, now_ms))
        self._wake()
        return stored

    async def transition(
        self,
        tenant_id: str,
        contact_id: str,
        to: BoxState,
        *,
        actor: str,
        reason: str,
        expected_version: int | None = None,
    ) -> ContextBox:
        """The box in its next state. actor: an id, for the history and the audit log.

        Raises IllegalTransitionError, which names the allowed states, and BoxConflictError.
        """
        async with self._store.tenant(tenant_id).writing() as transaction:
            before = await self._read_to_change(transaction, contact_id, expected_version)
            now_ms = self._now_ms()
            after = touched(moved(before, to, actor=actor, reason=reason, at_ms=now_ms), now_ms)
            stored = await box_rows.save(transaction, before, after, Writing(actor, f"state {to}", now_ms))
            detail: Detail = {"from": before.state.value, "to": to.value, "version": stored.version}
            await self._audit.write(transaction, Entry(actor, "context.state_changed", stored.contact_id, detail))
        self._wake()
        return stored

    async def handoff(
        self,
        tenant_id: str,
        contact_id: str,
        *,
        from_agent: str,
        to_agent: str,
        reason: str,
        actor: str,
        expected_version: int | None = None,
    ) -> HandoffPackage:
        """The package for the receiving agent; the handoff is written into the box and published with it.

        Raises BoxConflictError.
        """
        async with self._store.tenant(tenant_id).writing() as transaction:
            before = await self._read_to_change(transaction, contact_id, expected_version)
            now_ms = self._now_ms()
            what = f"from {from_agent} to {to_agent}: {reason}"
            entry = HistoryEntry(HistoryKind.HANDOFF, now_ms, actor, what)
            writing = Writing(actor, "handoff", now_ms)
            stored = await box_rows.save(transaction, before, touched(happened(before, entry), now_ms), writing)
            package = packed(stored, from_agent=from_agent, to_agent=to_agent, reason=reason, at_ms=now_ms)
            await publish(transaction, _handed_off(package))
            detail: Detail = {"version": package.version, "checksum": package.checksum}
            await self._audit.write(transaction, Entry(actor, "context.handed_off", package.contact_id, detail))
        self._wake()
        return package

    async def merge(self, tenant_id: str, keep_id: str, other_id: str, *, actor: str) -> Contact:
        """Make the other contact part of the first. Raises ContactConflictError when they are one already."""
        async with self._store.tenant(tenant_id).writing() as transaction:
            await contact_rows.lock(transaction)
            writing = Writing(actor, "merge", self._now_ms())
            contact = await merging.merge(transaction, keep_id, other_id, writing)
            detail: Detail = {"merged_id": other_id, "version": contact.version}
            await self._audit.write(transaction, Entry(actor, "contact.merged", contact.id, detail))
        self._wake()
        return contact

    async def memory(self, tenant_id: str, type_: str = "") -> list[Memory]:
        """Facts that the whole tenant knows, of one type or all, by type and value."""
        columns = tenant_memory.c
        where = [columns.type == type_] if type_ else []
        async with self._store.tenant(tenant_id).reading() as transaction:
            rows = await transaction.rows(tenant_memory, *where, order_by=(columns.type.asc(), columns.value.asc()))
        return [Memory(**{name: row[name] for name in Memory.__struct_fields__}) for row in rows]

    async def _read_to_change(
        self, transaction: TenantTransaction, contact_id: str, expected_version: int | None
    ) -> ContextBox:
        """The box, which nobody else changes until the transaction ends. Raises BoxConflictError."""
        await contact_rows.lock(transaction)
        box = await box_rows.load(transaction, await contact_rows.load(transaction, contact_id))
        if expected_version is not None and expected_version != box.version:
            raise BoxConflictError(f"version: {expected_version} was read, {box.version} is there now")
        return box


def _handed_off(package: HandoffPackage) -> Event:
    # The reason is the agents' own text about a person: it stays in the box, where an erasure finds it.
    return Event(
        id=f"context.handoff:{package.contact_id}:{package.version}",
        type=EventType.CONTEXT_HANDOFF.value,
        tenant_id=package.tenant_id,
        occurred_at=package.at_ms / 1_000,
        source=SOURCE,
        payload={
            "contact_id": package.contact_id,
            "version": package.version,
            "from_agent": package.from_agent,
            "to_agent": package.to_agent,
            "checksum": package.checksum,
        },
    )
