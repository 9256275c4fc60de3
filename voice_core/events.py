"""What can happen in a call: the input of `VoiceSession.handle`.

Every event is plain data with no reference to a thread, socket or clock, so a call's event log can be
written down and replayed. Times named `at_ms` are on the call's clock (ms since it started); `reply_id`,
`decode_id` and `clause` are the numbers the session gave out in its actions.
"""

from enum import Enum

import msgspec

from voice_core.expectation import ExpectedSlot
from voice_core.responder import Outcome
from voice_core.speech import DecodeKind


class Timer(Enum):
    """The session's timers; at most one of each runs."""

    PARTIAL = "partial"
    UTTERANCE = "utterance"
    DECODE = "decode"
    ENDPOINT = "endpoint"
    VERDICT = "verdict"
    REPLY = "reply"
    REPROMPT = "reprompt"
    GOODBYE = "goodbye"
    DTMF = "dtmf"
    CAP = "cap"
    FAREWELL = "farewell"


class Event(msgspec.Struct, frozen=True, tag_field="event"):
    """Base of the events."""


class CallStarted(Event, frozen=True, tag=True):
    """The far end is connected: greet."""


class SpeechStarted(Event, frozen=True, tag=True):
    """VAD: the caller began to speak at `at_ms`, some time before now."""

    at_ms: float


class SpeechStopped(Event, frozen=True, tag=True):
    """VAD: the caller's last speech sample was at `at_ms`, some time before now."""

    at_ms: float


class Transcribed(Event, frozen=True, tag=True):
    """A decode is done; `text` is "" when it found no words."""

    decode_id: int
    kind: DecodeKind
    text: str
    language: str
    confidence: float = 1.0
    end_probability: float | None = None


class DecodeFailed(Event, frozen=True, tag=True):
    """A decode was dropped under load or its engine failed."""

    decode_id: int
    kind: DecodeKind
    code: str


class ReplyClause(Event, frozen=True, tag=True):
    """The responder has produced one speakable clause."""

    reply_id: int
    text: str
    language: str


class ReplyExpects(Event, frozen=True, tag=True):
    """The reply says what the agent waits for after it."""

    reply_id: int
    slot: ExpectedSlot


class ReplyEnds(Event, frozen=True, tag=True):
    """The call ends when this reply has been heard."""

    reply_id: int
    outcome: Outcome


class ReplyTransfers(Event, frozen=True, tag=True):
    """The caller goes to a human when this reply has been heard."""

    reply_id: int
    reason: str
    destination: str


class ReplyFinished(Event, frozen=True, tag=True):
    """The responder has nothing more to say in this reply."""

    reply_id: int


class ReplyFailed(Event, frozen=True, tag=True):
    """The responder failed; what it said before that stands."""

    reply_id: int
    code: str


class ClauseReady(Event, frozen=True, tag=True):
    """The first audio of a clause waits in the playout."""

    reply_id: int
    clause: int


class ClausePlayed(Event, frozen=True, tag=True):
    """The last frame of a clause has left; not audible when it could not be rendered."""

    reply_id: int
    clause: int
    audible: bool = True


class PlayoutStarted(Event, frozen=True, tag=True):
    """The first frame of a reply has left."""

    reply_id: int


class PlayoutCut(Event, frozen=True, tag=True):
    """The playout was cleared; `heard` is what the caller heard of the reply."""

    reply_id: int
    heard: str


class TimerFired(Event, frozen=True, tag=True):
    """A timer that was set has run out."""

    timer: Timer


class DtmfReceived(Event, frozen=True, tag=True):
    """The caller pressed a key: one of 0-9 * # A-D."""

    digit: str


class TextReceived(Event, frozen=True, tag=True):
    """The caller typed a turn."""

    text: str


class HoldRequested(Event, frozen=True, tag=True):
    """The far end put the call on hold."""


class ResumeRequested(Event, frozen=True, tag=True):
    """The far end took the call off hold."""


class WindDownRequested(Event, frozen=True, tag=True):
    """The server wants the call to end politely: goodbye, then hang up."""

    reason: str


class HungUp(Event, frozen=True, tag=True):
    """The far end is gone, or the call must stop at once."""

    reason: str


AnyEvent = (
    CallStarted
    | SpeechStarted
    | SpeechStopped
    | Transcribed
    | DecodeFailed
    | ReplyClause
    | ReplyExpects
    | ReplyEnds
    | ReplyTransfers
    | ReplyFinished
    | ReplyFailed
    | ClauseReady
    | ClausePlayed
    | PlayoutStarted
    | PlayoutCut
    | TimerFired
    | DtmfReceived
    | TextReceived
    | HoldRequested
    | ResumeRequested
    | WindDownRequested
    | HungUp
)
