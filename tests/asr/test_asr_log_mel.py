"""Our spectrogram must be Whisper's, however the audio arrives."""

import numpy as np
import pytest
from faster_whisper.feature_extractor import FeatureExtractor
from hypothesis import given, settings
from hypothesis import strategies as st

from voice_core.asr.log_mel import N_MELS, LogMel, features, mel_filters
from voice_core.frames import Pcm16

RATE_HZ = 16_000


def chirp(seconds: float, level: float = 8000.0, seed: int = 0) -> Pcm16:
    t = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    noise = np.random.default_rng(seed).normal(0, 200, len(t))
    return np.asarray(level * np.sin(2 * np.pi * (200 * t + 400 * t**2)) + noise, dtype=np.int16)


def whisper_features(pcm: Pcm16, frames: int) -> np.ndarray:
    padded = np.zeros(frames * 160, dtype=np.float32)
    padded[: len(pcm)] = pcm[: len(padded)].astype(np.float32) / 32768.0
    return FeatureExtractor()(padded, padding=0)[:, :frames]


def test_the_filters_are_whispers() -> None:
    stock = FeatureExtractor.get_mel_filters(RATE_HZ, 400, n_mels=N_MELS)
    np.testing.assert_allclose(mel_filters(), stock, atol=1e-6)


@pytest.mark.parametrize("seconds", [0.05, 0.5, 1.7, 3.0])
def test_features_equal_whispers_own(seconds: float) -> None:
    pcm = chirp(seconds)
    mel = LogMel()
    mel.push(pcm)
    ours = features(mel.frames(), 400)
    assert ours.shape == (1, N_MELS, 400)
    assert ours.flags.c_contiguous
    np.testing.assert_allclose(ours[0], whisper_features(pcm, 400), atol=2e-4)


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(1, 2500), min_size=1, max_size=12))
def test_the_size_of_the_pieces_does_not_matter(cuts: list[int]) -> None:
    pcm = chirp(1.1)
    whole, pieces = LogMel(), LogMel()
    whole.push(pcm)
    start = 0
    for cut in cuts:
        pieces.push(pcm[start : start + cut])
        features(pieces.frames(), 200)  # A look in between changes nothing.
        start += cut
    pieces.push(pcm[start:])
    np.testing.assert_allclose(features(pieces.frames(), 200), features(whole.frames(), 200), atol=1e-6)
    assert pieces.duration_s == pytest.approx(1.1)


def test_audio_longer_than_the_window_keeps_its_newest_part() -> None:
    mel = LogMel()
    mel.push(chirp(4.0))
    newest = features(mel.frames(), 200)[0]
    np.testing.assert_allclose(newest, features(mel.frames(), 450)[0][:, 202:402], atol=1e-5)


def test_what_is_dropped_is_gone_and_the_rest_is_unchanged() -> None:
    mel = LogMel()
    mel.push(chirp(3.0))
    before = features(mel.frames(), 500)[0][:, 100:290]
    mel.drop_before(100)
    mel.drop_before(40)  # Dropped already.
    assert mel.first == 100
    assert mel.duration_s == pytest.approx(2.0)
    np.testing.assert_allclose(features(mel.frames(), 400)[0][:, :190], before, atol=1e-5)


@pytest.mark.parametrize("samples", [0, 1, 200])
def test_next_to_nothing_is_silence(samples: int) -> None:
    mel = LogMel()
    mel.push(np.full(samples, 1000, dtype=np.int16))
    assert np.ptp(features(mel.frames(), 100)) == 0.0
