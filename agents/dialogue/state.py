"""What the dialogue knows between two turns, and what one reply decides to do.

Everything is frozen: planning a turn makes a new state and leaves the old one untouched, so a reply on
speculation cannot change anything until it is confirmed. Made by the planners, kept by
`agents.dialogue.responder`.
"""

import datetime as dt
from enum import Enum
from typing import Any

import msgspec

from agents.understanding.dates import Clock, Window
from context.bookings.desk import Booking
from voice_core.responder import Outcome, ReplyTool


class Task(Enum):
    """What the caller and the agent are doing together."""

    NONE = "none"
    BOOKING = "booking"
    MESSAGE = "message"


class Asking(Enum):
    """The question that is open: what the agent asked last and has no answer to."""

    NOTHING = "nothing"
    SERVICE = "service"
    DAY = "day"
    TIME = "time"
    NAME = "name"
    PHONE = "phone"
    CONFIRM = "confirm"
    """The appointment was read back; a yes books it."""
    CORRECTION = "correction"
    """What is wrong with what was read back?"""
    BOOKED = "booked"
    """It is booked and was read back: tell me if anything is wrong."""
    AMENDED = "amended"
    """It was changed: is that right?"""
    PRICE_SERVICE = "price_service"
    """The price of which treatment?"""
    MESSAGE = "message"
    HUMAN = "human"
    """Shall I put you through?"""
    MESSAGE_OR_HUMAN = "message_or_human"
    ANYTHING_ELSE = "anything_else"


class Draft(msgspec.Struct, frozen=True):
    """The appointment or message being put together.

    day..until: the days asked for. clock: the time as said. window: the part of the day asked for.
    earliest: as soon as possible. start: a start that the desk says is free. digits: of a telephone
    number that is not complete yet. phone: E.164. amends: the appointment of this call that it changes.
    """

    service_id: str = ""
    day: dt.date | None = None
    until: dt.date | None = None
    clock: Clock | None = None
    window: Window | None = None
    earliest: bool = False
    start: dt.datetime | None = None
    name: str = ""
    phone: str = ""
    digits: str = ""
    email: str = ""
    message: str = ""
    amends: str = ""

    def but(self, **changes: Any) -> "Draft":
        """A copy with these fields changed."""
        return msgspec.structs.replace(self, **changes)


class DialogueState(msgspec.Struct, frozen=True, kw_only=True):
    """One conversation so far.

    offered: the starts the caller may choose from. last_service: what "one" and "it" stand for.
    bookings: live appointments made in this call, the newest last. said: the last reply, to repeat.
    question: its question, to ask again. misses: turns in a row that were not understood. turns: replies
    so far. understood: whether any turn was. result: what a finished action has to tell, until it was
    heard. unreported: tools that ran and whose reply was cut off. unheard: the open question was
    interrupted too early to be answered. acted: the reply that made this state has run an action.
    reply_id: that reply, -1 at the start.
    """

    language: str
    task: Task = Task.NONE
    asking: Asking = Asking.NOTHING
    draft: Draft = Draft()
    offered: tuple[dt.datetime, ...] = ()
    last_service: str = ""
    bookings: tuple[Booking, ...] = ()
    said: tuple[str, ...] = ()
    question: str = ""
    misses: int = 0
    turns: int = 0
    understood: bool = False
    noted: bool = False
    transferred: bool = False
    deserted: bool = False
    result: str = ""
    unreported: tuple[ReplyTool, ...] = ()
    unheard: bool = False
    acted: bool = False
    reply_id: int = -1

    @property
    def booking(self) -> Booking | None:
        """The newest appointment of this call."""
        return self.bookings[-1] if self.bookings else None

    def but(self, **changes: Any) -> "DialogueState":
        """A copy with these fields changed."""
        return msgspec.structs.replace(self, **changes)

    def outcome(self) -> Outcome:
        """How the call ends if it ends now (product facts, section 7)."""
        if self.bookings:
            return Outcome.BOOKED
        if self.transferred:
            return Outcome.TRANSFERRED
        if self.noted:
            return Outcome.CALLBACK
        if self.deserted or not self.understood:
            return Outcome.ABANDONED
        return Outcome.COMPLETED if self.task is Task.NONE else Outcome.PARTIAL


class Book(msgspec.Struct, frozen=True):
    """Sell the slot. all_at_once: the caller gave everything in one turn, so nothing was read back yet."""

    service_id: str
    start: dt.datetime
    name: str
    phone: str
    email: str
    all_at_once: bool


class Amend(msgspec.Struct, frozen=True):
    """Give an appointment another start, name or number."""

    booking: Booking
    start: dt.datetime
    name: str
    phone: str


class Cancel(msgspec.Struct, frozen=True):
    """Give an appointment's slot back."""

    booking: Booking


class Note(msgspec.Struct, frozen=True):
    """Keep a message for the team in the call's record."""

    name: str
    phone: str
    message: str


Action = Book | Amend | Cancel | Note


class Done(msgspec.Struct, frozen=True):
    """What became of an action. booking: as the desk has it now. taken: somebody else has the slot."""

    tool: ReplyTool
    booking: Booking | None = None
    taken: bool = False

    @property
    def ok(self) -> bool:
        """Whether it happened."""
        return self.tool.ok


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What one reply says and does.

    says: sentences, in order. action: runs once the turn is confirmed, and decides the rest of the
    reply. ends: the call ends after it. transfer: reason to pass the caller to a human after it.
    """

    state: DialogueState
    says: tuple[str, ...] = ()
    action: Action | None = None
    ends: Outcome | None = None
    transfer: str = ""
    tools: tuple[ReplyTool, ...] = ()
