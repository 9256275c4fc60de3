"""The caller's side of the session: a turn opens, pauses, goes on, and is over.

Third chapter of `VoiceSession`. `_decoded_turn` is where the time is won: the reply is begun on
speculation and the silence that the turn deserves is counted from the last speech sample.
"""

from voice_core import actions as do
from voice_core import events as ev
from voice_core.endpointing import endpoint
from voice_core.events import Timer
from voice_core.notices import TranscriptNotice
from voice_core.record import Utterance
from voice_core.responder import Cause
from voice_core.session.floor import State
from voice_core.session.replying import Replying
from voice_core.session.turn import Turn
from voice_core.speech import DecodeKind
from voice_core.timeline import Stage
from voice_core.turn_words import split_words

_MISSES_MAX = 2
"""Sounds in a row without words that are asked about; after that the silence timers decide."""


class Listening(Replying):
    """What happens to the caller's turns."""

    def _speech_in_waiting(self, event: ev.SpeechStarted) -> None:
        turn = self._open_turn(event.at_ms)
        turn.prefix, self._digits = self._digits, ""
        self._hear(turn)

    def _partial_due(self, event: ev.TimerFired) -> None:
        if self._decode is None:
            self._ask_decode(DecodeKind.PARTIAL)
        self._set(Timer.PARTIAL, self._now_ms + self.policy.partial_every_ms)

    def _partial(self, event: ev.Transcribed) -> None:
        if self._turn is not None and event.text:
            self._turn.text = event.text
            self._do(do.Tell(TranscriptNotice("caller", event.text, final=False)))

    def _pause_in_hearing(self, event: ev.SpeechStopped) -> None:
        self._paused(event.at_ms)

    def _utterance_too_long(self, event: ev.TimerFired) -> None:
        self._paused(self._now_ms)

    def _paused(self, at_ms: float) -> None:
        turn = self._turn
        assert turn is not None, "HEARING has a turn"
        turn.stopped_ms = at_ms
        turn.mark(Stage.PAUSE_DETECTED, self._now_ms)
        self._enter(State.ENDPOINTING)
        self._ask_decode(DecodeKind.FINAL)

    def _went_on(self, event: ev.SpeechStarted) -> None:
        turn = self._turn
        assert turn is not None, "ENDPOINTING has a turn"
        self._rhythm.paused(event.at_ms - turn.stopped_ms)
        # The decode under way is let finish: its words are this turn's, and the recogniser need not find them
        # again. The speculative reply is kept, unheard: if this was a cough, the same words come back and it fits.
        self._hear(turn)

    def _decoded_turn(self, event: ev.Transcribed) -> None:
        turn = self._turn
        assert turn is not None, "ENDPOINTING has a turn"
        turn.text = event.text
        turn.mark(Stage.TRANSCRIPT, self._now_ms)
        if not turn.whole:
            self._nothing_said(turn)
            return
        turn.language = event.language if event.text else turn.language
        turn.endpoint = endpoint(
            turn.whole,
            turn.language,
            self.expected,
            self._rhythm,
            self.policy.endpoint,
            end_probability=event.end_probability,
        )
        self._speculate(turn)
        deadline_ms = turn.stopped_ms + turn.endpoint.delay_ms
        if deadline_ms <= self._now_ms:
            self._confirm_turn()
        else:
            self._do(do.Tell(TranscriptNotice("caller", turn.text, final=False)))
            self._set(Timer.ENDPOINT, deadline_ms)

    def _decode_lost(self, event: ev.Event) -> None:
        """The engine failed or is too slow: answer the words of the last partial, or ask again."""
        turn = self._turn
        assert turn is not None, "ENDPOINTING has a turn"
        self._drop_decode()
        if turn.whole:
            self._confirm_turn()
        else:
            self._nothing_said(turn)

    def _nothing_said(self, turn: Turn) -> None:
        """VAD heard speech and no word was found: a noise is ignored, a long sound gets one "sorry?"."""
        length_ms = turn.stopped_ms - turn.began_ms
        self._close_turn()
        self._drop_reply()
        self._misses += 1
        if length_ms < self.policy.noise_max_ms or self._misses > _MISSES_MAX:
            self._wait()
        else:
            self._say(Cause.NOT_UNDERSTOOD)

    def _endpoint_reached(self, event: ev.TimerFired) -> None:
        self._confirm_turn()

    def _confirm_turn(self) -> None:
        """The turn is over: the caller's words are final and the reply may be heard."""
        turn = self._turn
        assert turn is not None, "only a turn can be confirmed"
        turn.mark(Stage.TURN_CONFIRMED, self._now_ms)
        self._close_turn()
        if turn.text:
            self._do(
                do.Tell(TranscriptNotice("caller", turn.text, final=True)),
                do.NoteUtterance(Utterance("caller", turn.text, turn.began_ms, turn.stopped_ms, turn.language)),
            )
        self.language = turn.language
        self._misses = self._reprompts = 0
        if self._reply is None or split_words(self._reply.answers) != split_words(turn.whole):
            self._drop_reply()
            turn.mark(Stage.REPLY_ASKED, self._now_ms)
            self._start_reply(Cause.TURN, turn.whole, turn)
        self._confirm_reply()
