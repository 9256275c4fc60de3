"""The agent's side of the session: a reply is begun, confirmed, rendered, heard, or given up.

Second chapter of `VoiceSession`. A reply exists from `Respond` on; nothing of it is heard before
`Play`, which only `_confirm_reply` gives.
"""

from voice_core import actions as do
from voice_core import events as ev
from voice_core.events import Timer
from voice_core.expectation import NOTHING_EXPECTED
from voice_core.notices import TranscriptNotice, TurnNotice
from voice_core.record import Utterance
from voice_core.responder import Cause, Outcome
from voice_core.session.floor import Floor, State
from voice_core.session.turn import Reply, Turn
from voice_core.timeline import Stage
from voice_core.turn_words import split_words


class Replying(Floor):
    """What happens to the agent's replies."""

    def _start_reply(self, cause: Cause, answers: str, turn: Turn | None = None) -> Reply:
        reply = Reply(
            id=self._next_id(), cause=cause, answers=answers, language=self.language, asked_ms=self._now_ms, turn=turn
        )
        self._reply = reply
        self._do(do.Respond(reply.id, cause, answers, turn.language if turn else self.language))
        return reply

    def _speculate(self, turn: Turn) -> None:
        """Begin the reply before the turn is certain to be over."""
        if self._reply is not None:
            if split_words(self._reply.answers) == split_words(turn.whole):
                return
            self._drop_reply()
        if turn.speculations < self.policy.speculations_max:
            turn.speculations += 1
            turn.mark(Stage.REPLY_ASKED, self._now_ms)
            self._start_reply(Cause.TURN, turn.whole, turn)

    def _say(self, cause: Cause) -> Reply:
        """Speak without a caller turn."""
        reply = self._start_reply(cause, "")
        self._confirm_reply()
        return reply

    def _confirm_reply(self) -> None:
        reply = self._reply
        assert reply is not None, "there is a reply to confirm"
        reply.confirmed_ms = self._now_ms
        self.expected = reply.expects or NOTHING_EXPECTED
        self._do(do.ConfirmReply(reply.id))
        self._render(reply)
        self._do(do.Play(reply.id))
        self._enter(State.THINKING)
        if reply.finished_ms is None:
            self._set(Timer.REPLY, self._now_ms + self.policy.reply_timeout_ms)
        self._check_done()

    def _render(self, reply: Reply) -> None:
        ahead = len(reply.clauses) if reply.confirmed_ms is not None else self.policy.clauses_ahead
        for number in range(reply.rendering, min(ahead, len(reply.clauses))):
            text, language = reply.clauses[number]
            self._do(do.Synthesise(reply.id, number, text, language))
            reply.rendering = number + 1

    def _own(self, reply_id: int) -> Reply | None:
        return self._reply if self._reply is not None and self._reply.id == reply_id else None

    def _reply_clause(self, event: ev.ReplyClause) -> None:
        reply = self._own(event.reply_id)
        if reply is None or reply.finished_ms is not None:
            return
        if not reply.clauses and reply.turn is not None:
            reply.turn.mark(Stage.FIRST_TEXT, self._now_ms)
        reply.clauses.append((event.text, event.language))
        reply.language = event.language
        self._render(reply)
        if Timer.REPLY in self.timers:
            self._set(Timer.REPLY, self._now_ms + self.policy.reply_timeout_ms)
        if reply.started_ms is not None:
            self._do(do.Tell(TranscriptNotice("agent", reply.text, final=False)))

    def _reply_detail(self, event: ev.ReplyExpects | ev.ReplyEnds | ev.ReplyTransfers) -> None:
        reply = self._own(event.reply_id)
        if reply is None:
            return
        if isinstance(event, ev.ReplyExpects):
            reply.expects = event.slot
            if reply.confirmed_ms is not None:
                self.expected = event.slot
        elif isinstance(event, ev.ReplyEnds):
            reply.ends = event.outcome
        else:
            reply.transfer = (event.reason, event.destination)

    def _reply_finished(self, event: ev.ReplyFinished) -> None:
        reply = self._own(event.reply_id)
        if reply is not None:
            reply.finished_ms = self._now_ms
            self._unset(Timer.REPLY)
            self._check_done()

    def _reply_failed(self, event: ev.ReplyFailed) -> None:
        reply = self._own(event.reply_id)
        if reply is None:
            return
        if reply.confirmed_ms is None:
            self._drop_reply()
        else:
            self._give_up(reply)

    def _reply_late(self, event: ev.TimerFired) -> None:
        if self._reply is not None:
            self._give_up(self._reply)

    def _give_up(self, reply: Reply) -> None:
        """No more is coming. What was said stands; a reply without a word is excused once."""
        self._unset(Timer.REPLY)
        if not reply.clauses and reply.cause is not Cause.FAILURE and self.state is State.THINKING:
            self._drop_reply()
            self._say(Cause.FAILURE)
            return
        reply.finished_ms = self._now_ms
        self._check_done()

    def _clause_ready(self, event: ev.ClauseReady) -> None:
        reply = self._own(event.reply_id)
        if reply is not None and reply.turn is not None and event.clause == 0:
            reply.turn.mark(Stage.FIRST_AUDIO, self._now_ms)

    def _clause_played(self, event: ev.ClausePlayed) -> None:
        reply = self._own(event.reply_id)
        if reply is not None and event.clause == reply.played < reply.rendering and reply.confirmed_ms is not None:
            reply.played += 1
            if event.audible:
                reply.heard.append(reply.clauses[event.clause][0])
            self._check_done()

    def _playout_started(self, event: ev.PlayoutStarted) -> None:
        reply = self._own(event.reply_id)
        if reply is None or reply.started_ms is not None:
            return
        reply.started_ms = self._now_ms
        self._do(do.Tell(TranscriptNotice("agent", reply.text, final=False)))
        if reply.turn is not None:
            reply.turn.mark(Stage.FIRST_FRAME, self._now_ms)
            timeline = reply.turn.timeline(speculation_used=reply.asked_ms < (reply.confirmed_ms or 0.0))
            self._do(do.NoteTurn(timeline), do.Tell(TurnNotice(timeline.turn, timeline.on_the_wire())))
        if self.state is State.THINKING:
            self._enter(State.SPEAKING)

    def _playout_cut(self, event: ev.PlayoutCut) -> None:
        reply = self._cut.pop(event.reply_id, None)
        if reply is not None and event.heard:
            self._note_agent(reply, event.heard)

    def _note_agent(self, reply: Reply, heard: str) -> None:
        started_ms = reply.started_ms if reply.started_ms is not None else self._now_ms
        self._do(
            do.Tell(TranscriptNotice("agent", heard, final=True)),
            do.NoteUtterance(Utterance("agent", heard, started_ms, self._now_ms, reply.language, intended=reply.text)),
        )

    def _check_done(self) -> None:
        """When the whole reply has been heard: note it and give the floor back."""
        reply = self._reply
        if reply is None or reply.confirmed_ms is None or not reply.all_played:
            return
        self._reply = None
        heard = " ".join(reply.heard)
        self._do(do.Heard(reply.id, heard, complete=True))
        if heard:
            self._note_agent(reply, heard)
        if reply.transfer is not None:
            self._do(do.Transfer(*reply.transfer))
            self._end(reply.ends or Outcome.TRANSFERRED, "transferred")
            return
        if reply.ends is not None or reply.cause is Cause.GOODBYE:
            self._end(reply.ends, reply.end_reason)
            return
        if reply.cause is not Cause.SILENCE:
            self._quiet_since_ms = self._now_ms
        if self.state is State.HELD:
            return
        if self._turn is None:
            self._wait()
        elif self._sound_since_ms is not None:
            # The sound over our last words is now simply the caller's turn.
            self._hear(self._turn)
        else:
            self._enter(State.ENDPOINTING)
