"""Text conversations between two turns: what the agent knows, what was said, and who is answering right now.

A turn is taken before it is answered, so two requests never answer the same conversation at once, in whichever process
they arrive; a process that died gives it back after `TAKEN_S`. When a conversation is over its turns live on in the
record of the call that it was, and only its end is remembered here. Used by `server.text_turns`.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from context.conversations.tables import conversation_turns, conversations
from context.errors import ContextError
from context.store.database import Store
from context.store.transaction import Row, TenantTransaction

TAKEN_S = 60
"""Longest that a turn may take; after it another request may answer."""

IDLE_S = 30 * 60
"""After so long without a turn a conversation is over."""

REMEMBERED_S = 24 * 3600
"""How long it is known that a conversation is over."""

MOST_OPEN = 5_000
"""Conversations that a tenant may have open at once."""

SWEPT_AT_ONCE = 100


class ConversationNotFoundError(ContextError):
    """The tenant has no such conversation."""

    code = "conversation_not_found"


class ConversationEndedError(ContextError):
    """The conversation is over; nothing more can be said in it."""

    code = "conversation_ended"


class ConversationBusyError(ContextError):
    """Another turn of the conversation is being answered."""

    code = "conversation_busy"


class TooManyConversationsError(ContextError):
    """The tenant has as many open conversations as it may have."""

    code = "too_many_conversations"


class Conversation(msgspec.Struct, frozen=True):
    """Where a conversation stands. memory: of its responder, "" before the first turn. turns: answered so far."""

    id: str
    tenant_id: str
    persona_id: str
    language: str
    turns: int
    memory: str
    outcome: str
    started_at_ms: int
    said_at_ms: int


class Turn(msgspec.Struct, frozen=True):
    """One turn. text: what was written, "" when the agent began. actions: tools that ran, as plain JSON."""

    turn: int
    text: str
    reply: str
    language: str
    actions: list[dict[str, Any]]
    asked_at_ms: int
    answered_at_ms: int


class Conversations:
    """Conversations of every tenant. now: seconds since the epoch. Every method raises StoreError besides."""

    def __init__(self, store: Store, now: Callable[[], float]) -> None:
        self._store = store
        self._now = now

    async def begin(self, tenant_id: str, conversation_id: str, persona_id: str, language: str) -> Conversation:
        """A new conversation, taken for its first turn. Raises TooManyConversationsError."""
        now_ms = self._now_ms()
        row = {
            "id": conversation_id,
            "persona_id": persona_id,
            "language": language,
            "turns": 0,
            "memory": "",
            "outcome": "",
            "ended": False,
            "started_at_ms": now_ms,
            "said_at_ms": now_ms,
            "taken_until_ms": now_ms + TAKEN_S * 1000,
        }
        async with self._store.tenant(tenant_id).writing() as transaction:
            if await transaction.count(conversations, conversations.c.ended.is_(False)) >= MOST_OPEN:
                raise TooManyConversationsError(f"there are {MOST_OPEN} open conversations; try again later")
            await transaction.insert(conversations, [row])
        return _conversation(tenant_id, row)

    async def take(self, tenant_id: str, conversation_id: str) -> Conversation:
        """Take the conversation for its next turn.

        Raises ConversationNotFoundError, ConversationEndedError and ConversationBusyError.
        """
        now_ms = self._now_ms()
        this = conversations.c.id == conversation_id
        async with self._store.tenant(tenant_id).writing() as transaction:
            taken = await transaction.update(
                conversations,
                {"taken_until_ms": now_ms + TAKEN_S * 1000},
                this,
                conversations.c.ended.is_(False),
                conversations.c.taken_until_ms <= now_ms,
            )
            row = await transaction.row(conversations, this)
        if row is None:
            raise ConversationNotFoundError("conversation_id: there is no such conversation")
        if row["ended"]:
            raise ConversationEndedError("conversation_id: this conversation is over; leave it out to begin another")
        if not taken:
            raise ConversationBusyError("conversation_id: the turn before is still being answered; wait for its reply")
        return _conversation(tenant_id, row)

    async def keep(self, conversation: Conversation, turn: Turn, *, memory: str, outcome: str) -> None:
        """Keep an answered turn and what the responder knows after it; the next turn may come."""
        values = {
            "language": turn.language,
            "turns": turn.turn,
            "memory": memory,
            "outcome": outcome,
            "said_at_ms": turn.answered_at_ms,
            "taken_until_ms": 0,
        }
        row = {
            "conversation_id": conversation.id,
            "turn": turn.turn,
            "text": turn.text,
            "reply": turn.reply,
            "language": turn.language,
            "actions": msgspec.json.encode(turn.actions).decode(),
            "asked_at_ms": turn.asked_at_ms,
            "answered_at_ms": turn.answered_at_ms,
        }
        async with self._store.tenant(conversation.tenant_id).writing() as transaction:
            await transaction.insert(conversation_turns, [row])
            await transaction.update(conversations, values, conversations.c.id == conversation.id)

    async def release(self, conversation: Conversation) -> None:
        """The turn was not answered: it may be said again. A conversation without any turn is forgotten."""
        this = conversations.c.id == conversation.id
        async with self._store.tenant(conversation.tenant_id).writing() as transaction:
            if conversation.turns == 0:
                await transaction.delete(conversations, this)
            else:
                await transaction.update(conversations, {"taken_until_ms": 0}, this)

    async def turns(self, tenant_id: str, conversation_id: str) -> list[Turn]:
        """What was said, in order; nothing once the conversation is over."""
        async with self._store.tenant(tenant_id).reading() as transaction:
            rows = await transaction.rows(
                conversation_turns,
                conversation_turns.c.conversation_id == conversation_id,
                order_by=[conversation_turns.c.turn.asc()],
            )
        return [_turn(row) for row in rows]

    async def end(self, conversation: Conversation) -> None:
        """Remember only that it is over."""
        async with self._store.tenant(conversation.tenant_id).writing() as transaction:
            await forget(transaction, conversation.id)

    async def idle(self) -> list[Conversation]:
        """Some conversations of any tenant in which nothing was said for `IDLE_S`, and which nobody answers now."""
        now_ms = self._now_ms()
        async with self._store.reading_every_tenant() as transaction:
            rows = await transaction.rows(
                conversations,
                conversations.c.ended.is_(False),
                conversations.c.said_at_ms < now_ms - IDLE_S * 1000,
                conversations.c.taken_until_ms <= now_ms,
                limit=SWEPT_AT_ONCE,
            )
        return [_conversation(row["tenant_id"], row) for row in rows]

    async def forget_ended(self) -> int:
        """Remove conversations that have been over for `REMEMBERED_S`; how many."""
        long_ago_ms = self._now_ms() - REMEMBERED_S * 1000
        async with self._store.writing_every_tenant() as transaction:
            return await transaction.delete(
                conversations, conversations.c.ended.is_(True), conversations.c.said_at_ms < long_ago_ms
            )

    def _now_ms(self) -> int:
        return int(self._now() * 1000)


async def forget(transaction: TenantTransaction, conversation_id: str) -> None:
    """Remove what was said and known in a conversation, which is over with that."""
    await transaction.delete(conversation_turns, conversation_turns.c.conversation_id == conversation_id)
    over = {"ended": True, "memory": "", "taken_until_ms": 0}
    await transaction.update(conversations, over, conversations.c.id == conversation_id)


def _conversation(tenant_id: str, row: Row) -> Conversation:
    return Conversation(
        id=row["id"],
        tenant_id=tenant_id,
        persona_id=row["persona_id"],
        language=row["language"],
        turns=row["turns"],
        memory=row["memory"],
        outcome=row["outcome"],
        started_at_ms=row["started_at_ms"],
        said_at_ms=row["said_at_ms"],
    )


def _turn(row: Row) -> Turn:
    return Turn(
        turn=row["turn"],
        text=row["text"],
        reply=row["reply"],
        language=row["language"],
        actions=msgspec.json.decode(row["actions"], type=list[dict[str, Any]]),
        asked_at_ms=row["asked_at_ms"],
        answered_at_ms=row["answered_at_ms"],
    )
