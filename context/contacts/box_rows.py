"""Context boxes inside somebody's transaction: read, and stored as the next version with everything that follows.

What follows a change is done in the same transaction: the version is kept, sure facts become the tenant's memory, and
`context.updated` is published. Called by `boxes`, merging, the stale job and the subscriber of events, which all hold
`contact_rows.lock`.
"""

from collections.abc import Sequence

import msgspec

from context.contacts.box import ContextBox, Identity, KeyFact
from context.contacts.compaction import TURNS_LIMIT, compacted
from context.contacts.contact import Contact
from context.contacts.tables import context_boxes, context_versions, tenant_memory
from context.errors import ContextError
from context.events.event import Event, EventType
from context.events.outbox import publish
from context.store.transaction import Row, TenantTransaction

VERSIONS_KEPT = 50
PROMOTED_CONFIDENCE = 0.8
SOURCE = "context.contacts"


class BoxConflictError(ContextError):
    """The box was changed by somebody else since it was read. Nothing was changed."""

    code = "context_conflict"


class Writing(msgspec.Struct, frozen=True):
    """Who changes a box, how and when. call_id, causation_id: of the call and event that led to it, or ""."""

    actor: str
    change: str
    now_ms: int
    call_id: str = ""
    causation_id: str = ""


async def load(transaction: TenantTransaction, contact: Contact) -> ContextBox:
    """The box of this contact, named as the contact is now; a new one of version 0 when there is none yet."""
    row = await transaction.row(context_boxes, context_boxes.c.contact_id == contact.id)
    box = decoded(row) if row else ContextBox(tenant_id=transaction.tenant_id, contact_id=contact.id)
    identity = Identity(contact.names, contact.phones, contact.emails, contact.languages)
    return msgspec.structs.replace(box, identity=identity)


async def save(
    transaction: TenantTransaction,
    before: ContextBox,
    after: ContextBox,
    writing: Writing,
    turns_limit: int = TURNS_LIMIT,
) -> ContextBox:
    """Store `after` as the next version of `before`, as it is now stored; `before` when nothing changed.

    Raises BoxConflictError when somebody else stored a version since `before` was read.
    """
    after = compacted(after, turns_limit)
    if after == before:
        return before
    stored = msgspec.structs.replace(after, version=before.version + 1)
    row = _row(stored)
    if before.version == 0:
        written = await transaction.insert_once(context_boxes, row)
    else:
        mine = (context_boxes.c.contact_id == before.contact_id, context_boxes.c.version == before.version)
        written = await transaction.update(context_boxes, row, *mine) == 1
    if not written:
        raise BoxConflictError(f"version: {before.version} was read and is not the newest any more; read it again")
    await _keep_version(transaction, stored, row, writing)
    promoted = await promote(transaction, stored, writing.now_ms)
    await publish(transaction, _updated(stored, writing, promoted))
    return stored


async def promote(transaction: TenantTransaction, box: ContextBox, now_ms: int) -> list[str]:
    """Make the facts that are sure enough known to the tenant; ids of those that were not before."""
    sure = [fact for fact in box.facts if fact.confidence >= PROMOTED_CONFIDENCE]
    mine = tenant_memory.c.contact_id == box.contact_id
    known = {row["fact_id"] for row in await transaction.rows(tenant_memory, mine)} if sure else set[str]()
    fresh = [fact for fact in sure if fact.id not in known]
    await transaction.insert(tenant_memory, [_memory(box.contact_id, fact, now_ms) for fact in fresh])
    return [fact.id for fact in fresh]


def decoded(row: Row) -> ContextBox:
    """The box that a row of `context_boxes` or `context_versions` holds."""
    return msgspec.json.decode(row["box"], type=ContextBox)


async def _keep_version(transaction: TenantTransaction, box: ContextBox, row: Row, writing: Writing) -> None:
    version = {"at_ms": writing.now_ms, "actor": writing.actor, "change": writing.change}
    columns = ("contact_id", "version", "box")
    await transaction.insert(context_versions, [{name: row[name] for name in columns} | version])
    oldest = context_versions.c.version <= box.version - VERSIONS_KEPT
    await transaction.delete(context_versions, context_versions.c.contact_id == box.contact_id, oldest)


def _updated(box: ContextBox, writing: Writing, promoted: Sequence[str]) -> Event:
    # Ids alone: whoever is told may read the box, and an erasure need not look for what was in it.
    return Event(
        id=f"context.updated:{box.contact_id}:{box.version}",
        type=EventType.CONTEXT_UPDATED.value,
        tenant_id=box.tenant_id,
        occurred_at=writing.now_ms / 1_000,
        source=SOURCE,
        correlation_id=writing.call_id,
        causation_id=writing.causation_id,
        payload={
            "contact_id": box.contact_id,
            "version": box.version,
            "state": box.state.value,
            "change": writing.change,
            "promoted_fact_ids": list(promoted),
        },
    )


def _row(box: ContextBox) -> Row:
    return {
        "contact_id": box.contact_id,
        "version": box.version,
        "state": box.state.value,
        "activity_ms": box.activity_ms,
        "stale_ms": box.stale_ms,
        "box": msgspec.json.encode(box).decode(),
    }


def _memory(contact_id: str, fact: KeyFact, now_ms: int) -> Row:
    return {
        "contact_id": contact_id,
        "fact_id": fact.id,
        "type": fact.type,
        "value": fact.value,
        "confidence": fact.confidence,
        "call_id": fact.source.call_id,
        "turn": fact.source.turn,
        "promoted_ms": now_ms,
    }
