"""What the session wants done: the output of `VoiceSession.handle`.

The shell (`voice_core.call`) carries actions out in order; none of them returns anything to the
session except as a later event.
"""

import msgspec

from voice_core.events import Timer
from voice_core.notices import Notice
from voice_core.record import Utterance
from voice_core.responder import Cause, Outcome
from voice_core.speech import DecodeKind
from voice_core.timeline import TurnTimeline


class Action(msgspec.Struct, frozen=True, tag_field="action"):
    """Base of the actions."""


class BeginUtterance(Action, frozen=True, tag=True):
    """Keep the caller's audio from `at_ms` on."""

    at_ms: float


class Decode(Action, frozen=True, tag=True):
    """Decode the utterance so far. Answered by Transcribed or DecodeFailed."""

    decode_id: int
    kind: DecodeKind


class CancelDecode(Action, frozen=True, tag=True):
    """The result of this decode is not wanted any more."""

    decode_id: int


class FinishUtterance(Action, frozen=True, tag=True):
    """Forget the utterance's audio."""


class Respond(Action, frozen=True, tag=True):
    """Ask the responder. Until ConfirmReply the reply is speculative."""

    reply_id: int
    cause: Cause
    text: str
    language: str


class ConfirmReply(Action, frozen=True, tag=True):
    """The caller's turn is over and this reply answers it: it may change things."""

    reply_id: int


class CancelReply(Action, frozen=True, tag=True):
    """Stop producing and rendering this reply; drop its audio that was never released."""

    reply_id: int


class Synthesise(Action, frozen=True, tag=True):
    """Render one clause and queue its audio. Clauses of a reply are rendered and played in order."""

    reply_id: int
    clause: int
    text: str
    language: str


class Play(Action, frozen=True, tag=True):
    """Let the queued audio of this reply out, from the next frame on."""

    reply_id: int


class PausePlayout(Action, frozen=True, tag=True):
    """Send no agent audio for now."""


class ResumePlayout(Action, frozen=True, tag=True):
    """Go on where the caller stopped hearing."""


class ClearPlayout(Action, frozen=True, tag=True):
    """Drop this reply's audio. Answered by PlayoutCut."""

    reply_id: int


class Heard(Action, frozen=True, tag=True):
    """Tell the responder what the caller heard of a confirmed reply."""

    reply_id: int
    text: str
    complete: bool


class SetTimer(Action, frozen=True, tag=True):
    """Fire this timer at `at_ms`, replacing it if it runs."""

    timer: Timer
    at_ms: float


class CancelTimer(Action, frozen=True, tag=True):
    """Stop this timer."""

    timer: Timer


class Tell(Action, frozen=True, tag=True):
    """Send a notice to whoever watches the call."""

    notice: Notice


class NoteUtterance(Action, frozen=True, tag=True):
    """Add one side's words to the record."""

    utterance: Utterance


class NoteTurn(Action, frozen=True, tag=True):
    """Add a turn's timeline to the record."""

    timeline: TurnTimeline


class Transfer(Action, frozen=True, tag=True):
    """Pass the caller to a human."""

    reason: str
    destination: str


class EndCall(Action, frozen=True, tag=True):
    """Hang up. outcome: as the reply decided it, or None to ask the responder."""

    outcome: Outcome | None
    reason: str


AnyAction = (
    BeginUtterance
    | Decode
    | CancelDecode
    | FinishUtterance
    | Respond
    | ConfirmReply
    | CancelReply
    | Synthesise
    | Play
    | PausePlayout
    | ResumePlayout
    | ClearPlayout
    | Heard
    | SetTimer
    | CancelTimer
    | Tell
    | NoteUtterance
    | NoteTurn
    | Transfer
    | EndCall
)
