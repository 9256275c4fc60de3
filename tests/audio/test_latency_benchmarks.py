"""How the benchmarks judge a turn and an interruption, from what was heard and told."""

import math

import numpy as np
import pytest

from benchmarks.barge_in import Probe, ProbeKind, reaction
from benchmarks.barge_in import summary as barge_in_summary
from benchmarks.socket_call import Told
from benchmarks.voice_to_voice import TurnFigures, figures, summary
from voice_core.voice_to_voice import Span

CALLER = [Span(100, 900), Span(1_300, 2_000)]
PROBE = Probe(ProbeKind.BACKCHANNEL, "mm-hm", np.zeros(1, np.int16))
FROM_MS = 5_000.0


def final(at_ms: float, text: str = "hello") -> Told:
    return Told(FROM_MS + at_ms, {"type": "transcript", "role": "caller", "text": text, "final": True})


def turn(agent: list[Span], told: list[Told] | None = None) -> TurnFigures:
    return figures("a turn", agent, CALLER, told or [], FROM_MS)


def test_the_gap_runs_from_the_callers_last_word_to_the_answer() -> None:
    answered = turn([Span(2_400, 3_000)], [final(2_200)])
    assert (answered.gap_ms, answered.cut_off_ms, answered.heard) == (400, 0, "hello")


def test_no_answer_is_worse_than_any_other() -> None:
    assert turn([]).gap_ms == math.inf
    total = summary([turn([Span(2_400, 3_000)]), turn([])])
    assert (total.p50_ms, total.p99_ms, total.missing) == (400, math.inf, 0.5)


def test_speaking_into_a_pause_of_the_caller_is_a_cut_off() -> None:
    spoken_into = turn([Span(1_200, 1_450), Span(2_300, 3_000)])
    assert (spoken_into.cut_off_ms, spoken_into.gap_ms) == (800, 300)


def test_taking_half_a_sentence_for_final_is_a_cut_off_even_in_silence() -> None:
    assert turn([Span(2_400, 3_000)], [final(1_100), final(2_200)]).cut_off_ms == 900


def test_an_answer_that_is_taken_back_counts_until_the_real_one() -> None:
    clears = [Told(FROM_MS + at, {"type": "clear"}) for at in (1_350.0, 2_900.0)]
    assert turn([Span(2_400, 3_000)], clears).aborted == 1


@pytest.mark.parametrize(
    ("agent", "told", "silent_after_ms", "interrupted", "resumed"),
    [
        ([Span(0, 750), Span(1_400, 5_000)], [], 150, False, True),
        ([Span(0, 750)], [], 150, False, False),
        ([Span(0, 750), Span(1_900, 3_000)], [final(1_500)], 150, True, False),
        ([Span(0, 500), Span(620, 4_000)], [], None, False, True),
        ([Span(0, 3_000)], [], None, False, True),
    ],
    ids=["pauses and goes on", "stops for good", "gives way", "does not react", "ends by itself"],
)
def test_what_the_agent_did_with_a_sound(
    agent: list[Span], told: list[Told], silent_after_ms: float | None, interrupted: bool, resumed: bool
) -> None:
    seen = reaction(PROBE, 600, agent, told, FROM_MS)
    assert (seen.silent_after_ms, seen.interrupted, seen.resumed) == (silent_after_ms, interrupted, resumed)


def test_each_kind_of_sound_is_summed_up_on_its_own() -> None:
    rows = barge_in_summary([reaction(PROBE, 600, [Span(0, 750)], [], FROM_MS)])
    assert list(rows) == ["backchannel"]
    assert rows["backchannel"]["resumed"] == 0
    assert rows["backchannel"]["silent_after_p95_ms"] == 150
