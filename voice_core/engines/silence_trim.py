"""Cuts the silence before and after a clause while its audio is still arriving.

Voices put up to 0.3 s of silence before every sentence: the caller would wait for it. Pauses inside
the clause stay. Used by `livekit_voice`; the embedded voices know their silence themselves.
"""

import numpy as np

from voice_core.frames import Pcm16

WINDOW_MS = 10
VOICED_RMS = 100.0
"""A window at or above this level (-50 dBFS) is sound: above the noise of MP3 and Opus decoders."""

LEAD_KEPT_MS = 30
"""Kept before the first sound, so that a soft onset such as "h" or "f" is not cut."""

TAIL_KEPT_MS = 60
"""Kept after the last sound, so that its decay is not cut."""


class SilenceTrim:
    """One clause, in order. rate_hz: of its samples."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._window = rate_hz * WINDOW_MS // 1000
        self._held: Pcm16 = np.zeros(0, dtype=np.int16)
        self._started = False
        self._cut_samples = 0

    @property
    def lead_ms(self) -> float:
        """How much was cut before the first sound."""
        return self._cut_samples * 1000 / self._rate_hz

    def push(self, pcm: Pcm16) -> Pcm16:
        """The samples that can be played now: silence is held until sound follows it."""
        held = np.concatenate((self._held, pcm))
        voiced = self._voiced_windows(held)
        if not len(voiced):
            self._held = held if self._started else self._drop_lead(held, len(held))
            return np.zeros(0, dtype=np.int16)
        if not self._started:
            before = len(held)
            held = self._drop_lead(held, int(voiced[0]) * self._window)
            voiced = voiced - (before - len(held)) / self._window
            self._started = True
        end = round((float(voiced[-1]) + 1) * self._window)
        self._held = held[end:]
        return held[:end]

    def finish(self) -> Pcm16:
        """The decay of the last sound; nothing when there was no sound."""
        tail = self._held[: self._rate_hz * TAIL_KEPT_MS // 1000] if self._started else self._held[:0]
        self._held = self._held[:0]
        return tail

    def _drop_lead(self, held: Pcm16, sound_at: int) -> Pcm16:
        cut = max(0, sound_at - self._rate_hz * LEAD_KEPT_MS // 1000)
        self._cut_samples += cut
        return held[cut:]

    def _voiced_windows(self, pcm: Pcm16) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
        """Indices of the whole windows of `pcm` that hold sound."""
        whole = len(pcm) // self._window
        windows = pcm[: whole * self._window].reshape(whole, self._window).astype(np.float32)
        return np.flatnonzero(np.sqrt(np.mean(windows**2, axis=1)) >= VOICED_RMS) if whole else np.zeros(0, np.intp)
