"""The optional audio model of the end of a turn. Its weights come with the tests' set-up."""

from concurrent.futures import ThreadPoolExecutor
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

import numpy as np
import pytest

from benchmarks.fake_engines import FakeRecognizer
from voice_core.frames import Pcm16
from voice_core.smart_turn import HearingTheEnd, SmartTurn, smart_turn_features, weights_path
from voice_core.speech import DecodeKind


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    """The model's own front end, loaded by path: the package itself needs much that we do not."""
    path = weights_path().parents[1] / "_whisper_features.py"
    spec = spec_from_file_location("smart_turn_reference", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def voice_like(seconds: float, seed: int) -> Pcm16:
    noise = np.random.default_rng(seed).normal(0, 1, int(seconds * 16_000))
    slow = np.sin(np.arange(len(noise)) / 2_000.0)
    return (np.convolve(noise, np.ones(8) / 8, "same") * slow * 6_000).astype(np.int16)


@pytest.mark.parametrize("seconds", [0.6, 3.0, 8.0, 11.0])
def test_features_are_those_the_model_was_trained_on(reference: ModuleType, seconds: float) -> None:
    pcm = voice_like(seconds, seed=int(seconds))
    window = np.zeros(8 * 16_000, np.float32)
    newest = pcm[-len(window) :].astype(np.float32) / 32768.0
    window[-len(newest) :] = newest
    expected = reference.compute_whisper_log_mel_features(window, do_normalize=True)
    ours = smart_turn_features(pcm)[0]
    # Left out: the two bands below 80 Hz, where the reference spreads the waveform's mean over its padding, and
    # the last 10 ms frame, which it fills by reflection and we by silence.
    assert np.abs(ours - expected)[2:, :-1].max() < 0.02


def test_the_model_gives_a_belief_and_it_depends_on_the_sound() -> None:
    model = SmartTurn()
    beliefs = {round(model.probability(voice_like(2.0, seed)), 6) for seed in range(4)}
    assert all(0.0 <= belief <= 1.0 for belief in beliefs)
    assert len(beliefs) > 1


async def test_a_final_transcript_carries_the_belief_and_a_partial_does_not() -> None:
    with ThreadPoolExecutor(1) as executor:
        recognizer = HearingTheEnd(FakeRecognizer(["hello there"]), SmartTurn(), executor)
        recognizer.push(voice_like(1.0, 1))
        recognizer.begin(500.0)
        recognizer.push(voice_like(1.0, 2))
        partial = await recognizer.decode(DecodeKind.PARTIAL)
        final = await recognizer.decode(DecodeKind.FINAL)
        await recognizer.aclose()
    assert partial.end_probability is None
    assert final.end_probability is not None
    assert final.text == "hello there"
