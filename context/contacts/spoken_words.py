"""What boxes quote from calls, for when a call is too old for its words to be kept.

Turns, quotes and sentences of promises go, in the box, its earlier versions and what merges remember; what was learned
from them (facts, promises, states) stays until the person is erased. Asked by `context.erasure.retention`, whose
subjects are nothing but call ids.
"""

from collections.abc import Collection
from typing import Any

import msgspec
import sqlalchemy as sa

from context.contacts import contact_rows
from context.contacts.box import CommitmentKind, ContextBox, Intent, KeyFact, Qualification, Source
from context.contacts.merging import MergeRecord
from context.contacts.tables import contact_calls, contact_merges, contacts, context_boxes, context_versions
from context.erasure.registry import Subject
from context.store.transaction import Row, TenantTransaction

IDS_A_STATEMENT = 500
"""SQLite allows a statement a limited number of values."""


class WordsInBoxes:
    """Quotations in context boxes (implements `context.erasure.registry.PersonalData`)."""

    name = "words in context boxes"

    async def export(self, transaction: TenantTransaction, subject: Subject) -> list[dict[str, Any]]:
        """Nothing: the boxes themselves are exported whole."""
        return []

    async def erase(self, transaction: TenantTransaction, subject: Subject) -> int:
        """Remove the words of the subject's calls; how many boxes, versions and merges held some.

        The subject's own box is left to `BoxData`, which removes it whole.
        """
        if not subject.call_ids:
            return 0
        await contact_rows.lock(transaction)
        erased = 0
        for contact_id in await _contacts_of(transaction, subject.call_ids):
            if contact_id == subject.contact_id:
                continue
            erased += await _in_boxes(transaction, context_boxes, contact_id, subject.call_ids)
            # A merge left the versions of the other contact under its old id.
            for id_ in (contact_id, *await contact_rows.merged_ids(transaction, contact_id)):
                erased += await _in_boxes(transaction, context_versions, id_, subject.call_ids)
                erased += await _in_merge(transaction, id_, subject.call_ids)
        return erased


def without_words(box: ContextBox, call_ids: Collection[str]) -> ContextBox:
    """The box without what was said in these calls. The summary does not say which call it quotes, so it goes as a
    whole with the first call of the box that does."""

    def spoken(source: Source) -> bool:
        return source.call_id in call_ids

    turns = tuple(turn for turn in box.turns if not spoken(turn.source))
    told = any(entry.reference in call_ids for entry in box.history if entry.reference)
    return msgspec.structs.replace(
        box,
        turns=turns,
        summary="" if told else box.summary,
        intent=_wordless_intent(box.intent) if spoken(box.intent.source) else box.intent,
        qualification=_unquoted(box.qualification) if spoken(box.qualification.source) else box.qualification,
        facts=tuple(_unquoted_fact(fact) if spoken(fact.source) else fact for fact in box.facts),
        commitments=tuple(
            msgspec.structs.replace(promise, what=promise.kind.value)
            if spoken(promise.source) and promise.kind is not CommitmentKind.APPOINTMENT
            else promise
            for promise in box.commitments
        ),
    )


async def _contacts_of(transaction: TenantTransaction, call_ids: Collection[str]) -> list[str]:
    ordered = sorted(call_ids)
    found: dict[str, None] = {}
    for first in range(0, len(ordered), IDS_A_STATEMENT):
        mine = contact_calls.c.call_id.in_(ordered[first : first + IDS_A_STATEMENT])
        found |= {row["contact_id"]: None for row in await transaction.rows(contact_calls, mine)}
    known = await transaction.rows(contacts, contacts.c.id.in_(list(found)), columns=(contacts.c.id,)) if found else ()
    return [str(row["id"]) for row in known]


async def _in_boxes(transaction: TenantTransaction, table: sa.Table, contact_id: str, call_ids: Collection[str]) -> int:
    """Boxes of one contact in `context_boxes` or `context_versions`."""
    changed = 0
    for row in await transaction.rows(table, table.c.contact_id == contact_id):
        box = msgspec.json.decode(row["box"], type=ContextBox)
        wordless = without_words(box, call_ids)
        if wordless != box:
            values: Row = {"box": msgspec.json.encode(wordless).decode()}
            mine = (table.c.contact_id == contact_id, table.c.version == row["version"])
            changed += await transaction.update(table, values, *mine)
    return changed


async def _in_merge(transaction: TenantTransaction, merged_id: str, call_ids: Collection[str]) -> int:
    row = await transaction.row(contact_merges, contact_merges.c.merged_id == merged_id)
    if row is None:
        return 0
    record = msgspec.json.decode(row["before"], type=MergeRecord)
    wordless = msgspec.structs.replace(
        record,
        kept_box=without_words(record.kept_box, call_ids),
        merged_box=without_words(record.merged_box, call_ids),
    )
    if wordless == record:
        return 0
    values: Row = {"before": msgspec.json.encode(wordless).decode()}
    return await transaction.update(contact_merges, values, contact_merges.c.merged_id == merged_id)


def _wordless_intent(intent: Intent) -> Intent:
    return msgspec.structs.replace(intent, detail="")


def _unquoted(found: Qualification) -> Qualification:
    return msgspec.structs.replace(found, parts=tuple(msgspec.structs.replace(part, quote="") for part in found.parts))


def _unquoted_fact(fact: KeyFact) -> KeyFact:
    return msgspec.structs.replace(fact, quote="")
