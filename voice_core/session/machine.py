"""One conversation, without I/O: events in, actions out.

    session = VoiceSession(language="en", policy=TurnPolicy())
    actions = session.handle(CallStarted(), now_ms=0.0)

The session holds no socket, thread, clock or await; `voice_core.call` feeds it and carries its actions
out, tests throw any order of events at it, and a stored call is replayed through it. It is not
thread-safe: one event at a time, `now_ms` never going back.

Why the machine has this shape. A caller and an agent share one floor. The state says who has it:

    IDLE         before the call is connected
    WAITING      nobody speaks; silence is being measured
    HEARING      the caller speaks
    ENDPOINTING  the caller paused. The words so far are decoded and answered on speculation while we
                 wait out the silence that this turn deserves; nothing of it can be heard yet
    THINKING     the turn is over, the reply's first frame has not left
    SPEAKING     the agent is heard
    OVERLAP      the caller makes a sound over the reply: the playout is paused until we know what it is
    DECIDING     that sound is over, its words are being decoded
    HELD         the far end put the call on hold
    ENDED        nothing happens any more

A turn from top to bottom: SpeechStarted (`_speech_in_waiting`) -> SpeechStopped (`_paused`: decode) ->
Transcribed (`_decoded_turn`: endpointing, speculative `Respond`) -> ReplyClause (`_render`: TTS) ->
Timer.ENDPOINT (`_confirm_turn`: `Play`) -> PlayoutStarted -> ClausePlayed ... -> `_check_done`.

Three rules keep it honest. (1) Audio leaves only between `Play` and `PausePlayout` or `ClearPlayout`, and
`Play` is only given when the turn is confirmed. (2) Results carry the number they were asked under;
one that is not awaited any more is dropped before the table is consulted. (3) Each state lists the
timers that may run in it; entering a state cancels all others, so none can leak.

What the table cannot express: which reply an event belongs to (the `_reply_*` handlers look it up), and
that a confirmed turn may still go on (`_take_floor`: the caller only paused, and spoke before hearing us).
"""

from collections.abc import Callable
from typing import Any

from voice_core import actions as do
from voice_core import events as ev
from voice_core.events import Timer
from voice_core.responder import Cause, Outcome
from voice_core.session.floor import State
from voice_core.session.overlapping import Overlapping
from voice_core.session.turn import Interruption, Turn
from voice_core.timeline import Stage


class VoiceSession(Overlapping):
    """The turn-taking of one call: the last chapter (calls begin, wait, hold, end) and the table."""

    def handle(self, event: ev.Event, now_ms: float) -> list[do.Action]:
        """Take one event and return what is to be done, in order.

        An event that means nothing in the present state, or whose number is not awaited any more, is
        dropped and changes nothing.
        """
        self._now_ms = now_ms
        self._out = []
        key: type[ev.Event] | Timer = type(event)
        if isinstance(event, ev.TimerFired):
            if self.timers.pop(event.timer, None) is None:
                return []
            key = event.timer
        elif isinstance(event, ev.Transcribed | ev.DecodeFailed):
            if self._decode is None or self._decode[0] != event.decode_id:
                return []
            self._decode = None
            self._unset(Timer.DECODE)
        elif isinstance(event, ev.SpeechStarted):
            self._sound_since_ms = event.at_ms
        elif isinstance(event, ev.SpeechStopped):
            self._sound_since_ms = None
        handler = _TABLE[self.state].get(key)
        if handler is not None:
            handler(self, event)
        return self._out

    # ---- silence -------------------------------------------------------------------------------

    def _call_started(self, event: ev.CallStarted) -> None:
        if self.policy.cap_ms is not None:
            self._set(Timer.CAP, self._now_ms + self.policy.cap_ms)
        self._say(Cause.GREETING)

    def _reprompt(self, event: ev.TimerFired) -> None:
        self._reprompts += 1
        self._say(Cause.SILENCE)

    def _silent_too_long(self, event: ev.TimerFired) -> None:
        reply = self._say(Cause.GOODBYE)
        reply.ends, reply.end_reason = Outcome.ABANDONED, "silence"

    # ---- keys and typed text -------------------------------------------------------------------

    def _text(self, event: ev.TextReceived) -> None:
        self._typed(event.text)

    def _typed(self, text: str) -> None:
        """A turn that needs no ears: it is over when it arrives."""
        if self._reply is not None and self._reply.interruption is Interruption.IGNORED:
            return
        self._close_turn()
        self._silence_agent()
        self._turns += 1
        self._turn = Turn(self._turns, self._now_ms, self._now_ms, self.language, text=text)
        self._turn.mark(Stage.TRANSCRIPT, self._now_ms)
        self._confirm_turn()

    def _dtmf(self, event: ev.DtmfReceived) -> None:
        if self._reply is not None and self._reply.interruption is Interruption.IGNORED:
            return
        self._close_turn()
        self._silence_agent()
        if event.digit != "#":
            self._digits += event.digit
        wanted = self.expected.digits
        if event.digit == "#" or (wanted is not None and len(self._digits) >= wanted):
            self._digits_over(event)
        else:
            self._wait()
            self._set(Timer.DTMF, self._now_ms + self.policy.dtmf_gap_ms)

    def _digits_over(self, event: ev.Event) -> None:
        digits, self._digits = self._digits, ""
        if digits:
            self._typed(digits)
        else:
            self._wait()

    # ---- hold ----------------------------------------------------------------------------------

    def _hold(self, event: ev.HoldRequested) -> None:
        if self._reply is not None and self._reply.interruption is Interruption.IGNORED:
            self._end(None, self._reply.end_reason)
            return
        self._close_turn()
        if self._reply is not None and self._reply.confirmed_ms is None:
            self._drop_reply()
        self._do(do.PausePlayout())
        self._enter(State.HELD)

    def _off_hold(self, event: ev.ResumeRequested) -> None:
        self._quiet_since_ms = self._now_ms
        self._do(do.ResumePlayout())
        reply = self._reply
        if reply is None:
            self._wait()
            return
        self._enter(State.THINKING if reply.started_ms is None else State.SPEAKING)
        if reply.finished_ms is None:
            self._set(Timer.REPLY, self._now_ms + self.policy.reply_timeout_ms)

    # ---- the end -------------------------------------------------------------------------------

    def _wind_down(self, event: ev.WindDownRequested) -> None:
        self._say_goodbye(event.reason)

    def _cap_reached(self, event: ev.TimerFired) -> None:
        self._say_goodbye("call_cap")

    def _say_goodbye(self, reason: str) -> None:
        if self._reply is not None and self._reply.interruption is Interruption.IGNORED:
            return
        if self.state is State.HELD:
            self._end(None, reason)
            return
        self._close_turn()
        self._silence_agent()
        reply = self._say(Cause.GOODBYE)
        reply.interruption, reply.end_reason = Interruption.IGNORED, reason
        self._set(Timer.FAREWELL, self._now_ms + self.policy.farewell_max_ms)

    def _farewell_over(self, event: ev.TimerFired) -> None:
        self._end(None, self._reply.end_reason if self._reply else "farewell")

    def _not_connected(self, event: ev.WindDownRequested) -> None:
        self._end(None, event.reason)

    def _hung_up(self, event: ev.HungUp) -> None:
        self._end(None, event.reason)


_Handler = Callable[[VoiceSession, Any], None]
_Row = dict[type[ev.Event] | Timer, _Handler]
_S = VoiceSession

# pyright: reportPrivateUsage=false
_REPLY: _Row = {
    ev.ReplyClause: _S._reply_clause,
    ev.ReplyExpects: _S._reply_detail,
    ev.ReplyEnds: _S._reply_detail,
    ev.ReplyTransfers: _S._reply_detail,
    ev.ReplyFinished: _S._reply_finished,
    ev.ReplyFailed: _S._reply_failed,
    ev.ClauseReady: _S._clause_ready,
    ev.ClausePlayed: _S._clause_played,
    ev.PlayoutStarted: _S._playout_started,
    ev.PlayoutCut: _S._playout_cut,
    Timer.REPLY: _S._reply_late,
}
_LIVE: _Row = _REPLY | {
    ev.TextReceived: _S._text,
    ev.DtmfReceived: _S._dtmf,
    ev.HoldRequested: _S._hold,
    ev.WindDownRequested: _S._wind_down,
    ev.HungUp: _S._hung_up,
    Timer.CAP: _S._cap_reached,
}
_AGENT_HAS_FLOOR: _Row = _LIVE | {
    ev.SpeechStarted: _S._sound_over_reply,
    ev.SpeechStopped: _S._sound_over,
    ev.Transcribed: _S._judged,
    ev.DecodeFailed: _S._decode_useless,
    Timer.DECODE: _S._decode_useless,
    Timer.VERDICT: _S._verdict_due,
    Timer.FAREWELL: _S._farewell_over,
}
_TABLE: dict[State, _Row] = {
    State.IDLE: {
        ev.CallStarted: _S._call_started,
        ev.WindDownRequested: _S._not_connected,
        ev.HungUp: _S._hung_up,
    },
    State.WAITING: _LIVE
    | {
        ev.SpeechStarted: _S._speech_in_waiting,
        Timer.REPROMPT: _S._reprompt,
        Timer.GOODBYE: _S._silent_too_long,
        Timer.DTMF: _S._digits_over,
    },
    State.HEARING: _LIVE
    | {
        ev.SpeechStopped: _S._pause_in_hearing,
        ev.Transcribed: _S._partial,
        Timer.PARTIAL: _S._partial_due,
        Timer.UTTERANCE: _S._utterance_too_long,
    },
    State.ENDPOINTING: _LIVE
    | {
        ev.SpeechStarted: _S._went_on,
        ev.Transcribed: _S._decoded_turn,
        ev.DecodeFailed: _S._decode_lost,
        Timer.DECODE: _S._decode_lost,
        Timer.ENDPOINT: _S._endpoint_reached,
    },
    State.THINKING: _AGENT_HAS_FLOOR,
    State.SPEAKING: _AGENT_HAS_FLOOR,
    State.OVERLAP: _LIVE
    | {
        ev.SpeechStopped: _S._sound_over,
        ev.Transcribed: _S._judged,
        ev.DecodeFailed: _S._decode_useless,
        Timer.VERDICT: _S._verdict_due,
    },
    State.DECIDING: _LIVE
    | {
        ev.SpeechStarted: _S._sound_again,
        ev.Transcribed: _S._judged,
        ev.DecodeFailed: _S._decode_useless,
        Timer.DECODE: _S._decode_useless,
    },
    State.HELD: _REPLY
    | {
        ev.ResumeRequested: _S._off_hold,
        ev.WindDownRequested: _S._wind_down,
        ev.HungUp: _S._hung_up,
        Timer.CAP: _S._cap_reached,
    },
    State.ENDED: {ev.PlayoutCut: _S._playout_cut},
}
"""State -> event or timer -> what happens. What is not listed means nothing in that state."""
