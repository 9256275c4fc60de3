"""The decision alone: windows of chosen probability and level, no audio and no network."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_core.frames import ANALYSIS_HZ, VAD_WINDOW_SAMPLES
from voice_core.vad import HOP_SAMPLES, Boundary, EdgeKind, VadMachine, VadSettings

QUIET_DBFS = -70.0
LOUD_DBFS = -20.0
HOPS = VAD_WINDOW_SAMPLES // HOP_SAMPLES
WINDOW_MS = VAD_WINDOW_SAMPLES * 1000 / ANALYSIS_HZ
HOP_MS = HOP_SAMPLES * 1000 / ANALYSIS_HZ

Window = tuple[float, list[float]]
SILENCE: Window = (0.02, [QUIET_DBFS] * HOPS)
SPEECH: Window = (0.95, [LOUD_DBFS] * HOPS)
LINE: list[Window] = [SILENCE] * 30


def ms(boundary: Boundary) -> float:
    return boundary.at * 1000 / ANALYSIS_HZ


def run(machine: VadMachine, windows: Sequence[Window]) -> list[tuple[float, Boundary]]:
    """Boundaries, each with the time at which it was told."""
    told: list[tuple[float, Boundary]] = []
    for number, (probability, hops) in enumerate(windows, 1):
        boundary = machine.step(probability, hops)
        if boundary is not None:
            told.append((number * WINDOW_MS, boundary))
    return told


def kinds(told: Sequence[tuple[float, Boundary]]) -> list[EdgeKind]:
    return [boundary.kind for _, boundary in told]


def test_a_word_starts_after_two_windows_and_points_back_to_its_first_hop() -> None:
    first: Window = (0.9, [QUIET_DBFS, QUIET_DBFS, LOUD_DBFS, LOUD_DBFS])
    ((told_ms, started),) = run(VadMachine(VadSettings()), [*LINE, first, SPEECH])
    assert started.kind is EdgeKind.STARTED
    assert ms(started) == 30 * WINDOW_MS + 2 * HOP_MS
    assert told_ms == 32 * WINDOW_MS


def test_a_beginning_that_the_network_missed_is_found_by_its_level() -> None:
    unsure: Window = (0.3, [QUIET_DBFS, LOUD_DBFS, LOUD_DBFS, LOUD_DBFS])
    ((_, started),) = run(VadMachine(VadSettings()), [*LINE, unsure, SPEECH, SPEECH])
    assert ms(started) == 30 * WINDOW_MS + HOP_MS


def test_the_end_is_the_last_loud_hop_and_is_told_112_ms_later() -> None:
    last: Window = (0.9, [LOUD_DBFS, QUIET_DBFS, QUIET_DBFS, QUIET_DBFS])
    told = run(VadMachine(VadSettings()), [*LINE, *[SPEECH] * 10, last, *[SILENCE] * 10])
    assert kinds(told) == [EdgeKind.STARTED, EdgeKind.STOPPED]
    told_ms, stopped = told[1]
    assert ms(stopped) == 40 * WINDOW_MS + HOP_MS
    assert 112 <= told_ms - ms(stopped) < 112 + WINDOW_MS


def test_the_network_may_still_hear_speech_when_the_level_says_it_is_over() -> None:
    tail: Window = (0.9, [QUIET_DBFS] * HOPS)
    told = run(VadMachine(VadSettings()), [*LINE, *[SPEECH] * 10, tail, tail, tail, tail])
    assert kinds(told) == [EdgeKind.STARTED, EdgeKind.STOPPED]
    assert ms(told[1][1]) == 40 * WINDOW_MS


def test_a_last_sound_that_the_network_does_not_know_belongs_to_the_word() -> None:
    hiss: Window = (0.1, [LOUD_DBFS - 15, LOUD_DBFS - 15, QUIET_DBFS, QUIET_DBFS])
    told = run(VadMachine(VadSettings()), [*LINE, *[SPEECH] * 10, hiss, *[SILENCE] * 10])
    assert ms(told[1][1]) == 40 * WINDOW_MS + 2 * HOP_MS


def test_noise_that_begins_with_the_end_of_speech_does_not_keep_it_open() -> None:
    fan: Window = (0.1, [LOUD_DBFS - 6] * HOPS)
    told = run(VadMachine(VadSettings()), [*LINE, *[SPEECH] * 10, *[fan] * 10])
    assert kinds(told) == [EdgeKind.STARTED, EdgeKind.STOPPED]
    assert ms(told[1][1]) <= 41 * WINDOW_MS


def test_a_stop_consonant_is_not_a_pause() -> None:
    told = run(VadMachine(VadSettings()), [*LINE, *[SPEECH] * 5, *[SILENCE] * 3, *[SPEECH] * 5])
    assert kinds(told) == [EdgeKind.STARTED]


def test_a_click_is_not_speech() -> None:
    click: Window = (0.6, [QUIET_DBFS, LOUD_DBFS, QUIET_DBFS, QUIET_DBFS])
    assert run(VadMachine(VadSettings()), [*LINE, click, *[SILENCE] * 5, click, *[SILENCE] * 20]) == []


def test_while_the_agent_speaks_more_evidence_is_needed() -> None:
    short = [*LINE, *[SPEECH] * 3, *[SILENCE] * 10]
    machine = VadMachine(VadSettings())
    assert kinds(run(machine, short)) == [EdgeKind.STARTED, EdgeKind.STOPPED]
    machine.agent_speaking(True)
    assert run(machine, short) == []
    assert kinds(run(machine, [*LINE, *[SPEECH] * 4])) == [EdgeKind.STARTED]


def test_an_echo_quieter_than_the_caller_does_not_interrupt() -> None:
    machine = VadMachine(VadSettings())
    run(machine, [*LINE, *[SPEECH] * 60, *[SILENCE] * 20])
    machine.agent_speaking(True)
    echo: Window = (0.95, [LOUD_DBFS - 22] * HOPS)
    assert run(machine, [echo] * 60) == []
    assert kinds(run(machine, [SPEECH] * 6)) == [EdgeKind.STARTED]


@pytest.mark.parametrize("loud_dbfs", [-45.0, -30.0, -10.0])
def test_quiet_and_loud_talkers_are_heard_alike(loud_dbfs: float) -> None:
    word: Window = (0.9, [loud_dbfs] * HOPS)
    told = run(VadMachine(VadSettings()), [*LINE, *[word] * 10, *[SILENCE] * 10])
    assert [round(ms(boundary)) for _, boundary in told] == [30 * 32, 40 * 32]


def test_on_a_noisy_line_soft_syllables_do_not_make_pauses() -> None:
    noise: Window = (0.05, [-40.0] * HOPS)
    soft: Window = (0.9, [-38.0] * HOPS)
    told = run(VadMachine(VadSettings()), [*[noise] * 60, *[SPEECH] * 5, *[soft] * 8, *[SPEECH] * 5, *[noise] * 10])
    assert kinds(told) == [EdgeKind.STARTED, EdgeKind.STOPPED]
    assert ms(told[1][1]) == pytest.approx(78 * WINDOW_MS, abs=WINDOW_MS)


def test_a_line_that_becomes_noisy_is_learnt_within_two_seconds() -> None:
    machine = VadMachine(VadSettings())
    run(machine, [*LINE, *[(0.05, [-40.0] * HOPS)] * 60])
    assert machine.noise_dbfs == pytest.approx(-40, abs=3)
    run(machine, [*LINE])
    assert machine.noise_dbfs == pytest.approx(QUIET_DBFS, abs=3)


def test_speech_is_counted_from_first_to_last_sound() -> None:
    machine = VadMachine(VadSettings())
    run(machine, [*LINE, *[SPEECH] * 10, *[SILENCE] * 20, *[SPEECH] * 5])
    assert machine.speech_samples == 15 * VAD_WINDOW_SAMPLES


windows = st.lists(
    st.tuples(st.floats(0, 1), st.lists(st.floats(-90, 0), min_size=HOPS, max_size=HOPS), st.booleans()),
    max_size=200,
)


@given(windows)
def test_whatever_comes_in_starts_and_stops_alternate_in_order(
    given_windows: list[tuple[float, list[float], bool]],
) -> None:
    machine = VadMachine(VadSettings())
    boundaries: list[Boundary] = []
    for number, (probability, hops, agent) in enumerate(given_windows, 1):
        machine.agent_speaking(agent)
        boundary = machine.step(probability, hops)
        if boundary is not None:
            boundaries.append(boundary)
            assert 0 <= boundary.at <= number * VAD_WINDOW_SAMPLES
        assert machine.speaking == (len(boundaries) % 2 == 1)
    for index, boundary in enumerate(boundaries):
        assert boundary.kind is (EdgeKind.STARTED if index % 2 == 0 else EdgeKind.STOPPED)
    stops = boundaries[1::2]
    assert all(start.at < stop.at for start, stop in zip(boundaries[0::2], stops, strict=False))
    assert all(stop.at <= start.at for stop, start in zip(stops, boundaries[2::2], strict=False))


@given(windows)
def test_silence_always_ends_speech(given_windows: list[tuple[float, list[float], bool]]) -> None:
    machine = VadMachine(VadSettings())
    for probability, hops, _ in given_windows:
        machine.step(probability, hops)
    run(machine, [SILENCE] * 5)
    assert not machine.speaking
