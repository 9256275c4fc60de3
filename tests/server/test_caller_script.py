"""The scripted caller behaves like somebody who listens."""

from collections.abc import Iterator

import pytest

from server.caller_script import GAP_MS, QUIET_MS, CallerScript, Patience, ScriptFailed, Step


class Stage:
    """Runs a script on a made-up 20 ms clock."""

    def __init__(self, turns: int, patience: Patience | None = None) -> None:
        self.script = CallerScript(turns, patience or Patience())
        self.now_ms = 0.0

    def run(
        self, ms: float, *, speaking: bool = False, agent: bool = False, listening: bool = True
    ) -> Iterator[tuple[float, Step]]:
        """Steps other than WAIT, with their time."""
        until = self.now_ms + ms
        while self.now_ms < until:
            self.now_ms += 20
            step = self.script.step(self.now_ms, speaking=speaking, agent_heard=agent, listening=listening)
            if step is not Step.WAIT:
                yield self.now_ms, step

    def greeted(self) -> None:
        """The greeting is over and the first turn has begun."""
        assert list(self.run(1_000, agent=True, listening=False)) == []
        assert [step for _, step in self.run(QUIET_MS + GAP_MS)] == [Step.SPEAK]


def test_the_caller_lets_the_greeting_finish_and_leaves_a_human_gap() -> None:
    stage = Stage(1)
    assert list(stage.run(2_000)) == [], "it waits for the greeting"
    assert list(stage.run(3_000, agent=True, listening=False)) == []
    steps = list(stage.run(2_000))
    assert steps[0] == (5_000 + QUIET_MS + GAP_MS, Step.SPEAK)
    assert stage.script.turn == 1


def test_a_pause_of_the_agent_is_not_its_end_while_the_server_says_that_it_speaks() -> None:
    stage = Stage(1)
    list(stage.run(500, agent=True, listening=False))
    assert list(stage.run(2_000, listening=False)) == []


def test_after_the_last_answer_the_caller_hangs_up() -> None:
    stage = Stage(1)
    stage.greeted()
    assert list(stage.run(800, speaking=True)) == []
    assert list(stage.run(300)) == [], "it waits for the answer"
    assert list(stage.run(600, agent=True, listening=False)) == []
    assert [step for _, step in stage.run(1_000)] == [Step.HANG_UP]


def test_an_answer_that_begins_while_the_caller_still_speaks_counts_when_it_goes_on() -> None:
    stage = Stage(1)
    stage.greeted()
    list(stage.run(400, speaking=True, agent=True, listening=False))
    list(stage.run(400, agent=True, listening=False))
    assert [step for _, step in stage.run(1_000)] == [Step.HANG_UP]


def test_an_agent_that_breaks_off_when_it_hears_the_caller_go_on_has_not_answered_yet() -> None:
    stage = Stage(1)
    stage.greeted()
    list(stage.run(200, speaking=True, agent=True, listening=False))
    list(stage.run(400, speaking=True))
    assert list(stage.run(2_000)) == []


@pytest.mark.parametrize(
    ("agent", "listening", "why"),
    [(False, True, "no greeting"), (True, False, "did not finish"), (False, False, "no greeting")],
)
def test_an_agent_that_never_begins_or_never_ends_is_given_up(agent: bool, listening: bool, why: str) -> None:
    stage = Stage(1, Patience(greeting_ms=2_000, agent_ms=2_000))
    with pytest.raises(ScriptFailed, match=why):
        list(stage.run(2_100, agent=agent, listening=listening))


def test_a_turn_without_an_answer_is_named() -> None:
    stage = Stage(2, Patience(answer_ms=1_000))
    stage.greeted()
    list(stage.run(100, speaking=True))
    with pytest.raises(ScriptFailed, match="turn 1"):
        list(stage.run(1_200))
