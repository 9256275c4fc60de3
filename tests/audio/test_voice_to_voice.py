"""The measurement itself, on calls whose truth is known: synthesised speech in noise, and a real voice."""

import re
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.audio.conftest import Say
from voice_core import voice_to_voice
from voice_core.frames import Pcm16
from voice_core.voice_to_voice import Span, conversation, percentile, speech_spans, turn_gaps

RATE = 16_000
Truth = list[tuple[float, float]]


def utterance(rng: np.random.Generator, duration_ms: float, rate_hz: int = RATE) -> NDArray[np.float64]:
    """Whole syllables of a buzzing voice, 4 a second, with edges as sharp as a stop consonant's. Peak 0.3."""
    count = int(duration_ms * rate_hz / 1000)
    time = np.arange(count) / rate_hz
    voice = np.asarray(sum(np.sin(2 * np.pi * 130 * k * time + rng.uniform(0, 6)) / k for k in range(1, 15)))
    syllables = 0.55 + 0.45 * np.cos(2 * np.pi * round(duration_ms / 250) * time * 1000 / duration_ms)
    edge = np.minimum(1, np.minimum(np.arange(count), np.arange(count)[::-1]) / (0.005 * rate_hz))
    sound = voice * syllables * edge
    return 0.3 * sound / np.abs(sound).max()


def channel(rng: np.random.Generator, length_ms: float, truth: Truth, noise_dbfs: float | None = None) -> Pcm16:
    out = np.zeros(int(length_ms * RATE / 1000))
    for start, end in truth:
        sound = utterance(rng, end - start)
        at = int(start * RATE / 1000)
        out[at : at + sound.size] += sound
    if noise_dbfs is not None:
        out += rng.normal(0, 10 ** (noise_dbfs / 20), out.size)
    return (np.clip(out, -1, 1) * 32767).astype(np.int16)


def noise_for(snr_db: float) -> float:
    """Level of a noise this far under the utterances of `utterance`, dBFS."""
    sound = utterance(np.random.default_rng(0), 2_000)
    return float(10 * np.log10(np.mean(sound**2)) - snr_db)


def worst_edge_ms(found: Sequence[Span], truth: Truth) -> float:
    assert len(found) == len(truth)
    return max(max(abs(f.start_ms - s), abs(f.end_ms - e)) for f, (s, e) in zip(found, truth, strict=True))


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    pieces=st.lists(st.tuples(st.integers(300, 1_500), st.integers(300, 2_000)), min_size=1, max_size=4),
    snr_db=st.sampled_from([20.0, 30.0, None]),
)
def test_speech_is_placed_within_15_ms_at_20_db_above_the_noise(
    seed: int, pieces: list[tuple[int, int]], snr_db: float | None
) -> None:
    rng = np.random.default_rng(seed)
    truth: Truth = []
    at = 700.0
    for length, pause in pieces:
        truth.append((at, at + length))
        at += length + pause
    pcm = channel(rng, at + 500, truth, None if snr_db is None else noise_for(snr_db))
    assert worst_edge_ms(speech_spans(pcm, RATE), truth) <= 15


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), gaps=st.lists(st.integers(80, 3_000), min_size=1, max_size=4))
def test_each_answer_has_its_gap(seed: int, gaps: list[int]) -> None:
    rng = np.random.default_rng(seed)
    at = 500.0
    caller: Truth = []
    agent: Truth = []
    for gap in gaps:
        caller.append((at, at + 900))
        at += 900 + gap
        agent.append((at, at + 800))
        at += 800 + 600
    left = channel(rng, at, caller, noise_for(20))
    right = channel(rng, at, agent)
    measured = [turn.gap_ms for turn in turn_gaps(left, right, RATE)]
    assert measured == pytest.approx(gaps, abs=15)


def test_a_greeting_is_not_an_answer() -> None:
    rng = np.random.default_rng(1)
    left = channel(rng, 5_000, [(2_500, 3_500)])
    right = channel(rng, 5_000, [(200, 1_800), (3_900, 4_600)])
    assert [round(turn.gap_ms, -1) for turn in turn_gaps(left, right, RATE)] == [400]


def test_speaking_over_the_caller_is_a_negative_gap() -> None:
    rng = np.random.default_rng(2)
    left = channel(rng, 5_000, [(500, 2_500)])
    right = channel(rng, 5_000, [(2_000, 3_000)])
    assert turn_gaps(left, right, RATE)[0].gap_ms == pytest.approx(-500, abs=15)


def test_an_interruption_is_timed_from_the_callers_onset_to_the_agents_silence() -> None:
    rng = np.random.default_rng(3)
    left = channel(rng, 8_000, [(2_000, 3_000)])
    right = channel(rng, 8_000, [(500, 2_250), (3_400, 4_400)])
    call = conversation(left, right, RATE)
    assert [stop.silence_after_ms for stop in call.interruptions] == [pytest.approx(250, abs=15)]
    assert [turn.gap_ms for turn in call.turns] == [pytest.approx(400, abs=15)]


def test_pauses_between_the_agents_sentences_are_not_new_answers() -> None:
    rng = np.random.default_rng(4)
    left = channel(rng, 6_000, [(500, 1_500)])
    right = channel(rng, 6_000, [(1_900, 2_800), (3_300, 4_200)])
    assert len(turn_gaps(left, right, RATE)) == 1


def test_speech_that_nobody_answered_is_reported() -> None:
    rng = np.random.default_rng(5)
    left = channel(rng, 6_000, [(500, 1_500), (4_000, 5_000)])
    right = channel(rng, 6_000, [(1_900, 2_800)])
    unanswered = conversation(left, right, RATE).unanswered
    assert [round(span.end_ms, -2) for span in unanswered] == [5_000]


def test_the_truth_replaces_what_the_channel_shows() -> None:
    rng = np.random.default_rng(6)
    left = channel(rng, 5_000, [(500, 1_500), (1_900, 2_000)])  # the second one is a cough
    right = channel(rng, 5_000, [(2_300, 3_000)])
    assert turn_gaps(left, right, RATE)[0].gap_ms == pytest.approx(300, abs=15)
    truth = [Span(500, 1_500)]
    assert turn_gaps(left, right, RATE, truth)[0].gap_ms == pytest.approx(800, abs=15)


@pytest.mark.parametrize("noise_dbfs", [None, -75.0, -60.0, -40.0])
def test_a_line_without_speech_has_none(noise_dbfs: float | None) -> None:
    pcm = channel(np.random.default_rng(7), 20_000, [], noise_dbfs)
    assert speech_spans(pcm, RATE) == []


def test_a_click_is_not_speech() -> None:
    pcm = channel(np.random.default_rng(8), 4_000, [(2_000, 3_000)], -60)
    pcm[16_000:16_200] = 12_000
    assert worst_edge_ms(speech_spans(pcm, RATE), [(2_000, 3_000)]) <= 15


def test_an_even_tone_counts_as_sound() -> None:
    pcm = np.zeros(RATE * 2, np.int16)
    pcm[8_000:16_000] = (8_000 * np.sin(np.arange(8_000) * 0.2)).astype(np.int16)
    assert worst_edge_ms(speech_spans(pcm, RATE), [(500, 1_000)]) <= 3


def test_a_line_that_gets_noisier_during_the_call_is_followed() -> None:
    rng = np.random.default_rng(9)
    truth: Truth = [(2_000, 3_000), (28_000, 29_000)]
    pcm = channel(rng, 32_000, truth, -62)
    pcm[15 * RATE :] += rng.normal(0, 32768 * 10 ** (noise_for(20) / 20), pcm.size - 15 * RATE).astype(np.int16)
    found = [s for s in speech_spans(pcm, RATE) if not 14_900 < s.start_ms < 15_100]
    assert worst_edge_ms(found, truth) <= 15


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 24_000])
@pytest.mark.parametrize("snr_db", [None, 20.0])
def test_a_real_voice_is_placed_where_it_really_speaks(say: Say, rate_hz: int, snr_db: float | None) -> None:
    """A voice fades out: its end lies where the clean voice falls 20 to 30 dB under its loudest 10 ms."""
    padding = np.zeros(rate_hz)
    clean = np.concatenate((padding, say("Good morning, can I book a cleaning on Tuesday?", rate_hz), padding))
    width = rate_hz // 100
    smooth = np.convolve(clean**2, np.full(width, 1 / width), "same")
    core, all_of_it = (np.flatnonzero(smooth > smooth.max() * 10 ** (db / 10)) for db in (-20, -30))
    noise = 0.0 if snr_db is None else np.sqrt(np.mean(clean[core] ** 2)) * 10 ** (-snr_db / 20)
    noisy = clean + np.random.default_rng(10).normal(0, 1, clean.size) * noise
    found = speech_spans((np.clip(noisy, -1, 1) * 32767).astype(np.int16), rate_hz)
    per_ms = rate_hz / 1000
    assert all_of_it[0] / per_ms - 15 <= found[0].start_ms <= core[0] / per_ms + 15
    assert core[-1] / per_ms - 15 <= found[-1].end_ms <= all_of_it[-1] / per_ms + 15


def test_percentiles_are_values_that_were_measured() -> None:
    assert percentile([5, 1, 3], 0.5) == 3
    assert percentile([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 0.9) == 9
    assert percentile([300, float("inf")], 0.99) == float("inf")
    assert np.isnan(percentile([], 0.5))


def write_call(path: Path) -> None:
    rng = np.random.default_rng(11)
    stereo = np.stack((channel(rng, 4_000, [(500, 1_500)]), channel(rng, 4_000, [(1_850, 3_000)])), axis=1)
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, RATE, 0, "NONE", ""))
        file.writeframes(stereo.astype("<i2").tobytes())


def test_the_command_prints_the_turns_of_a_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_call(tmp_path / "call.wav")
    assert voice_to_voice.main([str(tmp_path / "call.wav")]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"1 +1\.\d+ s +1\.\d+ s +3[45]\d\n", printed)
    assert "p50" in printed


def test_the_command_says_what_it_cannot_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "note.txt").write_text("hello")
    assert voice_to_voice.main([str(tmp_path / "note.txt")]) == 1
    assert voice_to_voice.main([str(tmp_path / "missing.wav")]) == 1
    assert "cannot measure" in capsys.readouterr().err
