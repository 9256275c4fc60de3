"""Both sides at once: barge-in in two steps.

Fourth chapter of `VoiceSession`. Step one, at once: pause the playout. Step two, when a quick decode
tells what the sound was: noise or a backchannel lets the agent go on where it stopped; words take the
floor, and the agent's turn is cut to what was heard.
"""

from voice_core import actions as do
from voice_core import events as ev
from voice_core.events import Timer
from voice_core.interruption import Verdict, verdict
from voice_core.notices import TranscriptNotice
from voice_core.responder import Cause
from voice_core.session.floor import State
from voice_core.session.listening import Listening
from voice_core.session.turn import Interruption, Reply, Turn
from voice_core.speech import DecodeKind


class Overlapping(Listening):
    """What happens when the caller makes a sound over the agent."""

    _doubt_since_ms = 0.0

    def _sound_over_reply(self, event: ev.SpeechStarted) -> None:
        reply = self._reply
        if reply is None or reply.interruption is Interruption.IGNORED:
            return
        self._drop_decode()
        if self._turn is None:
            self._open_turn(event.at_ms)
        self._doubt_since_ms = self._now_ms
        self._do(do.PausePlayout())
        self._enter(State.OVERLAP)
        self._set(Timer.VERDICT, self._now_ms + self.policy.verdict_ms)

    def _sound_again(self, event: ev.SpeechStarted) -> None:
        """A second sound while the first is being decoded: one decode for both."""
        self._drop_decode()
        self._enter(State.OVERLAP)
        self._set(Timer.VERDICT, self._now_ms + self.policy.verdict_ms)

    def _verdict_due(self, event: ev.TimerFired) -> None:
        if self._turn is None:
            return
        if self._decode is None:
            self._ask_decode(DecodeKind.INTERRUPTION)
        else:
            self._set(Timer.VERDICT, self._now_ms + self.policy.verdict_retry_ms)

    def _sound_over(self, event: ev.SpeechStopped) -> None:
        """The sound has ended; its whole is decoded for the last word on it."""
        if self._turn is None:
            return
        self._turn.stopped_ms = event.at_ms
        if self.state is State.OVERLAP:
            self._enter(State.DECIDING)
        self._unset(Timer.VERDICT)
        self._ask_decode(DecodeKind.FINAL)

    def _judged(self, event: ev.Transcribed) -> None:
        turn, reply = self._turn, self._reply
        if turn is None or reply is None:
            return
        final = event.kind is DecodeKind.FINAL
        judged = verdict(
            event.text,
            event.language,
            spoken=reply.text,
            answering=reply.expects if reply.on_last_clause else None,
            final=final,
            confidence=event.confidence,
            length_ms=(turn.stopped_ms if final else self._now_ms) - turn.began_ms,
        )
        if judged is Verdict.WORDS:
            self._take_floor(event, turn, reply)
        elif final:
            self._not_an_interruption(event)
        else:
            self._doubt()

    def _decode_useless(self, event: ev.Event) -> None:
        """The decode that was to judge the sound is lost: a sound that is over is let pass."""
        if self._turn is None:
            return
        self._drop_decode()
        if self._sound_since_ms is None:
            self._not_an_interruption(event)
        else:
            self._doubt()

    def _not_an_interruption(self, event: ev.Event) -> None:
        self._close_turn()
        self._go_on()

    def _doubt(self) -> None:
        """No word so far and the sound goes on: look again, and do not stay silent for a noise."""
        if self.state is State.OVERLAP and self._now_ms - self._doubt_since_ms >= self.policy.doubt_max_ms:
            self._go_on()
        self._set(Timer.VERDICT, self._now_ms + self.policy.verdict_retry_ms)

    def _go_on(self) -> None:
        if self.state in (State.OVERLAP, State.DECIDING):
            reply = self._reply
            assert reply is not None, "the agent has the floor over a sound"
            self._do(do.ResumePlayout())
            self._enter(State.THINKING if reply.started_ms is None else State.SPEAKING)

    def _take_floor(self, event: ev.Transcribed, turn: Turn, reply: Reply) -> None:
        """Words: the agent gives way. Words that began before the caller can have heard us belong to
        the turn that we thought was over."""
        answered = reply.turn
        heard_from_ms = turn.began_ms if reply.started_ms is None else reply.started_ms
        if reply.cause is Cause.TURN and answered and turn.began_ms < heard_from_ms + self.policy.merge_ms:
            turn.prefix = answered.whole
            self._rhythm.paused(max(0.0, turn.began_ms - answered.stopped_ms))
        self._cut_reply()
        if self._sound_since_ms is None:
            self._enter(State.ENDPOINTING)
            self._decoded_turn(event)
        else:
            turn.text = event.text
            self._do(do.Tell(TranscriptNotice("caller", event.text, final=False)))
            self._hear(turn)
