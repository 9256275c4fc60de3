"""Units of audio that every stage agrees on.

One frame is 20 ms on every leg; analysis (VAD, ASR) always runs at 16 kHz mono.
"""

from enum import Enum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

FRAME_MS = 20
"""Duration of one frame on every leg: the packet time of RFC 3551 section 4.2."""

ANALYSIS_HZ = 16_000
"""Sample rate of everything that listens (webrtcvad, Silero and Whisper all take 16 kHz)."""

ANALYSIS_FRAME_SAMPLES = ANALYSIS_HZ * FRAME_MS // 1000
VAD_WINDOW_SAMPLES = 512
"""Silero's window at 16 kHz: 32 ms."""

Pcm16: TypeAlias = NDArray[np.int16]
"""Mono samples, int16, shape (n,)."""

LEG_RATES_HZ = (8_000, 16_000, 24_000, 48_000)
"""Sample rates a leg may have."""


class AudioFormat(Enum):
    """How samples are written on the wire."""

    PCM16 = "pcm16"
    MULAW = "mulaw"
    ALAW = "alaw"


def frame_samples(rate_hz: int) -> int:
    """Samples in one 20 ms frame at `rate_hz`."""
    return rate_hz * FRAME_MS // 1000
