import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from voice_core.engines.health import (
    FIRST_PAUSE_S,
    HEALTHY,
    LONGEST_PAUSE_S,
    TRANSITIONS,
    EngineEvent,
    HealthBook,
    HealthEvent,
    HealthState,
    IllegalHealthEvent,
    step,
)


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_one_failure_sets_an_engine_aside_for_the_first_pause():
    failing = step(HEALTHY, HealthEvent.FAILED, 10.0)
    assert failing.state is HealthState.FAILING
    assert failing.retry_at_s == 10.0 + FIRST_PAUSE_S


def test_a_failed_probe_doubles_the_pause_up_to_the_longest():
    health, now_s = step(HEALTHY, HealthEvent.FAILED, 0.0), 0.0
    pauses = [health.pause_s]
    for _ in range(8):
        now_s = health.retry_at_s
        health = step(step(health, HealthEvent.PROBED, now_s), HealthEvent.FAILED, now_s)
        pauses.append(health.pause_s)
    assert pauses[:4] == [5.0, 10.0, 20.0, 40.0]
    assert pauses[-1] == LONGEST_PAUSE_S


def test_a_probe_before_its_time_is_an_error_of_the_caller():
    failing = step(HEALTHY, HealthEvent.FAILED, 0.0)
    with pytest.raises(IllegalHealthEvent):
        step(failing, HealthEvent.PROBED, FIRST_PAUSE_S - 0.1)


@pytest.mark.parametrize("state", [HealthState.HEALTHY, HealthState.PROBING])
def test_only_a_failing_engine_is_probed(state: HealthState):
    assert (state, HealthEvent.PROBED) not in TRANSITIONS


def test_failing_engines_come_last_but_are_not_forgotten():
    book = HealthBook(Clock())
    book.note("a", HealthEvent.FAILED, 0.0)
    assert book.order(["a", "b", "c"]) == ["b", "c", "a"]


def test_the_observer_hears_of_every_request():
    events: list[EngineEvent] = []
    clock = Clock()
    book = HealthBook(clock, events.append)
    began_s = clock()
    clock.now_s += 2.0
    book.note("a", HealthEvent.FAILED, began_s, "no answer")
    assert events == [EngineEvent("a", HealthEvent.FAILED, HealthState.FAILING, 2.0, "no answer")]


class AnyOrderOfEvents(RuleBasedStateMachine):
    """One engine under any order of results, probes and time."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.book = HealthBook(self.clock)
        self.failed_since_healthy = False

    @property
    def health(self):
        return self.book.of("a")

    @rule(seconds=st.floats(0.0, 300.0))
    def time_passes(self, seconds: float) -> None:
        self.clock.now_s += seconds

    @rule(event=st.sampled_from([HealthEvent.SUCCEEDED, HealthEvent.FAILED, HealthEvent.ABANDONED]))
    def a_request_ends(self, event: HealthEvent) -> None:
        self.book.note("a", event, self.clock())
        if event is HealthEvent.SUCCEEDED:
            self.failed_since_healthy = False
            assert self.health == HEALTHY
        if event is HealthEvent.FAILED:
            self.failed_since_healthy = True
            assert self.health.state is HealthState.FAILING

    @precondition(lambda self: self.book.probe_due(["a"]) == "a")
    @rule()
    def a_probe_begins(self) -> None:
        self.book.note("a", HealthEvent.PROBED, self.clock())
        assert self.book.probe_due(["a"]) is None, "one probe at a time"

    @invariant()
    def it_is_healthy_exactly_when_nothing_failed_since_a_success(self) -> None:
        assert (self.health.state is HealthState.HEALTHY) == (not self.failed_since_healthy)

    @invariant()
    def a_pause_is_bounded_and_ends(self) -> None:
        if self.health.state is HealthState.HEALTHY:
            assert self.health == HEALTHY
        else:
            assert FIRST_PAUSE_S <= self.health.pause_s <= LONGEST_PAUSE_S
            assert self.health.retry_at_s <= self.clock() + LONGEST_PAUSE_S


TestAnyOrderOfEvents = AnyOrderOfEvents.TestCase
