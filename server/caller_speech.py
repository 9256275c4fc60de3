"""What a scripted caller says: sentences spoken by the embedded voices, or recordings.

Used by `parley call`; benchmarks and tests that bring their own audio need nothing of it.
"""

import asyncio
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
import soxr

from server.caller import Turn
from voice_core.frames import Pcm16
from voice_core.speech import Voice
from voice_core.tts.embedded import EmbeddedTts

CALLER_PITCH = {"en": 1.06}
"""The caller speaks with the agent's voice a semitone higher and a little faster, so that ears can tell them apart.
Only where recognition understands it as well as the voice itself: the French voice loses words at 0.94 and at 1.06."""


def speak_sentences(sentences: Sequence[str], language: str, rate_hz: int) -> list[Turn]:
    """Render each sentence. Raises EngineUnavailable and EngineError."""
    tts = EmbeddedTts.load((language,))
    try:
        return asyncio.run(_render(tts.voice(), sentences, language, rate_hz))
    finally:
        tts.close()


def turn_from_file(path: Path, rate_hz: int) -> Turn:
    """One recording as a turn, mixed to mono. Raises OSError when it cannot be read as sound."""
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise OSError(f"{path} cannot be read: {error}") from error
    return Turn(path.name, _at_rate(samples.mean(axis=1), rate, rate_hz))


async def _render(voice: Voice, sentences: Sequence[str], language: str, rate_hz: int) -> list[Turn]:
    turns: list[Turn] = []
    for sentence in sentences:
        chunks = [chunk.pcm async for chunk in voice.render(sentence, language)]
        samples = np.concatenate(chunks).astype(np.float32) / 32768
        turns.append(Turn(sentence, _at_rate(samples, voice.sample_rate * CALLER_PITCH.get(language, 1.0), rate_hz)))
    await voice.aclose()
    return turns


def _at_rate(samples: np.ndarray, from_hz: float, to_hz: int) -> Pcm16:
    resampled = soxr.resample(samples, from_hz, to_hz, quality="HQ") if not math.isclose(from_hz, to_hz) else samples
    return np.clip(np.rint(resampled * 32768), -32768, 32767).astype(np.int16)
