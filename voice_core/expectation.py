"""What the agent is waiting for: the slot that its last question opened.

Dialogue knows that it asked for a phone number; turn-taking uses that to wait for the
missing digits. The responder sets it with `ReplyExpect`, endpointing reads it.
"""

from enum import Enum

import msgspec


class SlotKind(Enum):
    """The shape of the expected answer."""

    FREE = "free"
    YES_NO = "yes_no"
    CHOICE = "choice"
    NAME = "name"
    SPELLING = "spelling"
    PHONE = "phone"
    EMAIL = "email"
    NUMBER = "number"
    DATE = "date"
    TIME = "time"
    DATE_TIME = "date_time"


class ExpectedSlot(msgspec.Struct, frozen=True):
    """The answer the agent waits for.

    digits: how many digits make the answer complete (phone and number slots), or None when
    the length is not known. choices: the words that answer a CHOICE slot.
    """

    kind: SlotKind
    digits: int | None = None
    choices: tuple[str, ...] = ()


NOTHING_EXPECTED = ExpectedSlot(kind=SlotKind.FREE)
