"""hibari: the default English voice, a 7.9 MB neural model at 24 kHz inside the package `hibari-tts`.

18 ms for "Sure." and 50-100 ms for a sentence on one core; onnxruntime gives the interpreter lock back
meanwhile. It knows the length of the whole but not of each word, so word times come from phoneme counts.
"""

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voice_core.errors import EngineError, EngineUnavailable
from voice_core.tts.engine import RawSpeech
from voice_core.tts.normalise.spoken import SpokenWord, spoken_text

HIBARI_HZ = 24_000
NOISE_SEED = 7
"""The same text always gives the same samples: recordings, caches and tests can be compared."""


class HibariVoice:
    """The voice that ships in the package. Text analysis runs under a lock, the network does not."""

    def __init__(self, speed: float = 1.0) -> None:
        try:
            from hibari import Hibari
        except ImportError as error:
            raise EngineUnavailable('the English voice is not installed: pip install "hibari-tts"') from error
        self._speed = speed
        self._lock = threading.Lock()
        self._hibari: Any = Hibari()
        self._phonemes("Ready.")

    @property
    def name(self) -> str:
        """ "hibari:heart", with the speed when it is not the voice's own."""
        return "hibari:heart" if self._speed == 1.0 else f"hibari:heart@{self._speed:g}"

    def synthesise(self, words: Sequence[SpokenWord]) -> RawSpeech:
        """Speak at 24 kHz."""
        generator = np.random.default_rng(NOISE_SEED)
        try:
            parts: list[NDArray[np.float32]] = [
                self._hibari.from_ids(self._hibari.ids(phonemes), self._speed, generator)
                for phonemes in self._phonemes(spoken_text(words))
            ]
        except Exception as error:
            raise EngineError(f"hibari failed: {type(error).__name__}") from error
        samples = np.concatenate(parts) if parts else np.zeros(0, np.float32)
        return RawSpeech(np.asarray(samples, np.float32), HIBARI_HZ)

    def close(self) -> None:
        """Nothing to give back before the process ends."""

    def _phonemes(self, text: str) -> list[str]:
        with self._lock:
            return list(self._hibari.phonemize(text))
