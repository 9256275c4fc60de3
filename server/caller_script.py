"""When a scripted caller speaks: after the greeting, one turn at a time, like somebody who listens.

Sans-I/O: `step` is called every 20 ms with what is heard and returns what to do. Every wait has an end, so a server
that does not answer makes a failure, not a hang. Driven by `server.caller`.
"""

from enum import Enum

import msgspec

QUIET_MS = 400.0
"""Agent silence that ends its turn, once the server says that it listens: longer than pauses between sentences."""

GAP_MS = 300.0
"""What a person waits before answering, on top of QUIET_MS."""


class Patience(msgspec.Struct, frozen=True):
    """How long the caller waits, ms: for the greeting, for an answer to begin, for the agent to finish."""

    greeting_ms: float = 15_000.0
    answer_ms: float = 15_000.0
    agent_ms: float = 60_000.0


class Step(Enum):
    """What the caller does next."""

    WAIT = "wait"
    SPEAK = "speak"
    HANG_UP = "hang_up"


class _Phase(Enum):
    GREETING = "greeting"
    SPEAKING = "speaking"
    ANSWER = "answer"
    DONE = "done"


class ScriptFailed(Exception):  # noqa: N818 - the call went wrong, not the program
    """The call cannot go on as scripted; the message says why."""


class CallerScript:
    """The order of a call with `turns` turns."""

    def __init__(self, turns: int, patience: Patience) -> None:
        self.turn = 0
        """Turns that have begun."""
        self._turns = turns
        self._patience = patience
        self._phase = _Phase.GREETING
        self._since_ms = 0.0
        self._agent_began_ms: float | None = None
        self._agent_last_ms = 0.0

    def step(self, now_ms: float, *, speaking: bool, agent_heard: bool, listening: bool) -> Step:
        """One tick.

        speaking: caller speech is being sent. agent_heard: agent audio is playing. listening: the server says that
        it listens. Raises ScriptFailed when the agent does not answer or does not stop.
        """
        if agent_heard:
            self._agent_last_ms = now_ms
            if self._agent_began_ms is None and not speaking:
                self._agent_began_ms = now_ms
        match self._phase:
            case _Phase.SPEAKING:
                if not speaking:
                    self._enter(_Phase.ANSWER, now_ms)
                    if agent_heard:
                        self._agent_began_ms = now_ms
                return Step.WAIT
            case _Phase.GREETING | _Phase.ANSWER:
                return self._await_agent(now_ms, listening=listening)
            case _Phase.DONE:
                return Step.WAIT

    def _await_agent(self, now_ms: float, *, listening: bool) -> Step:
        waited_ms = now_ms - self._since_ms
        if self._agent_began_ms is None:
            if self._phase is _Phase.GREETING and waited_ms > self._patience.greeting_ms:
                raise ScriptFailed(f"no greeting within {waited_ms / 1000:.0f} s")
            if self._phase is _Phase.ANSWER and waited_ms > self._patience.answer_ms:
                raise ScriptFailed(f"turn {self.turn} was not answered within {waited_ms / 1000:.0f} s")
            return Step.WAIT
        if waited_ms > self._patience.agent_ms:
            raise ScriptFailed(f"the agent did not finish within {waited_ms / 1000:.0f} s")
        if not listening or now_ms - self._agent_last_ms < QUIET_MS + GAP_MS:
            return Step.WAIT
        if self.turn == self._turns:
            self._enter(_Phase.DONE, now_ms)
            return Step.HANG_UP
        self.turn += 1
        self._enter(_Phase.SPEAKING, now_ms)
        return Step.SPEAK

    def _enter(self, phase: _Phase, now_ms: float) -> None:
        self._phase = phase
        self._since_ms = now_ms
        self._agent_began_ms = None
