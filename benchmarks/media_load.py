"""Callers by the hundred: 8 kHz mu-law both ways over WebSockets, from one process that costs little itself.

A client library would need a core for so many frames, so every message is made once, ready for the wire (RFC 6455, with
a masking key of zero), and written to the socket as it is. Each caller speaks, waits for the answer to end, and speaks
again; callers start at different moments. Used by `benchmarks.density`.
"""

import asyncio
import base64
import contextlib
import os
import struct
from collections.abc import Sequence
from typing import cast

import msgspec
import numpy as np

from voice_core import g711
from voice_core.frames import FRAME_MS, AudioFormat, Pcm16

LINE_HZ = 8_000
FRAME_SAMPLES = LINE_HZ * FRAME_MS // 1000

_BINARY, _TEXT, _CLOSE, _PING, _PONG = 2, 1, 8, 9, 10
_HEADERS_END = b"\r\n\r\n"


def message(opcode: int, payload: bytes) -> bytes:
    """One WebSocket message of a client (RFC 6455, section 5.2), masked with zeros."""
    length = len(payload)
    head = struct.pack("!BB", 0x80 | opcode, 0x80 | length) if length < 126 else b""
    head = head or struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, length)
    return head + bytes(4) + payload


def frames(pcm: Pcm16) -> list[bytes]:
    """The audio as messages of 20 ms. pcm: 8 kHz, cut to whole frames."""
    whole = pcm[: len(pcm) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    return [message(_BINARY, g711.encode(AudioFormat.MULAW, frame).tobytes()) for frame in whole]


class Script(msgspec.Struct, frozen=True):
    """What each caller says, as messages, and the line's silence. pause: frames of silence between two turns."""

    speech: Sequence[Sequence[bytes]]
    silence: Sequence[bytes]
    pause: int


class Caller(asyncio.Protocol):
    """One connection. `ready` is done once the server has accepted it."""

    def __init__(self, host: str, path: str, script: Script, wait_frames: int) -> None:
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.answers = 0
        self.turns = 0
        self.closed = False
        self._request = (
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ).encode()
        self._script = script
        self._wait_frames = wait_frames
        self._at = 0
        self._speech: Sequence[bytes] = ()
        self._received = b""
        self._transport: asyncio.Transport | None = None
        self._agent_frames_in_turn = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the WebSocket."""
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        """Remember it: a call that the server dropped is a failure."""
        self.closed = True
        if not self.ready.done():
            self.ready.set_exception(exc or ConnectionError("the server refused the connection"))

    def data_received(self, data: bytes) -> None:
        """Count the agent's frames, answer pings."""
        self._received += data
        if not self.ready.done():
            head, found, rest = self._received.partition(_HEADERS_END)
            if not found:
                return
            if b" 101 " not in head.split(b"\r\n", 1)[0]:
                self.ready.set_exception(ConnectionError(head.decode(errors="replace")))
                return
            self._received = rest
            assert self._transport is not None
            start = {"type": "start", "sample_rate": LINE_HZ, "format": "mulaw", "language": "en"}
            self._transport.write(message(_TEXT, msgspec.json.encode(start)))
            self.ready.set_result(None)
        self._take_messages()

    def _take_messages(self) -> None:
        at, data = 0, self._received
        while len(data) - at >= 2:
            opcode, length = data[at] & 15, data[at + 1] & 127
            body = at + 2
            if length == 126:
                if len(data) - at < 4:
                    break
                length, body = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
            elif length == 127:
                if len(data) - at < 10:
                    break
                length, body = int.from_bytes(data[at + 2 : at + 10], "big"), at + 10
            if len(data) - body < length:
                break
            if opcode == _BINARY:
                self._agent_frames_in_turn += 1
            elif opcode == _PING and self._transport is not None:
                self._transport.write(message(_PONG, data[body : body + length]))
            at = body + length
        self._received = data[at:]

    def tick(self) -> None:
        """Send 20 ms."""
        if self._transport is None or self.closed:
            return
        if self._wait_frames > 0:
            self._wait_frames -= 1
            self._transport.write(self._script.silence[self._wait_frames % len(self._script.silence)])
            return
        if not self._speech:
            self.answers += self._agent_frames_in_turn > 0 and self.turns > 0
            self._agent_frames_in_turn = 0
            self._speech = self._script.speech[self.turns % len(self._script.speech)]
            self.turns += 1
            self._at = 0
        self._transport.write(self._speech[self._at])
        self._at += 1
        if self._at == len(self._speech):
            self._speech = ()
            self._wait_frames = self._script.pause

    def hang_up(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            with contextlib.suppress(OSError):
                self._transport.write(message(_CLOSE, b""))
                self._transport.close()


class Load:
    """All the callers, on one clock. late_ms: how late this process itself sent, for the figure's honesty."""

    def __init__(self, port: int, path: str, script: Script) -> None:
        self.callers: list[Caller] = []
        self.late_ms: list[float] = []
        self._port = port
        self._path = path
        self._script = script
        self._task: asyncio.Task[None] | None = None

    async def grow(self, calls: int) -> None:
        """Call until there are so many; the new ones start spread over one turn."""
        loop = asyncio.get_running_loop()
        turn = self._script.pause + len(self._script.speech[0])
        while len(self.callers) < calls:
            wait = int(turn * (len(self.callers) * 0.618034 % 1.0))  # golden ratio: evenly spread at any number
            caller = Caller(f"127.0.0.1:{self._port}", self._path, self._script, wait)
            await loop.create_connection(lambda made=caller: made, "127.0.0.1", self._port)
            await caller.ready
            self.callers.append(caller)
        if self._task is None:
            self._task = asyncio.create_task(self._pace(), name="callers")

    async def _pace(self) -> None:
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        while True:
            due_s += FRAME_MS / 1000
            await asyncio.sleep(max(0.0, due_s - loop.time()))
            self.late_ms.append((loop.time() - due_s) * 1000)
            for caller in self.callers:
                caller.tick()

    def turns(self) -> tuple[int, int]:
        """Turns begun and answers heard, of all callers so far."""
        return sum(caller.turns for caller in self.callers), sum(caller.answers for caller in self.callers)

    @property
    def dropped(self) -> int:
        """Calls that the server ended."""
        return sum(caller.closed for caller in self.callers)

    async def close(self) -> None:
        """Hang all calls up."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for caller in self.callers:
            caller.hang_up()
        await asyncio.sleep(0.2)


def line_noise(seconds: float, rng: np.random.Generator) -> Pcm16:
    """A quiet telephone line, about -65 dBFS."""
    return (rng.standard_normal(int(seconds * LINE_HZ)) * 18).astype(np.int16)
