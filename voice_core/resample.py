"""Sample-rate conversion of a live stream, with a delay of one or two milliseconds.

A leg may run at 8, 24 or 48 kHz while everything that listens runs at 16 kHz and a voice at its own
rate; `VoiceCall` keeps one resampler per direction. soxr is not used on the live path: its LQ to VHQ
hold 20 to 115 ms back, and its QQ has no filter at all (24 to 8 kHz folds a 5 kHz tone to 3 kHz at
full level), so this is a short polyphase filter of our own.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from voice_core.frames import Pcm16

HALF_WIDTH = 16
"""Half of the filter's length, in samples of the lower rate: 2 ms at 8 kHz, 1 ms at 16 kHz."""

KAISER_BETA = 5.65
"""Shape for 60 dB of stop band (Kaiser 1974: 0.1102 (A - 8.7)); 8-bit G.711 has about 38 dB of SNR."""

CUTOFF = 0.955
"""Middle of the transition band as a share of the lower Nyquist frequency: passes 3.4 kHz of 8 kHz
and has images of it down by 50 dB or more."""


class _Design:
    """The filter of one pair of rates, as one matrix shared by all streams.

    Every `down` input samples give `up` output samples: a row of `span` inputs times `matrix`
    (span, up). `delay` is the shift of the output, in output samples (a whole number).
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        divisor = math.gcd(from_hz, to_hz)
        self.up, self.down = to_hz // divisor, from_hz // divisor
        half = HALF_WIDTH * max(1.0, from_hz / to_hz)  # in input samples
        self.delay = math.ceil(half * self.up / self.down)
        shift = self.delay * self.down / self.up  # the delay, in input samples
        self.history = math.ceil(shift + half)
        self.span = self.history + self.down
        # Output p of a block lies at input time p * down / up - shift; column 0 of a row is the
        # input sample `history` before the block.
        at = np.arange(self.up) * self.down / self.up - shift + self.history
        offset = np.arange(self.span)[:, None] - at[None, :]
        cutoff = CUTOFF * min(1.0, to_hz / from_hz)
        window = np.i0(KAISER_BETA * np.sqrt(np.maximum(0.0, 1.0 - (offset / half) ** 2))) / np.i0(KAISER_BETA)
        kernel = np.where(np.abs(offset) <= half, cutoff * np.sinc(cutoff * offset) * window, 0.0)
        # Each phase passes a constant exactly: no ripple at the block rate.
        self.matrix: NDArray[np.float32] = (kernel / kernel.sum(axis=0)).astype(np.float32)


@lru_cache(maxsize=32)
def _design(from_hz: int, to_hz: int) -> _Design:
    return _Design(from_hz, to_hz)


class StreamingResampler:
    """Converts one stream chunk by chunk; the result does not depend on how it is cut.

    Output is `delay_ms` late. When a chunk holds a whole number of blocks (any 20 ms frame at the
    rates of LEG_RATES_HZ, 22.05 and 44.1 kHz) it gives exactly its own duration; what is left of a
    block waits for the next chunk. Equal rates return the chunk itself.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        """Raises ValueError when a rate is not positive."""
        if from_hz <= 0 or to_hz <= 0:
            raise ValueError(f"sample rates must be positive, got {from_hz} and {to_hz}")
        self.from_hz = from_hz
        self.to_hz = to_hz
        self._design = None if from_hz == to_hz else _design(from_hz, to_hz)
        self._kept: NDArray[np.float32] = np.zeros(self._design.history if self._design else 0, dtype=np.float32)

    @property
    def delay_ms(self) -> float:
        """How late the output is, ms."""
        return self._design.delay * 1000 / self.to_hz if self._design else 0.0

    def push(self, pcm: Pcm16) -> Pcm16:
        """Convert the next samples: int16 at `from_hz` -> int16 at `to_hz`, possibly none yet."""
        design = self._design
        if design is None:
            return pcm
        samples = np.concatenate((self._kept, pcm), dtype=np.float32)
        blocks = (samples.size - design.history) // design.down
        self._kept = samples[blocks * design.down :]
        if blocks == 0:
            return np.empty(0, dtype=np.int16)
        step = samples.itemsize
        rows = np.ndarray((blocks, design.span), np.float32, samples, strides=(design.down * step, step))
        # A matrix product of overlapping rows does not reach BLAS: copying them first is 3 times faster.
        filtered = np.ascontiguousarray(rows) @ design.matrix
        np.rint(filtered, out=filtered)
        # Not np.clip: its Python wrapper costs more than both of these.
        np.maximum(filtered, -32768, out=filtered)
        np.minimum(filtered, 32767, out=filtered)
        return filtered.ravel().astype(np.int16)

    def flush(self) -> Pcm16:
        """The end of the stream: what the delay still holds. The resampler starts afresh after it."""
        design = self._design
        if design is None:
            return np.empty(0, dtype=np.int16)
        waiting = self._kept.size - design.history
        wanted = design.delay + math.ceil(waiting * design.up / design.down)
        padding = math.ceil(wanted / design.up) * design.down - waiting
        tail = self.push(np.zeros(padding, dtype=np.int16))[:wanted]
        self._kept = np.zeros(design.history, dtype=np.float32)
        return tail
