"""One real call through the voice socket, driven tick by tick: what the latency benchmarks share.

`server.caller.place_call` speaks whole scripts; a benchmark wants to choose each moment and to see every notice
with its time. Both directions lie on the client's 20 ms clock, which is also the clock of the recording.
"""

import argparse
import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from server.caller_line import CallerLine
from tests.live_server import live_server
from voice_core.frames import ANALYSIS_HZ, FRAME_MS, Pcm16

QUIET_MS = 700.0
"""Agent silence after which its turn is over, once the server says that it listens."""


class CallOver(Exception):  # noqa: N818 - an ordinary end
    """The server ended the call."""


class Told(msgspec.Struct, frozen=True):
    """A notice and when it arrived, ms of the recording."""

    at_ms: float
    notice: dict[str, Any]

    @property
    def kind(self) -> str:
        """Its `type`."""
        return str(self.notice.get("type", ""))


class SocketCall:
    """A call in progress. `line` holds both directions; `told` every notice."""

    def __init__(self, connection: ClientConnection) -> None:
        self.line = CallerLine(ANALYSIS_HZ)
        self.told: list[Told] = []
        self.heard_ms = -1.0
        """When agent audio was last played, ms of the recording; -1 before."""
        self._connection = connection
        self._over = False
        self._due_s = time.monotonic()

    @property
    def listening(self) -> bool:
        """Whether the server says that it listens."""
        states = [told.notice["state"] for told in self.told if told.kind == "state"]
        return bool(states) and states[-1] == "listening"

    async def tick(self) -> None:
        """Pass 20 ms. Raises CallOver."""
        if self._over:
            raise CallOver
        if self.line.agent_pending:
            self.heard_ms = self.line.now_ms
        with contextlib.suppress(ConnectionClosed):
            await self._connection.send(self.line.tick().astype("<i2", copy=False).tobytes())
        self._due_s += FRAME_MS / 1000
        await asyncio.sleep(max(0.0, self._due_s - time.monotonic()))

    async def until(self, condition: Callable[[], bool], timeout_ms: float) -> bool:
        """Tick until `condition` holds; whether it did within the time. Raises CallOver."""
        end_ms = self.line.now_ms + timeout_ms
        while not condition():
            if self.line.now_ms >= end_ms:
                return False
            await self.tick()
        return True

    async def until_agent_has_finished(self, timeout_ms: float = 30_000) -> bool:
        """Tick until the agent has spoken since now, or is speaking, and is silent again."""
        since_ms = self.line.now_ms - FRAME_MS
        return await self.until(
            lambda: (
                self.listening
                and self.heard_ms >= since_ms
                and not self.line.agent_pending
                and self.line.now_ms - self.heard_ms >= QUIET_MS
            ),
            timeout_ms,
        )

    async def say(self, pcm: Pcm16) -> None:
        """Say something to its end. Raises CallOver."""
        self.line.say(pcm)
        while self.line.is_speaking:
            await self.tick()

    async def read(self) -> None:
        """Take what the server sends until it closes; run as a task by `dialled`."""
        with contextlib.suppress(ConnectionClosed):
            async for data in self._connection:
                if isinstance(data, bytes):
                    self.line.arrived(np.frombuffer(data, dtype="<i2").astype(np.int16, copy=False))
                    continue
                told = Told(self.line.now_ms, msgspec.json.decode(data))
                self.told.append(told)
                if told.kind == "clear":
                    self.line.clear()
        self._over = True


@asynccontextmanager
async def dialled(url: str, language: str) -> AsyncGenerator[SocketCall, None]:
    """A call, hung up at the end."""
    async with connect(url, compression=None, max_queue=None, proxy=None, close_timeout=2) as connection:
        start = {"type": "start", "sample_rate": ANALYSIS_HZ, "format": "pcm16", "language": language}
        await connection.send(msgspec.json.encode(start).decode())
        call = SocketCall(connection)
        reading = asyncio.create_task(call.read(), name="benchmark caller")
        try:
            yield call
        finally:
            with contextlib.suppress(ConnectionClosed):
                await connection.send('{"type":"hangup"}')
            await asyncio.wait((reading,), timeout=5)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


@asynccontextmanager
async def server_address(options: argparse.Namespace) -> AsyncGenerator[str, None]:
    """Where to call: `--url`, or with `--serve` a server of its own in a child process."""
    if not options.serve:
        yield options.url
        return
    with tempfile.TemporaryDirectory() as folder:
        async with live_server(Path(folder)) as server:
            yield server.voice_url


def add_call_options(parser: argparse.ArgumentParser) -> None:
    """The options that both benchmarks have."""
    parser.add_argument("--speech", help="folder of recordings with a manifest.json")
    parser.add_argument("--url", default="ws://127.0.0.1:3007/v1/voice")
    parser.add_argument("--serve", action="store_true", help="start a server for this run")
    parser.add_argument("--lang", default="en")
    parser.add_argument("--out", type=Path, help="folder for the figures as JSON and the calls as WAV")
