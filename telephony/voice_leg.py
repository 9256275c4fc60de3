"""The plain WebSocket as a leg: frames and notices out, in order, without ever waiting for the client.

One task a connection writes what `play` and `notify` queue; the queue is bounded, so a client that does not read
loses frames and in the end its call, and nobody else notices. Built by `voice_socket`, driven by `VoiceCall`.
"""

import asyncio
import collections
from collections.abc import Callable
from typing import Protocol

import msgspec
import numpy as np
from websockets.exceptions import ConnectionClosed

from telephony.admission import VoiceSocketLimits
from voice_core import g711
from voice_core.errors import AudioFormatError
from voice_core.frames import AudioFormat, Pcm16
from voice_core.notices import ClearNotice, ErrorNotice, Notice

CLOSE_NORMAL = 1000

MAX_QUEUED_NOTICES = 1_000
"""Far above what a call tells in a minute; reached only when the client does not read."""

_encoder = msgspec.json.Encoder()


def encode_notice(notice: Notice) -> str:
    """One server message as JSON text."""
    return _encoder.encode(notice).decode()


class Wire(Protocol):
    """The part of a websockets connection that a leg uses."""

    async def send(self, message: str | bytes) -> None:
        """Send one message; waits while the client does not read."""
        ...

    async def close(self, code: int = ..., reason: str = ...) -> None:
        """Closing handshake."""
        ...


class WireFormat:
    """Samples to bytes and back, for one direction of one call.

    PCM16 arrives in pieces of any length: an odd byte is kept for the next piece.
    """

    __slots__ = ("_format", "_odd")

    def __init__(self, audio_format: AudioFormat) -> None:
        self._format = audio_format
        self._odd = b""

    def encode(self, pcm: Pcm16) -> bytes:
        """Samples as they go on the wire."""
        if self._format is AudioFormat.PCM16:
            return pcm.astype("<i2", copy=False).tobytes()
        return g711.encode(self._format, pcm).tobytes()

    def decode(self, data: bytes) -> Pcm16:
        """Samples of one binary message, possibly none."""
        if self._format is not AudioFormat.PCM16:
            return g711.decode(self._format, data)
        if self._odd:
            data = self._odd + data
        whole = len(data) & ~1
        self._odd = data[whole:]
        return np.frombuffer(data, dtype="<i2", count=whole // 2).astype(np.int16, copy=False)


class WebSocketLeg:
    """A leg on one WebSocket connection.

    The call closes the leg with its last notice; the handler sends it with `hang_up` when the call's record is
    stored, so that a client that has seen `ended` can rely on the record.
    """

    def __init__(
        self,
        wire: Wire,
        sample_rate: int,
        audio_format: AudioFormat,
        limits: VoiceSocketLimits,
        clock: Callable[[], float],
    ) -> None:
        self._wire = wire
        self._sample_rate = sample_rate
        self._format = WireFormat(audio_format)
        self._limits = limits
        self._clock = clock
        self._queue: collections.deque[str | bytes | None] = collections.deque()
        self._audio_queued = 0
        self._losing_since: float | None = None
        self._on_stuck: Callable[[], None] | None = None
        self._wake = asyncio.Event()
        self._last: Notice | None = None
        self._close_code = CLOSE_NORMAL
        self._close_reason = ""
        self.lost_frames = 0
        self._writer = asyncio.create_task(self._write(), name="voice leg writer")

    @property
    def sample_rate(self) -> int:
        """Rate of both directions, Hz."""
        return self._sample_rate

    def when_stuck(self, on_stuck: Callable[[], None]) -> None:
        """Whom to tell, once, that the client does not read."""
        self._on_stuck = on_stuck

    def play(self, frame: Pcm16) -> None:
        """Queue one frame; dropped when the client is too far behind."""
        if self._last is not None:
            return
        if self._audio_queued >= self._limits.backlog_frames:
            self._lose()
            return
        if frame.dtype != np.int16:
            raise AudioFormatError(f"a leg plays int16 samples, not {frame.dtype}")
        self._audio_queued += 1
        self._put(self._format.encode(frame))

    def clear(self) -> None:
        """Drop frames that are still queued and tell the client to drop what it has not played."""
        if self._audio_queued:
            self._queue = collections.deque(item for item in self._queue if not isinstance(item, bytes))
            self._audio_queued = 0
        self.notify(ClearNotice())

    def notify(self, notice: Notice) -> None:
        """Queue one notice."""
        if self._last is not None:
            return
        if len(self._queue) - self._audio_queued >= MAX_QUEUED_NOTICES:
            self._lose()
            return
        self._put(encode_notice(notice))

    def fail(self, code: str, message: str, close_code: int) -> None:
        """Tell the client what is wrong; the connection will close with `close_code`."""
        self.notify(ErrorNotice(code=code, message=message))
        self._close_code = close_code
        self._close_reason = code

    async def close(self, notice: Notice) -> None:
        """Take the call's last notice. Later frames and notices are ignored."""
        if self._last is None:
            self._last = notice

    async def hang_up(self) -> None:
        """Send what is queued and the last notice, then close; bounded even if the client does not read."""
        if self._last is not None:
            self._put(encode_notice(self._last))
        self._put(None)
        try:
            async with asyncio.timeout(self._limits.goodbye_s):
                await self._writer
        except TimeoutError:
            # The timeout has cancelled the writer: the client does not read, the close below aborts.
            pass
        await self._wire.close(self._close_code, self._close_reason)

    def _put(self, item: str | bytes | None) -> None:
        self._queue.append(item)
        self._wake.set()

    def _lose(self) -> None:
        self.lost_frames += 1
        now = self._clock()
        if self._losing_since is None:
            self._losing_since = now
        elif now - self._losing_since > self._limits.not_reading_s and self._on_stuck is not None:
            on_stuck, self._on_stuck = self._on_stuck, None
            on_stuck()

    async def _write(self) -> None:
        """Send what is queued until the mark of the end is met or the client is gone."""
        while True:
            while self._queue:
                item = self._queue.popleft()
                if item is None:
                    return
                if isinstance(item, bytes):
                    self._audio_queued -= 1
                try:
                    await self._wire.send(item)
                except ConnectionClosed:
                    return
            self._losing_since = None
            self._wake.clear()
            await self._wake.wait()
