"""Two contacts that turn out to be one person become one, with everything that either knew.

The one that is kept gets the other's numbers, calls, facts, promises and history, each with its source; the other's id
leads to it for ever. Which state counts is decided by `states.further`. How both were before is kept, so that a wrong
merge can be taken apart by hand. Called by `context.contacts.boxes` and by the subscriber of events.
"""

import msgspec

from context.contacts import box_rows, contact_rows
from context.contacts.box import SENTIMENTS_KEPT, ContextBox, HistoryEntry, HistoryKind
from context.contacts.box_rows import Writing
from context.contacts.changes import asked, attributed, but, happened, learned, promised, said
from context.contacts.compaction import summarised
from context.contacts.contact import Contact, ContactConflictError, joined_consents, joined_names
from context.contacts.states import further
from context.contacts.tables import (
    contact_calls,
    contact_merges,
    contact_points,
    contacts,
    context_boxes,
    tenant_memory,
)
from context.store.transaction import TenantTransaction


class MergeRecord(msgspec.Struct, frozen=True):
    """Both as they were. calls: of the one that was merged."""

    kept: Contact
    merged: Contact
    calls: tuple[str, ...]
    kept_box: ContextBox
    merged_box: ContextBox


async def merge(transaction: TenantTransaction, keep_id: str, other_id: str, writing: Writing) -> Contact:
    """Make `other_id` part of `keep_id`; the contact that is left, as stored.

    The caller holds `contact_rows.lock`. Raises ContactNotFoundError, and ContactConflictError when both are the same
    contact already.
    """
    kept = await contact_rows.load(transaction, keep_id)
    other = await contact_rows.load(transaction, other_id)
    if kept.id == other.id:
        raise ContactConflictError(f"other_id: {other_id} is contact {kept.id} already")
    kept_box, other_box = await box_rows.load(transaction, kept), await box_rows.load(transaction, other)
    calls = await contact_rows.calls_of(transaction, [other.id])
    record = MergeRecord(kept, other, tuple(sorted(calls)), kept_box, other_box)
    row = {
        "merged_id": other.id,
        "into_id": kept.id,
        "actor": writing.actor,
        "at_ms": writing.now_ms,
        "before": msgspec.json.encode(record).decode(),
    }
    await transaction.insert(contact_merges, [row])
    await _hand_over(transaction, kept.id, other, writing.now_ms)
    stored = await contact_rows.save(transaction, kept, merged_contact(kept, other), writing.now_ms)
    before = await box_rows.load(transaction, stored)
    entry = HistoryEntry(HistoryKind.MERGE, writing.now_ms, writing.actor, "merged with another contact", other.id)
    after = merged_box(before, other_box)
    if after.state is not before.state:
        entry = msgspec.structs.replace(entry, from_state=before.state, to_state=after.state)
    await box_rows.save(transaction, before, happened(after, entry), writing)
    return stored


def merged_contact(kept: Contact, other: Contact) -> Contact:
    """The contact that is left."""
    return msgspec.structs.replace(
        kept,
        names=joined_names(kept.names, other.names),
        points=tuple(sorted({*kept.points, *other.points})),
        languages=tuple(dict.fromkeys((*kept.languages, *other.languages))),
        consents=joined_consents(kept.consents, other.consents),
        created_ms=min(kept.created_ms, other.created_ms),
    )


def merged_box(kept: ContextBox, other: ContextBox) -> ContextBox:
    """Everything that either box knows, under the id of the first."""
    box = attributed(
        asked(promised(learned(kept, other.facts), other.commitments), other.open_slots), other.attribution
    )
    sentiment = sorted({*box.sentiment, *other.sentiment}, key=lambda one: (one.at_ms, one.source.turn))
    history = sorted((*box.history, *other.history), key=lambda entry: entry.at_ms)
    summary = summarised("\n".join(part for part in (other.summary, box.summary) if part), ())
    return said(
        but(
            box,
            state=further(kept.state, other.state),
            intent=max(kept.intent, other.intent, key=lambda intent: intent.at_ms),
            qualification=max(kept.qualification, other.qualification, key=lambda found: found.at_ms),
            sentiment=tuple(sentiment)[-SENTIMENTS_KEPT:],
            history=tuple(history),
            summary=summary,
            activity_ms=max(kept.activity_ms, other.activity_ms),
            stale_ms=min(kept.stale_ms, other.stale_ms),
        ),
        other.turns,
    )


async def _hand_over(transaction: TenantTransaction, kept_id: str, other: Contact, now_ms: int) -> None:
    """Move the rows of `other`, free its numbers and addresses, and leave its id as a signpost without a name."""
    await transaction.delete(contact_points, contact_points.c.contact_id == other.id)
    await transaction.update(contact_calls, {"contact_id": kept_id}, contact_calls.c.contact_id == other.id)
    memory = tenant_memory.c
    known = await transaction.rows(tenant_memory, memory.contact_id == kept_id, columns=(memory.fact_id,))
    await transaction.delete(
        tenant_memory, memory.contact_id == other.id, memory.fact_id.in_([row["fact_id"] for row in known])
    )
    await transaction.update(tenant_memory, {"contact_id": kept_id}, memory.contact_id == other.id)
    await transaction.delete(context_boxes, context_boxes.c.contact_id == other.id)
    # Who was merged into the other one earlier goes on with it, so that one step always leads to the person.
    await transaction.update(contacts, {"merged_into": kept_id}, contacts.c.merged_into == other.id)
    signpost = {
        "names": "[]",
        "search_text": "",
        "languages": "[]",
        "consents": "[]",
        "merged_into": kept_id,
        "version": other.version + 1,
        "updated_ms": now_ms,
    }
    await transaction.update(contacts, signpost, contacts.c.id == other.id)
