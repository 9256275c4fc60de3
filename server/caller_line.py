"""The caller's end of a call as sound: what is said, what is heard, and the stereo recording of both.

Everything lies on one 20 ms clock. A frame that arrives is heard from the next tick on, as a player would play it, and
`clear` drops what was not played yet. Used by `server.caller`.
"""

import wave
from collections import deque
from pathlib import Path

import numpy as np

from voice_core.frames import FRAME_MS, Pcm16, frame_samples


class CallerLine:
    """Both directions of one call at `rate_hz`; `tick` is called every 20 ms."""

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self._frame = frame_samples(rate_hz)
        self._silence: Pcm16 = np.zeros(self._frame, np.int16)
        self._saying: deque[Pcm16] = deque()
        self._arrived: deque[Pcm16] = deque()
        self._arrived_samples = 0
        self._said: list[Pcm16] = []
        self._heard: list[Pcm16] = []

    @property
    def now_ms(self) -> float:
        """Time on the recording."""
        return float(len(self._said) * FRAME_MS)

    @property
    def is_speaking(self) -> bool:
        """Whether caller speech is still to be sent."""
        return bool(self._saying)

    @property
    def agent_pending(self) -> bool:
        """Whether agent audio has arrived that was not played yet."""
        return self._arrived_samples > 0

    def say(self, pcm: Pcm16) -> None:
        """Queue speech; the last frame is filled up with silence."""
        padded = np.concatenate([pcm, np.zeros(-len(pcm) % self._frame, np.int16)])
        self._saying.extend(padded.reshape(-1, self._frame))

    def arrived(self, pcm: Pcm16) -> None:
        """Take agent audio, any length."""
        self._arrived.append(pcm)
        self._arrived_samples += len(pcm)

    def clear(self) -> None:
        """Drop agent audio that was not played."""
        self._arrived.clear()
        self._arrived_samples = 0

    def tick(self) -> Pcm16:
        """Play 20 ms of the agent and return the caller's 20 ms to send."""
        said = self._saying.popleft() if self._saying else self._silence
        self._said.append(said)
        self._heard.append(self._play())
        return said

    def recording(self, from_ms: float = 0.0) -> tuple[Pcm16, Pcm16]:
        """Caller and agent from a time on."""
        first = int(from_ms) // FRAME_MS
        return _joined(self._said[first:]), _joined(self._heard[first:])

    def write(self, path: Path) -> None:
        """The stereo recording as WAV: left the caller, right the agent."""
        left, right = self.recording()
        with wave.open(str(path), "wb") as file:
            file.setnchannels(2)
            file.setsampwidth(2)
            file.setframerate(self.rate_hz)
            file.writeframes(np.column_stack([left, right]).astype("<i2").tobytes())

    def _play(self) -> Pcm16:
        """The next 20 ms of what has arrived; silence where nothing has."""
        if not self._arrived:
            return self._silence
        played = np.zeros(self._frame, np.int16)
        filled = 0
        while self._arrived and filled < self._frame:
            piece = self._arrived.popleft()
            taken = min(len(piece), self._frame - filled)
            played[filled : filled + taken] = piece[:taken]
            filled += taken
            if taken < len(piece):
                self._arrived.appendleft(piece[taken:])
        self._arrived_samples -= filled
        return played


def _joined(frames: list[Pcm16]) -> Pcm16:
    return np.concatenate(frames) if frames else np.zeros(0, np.int16)
