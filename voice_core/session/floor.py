"""The ground of the session: who has the floor, which timers run, which decode is awaited.

First chapter of `VoiceSession`; the chapters after it (`replying`, `listening`, `overlapping`, `machine`)
each add one side of the conversation and read from top to bottom.
"""

from enum import Enum

from voice_core import actions as do
from voice_core.endpointing import Rhythm
from voice_core.events import Timer
from voice_core.expectation import NOTHING_EXPECTED, ExpectedSlot
from voice_core.notices import StateNotice
from voice_core.policy import TurnPolicy
from voice_core.record import Utterance
from voice_core.responder import Outcome
from voice_core.session.turn import Reply, Turn
from voice_core.speech import DecodeKind


class State(Enum):
    """Who has the floor; told in full in `voice_core.session.machine`."""

    IDLE = "idle"
    WAITING = "waiting"
    HEARING = "hearing"
    ENDPOINTING = "endpointing"
    THINKING = "thinking"
    SPEAKING = "speaking"
    OVERLAP = "overlap"
    DECIDING = "deciding"
    HELD = "held"
    ENDED = "ended"


_SHOWN = {
    State.WAITING: "listening",
    State.HEARING: "listening",
    State.ENDPOINTING: "listening",
    State.THINKING: "thinking",
    State.SPEAKING: "speaking",
    State.OVERLAP: "listening",
    State.DECIDING: "listening",
    State.HELD: "held",
}
"""State -> what clients are shown."""

_LIVE = {Timer.CAP}
_TALKING = {Timer.REPLY, Timer.VERDICT, Timer.DECODE, Timer.FAREWELL}
ALLOWED_TIMERS: dict[State, frozenset[Timer]] = {
    State.IDLE: frozenset(),
    State.WAITING: frozenset(_LIVE | {Timer.REPROMPT, Timer.GOODBYE, Timer.DTMF}),
    State.HEARING: frozenset(_LIVE | {Timer.PARTIAL, Timer.UTTERANCE}),
    State.ENDPOINTING: frozenset(_LIVE | {Timer.ENDPOINT, Timer.DECODE, Timer.UTTERANCE}),
    State.THINKING: frozenset(_LIVE | _TALKING),
    State.SPEAKING: frozenset(_LIVE | _TALKING),
    State.OVERLAP: frozenset(_LIVE | {Timer.REPLY, Timer.VERDICT}),
    State.DECIDING: frozenset(_LIVE | {Timer.REPLY, Timer.DECODE}),
    State.HELD: frozenset(_LIVE),
    State.ENDED: frozenset(),
}
"""State -> timers that may run in it; entering a state cancels all others."""


class Floor:
    """State, timers and the steps that every chapter takes.

    language: the session's language until the caller's words say otherwise. policy: every wait.
    Readable from outside, never to be written: `state`, `language`, `expected`, `timers`.
    """

    def __init__(self, *, language: str, policy: TurnPolicy | None = None) -> None:
        self.policy = policy or TurnPolicy()
        self.language = language
        self.state = State.IDLE
        self.expected: ExpectedSlot = NOTHING_EXPECTED
        self.timers: dict[Timer, float] = {}
        self._now_ms = 0.0
        self._out: list[do.Action] = []
        self._ids = 0
        self._turns = 0
        self._turn: Turn | None = None
        self._reply: Reply | None = None
        self._cut: dict[int, Reply] = {}
        self._decode: tuple[int, DecodeKind] | None = None
        self._rhythm = Rhythm()
        self._sound_since_ms: float | None = None
        self._quiet_since_ms = 0.0
        self._reprompts = 0
        self._misses = 0
        self._digits = ""

    def _do(self, *actions: do.Action) -> None:
        self._out.extend(actions)

    def _next_id(self) -> int:
        self._ids += 1
        return self._ids

    def _set(self, timer: Timer, at_ms: float) -> None:
        self.timers[timer] = at_ms
        self._do(do.SetTimer(timer, at_ms))

    def _unset(self, timer: Timer) -> None:
        if self.timers.pop(timer, None) is not None:
            self._do(do.CancelTimer(timer))

    def _enter(self, state: State) -> None:
        before, self.state = self.state, state
        for timer in [t for t in self.timers if t not in ALLOWED_TIMERS[state]]:
            self._unset(timer)
        shown = _SHOWN.get(state)
        if shown is not None and shown != _SHOWN.get(before):
            self._do(do.Tell(StateNotice(shown)))

    def _ask_decode(self, kind: DecodeKind) -> None:
        self._drop_decode()
        self._decode = (self._next_id(), kind)
        self._do(do.Decode(self._decode[0], kind))
        if kind is DecodeKind.FINAL:
            self._set(Timer.DECODE, self._now_ms + self.policy.decode_timeout_ms)

    def _drop_decode(self) -> None:
        if self._decode is not None:
            self._do(do.CancelDecode(self._decode[0]))
            self._decode = None
        self._unset(Timer.DECODE)

    def _open_turn(self, at_ms: float) -> Turn:
        self._turns += 1
        self._turn = Turn(number=self._turns, began_ms=at_ms, stopped_ms=at_ms, language=self.language)
        self._do(do.BeginUtterance(at_ms - self.policy.preroll_ms))
        return self._turn

    def _close_turn(self) -> None:
        """Forget the sound under way and everything asked about it."""
        self._drop_decode()
        if self._turn is not None:
            self._turn = None
            self._do(do.FinishUtterance())

    def _hear(self, turn: Turn) -> None:
        self._enter(State.HEARING)
        self._set(Timer.PARTIAL, self._now_ms + self.policy.partial_every_ms)
        if Timer.UTTERANCE not in self.timers:
            self._set(Timer.UTTERANCE, max(self._now_ms, turn.began_ms) + self.policy.utterance_max_ms)

    def _wait(self) -> None:
        """Nobody has the floor: listen, and measure the silence since the agent ended."""
        self._turn = None
        self._enter(State.WAITING)
        soon_ms = self._now_ms + self.policy.verdict_retry_ms
        if not self._reprompts:
            self._set(Timer.REPROMPT, max(soon_ms, self._quiet_since_ms + self.policy.reprompt_after_ms))
        self._set(Timer.GOODBYE, max(soon_ms, self._quiet_since_ms + self.policy.goodbye_after_ms))

    def _drop_reply(self) -> None:
        """Forget a reply that was never confirmed."""
        if self._reply is not None:
            self._do(do.CancelReply(self._reply.id))
            self._reply = None

    def _cut_reply(self) -> None:
        """Stop a confirmed reply for good; PlayoutCut will say what was heard of it."""
        reply = self._reply
        if reply is not None:
            self._cut[reply.id] = reply
            self._reply = None
            self._do(do.CancelReply(reply.id), do.ClearPlayout(reply.id))

    def _silence_agent(self) -> None:
        """Take the floor from the agent, whether or not it was heard."""
        if self._reply is not None and self._reply.confirmed_ms is None:
            self._drop_reply()
        else:
            self._cut_reply()

    def _end(self, outcome: Outcome | None, reason: str) -> None:
        """The call is over. Words that nobody answered are still noted."""
        turn = self._turn
        if turn is not None and turn.text:
            ended_ms = max(turn.stopped_ms, turn.began_ms)
            self._do(do.NoteUtterance(Utterance("caller", turn.text, turn.began_ms, ended_ms, turn.language)))
        self._close_turn()
        self._silence_agent()
        self._enter(State.ENDED)
        self._do(do.EndCall(outcome, reason))
