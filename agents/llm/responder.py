"""The reply of a language model to one turn, with everything that keeps it honest.

The model proposes words and tool calls; this module speaks the words as they come, runs the tools
behind their checks, holds back what is not true, and lets the deterministic responder answer the
same turn when no model can. `VoiceCall` drives it like any other responder; `server.composition`
builds one per call.
"""

import asyncio
import datetime as dt
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import cast
from zoneinfo import ZoneInfo

import msgspec
import structlog
from livekit.agents.llm import ChatContext, FunctionToolCall

from agents.llm.completion import LlmChain
from agents.llm.expectation import expected_answer
from agents.llm.history import Exchange, History, PastExchange, ToolTurn, write_tools
from agents.llm.prompt import caller_notes, system_prompt, turn_notes
from agents.llm.say_do import Deed, SayDoCheck
from agents.llm.tools import KnowledgeSearch, Toolbox, ToolResult
from agents.llm.wording import LlmWording, wording_for
from agents.memory import Remembering, read_memory
from context.tenants.config import TenantConfig
from voice_core.errors import EngineError
from voice_core.expectation import NOTHING_EXPECTED, SlotKind
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

_log = structlog.get_logger(__name__)

MAX_ROUNDS = 5
"""Of tool calls in one reply; a booking takes three: look up, book, confirm."""

MAX_SPECULATIONS = 3
"""Requests to the model per confirmed turn that may be thrown away; after them a reply waits for the
turn to be confirmed. Every thrown-away request is paid for."""

FILLER_AFTER_S = 0.8
"""When the model is still silent so long after a tool ran, the caller is told that work goes on."""

KNOWLEDGE_FACTS = 3
"""Facts put before the model unasked (product facts, section 10: top 3)."""

GO_ON = "You were cut off after these words. Go on exactly from there and do not repeat them."
NOT_DONE = (
    "You were about to say that something was done, but no tool did it, so it was not said. Call the tool now if you "
    "have all that it needs; otherwise ask for what is missing."
)


class SpeculationStats(msgspec.Struct, frozen=True):
    """Replies begun before their turn was confirmed, and how many of them were then used."""

    started: int = 0
    used: int = 0


class LlmMemory(msgspec.Struct, frozen=True):
    """What an `LlmResponder` knows between two turns. fallback: the memory of its fallback."""

    exchanges: tuple[PastExchange, ...]
    done: frozenset[Deed]
    decided: Outcome | None
    fallback: str


class LlmResponder:
    """Answers turns with the models of `chain`, one per call.

    toolbox: what the model may do. search: looks up facts for every turn. fallback: speaks whenever
    no model is needed (greeting, silence, goodbye) or none works. now: aware current time. known:
    what earlier conversations have left about this caller, or "".
    """

    def __init__(
        self,
        chain: LlmChain,
        tenant: TenantConfig,
        toolbox: Toolbox,
        *,
        fallback: Responder,
        search: KnowledgeSearch,
        now: Callable[[], dt.datetime],
        known: str = "",
    ) -> None:
        self._chain = chain
        self._tenant = tenant
        self._toolbox = toolbox
        self._fallback = fallback
        self._search = search
        self._now = now
        self._zone = ZoneInfo(tenant.timezone)
        self._system = system_prompt(tenant)
        self._known = known
        self._history = History()
        self._done: set[Deed] = set()
        self._by_fallback: set[int] = set()
        self._speculative: set[int] = set()
        self._speculation = SpeculationStats()
        self._decided: Outcome | None = None

    @property
    def speculation(self) -> SpeculationStats:
        """How speculation paid off so far."""
        return self._speculation

    async def respond(self, request: TurnRequest) -> AsyncIterator[ReplyPart]:
        """Produce the reply. Cancelled before its turn is confirmed it leaves no trace."""
        exchange = self._history.draft(request.reply_id, request.text)
        try:
            if request.cause is Cause.TURN:
                await self._wait_when_speculation_is_spent(request)
                async with aclosing(self._answer(request, exchange)) as parts:
                    async for part in parts:
                        yield part
            else:
                async with aclosing(self._answer_by_fallback(request, exchange)) as parts:
                    async for part in parts:
                        yield part
        except (asyncio.CancelledError, GeneratorExit):
            if not self._history.is_confirmed(request.reply_id):
                self._history.drop(request.reply_id)
            raise

    def confirmed(self, reply_id: int) -> None:
        """The turn is over and this reply is the one."""
        self._history.confirm(reply_id)
        if reply_id in self._speculative:
            self._speculation = msgspec.structs.replace(self._speculation, used=self._speculation.used + 1)
        self._speculative.clear()
        if reply_id in self._by_fallback:
            self._fallback.confirmed(reply_id)

    def heard(self, reply_id: int, text: str, *, complete: bool) -> None:
        """What the caller really heard of a confirmed reply."""
        self._history.heard(reply_id, text, complete=complete)
        if reply_id in self._by_fallback:
            self._fallback.heard(reply_id, text, complete=complete)

    def outcome(self) -> Outcome:
        """What was done counts first, then whether the caller's questions were answered and heard."""
        if self._decided is not None:
            return self._decided
        by_fallback = self._fallback.outcome()
        if by_fallback in (Outcome.BOOKED, Outcome.CALLBACK, Outcome.TRANSFERRED):
            return by_fallback
        turns = [exchange for exchange in self._history.exchanges if exchange.caller]
        if not turns:
            return Outcome.ABANDONED
        return Outcome.COMPLETED if turns[-1].heard_all else Outcome.PARTIAL

    def memory(self) -> bytes:
        """The conversation as JSON; see `agents.memory`."""
        fallback = self._fallback.memory().decode() if isinstance(self._fallback, Remembering) else ""
        past = tuple(exchange.past() for exchange in self._history.exchanges)
        return msgspec.json.encode(LlmMemory(past, frozenset(self._done), self._decided, fallback))

    def resume(self, memory: bytes) -> None:
        """Go on from there. Raises UnreadableMemoryError."""
        known = read_memory(memory, LlmMemory)
        self._history.recall(known.exchanges)
        self._done, self._decided = set(known.done), known.decided
        if known.fallback and isinstance(self._fallback, Remembering):
            self._fallback.resume(known.fallback.encode())

    async def _wait_when_speculation_is_spent(self, request: TurnRequest) -> None:
        if request.confirmed.is_set() or self._history.is_confirmed(request.reply_id):
            return
        if len(self._speculative) >= MAX_SPECULATIONS:
            await request.confirmed.wait()
            return
        self._speculative.add(request.reply_id)
        self._speculation = msgspec.structs.replace(self._speculation, started=self._speculation.started + 1)

    async def _answer(self, request: TurnRequest, exchange: Exchange) -> AsyncGenerator[ReplyPart, None]:
        """The model's answer, or the fallback's when no model can finish one."""
        wording = wording_for(request.language)
        try:
            async with aclosing(self._answer_by_model(request, exchange, wording)) as parts:
                async for part in parts:
                    yield part
        except EngineError as error:
            _log.warning("llm_turn_failed", reply_id=request.reply_id, code=error.code, reason=str(error))
        else:
            return
        if exchange.booked is not None:
            # The fallback knows nothing of this booking and might make another: the fact is enough.
            yield self._say(exchange, request, _apart(exchange.said, wording.booked_for(exchange.booked)))
            return
        if exchange.said.strip():
            yield self._say(exchange, request, _apart(exchange.said, wording.restart + " "))
        async with aclosing(self._answer_by_fallback(request, exchange)) as parts:
            async for part in parts:
                yield part

    async def _answer_by_fallback(self, request: TurnRequest, exchange: Exchange) -> AsyncGenerator[ReplyPart, None]:
        # Every responder is an async generator function; the protocol shows only that it can be iterated.
        reply = cast(AsyncGenerator[ReplyPart, None], self._fallback.respond(request))
        async with aclosing(reply) as parts:
            async for part in parts:
                if request.reply_id not in self._by_fallback:
                    # It has begun, so it can commit; the turn may have been over long before.
                    self._by_fallback.add(request.reply_id)
                    if self._history.is_confirmed(request.reply_id):
                        self._fallback.confirmed(request.reply_id)
                if isinstance(part, ReplyText):
                    exchange.said += part.text
                elif isinstance(part, ReplyExpect):
                    exchange.awaits = part.slot
                elif isinstance(part, ReplyTool):
                    exchange.tools.append(_tool_turn(f"fallback-{request.reply_id}-{len(exchange.tools)}", part))
                    if part.name == "create_booking" and part.ok:
                        self._done.add(Deed.BOOKED)
                yield part

    async def _answer_by_model(
        self, request: TurnRequest, exchange: Exchange, wording: LlmWording
    ) -> AsyncGenerator[ReplyPart, None]:
        """Rounds of text and tools. Raises EngineError when no model finishes."""
        check = SayDoCheck(request.language, {Deed.BOOKED: wording.not_booked, Deed.SENT: wording.not_sent})
        correction = ""
        for _ in range(MAX_ROUNDS):
            calls: list[FunctionToolCall] = []
            stream = self._chain.stream(self._prompt(request, exchange, correction), self._toolbox.definitions)
            filler = wording.checking if exchange.tools and not exchange.said else ""
            round_begins = len(exchange.said)
            async with aclosing(_with_filler(stream, filler)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, FunctionToolCall):
                        calls.append(piece)
                    elif text := check.feed(piece):
                        apart = len(exchange.said) == round_begins
                        yield self._say(exchange, request, _apart(exchange.said, text) if apart else text)
            effect: ReplyEnd | ReplyTransfer | None = None
            for call in calls:
                result = await self._run(call, request, exchange)
                effect = result.effect or effect
                yield ReplyTool(result.name, result.arguments, result.output, ok=result.ok)
            untrue = check.claims_untruth(self._done)
            goes_on = effect is None and (bool(calls) or (untrue and not correction))
            correction = NOT_DONE if untrue and not calls else ""
            if untrue:
                _log.warning("say_do_mismatch", reply_id=request.reply_id)
            if text := check.retract(self._done) if goes_on else check.settle(self._done):
                yield self._say(exchange, request, text)
            if effect is not None:
                if not exchange.said.strip():
                    last_words = wording.transferring if isinstance(effect, ReplyTransfer) else wording.goodbye
                    yield self._say(exchange, request, last_words)
                yield effect
                return
            if not goes_on:
                exchange.awaits = expected_answer(exchange.said, request.language, self._tenant.country)
                yield ReplyExpect(exchange.awaits, self._bias(exchange.awaits.kind))
                return
        raise EngineError("the model kept calling tools")

    async def _run(self, call: FunctionToolCall, request: TurnRequest, exchange: Exchange) -> ToolResult:
        result = await self._toolbox.run(call.name, call.arguments, request.language, request.confirmed)
        exchange.tools.append(
            ToolTurn(call.call_id, call.name, call.arguments, msgspec.json.encode(result.output).decode(), result.ok)
        )
        if result.booked is not None:
            exchange.booked = result.booked
            self._done.add(Deed.BOOKED)
            self._decided = Outcome.BOOKED
        elif isinstance(result.effect, ReplyTransfer):
            self._decided = Outcome.TRANSFERRED
        return result

    def _say(self, exchange: Exchange, request: TurnRequest, text: str) -> ReplyText:
        exchange.said += text
        return ReplyText(text, request.language)

    def _prompt(self, request: TurnRequest, exchange: Exchange, correction: str) -> Callable[[str], ChatContext]:
        """Makes the context of a round: the stable part, the conversation, the notes, this turn."""
        said_before = exchange.said
        local_now = self._now().astimezone(self._zone)
        awaited = self._awaited(exchange)
        facts = self._search(request.text, request.language)[:KNOWLEDGE_FACTS]

        def context(said: str) -> ChatContext:
            chat = ChatContext.empty()
            chat.add_message(role="system", content=self._system)
            if self._known:
                chat.add_message(role="system", content=caller_notes(self._known))
            self._history.write(chat, exchange)
            notes = turn_notes(request.language, local_now, awaited, facts, self._tenant)
            chat.add_message(role="system", content=notes)
            chat.add_message(role="user", content=request.text)
            if said_before:
                chat.add_message(role="assistant", content=said_before)
            write_tools(chat, exchange.tools)
            if correction:
                chat.add_message(role="system", content=correction)
            if said:
                chat.add_message(role="assistant", content=said)
                chat.add_message(role="system", content=GO_ON)
            return chat

        return context

    def _awaited(self, exchange: Exchange) -> str:
        """What the agent last asked for, in words for the model."""
        past = [e for e in self._history.exchanges if e is not exchange]
        slot = past[-1].awaits if past else NOTHING_EXPECTED
        return "" if slot == NOTHING_EXPECTED else slot.kind.value.replace("_", " ")

    def _bias(self, kind: SlotKind) -> tuple[str, ...]:
        """Names and words of the trade are likely answers only to an open question."""
        return self._tenant.terms if kind in (SlotKind.FREE, SlotKind.CHOICE) else ()


def _apart(said: str, text: str) -> str:
    """The first words of a round, with a space between them and what was said before."""
    return " " + text if said and not said[-1].isspace() and not text[:1].isspace() else text


def _tool_turn(call_id: str, part: ReplyTool) -> ToolTurn:
    return ToolTurn(
        call_id,
        part.name,
        msgspec.json.encode(part.arguments).decode(),
        msgspec.json.encode(part.result).decode(),
        part.ok,
    )


async def _with_filler(
    stream: AsyncGenerator[str | FunctionToolCall, None], filler: str
) -> AsyncGenerator[str | FunctionToolCall, None]:
    """The stream, begun with `filler` when its first piece is late; "" adds none."""
    async with aclosing(stream):
        if filler:
            first = asyncio.ensure_future(anext(stream))
            try:
                done, _ = await asyncio.wait({first}, timeout=FILLER_AFTER_S)
                if not done:
                    yield filler + " "
                try:
                    yield await first
                except StopAsyncIteration:
                    return
            finally:
                if not first.done():
                    first.cancel()
                    await asyncio.gather(first, return_exceptions=True)
        async for piece in stream:
            yield piece
