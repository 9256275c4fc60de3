"""The conversation as the model sees it: what was really said and really heard.

A reply that was never confirmed leaves nothing here, and an interrupted reply leaves only the words
that reached the caller. Written and read by `agents.llm.responder`.
"""

import datetime as dt
from collections.abc import Sequence

import msgspec
from livekit.agents.llm import ChatContext, FunctionCall, FunctionCallOutput

from voice_core.expectation import NOTHING_EXPECTED, ExpectedSlot

CHARACTERS_PER_TOKEN = 4
"""Rule of thumb for European text; a budget needs no more."""

HISTORY_TOKENS = 4_000
"""Of the model's context that the conversation may fill (product facts, section 9)."""

INTERRUPTED = " —"
"""Ends a reply that the caller cut off, so that the model knows its sentence is unfinished."""


class ToolTurn(msgspec.Struct, frozen=True):
    """A tool call and its result, both as JSON text. call_id: the model's own."""

    call_id: str
    name: str
    arguments: str
    output: str
    ok: bool


class PastExchange(msgspec.Struct, frozen=True):
    """An exchange as it is written down."""

    reply_id: int
    caller: str
    tools: tuple[ToolTurn, ...]
    said: str
    heard: str
    heard_all: bool
    awaits: ExpectedSlot
    booked: dt.datetime | None


class Exchange:
    """One reply: what the caller said, which tools ran, what was said and what was heard.

    said: everything handed on to be spoken. heard: "" until the call reports it. awaits: the answer
    that its question opens. booked: start of the appointment that this reply made.
    """

    def __init__(self, reply_id: int, caller: str) -> None:
        self.reply_id = reply_id
        self.caller = caller
        self.tools: list[ToolTurn] = []
        self.said = ""
        self.heard = ""
        self.heard_all = False
        self.awaits = NOTHING_EXPECTED
        self.booked: dt.datetime | None = None

    @property
    def characters(self) -> int:
        """Size in the prompt."""
        return len(self.caller) + len(self.heard) + sum(len(t.arguments) + len(t.output) for t in self.tools)

    @classmethod
    def recalled(cls, past: PastExchange) -> "Exchange":
        """The exchange that was written down."""
        exchange = cls(past.reply_id, past.caller)
        exchange.tools = list(past.tools)
        exchange.said, exchange.heard, exchange.heard_all = past.said, past.heard, past.heard_all
        exchange.awaits, exchange.booked = past.awaits, past.booked
        return exchange

    def past(self) -> PastExchange:
        """This exchange to be written down."""
        return PastExchange(
            self.reply_id,
            self.caller,
            tuple(self.tools),
            self.said,
            self.heard,
            self.heard_all,
            self.awaits,
            self.booked,
        )

    def write(self, context: ChatContext) -> None:
        """Add this exchange to a prompt."""
        if self.caller:
            context.add_message(role="user", content=self.caller)
        write_tools(context, self.tools)
        if self.heard:
            context.add_message(role="assistant", content=self.heard if self.heard_all else self.heard + INTERRUPTED)


class History:
    """All confirmed exchanges of a call, and the replies that may still become one."""

    def __init__(self) -> None:
        self._drafts: dict[int, Exchange] = {}
        self._exchanges: list[Exchange] = []
        self._confirmed_early: set[int] = set()

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """The confirmed exchanges, oldest first."""
        return tuple(self._exchanges)

    def recall(self, exchanges: Sequence[PastExchange]) -> None:
        """Go on after these exchanges."""
        self._exchanges = [Exchange.recalled(past) for past in exchanges]

    def draft(self, reply_id: int, caller: str) -> Exchange:
        """Begin a reply; it counts once it is confirmed, which may already have happened."""
        exchange = self._drafts[reply_id] = Exchange(reply_id, caller)
        if reply_id in self._confirmed_early:
            self._confirmed_early.discard(reply_id)
            self.confirm(reply_id)
        return exchange

    def confirm(self, reply_id: int) -> None:
        """This reply is the one: the other drafts are forgotten."""
        exchange = self._drafts.pop(reply_id, None)
        if exchange is None:
            self._confirmed_early.add(reply_id)
            return
        self._drafts.clear()
        self._exchanges.append(exchange)

    def drop(self, reply_id: int) -> None:
        """A reply was cancelled before it was confirmed."""
        self._drafts.pop(reply_id, None)

    def heard(self, reply_id: int, text: str, *, complete: bool) -> None:
        """What the caller heard of a confirmed reply."""
        for exchange in reversed(self._exchanges):
            if exchange.reply_id == reply_id:
                exchange.heard = text
                exchange.heard_all = complete
                return

    def is_confirmed(self, reply_id: int) -> bool:
        """Whether this reply is the one that the caller gets."""
        return reply_id in self._confirmed_early or any(e.reply_id == reply_id for e in reversed(self._exchanges))

    def write(self, context: ChatContext, current: Exchange) -> None:
        """Add to a prompt as many of the newest exchanges before `current` as fit the budget."""
        past = [exchange for exchange in self._exchanges if exchange is not current]
        budget = HISTORY_TOKENS * CHARACTERS_PER_TOKEN
        first = len(past)
        while first and budget - past[first - 1].characters >= 0:
            first -= 1
            budget -= past[first].characters
        for exchange in past[first:]:
            exchange.write(context)


def write_tools(context: ChatContext, tools: list[ToolTurn]) -> None:
    """Add tool calls with their results to a prompt."""
    for tool in tools:
        context.items.append(FunctionCall(call_id=tool.call_id, name=tool.name, arguments=tool.arguments))
        context.items.append(
            FunctionCallOutput(call_id=tool.call_id, name=tool.name, output=tool.output, is_error=not tool.ok)
        )
