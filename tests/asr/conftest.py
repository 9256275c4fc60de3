"""Speech for the recogniser's tests: made by the packaged voices, so that no recording is needed."""

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
import pytest
import soxr

from voice_core.asr.engine import WhisperEngine
from voice_core.asr.models import find_tiny_en
from voice_core.asr.whisper import WhisperModel
from voice_core.frames import ANALYSIS_HZ, Pcm16
from voice_core.tts.embedded import DEFAULT_VOICES, build_engine
from voice_core.tts.normalise import speakable

LINE_NOISE_RMS = 20.0
"""A telephone line is never digitally silent."""


@pytest.fixture(scope="session")
def caller() -> Callable[[str, str], Pcm16]:
    """Says a text in a language: 16 kHz mono."""
    voices = cache(lambda language: build_engine(DEFAULT_VOICES[language], language))

    @cache
    def say(text: str, language: str) -> Pcm16:
        speech = voices(language).synthesise(speakable(text, language))
        audio = soxr.resample(speech.samples, speech.rate_hz, ANALYSIS_HZ) * 32767
        noise = np.random.default_rng(7).normal(0, LINE_NOISE_RMS, len(audio))
        return np.asarray(np.clip(audio + noise, -32768, 32767), dtype=np.int16)

    return say


@pytest.fixture(scope="session")
def english(caller: Callable[[str, str], Pcm16]) -> Callable[[str], Pcm16]:
    """Says an English text."""
    return lambda text: caller(text, "en")


@pytest.fixture(scope="session")
def tiny() -> WhisperModel:
    """The English network alone."""
    return WhisperModel(find_tiny_en(), workers=1)


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WhisperEngine]:
    """The engine of a tenant whose callers speak English, French and Arabic."""
    loaded = WhisperEngine.load(tmp_path_factory.mktemp("models"), ("en", "fr", "ary"), threads=2)
    yield loaded
    loaded.close()
