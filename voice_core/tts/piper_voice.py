"""Any Piper voice file, as an option: hundreds of neural voices, each an .onnx with its .onnx.json.

Needs the extra `piper` (its licence is GPL-3.0, so it is not a default). A medium voice took 200 ms for "Sure."
on a busy two-core machine, 3 times real time. `EmbeddedTts` builds it for "piper:/path/to/voice.onnx".
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voice_core.errors import EngineError, EngineUnavailable
from voice_core.tts.engine import RawSpeech
from voice_core.tts.normalise.spoken import SpokenWord, spoken_text

NOISE_SCALE = 0.55
DURATION_NOISE = 0.6
"""A little under Piper's defaults (0.667 and 0.8): steadier words over the telephone."""


class PiperVoice:
    """One Piper voice file. onnxruntime sessions may be used by several threads."""

    def __init__(self, path: Path) -> None:
        try:
            from piper import PiperVoice as Piper
            from piper import SynthesisConfig
        except ImportError as error:
            raise EngineUnavailable('Piper voices need the extra: pip install "parley-voice[piper]"') from error
        for file in (path, Path(f"{path}.json")):
            if not file.is_file():
                raise EngineUnavailable(f"Piper voice file not found: {file}")
        self._path = path
        self._voice: Any = Piper.load(path)
        self._config: Any = SynthesisConfig(noise_scale=NOISE_SCALE, noise_w_scale=DURATION_NOISE)

    @property
    def name(self) -> str:
        """ "piper:", the file's name and size: two files of one name are not mistaken for each other."""
        return f"piper:{self._path.stem}@{self._path.stat().st_size}"

    def synthesise(self, words: Sequence[SpokenWord]) -> RawSpeech:
        """Speak at the voice's own rate (16 or 22.05 kHz)."""
        parts: list[NDArray[np.float32]] = []
        rate_hz = int(self._voice.config.sample_rate)
        try:
            for chunk in self._voice.synthesize(spoken_text(words), self._config):
                parts.append(np.asarray(chunk.audio_float_array, np.float32))
        except Exception as error:
            raise EngineError(f"Piper failed: {type(error).__name__}") from error
        return RawSpeech(np.concatenate(parts) if parts else np.zeros(0, np.float32), rate_hz)

    def close(self) -> None:
        """Nothing to give back before the voice is dropped."""
