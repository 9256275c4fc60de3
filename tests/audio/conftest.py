"""A real voice for the tests of listening: hibari, at any rate."""

from collections.abc import Callable

import numpy as np
import pytest
import soxr
from hibari import SAMPLE_RATE, Hibari
from numpy.typing import NDArray

Say = Callable[[str, int], NDArray[np.float32]]
"""(text, rate in Hz) -> samples, peak 0.4, with the engine's own silence around them."""


@pytest.fixture(scope="session")
def say() -> Say:
    voice = Hibari()
    spoken: dict[str, NDArray[np.float32]] = {}

    def render(text: str, rate_hz: int) -> NDArray[np.float32]:
        if text not in spoken:
            spoken[text] = np.asarray(voice(text, seed=1), dtype=np.float32)
        audio = spoken[text]
        resampled = audio if rate_hz == SAMPLE_RATE else soxr.resample(audio, SAMPLE_RATE, rate_hz)
        return np.asarray(0.4 * resampled / np.abs(resampled).max(), dtype=np.float32)

    return render
