"""The recording of a call: a stereo WAV, caller left, agent right, on the call's own clock.

`VoiceCall` hands every frame over with the time it was heard; one thread writes for all calls of the
process, so that a slow disk never reaches the audio path. The file is a valid WAV at every moment, also
after `kill -9`: at most the last half second is missing.
"""

import asyncio
import os
import queue
import struct
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import lru_cache
from pathlib import Path

import numpy as np
import structlog

from voice_core.frames import Pcm16

BATCH_MS = 500
"""Audio of one side that is kept in memory before it goes to the disk."""

STALL_MS = 40
"""A chunk this much later than those before it starts a batch of its own: a hole, or a stalled network."""

HOLE_MS = 15
"""A batch whose every chunk is later than this follows a hole: silence is put in front of it.
Less is the jitter of timers; a stalled network shows at least one chunk that is on time again."""

MAX_BACKLOG_S = 60
"""Audio of all calls together that may wait for the disk; beyond it audio is dropped, leaving silence."""

_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
"""RIFF/WAVE header of 16-bit PCM, 44 bytes (Microsoft Multimedia Standards Update, 1994)."""

_FRAME_BYTES = 4
_log = structlog.get_logger(__name__)


def _wav_header(rate_hz: int, data_bytes: int) -> bytes:
    return _HEADER.pack(
        b"RIFF", _HEADER.size - 8 + data_bytes, b"WAVE", b"fmt ", 16, 1, 2,
        rate_hz, rate_hz * _FRAME_BYTES, _FRAME_BYTES, 16, b"data", data_bytes,
    )  # fmt: skip


class DiskWriter:
    """The thread that writes, shared by all recordings. Its queue is bounded by the audio it holds."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[tuple[Callable[[], None], float]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._backlog_s = 0.0
        threading.Thread(target=self._work, name="recorder", daemon=True).start()

    def offer(self, job: Callable[[], None], seconds: float) -> bool:
        """Queue `job`, which writes `seconds` of audio. False when too much is waiting; never blocks."""
        with self._lock:
            if seconds > 0 and self._backlog_s + seconds > MAX_BACKLOG_S:
                return False
            self._backlog_s += seconds
        self._jobs.put((job, seconds))
        return True

    def _work(self) -> None:
        while True:
            job, seconds = self._jobs.get()
            job()
            with self._lock:
                self._backlog_s -= seconds


@lru_cache(maxsize=1)
def shared_writer() -> DiskWriter:
    """The process's writer, started at first use."""
    return DiskWriter()


class _Side:
    """One channel on the loop: what waits for the disk, and where it belongs."""

    def __init__(self, channel: int, rate_hz: int) -> None:
        self.channel = channel
        self._rate_hz = rate_hz
        self._placed = 0
        self._chunks: list[Pcm16] = []
        self._length = 0
        self._least_late = 0

    def starts_batch(self, at: int) -> bool:
        """Whether a chunk heard at sample `at` must not join the batch."""
        if self._length * 1000 >= BATCH_MS * self._rate_hz:
            return True
        late = at - self._placed - self._length
        return self._length > 0 and (late - self._least_late) * 1000 > STALL_MS * self._rate_hz

    def add(self, pcm: Pcm16, at: int) -> None:
        late = at - self._placed - self._length
        self._least_late = min(self._least_late, late) if self._chunks else late
        self._chunks.append(pcm.copy())  # legs may use one buffer for every frame
        self._length += pcm.size

    def take(self) -> tuple[int, Pcm16]:
        """Close the batch: its first sample's place, and its samples."""
        if self._least_late * 1000 > HOLE_MS * self._rate_hz:
            self._placed += self._least_late
        start, samples = self._placed, np.concatenate(self._chunks) if self._chunks else np.empty(0, np.int16)
        self._placed += samples.size
        self._chunks, self._length, self._least_late = [], 0, 0
        return start, samples


class CallRecorder:
    """Records one call. All methods are called on the event loop and never touch the disk there."""

    def __init__(self, path: Path, rate_hz: int, writer: DiskWriter | None = None) -> None:
        """path: the WAV to write; its folder is made. rate_hz: of both sides."""
        self.path = path
        self.rate_hz = rate_hz
        self._writer = writer or shared_writer()
        self._sides = (_Side(0, rate_hz), _Side(1, rate_hz))
        self._file = _StereoFile(path, rate_hz)
        self._dropped_s = 0.0

    def caller(self, pcm: Pcm16, at_ms: float) -> None:
        """Add what the caller said. at_ms: when its first sample was heard, ms from the start of the call."""
        self._add(self._sides[0], pcm, at_ms)

    def agent(self, pcm: Pcm16, at_ms: float) -> None:
        """Add what the agent said, as `caller`."""
        self._add(self._sides[1], pcm, at_ms)

    async def close(self) -> bool:
        """Write what is left and close the file. False when the disk failed and the recording is not whole."""
        for side in self._sides:
            self._flush(side)
        done: Future[bool] = Future()
        self._writer.offer(lambda: done.set_result(self._file.close()), 0)
        whole = await asyncio.wrap_future(done) and self._dropped_s == 0
        if not whole:
            _log.warning("recording_incomplete", dropped_s=round(self._dropped_s, 1), error=self._file.error)
        return whole

    def _add(self, side: _Side, pcm: Pcm16, at_ms: float) -> None:
        at = max(0, round(at_ms * self.rate_hz / 1000))
        if side.starts_batch(at):
            self._flush(side)
        side.add(pcm, at)

    def _flush(self, side: _Side) -> None:
        start, samples = side.take()
        seconds = samples.size / self.rate_hz
        if samples.size and not self._writer.offer(lambda: self._file.write(side.channel, start, samples), seconds):
            self._dropped_s += seconds


class _StereoFile:
    """The file, touched by the writer's thread only. A failing disk ends the recording, not the call."""

    def __init__(self, path: Path, rate_hz: int) -> None:
        self._path = path
        self._rate_hz = rate_hz
        self._descriptor = -1
        self._frames = 0
        self.error = ""

    def write(self, channel: int, start: int, samples: Pcm16) -> None:
        """Put samples into one channel. What was never written is silence."""
        if self.error:
            return
        try:
            self._open()
            at = _HEADER.size + start * _FRAME_BYTES
            stereo = np.zeros((samples.size, 2), dtype="<i2")
            there = os.pread(self._descriptor, stereo.nbytes, at)
            known = np.frombuffer(there[: len(there) // 2 * 2], dtype="<i2")
            stereo.reshape(-1)[: known.size] = known
            stereo[:, channel] = samples
            self._put(stereo.tobytes(), at)
            self._frames = max(self._frames, start + samples.size)
            self._put(_wav_header(self._rate_hz, self._frames * _FRAME_BYTES), 0)
        except OSError as error:
            self.error = error.strerror or type(error).__name__

    def close(self) -> bool:
        """Close it; an empty call leaves an empty WAV. False when anything failed."""
        try:
            if not self.error:
                self._open()
            if self._descriptor >= 0:
                os.close(self._descriptor)
        except OSError as error:
            self.error = error.strerror or type(error).__name__
        self._descriptor = -1
        return not self.error

    def _open(self) -> None:
        if self._descriptor >= 0:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Voices are personal data: for the server's user only.
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        self._put(_wav_header(self._rate_hz, 0), 0)

    def _put(self, data: bytes, at: int) -> None:
        view = memoryview(data)
        while view:
            written = os.pwrite(self._descriptor, view, at)
            view, at = view[written:], at + written
