"""The boundary between turn-taking and what the agent says.

A `Responder` turns one caller turn into a stream of text, tool calls and expectations. The dialogue
engine, the LLM turn and the fallback chain of `agents` are responders; `VoiceCall` drives them.

A reply may be asked for before the turn is confirmed (speculation). Until then it must not change
anything: work that writes waits for `TurnRequest.confirmed`. A reply that is not confirmed is
cancelled by cancelling the task that iterates it, and must leave the conversation as it was.
"""

from collections.abc import AsyncIterator
from enum import Enum
from typing import Any, Protocol

import msgspec

from voice_core.expectation import ExpectedSlot


class Cause(Enum):
    """Why the agent is to speak."""

    GREETING = "greeting"
    TURN = "turn"
    NOT_UNDERSTOOD = "not_understood"
    """The caller spoke but no words were found."""
    SILENCE = "silence"
    """15 s without speech: one re-prompt."""
    GOODBYE = "goodbye"
    """30 s without speech, or the call's cap: say goodbye; the call ends after it."""
    FAILURE = "failure"
    """The reply to this turn failed or took too long: apologise, offer a human."""


class Outcome(Enum):
    """How a call ended (product facts, section 7)."""

    BOOKED = "booked"
    CALLBACK = "callback"
    TRANSFERRED = "transferred"
    PARTIAL = "partial"
    ABANDONED = "abandoned"
    COMPLETED = "completed"


class Confirmation(Protocol):
    """Set when the caller's turn is confirmed over."""

    async def wait(self) -> object:
        """Return once the turn is confirmed; cancelled with the reply otherwise."""
        ...

    def is_set(self) -> bool:
        """Whether the turn is confirmed already."""
        ...


class TurnRequest:
    """One reply to produce.

    reply_id: unique in the call. text: the caller's words ("" unless cause is TURN).
    language: of the caller's words, from the session's set.
    """

    __slots__ = ("cause", "confirmed", "language", "reply_id", "text")

    def __init__(self, reply_id: int, cause: Cause, text: str, language: str, confirmed: Confirmation) -> None:
        self.reply_id = reply_id
        self.cause = cause
        self.text = text
        self.language = language
        self.confirmed = confirmed


class ReplyText(msgspec.Struct, frozen=True):
    """A piece of text to speak, of any size: the call cuts it into clauses."""

    text: str
    language: str


class ReplyTool(msgspec.Struct, frozen=True):
    """A tool that ran: shown to clients and kept in the record."""

    name: str
    arguments: dict[str, Any]
    result: dict[str, Any]
    ok: bool = True


class ReplyExpect(msgspec.Struct, frozen=True):
    """What the agent waits for after this reply; `bias` are terms the answer may hold."""

    slot: ExpectedSlot
    bias: tuple[str, ...] = ()


class ReplyEnd(msgspec.Struct, frozen=True):
    """The call ends once this reply has been heard."""

    outcome: Outcome


class ReplyTransfer(msgspec.Struct, frozen=True):
    """The caller is passed to a human once this reply has been heard."""

    reason: str
    destination: str


ReplyPart = ReplyText | ReplyTool | ReplyExpect | ReplyEnd | ReplyTransfer


class Responder(Protocol):
    """Decides what to say. One per call; called on the event loop."""

    def respond(self, request: TurnRequest) -> AsyncIterator[ReplyPart]:
        """Produce the reply. Iterated by one task, which is cancelled when the reply is."""
        ...

    def confirmed(self, reply_id: int) -> None:
        """The turn is over and this reply is the one: commit what it decided (called at most once)."""

    def heard(self, reply_id: int, text: str, *, complete: bool) -> None:
        """What the caller really heard of a confirmed reply, when it ended or was interrupted."""

    def outcome(self) -> Outcome:
        """The outcome so far, should the call end now."""
        ...
