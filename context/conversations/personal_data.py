"""Personal data in text conversations that still go on: what was written, and what the agent knows of the writer.

A conversation is the person's when it is one of their calls, or when one of their numbers or addresses stands in it: a
conversation that is going on belongs to no contact yet. Registered with `context.erasure`.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from context.conversations.store import forget
from context.conversations.tables import conversation_turns, conversations
from context.erasure.registry import Subject
from context.store.transaction import Row, TenantTransaction

_IDS_A_STATEMENT = 500
SHOWN = ("turn", "text", "reply", "language", "asked_at_ms")


class ConversationPersonalData:
    """What one person wrote (implements `context.erasure.registry.PersonalData`)."""

    name = "conversations"

    async def export(self, transaction: TenantTransaction, subject: Subject) -> list[dict[str, Any]]:
        """Each turn of the person's conversations."""
        found: list[dict[str, Any]] = []
        for row in await _of(transaction, subject):
            turns = await transaction.rows(
                conversation_turns,
                conversation_turns.c.conversation_id == row["id"],
                order_by=[conversation_turns.c.turn.asc()],
            )
            found += [{"conversation_id": row["id"], **{name: turn[name] for name in SHOWN}} for turn in turns]
        return found

    async def erase(self, transaction: TenantTransaction, subject: Subject) -> int:
        """End the conversations and remove what was said in them."""
        rows = await _of(transaction, subject)
        for row in rows:
            await forget(transaction, row["id"])
        return len(rows)


async def _of(transaction: TenantTransaction, subject: Subject) -> Sequence[Row]:
    found: dict[str, Row] = {}
    for condition in _conditions(subject):
        rows = await transaction.rows(conversations, conversations.c.ended.is_(False), condition)
        found |= {row["id"]: row for row in rows}
    return list(found.values())


def _conditions(subject: Subject) -> Iterator[sa.ColumnElement[bool]]:
    calls = sorted(subject.call_ids)
    for first in range(0, len(calls), _IDS_A_STATEMENT):
        yield conversations.c.id.in_(calls[first : first + _IDS_A_STATEMENT])
    for point in sorted(subject.phones | subject.emails):
        yield conversations.c.memory.contains(point, autoescape=True)
        written = sa.select(conversation_turns.c.conversation_id).where(
            conversation_turns.c.tenant_id == conversations.c.tenant_id,
            sa.or_(
                conversation_turns.c.text.contains(point, autoescape=True),
                conversation_turns.c.reply.contains(point, autoescape=True),
                conversation_turns.c.actions.contains(point, autoescape=True),
            ),
        )
        yield conversations.c.id.in_(written)
