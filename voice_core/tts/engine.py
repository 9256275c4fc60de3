"""What a speech engine must do: turn spoken words into raw samples, in a worker thread.

Trimming, loudness, caching and estimated word times are common to all engines and live elsewhere;
`EmbeddedTts` is the only caller.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from voice_core.tts.normalise.spoken import SpokenWord


class RawSpeech(msgspec.Struct, frozen=True):
    """Samples as the engine made them.

    samples: mono float32 in -1..1. word_ends_ms: end of each spoken word, in the order given, from the
    first sample; empty when the engine does not know.
    """

    samples: NDArray[np.float32]
    rate_hz: int
    word_ends_ms: tuple[float, ...] = ()


class Engine(Protocol):
    """One voice. `synthesise` blocks and may be called from any thread."""

    @property
    def name(self) -> str:
        """Engine and voice, such as "hibari:heart": part of the key of cached phrases."""
        ...

    def synthesise(self, words: Sequence[SpokenWord]) -> RawSpeech:
        """Speak these words. Raises EngineError."""
        ...

    def close(self) -> None:
        """Give back what the engine holds."""
        ...
