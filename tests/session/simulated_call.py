"""A shell without audio, threads or clocks: the session with engines that answer after fixed delays.

Time is a number that only this class moves, so a ten-minute call runs in milliseconds. Tests say when
the caller speaks and what; the simulation carries actions out as `voice_core.call` does.
"""

import heapq
import itertools
from collections.abc import Callable

from voice_core import actions as do
from voice_core import events as ev
from voice_core.expectation import ExpectedSlot
from voice_core.notices import StateNotice, TranscriptNotice
from voice_core.policy import TurnPolicy
from voice_core.responder import Cause, Outcome
from voice_core.session import State, VoiceSession
from voice_core.speech import DecodeKind

WORD_MS = 250.0
VAD_ONSET_MS = 90.0
VAD_OFFSET_MS = 110.0


class Answer:
    """What the responder says to one turn."""

    def __init__(
        self,
        *clauses: str,
        expects: ExpectedSlot | None = None,
        ends: Outcome | None = None,
        fails: bool = False,
        delay_ms: float = 20.0,
    ) -> None:
        self.clauses = clauses
        self.expects = expects
        self.ends = ends
        self.fails = fails
        self.delay_ms = delay_ms


class SimulatedCall:
    """One call under test.

    answer: cause and text -> Answer. decode_ms, tts_ms: engine delays. heard: (start_ms, text) of every
    stretch of agent audio; floor: what the agent was told, in order.
    """

    def __init__(
        self,
        answer: Callable[[Cause, str], Answer],
        *,
        policy: TurnPolicy | None = None,
        decode_ms: float = 100.0,
        tts_ms: float = 40.0,
        language: str = "en",
    ) -> None:
        self.session = VoiceSession(language=language, policy=policy)
        self.answer = answer
        self.decode_ms = decode_ms
        self.tts_ms = tts_ms
        self.now_ms = 0.0
        self.ended: do.EndCall | None = None
        self.told: list[object] = []
        self.transcript: list[tuple[str, str]] = []
        self.heard: list[tuple[int, str, bool]] = []
        self.frames: list[tuple[float, int]] = []
        self.responds: list[do.Respond] = []
        self.cancelled: set[int] = set()
        self.confirmed: list[int] = []
        self.timelines: list[dict[str, float]] = []
        self._saying = ""
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._timers: dict[ev.Timer, int] = {}
        self._dead: set[int] = set()
        self._clauses: dict[int, list[tuple[int, str, float]]] = {}
        self._released: int | None = None
        self._paused = False
        self._words_out: dict[int, float] = {}
        self._started: set[int] = set()

    # ---- what tests do -------------------------------------------------------------------------

    def start(self) -> "SimulatedCall":
        self._feed(ev.CallStarted())
        self._later(20.0, self._tick)
        return self

    def caller_says(self, text: str, *, at_ms: float, lasts_ms: float | None = None) -> float:
        """The caller speaks these words; returns when the last one ends."""
        end_ms = at_ms + (lasts_ms if lasts_ms is not None else WORD_MS * len(text.split()))
        self._at(at_ms + VAD_ONSET_MS, lambda: self._speak(text, at_ms))
        self._at(end_ms + VAD_OFFSET_MS, lambda: self._feed(ev.SpeechStopped(end_ms)))
        return end_ms

    def at(self, at_ms: float, event: ev.Event) -> None:
        self._at(at_ms, lambda: self._feed(event))

    def run_until(self, at_ms: float) -> "SimulatedCall":
        while self._queue and self._queue[0][0] <= at_ms and self.ended is None:
            due_ms, number, step = heapq.heappop(self._queue)
            self.now_ms = max(self.now_ms, due_ms)
            if number not in self._dead:
                step()
        self.now_ms = max(self.now_ms, at_ms)
        return self

    def agent_audible(self, from_ms: float, to_ms: float) -> bool:
        return any(from_ms <= at_ms < to_ms for at_ms, _ in self.frames)

    def first_frame_after(self, at_ms: float) -> float:
        return min(frame_ms for frame_ms, _ in self.frames if frame_ms >= at_ms)

    def said(self, role: str) -> list[str]:
        return [text for who, text in self.transcript if who == role]

    @property
    def shown_states(self) -> list[str]:
        return [notice.state for notice in self.told if isinstance(notice, StateNotice)]

    # ---- the shell -----------------------------------------------------------------------------

    def _at(self, at_ms: float, step: Callable[[], None]) -> int:
        number = next(self._order)
        heapq.heappush(self._queue, (at_ms, number, step))
        return number

    def _later(self, delay_ms: float, step: Callable[[], None]) -> int:
        return self._at(self.now_ms + delay_ms, step)

    def _speak(self, text: str, at_ms: float) -> None:
        self._saying = f"{self._saying} {text}".strip() if self.session.state is State.ENDPOINTING else text
        self._feed(ev.SpeechStarted(at_ms))

    def _feed(self, event: ev.Event) -> None:
        pending = [event]
        while pending:
            for action in self.session.handle(pending.pop(0), self.now_ms):
                pending.extend(self._carry_out(action))

    def _carry_out(self, action: do.Action) -> list[ev.Event]:
        match action:
            case do.SetTimer(timer, at_ms):
                self._dead.add(self._timers.get(timer, -1))
                self._timers[timer] = self._at(at_ms, lambda: self._feed(ev.TimerFired(timer)))
            case do.CancelTimer(timer):
                self._dead.add(self._timers.pop(timer))
            case do.Decode(decode_id, kind):
                text = self._saying
                self._later(self.decode_ms, lambda: self._feed(self._transcribed(decode_id, kind, text)))
            case do.Respond():
                self._respond(action)
            case do.ConfirmReply(reply_id):
                self.confirmed.append(reply_id)
            case do.CancelReply(reply_id):
                self.cancelled.add(reply_id)
            case do.Synthesise(reply_id, clause, text, _):
                self._later(self.tts_ms, lambda: self._rendered(reply_id, clause, text))
            case do.Play(reply_id):
                self._released, self._paused = reply_id, False
            case do.PausePlayout():
                self._paused = True
            case do.ResumePlayout():
                self._paused = False
            case do.ClearPlayout(reply_id):
                return [ev.PlayoutCut(reply_id, self._cleared(reply_id))]
            case do.Heard(reply_id, text, complete):
                self.heard.append((reply_id, text, complete))
            case do.NoteUtterance(utterance):
                self.transcript.append((utterance.role, utterance.text))
            case do.NoteTurn(timeline):
                self.timelines.append(timeline.on_the_wire())
            case do.Tell(notice):
                self.told.append(notice)
            case do.EndCall():
                self.ended = action
            case _:
                pass
        return []

    def _transcribed(self, decode_id: int, kind: DecodeKind, text: str) -> ev.Event:
        return ev.Transcribed(decode_id, kind, text, self.session.language)

    def _respond(self, action: do.Respond) -> None:
        self.responds.append(action)
        answer = self.answer(action.cause, action.text)

        def produce() -> None:
            if action.reply_id in self.cancelled:
                return
            if answer.fails:
                self._feed(ev.ReplyFailed(action.reply_id, "llm_down"))
                return
            for clause in answer.clauses:
                self._feed(ev.ReplyClause(action.reply_id, clause, action.language))
            if answer.expects is not None:
                self._feed(ev.ReplyExpects(action.reply_id, answer.expects))
            if answer.ends is not None:
                self._feed(ev.ReplyEnds(action.reply_id, answer.ends))
            self._feed(ev.ReplyFinished(action.reply_id))

        self._later(answer.delay_ms, produce)

    def _rendered(self, reply_id: int, clause: int, text: str) -> None:
        if reply_id not in self.cancelled:
            self._clauses.setdefault(reply_id, []).append((clause, text, WORD_MS * len(text.split())))
            self._feed(ev.ClauseReady(reply_id, clause))

    def _tick(self) -> None:
        self._later(20.0, self._tick)
        clauses = self._clauses.get(self._released or 0)
        if self._paused or self._released is None or not clauses:
            return
        reply_id = self._released
        clause, _, left_ms = clauses[0]
        self.frames.append((self.now_ms, reply_id))
        self._words_out[reply_id] = self._words_out.get(reply_id, 0.0) + 20.0 / WORD_MS
        if reply_id not in self._started:
            self._started.add(reply_id)
            self._feed(ev.PlayoutStarted(reply_id))
        if left_ms > 20.0:
            clauses[0] = (clause, clauses[0][1], left_ms - 20.0)
        else:
            clauses.pop(0)
            self._feed(ev.ClausePlayed(reply_id, clause))

    def _cleared(self, reply_id: int) -> str:
        self._clauses.pop(reply_id, None)
        if self._released == reply_id:
            self._released = None
        spoken = " ".join(self.answer_text(reply_id)).split()
        return " ".join(spoken[: int(self._words_out.get(reply_id, 0.0))])

    def answer_text(self, reply_id: int) -> list[str]:
        respond = next(r for r in self.responds if r.reply_id == reply_id)
        return list(self.answer(respond.cause, respond.text).clauses)

    def last_words(self, role: str) -> str:
        return [n.text for n in self.told if isinstance(n, TranscriptNotice) and n.role == role and n.final][-1]
