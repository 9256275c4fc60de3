"""Whether an engine can be relied on now: one small table, with the time passed in.

An engine that fails once is left alone for a while, so that its failure costs a caller one time-out
once and not one on every turn. After the pause one probe runs beside a live request, in its shadow:
the caller is served by the next engine, and the probe's result alone decides whether the engine
comes back. So neither failing nor recovering is ever paid for twice by a caller.

    state     event      next      why
    healthy   succeeded  healthy
    healthy   failed     failing   the pause begins at FIRST_PAUSE_S
    healthy   abandoned  healthy   the caller hung up: it says nothing about the engine
    failing   probed     probing   only once the pause is over, and only one probe at a time
    failing   succeeded  healthy   a request used as a last resort, or begun before the failure
    failing   failed     failing   begun before the failure, or a last resort: the pause is not longer
    failing   abandoned  failing
    probing   succeeded  healthy
    probing   failed     failing   the pause doubles up to LONGEST_PAUSE_S
    probing   abandoned  failing   the next request may probe at once

Used by the fallback chains of `voice_core.engines` and of `agents.llm`; one `HealthBook` serves all
calls of a process.
"""

from collections.abc import Callable, Sequence
from enum import Enum

import msgspec

FIRST_PAUSE_S = 5.0
"""Long enough for a provider's hiccup to pass, short enough that a call gets its engine back."""

LONGEST_PAUSE_S = 120.0


class HealthState(Enum):
    """What is known of an engine."""

    HEALTHY = "healthy"
    FAILING = "failing"
    PROBING = "probing"


class HealthEvent(Enum):
    """What happened with one request to an engine."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    PROBED = "probed"
    ABANDONED = "abandoned"


class Health(msgspec.Struct, frozen=True):
    """An engine's state. pause_s: of the current failure. retry_at_s: when a probe may run."""

    state: HealthState = HealthState.HEALTHY
    pause_s: float = 0.0
    retry_at_s: float = 0.0


HEALTHY = Health()


class IllegalHealthEvent(Exception):  # noqa: N818 - a fault of the caller, never of an engine
    """An event that the table does not have."""


def _stay(health: Health, now_s: float) -> Health:
    return health


def _recover(health: Health, now_s: float) -> Health:
    return HEALTHY


def _fail(health: Health, now_s: float) -> Health:
    return Health(HealthState.FAILING, FIRST_PAUSE_S, now_s + FIRST_PAUSE_S)


def _probe(health: Health, now_s: float) -> Health:
    if now_s < health.retry_at_s:
        raise IllegalHealthEvent(f"a probe is due in {health.retry_at_s - now_s:.1f} s")
    return Health(HealthState.PROBING, health.pause_s, health.retry_at_s)


def _fail_again(health: Health, now_s: float) -> Health:
    pause_s = min(health.pause_s * 2, LONGEST_PAUSE_S)
    return Health(HealthState.FAILING, pause_s, now_s + pause_s)


def _probe_again(health: Health, now_s: float) -> Health:
    return Health(HealthState.FAILING, health.pause_s, now_s)


TRANSITIONS: dict[tuple[HealthState, HealthEvent], Callable[[Health, float], Health]] = {
    (HealthState.HEALTHY, HealthEvent.SUCCEEDED): _stay,
    (HealthState.HEALTHY, HealthEvent.FAILED): _fail,
    (HealthState.HEALTHY, HealthEvent.ABANDONED): _stay,
    (HealthState.FAILING, HealthEvent.PROBED): _probe,
    (HealthState.FAILING, HealthEvent.SUCCEEDED): _recover,
    (HealthState.FAILING, HealthEvent.FAILED): _stay,
    (HealthState.FAILING, HealthEvent.ABANDONED): _stay,
    (HealthState.PROBING, HealthEvent.SUCCEEDED): _recover,
    (HealthState.PROBING, HealthEvent.FAILED): _fail_again,
    (HealthState.PROBING, HealthEvent.ABANDONED): _probe_again,
}


def step(health: Health, event: HealthEvent, now_s: float) -> Health:
    """The state after `event` at `now_s` (monotonic). Raises IllegalHealthEvent."""
    move = TRANSITIONS.get((health.state, event))
    if move is None:
        raise IllegalHealthEvent(f"{event.value} while {health.state.value}")
    return move(health, now_s)


class EngineEvent(msgspec.Struct, frozen=True):
    """One request to an engine, for metrics. engine: its name. duration_s: until result or failure.

    message: of the error, "" otherwise; it never holds a caller's words or a key.
    """

    engine: str
    event: HealthEvent
    state: HealthState
    duration_s: float
    message: str = ""


class HealthBook:
    """The health of every engine of the process, by name. Used on the event loop only.

    clock: monotonic seconds. observer: told of every event, for counters and logs.
    """

    def __init__(
        self, clock: Callable[[], float], observer: Callable[[EngineEvent], None] = lambda event: None
    ) -> None:
        self.clock = clock
        self._observer = observer
        self._health: dict[str, Health] = {}

    def of(self, engine: str) -> Health:
        """The engine's health; one that was never used is healthy."""
        return self._health.get(engine, HEALTHY)

    def note(self, engine: str, event: HealthEvent, began_s: float, message: str = "") -> None:
        """Record how a request that began at `began_s` ended.

        A request that ends while a probe runs counts as the probe's result: it is as fresh.
        """
        now_s = self.clock()
        health = step(self.of(engine), event, now_s)
        self._health[engine] = health
        self._observer(EngineEvent(engine, event, health.state, now_s - began_s, message))

    def order(self, engines: Sequence[str]) -> list[str]:
        """The engines to try: healthy ones in the given order, then the others as a last resort."""
        return sorted(engines, key=lambda engine: self.of(engine).state is not HealthState.HEALTHY)

    def probe_due(self, engines: Sequence[str]) -> str | None:
        """The first engine whose pause is over, or None."""
        now_s = self.clock()
        for engine in engines:
            health = self.of(engine)
            if health.state is HealthState.FAILING and now_s >= health.retry_at_s:
                return engine
        return None
