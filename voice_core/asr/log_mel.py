"""Whisper's log-mel spectrogram, computed once per frame while the audio arrives.

Stock front ends recompute the whole window at every decode; here an utterance keeps its unscaled
frames and a decode only clamps and scales them (which depends on the loudest frame so far). Used by
`voice_core.asr.recognizer` (growing utterances) and `voice_core.asr.livekit_stt` (whole ones).
"""

import numpy as np
from numpy.typing import NDArray

from voice_core.frames import ANALYSIS_HZ, Pcm16

N_FFT = 400
"""25 ms at 16 kHz, and the hop of 10 ms: Radford et al. 2022 (Whisper), section 2.2."""
HOP_SAMPLES = 160
N_MELS = 80
FRAMES_PER_S = ANALYSIS_HZ // HOP_SAMPLES
FULL_WINDOW_FRAMES = 3000
"""Whisper was trained on windows of 30 s."""

_MEL_FLOOR = 1e-10
_DYNAMIC_RANGE = 8.0
"""log10 units below the loudest cell at which Whisper clips."""
_SILENCE_LOG = float(np.log10(_MEL_FLOOR))

Frames = NDArray[np.float32]
"""log10 mel energies, float32, shape (frames, 80), 10 ms a frame, unclipped."""

Features = NDArray[np.float32]
"""Scaled log-mel, float32, shape (1, 80, frames), C-contiguous: what CTranslate2 encodes."""


def _hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slaney's mel scale: linear below 1 kHz (15 mel), logarithmic above."""
    linear, logarithmic = mel * (200.0 / 3.0), 1000.0 * np.exp((mel - 15.0) * (np.log(6.4) / 27.0))
    return np.asarray(np.where(mel < 15.0, linear, logarithmic), dtype=np.float64)


def mel_filters() -> NDArray[np.float32]:
    """Triangular filters of equal area from 0 Hz to 8 kHz, shape (80, 201)."""
    top_mel = 15.0 + np.log(ANALYSIS_HZ / 2 / 1000.0) / (np.log(6.4) / 27.0)
    corners = _hz(np.arange(N_MELS + 2, dtype=np.float64) * (top_mel / (N_MELS + 1)))
    bins = np.fft.rfftfreq(N_FFT, 1.0 / ANALYSIS_HZ)
    rising = (bins[None, :] - corners[:-2, None]) / (corners[1:-1] - corners[:-2])[:, None]
    falling = (corners[2:, None] - bins[None, :]) / (corners[2:] - corners[1:-1])[:, None]
    area = 2.0 / (corners[2:] - corners[:-2])
    return np.asarray(np.maximum(0.0, np.minimum(rising, falling)) * area[:, None], dtype=np.float32)


_FILTERS = mel_filters().T.copy()
_WINDOW = np.hanning(N_FFT + 1)[:-1].astype(np.float32)
_HALF = N_FFT // 2


def _frames(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """log10 mel energies of every full window in `samples`, shape (frames, 80), unclipped."""
    if len(samples) < N_FFT:
        return np.zeros((0, N_MELS), dtype=np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(samples, N_FFT)[::HOP_SAMPLES]
    spectrum = np.fft.rfft(windows * _WINDOW, axis=1)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    return np.log10(np.maximum(power @ _FILTERS, _MEL_FLOOR))


class LogMel:
    """The log-mel frames of one growing utterance.

    Frame k is centred on sample 160 k. Frames whose window is complete are computed once; the last
    ones are recomputed at each `frames`, as if silence followed.
    """

    def __init__(self) -> None:
        self._done = np.empty((512, N_MELS), dtype=np.float32)
        self._count = 0
        self._first = 0
        # The samples that later windows still need, beginning half a window before the next centre.
        self._rest: NDArray[np.float32] | None = None
        self._received = 0

    @property
    def duration_s(self) -> float:
        """Audio held, from the first frame kept."""
        return (self._received - self._first * HOP_SAMPLES) / ANALYSIS_HZ

    @property
    def first(self) -> int:
        """Number of the first frame held; 0 until frames were dropped."""
        return self._first

    def push(self, pcm: Pcm16) -> None:
        """Add samples, int16 mono at 16 kHz; computes the frames they complete."""
        if len(pcm) == 0:
            return
        samples = pcm.astype(np.float32) / 32768.0
        self._received += len(samples)
        self._rest = samples if self._rest is None else np.concatenate([self._rest, samples])
        if self._count + self._first == 0:
            if self._received <= _HALF:
                return
            # Reflection about the first sample, as Whisper's own front end pads.
            self._rest = np.concatenate([self._rest[_HALF:0:-1], self._rest])
        new = _frames(self._rest)
        if len(new):
            self._append(new)
            self._rest = self._rest[len(new) * HOP_SAMPLES :]

    def drop_before(self, frame: int) -> None:
        """Forget the frames before number `frame`, counted from the utterance's beginning."""
        count = max(0, min(self._count, frame - self._first))
        self._done = self._done[count:].copy()
        self._count -= count
        self._first += count

    def _append(self, new: NDArray[np.float32]) -> None:
        needed = self._count + len(new)
        if needed > len(self._done):
            grown = np.empty((max(needed, 2 * len(self._done)), N_MELS), dtype=np.float32)
            grown[: self._count] = self._done[: self._count]
            self._done = grown
        self._done[self._count : needed] = new
        self._count = needed

    def frames(self) -> Frames:
        """Every frame held, as if silence followed: a copy that later pushes leave alone."""
        held = self._done[: self._count]
        # Under half a window of audio (12.5 ms) holds nothing to hear.
        if self._rest is None or self._received <= _HALF:
            return held.copy()
        return np.concatenate([held, _frames(np.concatenate([self._rest, np.zeros(N_FFT, dtype=np.float32)]))])


def features(frames: Frames, window_frames: int) -> Features:
    """What Whisper encodes: the newest `window_frames` of `frames`, then silence, clipped and scaled."""
    window = np.full((window_frames, N_MELS), _SILENCE_LOG, dtype=np.float32)
    newest = frames[-window_frames:]
    window[: len(newest)] = newest
    scaled = (np.maximum(window, window.max() - _DYNAMIC_RANGE) + 4.0) / 4.0
    return np.ascontiguousarray(scaled.T[None], dtype=np.float32)
