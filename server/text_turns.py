"""One turn in text: the responder of the phone answers what somebody wrote, and the conversation is kept.

The responder is made anew for each turn and given its memory back, so a conversation goes on in any process and after
a restart; a booking belongs to the conversation, so a turn that is said again after a crash books once. An answered
conversation that ends, or that nobody goes on with, is stored as a call on the channel "text". Used by
`server.rest.respond`.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import cast

import msgspec
import structlog

from agents.memory import Remembering
from context.calls.completed import CallDetails
from context.calls.store import CallStore
from context.conversations.store import Conversation, Conversations, Turn
from context.errors import StoreError
from context.tenants.config import TenantConfig
from server.responders import ResponderFactory
from voice_core.errors import EngineError
from voice_core.record import CallRecord, ToolUse, Utterance
from voice_core.responder import (
    Cause,
    Outcome,
    ReplyEnd,
    ReplyExpect,
    ReplyPart,
    ReplyText,
    ReplyTool,
    ReplyTransfer,
    Responder,
    TurnRequest,
)

CHANNEL = "text"
CONVERSATION_ID_BYTES = 12
TURN_LIMIT_S = 45.0
"""Longest that a reply may take: less than `context.conversations.store.TAKEN_S`."""

log = structlog.get_logger(__name__)


class TextReply(msgspec.Struct, frozen=True):
    """The answer to one turn. expected: the kind of answer the agent waits for. outcome: if it ends now."""

    conversation_id: str
    text: str
    language: str
    actions: list[ReplyTool]
    expected: str
    transfer: ReplyTransfer | None
    outcome: Outcome
    ended: bool


class TextTurns:
    """Answers turns. now: seconds since the epoch."""

    def __init__(
        self,
        conversations: Conversations,
        calls: CallStore,
        responders: ResponderFactory,
        now: Callable[[], float],
    ) -> None:
        self._conversations = conversations
        self._calls = calls
        self._responders = responders
        self._now = now
        self._answering: set[asyncio.Task[None]] = set()

    async def begin(self, tenant: TenantConfig, language: str) -> Conversation:
        """A new conversation with the tenant's persona. Raises TooManyConversationsError."""
        conversation_id = secrets.token_hex(CONVERSATION_ID_BYTES)
        return await self._conversations.begin(tenant.id, conversation_id, tenant.persona.id, language)

    async def go_on(self, tenant_id: str, conversation_id: str) -> Conversation:
        """Take a conversation for its next turn. Raises the errors of `Conversations.take`."""
        return await self._conversations.take(tenant_id, conversation_id)

    async def answer(
        self, tenant: TenantConfig, conversation: Conversation, text: str, language: str
    ) -> AsyncGenerator[ReplyPart | TextReply, None]:
        """The parts of the reply as they come, then all of it, which is on disk by then.

        text: "" lets the agent begin. The turn is answered to its end also when nobody listens any more. Raises
        EngineError and UnreadableMemoryError.
        """
        parts: asyncio.Queue[ReplyPart | TextReply | Exception] = asyncio.Queue()
        task = asyncio.create_task(self._answer(tenant, conversation, text, language, parts), name="text turn")
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)
        while True:
            part = await parts.get()
            if isinstance(part, Exception):
                raise part
            yield part
            if isinstance(part, TextReply):
                return

    async def aclose(self) -> None:
        """Wait for the turns that are being answered."""
        await asyncio.gather(*self._answering, return_exceptions=True)

    async def close_idle(self) -> int:
        """Store the conversations that nobody goes on with as calls; how many. For housekeeping, every minute."""
        idle = await self._conversations.idle()
        for conversation in idle:
            await self._close(conversation, "idle")
        await self._conversations.forget_ended()
        return len(idle)

    async def _answer(
        self,
        tenant: TenantConfig,
        conversation: Conversation,
        text: str,
        language: str,
        parts: asyncio.Queue[ReplyPart | TextReply | Exception],
    ) -> None:
        try:
            async with asyncio.timeout(TURN_LIMIT_S):
                reply = await self._reply(tenant, conversation, text, language, parts)
        except TimeoutError:
            await self._conversations.release(conversation)
            parts.put_nowait(EngineError(f"no reply within {TURN_LIMIT_S:.0f} s"))
        except Exception as error:
            log.warning("text_turn_failed", error=type(error).__name__, conversation_id=conversation.id)
            parts.put_nowait(error)
            await self._conversations.release(conversation)
        else:
            if reply.ended:
                await self._close_now(msgspec.structs.replace(conversation, outcome=reply.outcome.value))
            parts.put_nowait(reply)

    async def _reply(
        self,
        tenant: TenantConfig,
        conversation: Conversation,
        text: str,
        language: str,
        parts: asyncio.Queue[ReplyPart | TextReply | Exception],
    ) -> TextReply:
        asked_at_ms = int(self._now() * 1000)
        number = conversation.turns + 1
        responder = self._responders.make(tenant, call_id=conversation.id, language=conversation.language)
        if conversation.memory and isinstance(responder, Remembering):
            responder.resume(conversation.memory.encode())
        confirmed = asyncio.Event()
        confirmed.set()
        cause = Cause.TURN if text else Cause.GREETING
        request = TurnRequest(number, cause, text, language, confirmed)
        responder.confirmed(number)
        given: list[ReplyPart] = []
        # Every responder is an async generator function; the protocol shows only that it can be iterated.
        async with aclosing(cast(AsyncGenerator[ReplyPart, None], responder.respond(request))) as making:
            async for part in making:
                given.append(part)
                parts.put_nowait(part)
        reply = _whole(conversation, given, responder)
        responder.heard(number, reply.text, complete=True)
        turn = Turn(
            turn=number,
            text=text,
            reply=reply.text,
            language=reply.language,
            actions=[msgspec.to_builtins(tool) for tool in reply.actions],
            asked_at_ms=asked_at_ms,
            answered_at_ms=int(self._now() * 1000),
        )
        memory = responder.memory().decode() if isinstance(responder, Remembering) else ""
        await self._conversations.keep(conversation, turn, memory=memory, outcome=reply.outcome.value)
        return reply

    async def _close_now(self, conversation: Conversation) -> None:
        try:
            await self._close(conversation, "goodbye")
        except StoreError as error:
            # The turn is kept; housekeeping will close the conversation when nobody goes on with it.
            log.warning("conversation_not_closed", code=error.code, conversation_id=conversation.id)

    async def _close(self, conversation: Conversation, reason: str) -> None:
        """Store it as a call, then remember only that it is over. Doing it twice is doing it once."""
        turns = await self._conversations.turns(conversation.tenant_id, conversation.id)
        if turns:
            record = call_record(conversation, turns, reason)
            details = CallDetails(channel=CHANNEL, persona_id=conversation.persona_id)
            await self._calls.save(conversation.tenant_id, record, details)
        await self._conversations.end(conversation)


def call_record(conversation: Conversation, turns: list[Turn], reason: str) -> CallRecord:
    """The conversation as the record of a call; times are ms from its start, as for speech."""
    began_ms = conversation.started_at_ms
    transcript: list[Utterance] = []
    tools: list[ToolUse] = []
    for turn in turns:
        asked_ms, answered_ms = float(turn.asked_at_ms - began_ms), float(turn.answered_at_ms - began_ms)
        if turn.text:
            transcript.append(Utterance("caller", turn.text, asked_ms, asked_ms, turn.language))
        transcript.append(Utterance("agent", turn.reply, answered_ms, answered_ms, turn.language))
        for action in turn.actions:
            tools.append(
                ToolUse(action["name"], action["arguments"], action["result"], bool(action["ok"]), answered_ms)
            )
    last = turns[-1]
    return CallRecord(
        call_id=conversation.id,
        started_at=began_ms / 1000,
        duration_s=(last.answered_at_ms - began_ms) / 1000,
        language=last.language,
        outcome=Outcome(conversation.outcome) if conversation.outcome else Outcome.ABANDONED,
        reason=reason,
        transcript=tuple(transcript),
        tools=tuple(tools),
        latency=(),
        caller_talk_s=0.0,
        agent_talk_s=0.0,
    )


def _whole(conversation: Conversation, parts: list[ReplyPart], responder: Responder) -> TextReply:
    texts = [part for part in parts if isinstance(part, ReplyText)]
    expected = next((part for part in reversed(parts) if isinstance(part, ReplyExpect)), None)
    transfer = next((part for part in parts if isinstance(part, ReplyTransfer)), None)
    end = next((part for part in parts if isinstance(part, ReplyEnd)), None)
    return TextReply(
        conversation_id=conversation.id,
        text="".join(part.text for part in texts).strip(),
        language=texts[-1].language if texts else conversation.language,
        actions=[part for part in parts if isinstance(part, ReplyTool)],
        expected=expected.slot.kind.value if expected else "free",
        transfer=transfer,
        outcome=end.outcome if end else responder.outcome(),
        ended=end is not None or transfer is not None,
    )
