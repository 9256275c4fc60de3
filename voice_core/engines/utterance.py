"""The audio of the utterance that is being heard, with the pre-roll before it.

Kept so that an engine which takes whole utterances can be given one, and so that the next engine of
a chain can decode the same utterance. Used by `livekit_recognizer` and `fallback`.
"""

from collections import deque

import numpy as np

from voice_core.frames import ANALYSIS_HZ, Pcm16

PRE_ROLL_MS = 2_000
"""More than any look-back: VAD confirms speech within a few hundred ms of its onset."""

LONGEST_UTTERANCE_MS = 60_000
"""Older audio of a longer utterance is dropped: 1.9 MB a call at most."""


class UtteranceAudio:
    """Samples at 16 kHz, bounded, of the utterance or of the silence before it."""

    def __init__(self) -> None:
        self._pieces: deque[Pcm16] = deque()
        self._samples = 0
        self._began = False

    @property
    def began(self) -> bool:
        """Whether an utterance is going on."""
        return self._began

    @property
    def duration_ms(self) -> float:
        """How much audio is held."""
        return self._samples * 1000 / ANALYSIS_HZ

    def push(self, pcm: Pcm16) -> None:
        """Take the next samples; what is too old is dropped."""
        self._pieces.append(pcm)
        self._samples += len(pcm)
        self._keep(LONGEST_UTTERANCE_MS if self._began else PRE_ROLL_MS)

    def begin(self, lookback_ms: float) -> None:
        """Start an utterance `lookback_ms` before the newest sample."""
        held = self.samples()
        kept = held[max(0, len(held) - round(lookback_ms * ANALYSIS_HZ / 1000)) :]
        self._pieces = deque([kept])
        self._samples = len(kept)
        self._began = True

    def finish(self) -> None:
        """End the utterance; its tail becomes pre-roll."""
        self._began = False
        self._keep(PRE_ROLL_MS)

    def samples(self) -> Pcm16:
        """All samples held, oldest first."""
        if not self._pieces:
            return np.zeros(0, dtype=np.int16)
        joined = np.concatenate(self._pieces)
        self._pieces = deque([joined])
        return joined

    def _keep(self, most_ms: float) -> None:
        most = round(most_ms * ANALYSIS_HZ / 1000)
        while self._pieces and self._samples - len(self._pieces[0]) >= most:
            self._samples -= len(self._pieces.popleft())
