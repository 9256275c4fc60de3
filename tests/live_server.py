"""A real server in a child process: `parley serve` on free ports with a home of its own.

    async with live_server(tmp_path) as server:
        result = await place_call(server.voice_url, turns)

Used by end-to-end tests and benchmarks; nothing of it knows how the server is built.
"""

import asyncio
import os
import re
import signal
import sys
import time
import urllib.request
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

READY_TIMEOUT_S = 120.0
"""Models load in seconds; a first start on a slow machine also puts them together."""

STOP_TIMEOUT_S = 30.0

_ADDRESS = re.compile(r"^\s+(pages and REST|voice socket|telephony bridge)\s+(\S+)$", re.MULTILINE)


class LiveServer(msgspec.Struct):
    """Where the server answers, and its process. output: what it has printed and logged."""

    api_url: str
    voice_url: str
    telephony_url: str
    home: Path
    output: Path
    process: asyncio.subprocess.Process

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGINT)

    async def ended(self) -> int:
        """Its exit code, once it has ended."""
        async with asyncio.timeout(STOP_TIMEOUT_S):
            return await self.process.wait()


@asynccontextmanager
async def live_server(folder: Path, *options: str) -> AsyncGenerator[LiveServer, None]:
    """Start a server whose state and output are in `folder`, wait until it is ready, stop it at the end.

    options: further flags of `parley serve`. Raises RuntimeError with its output when it does not become ready.
    """
    output = folder / "server.txt"
    with output.open("wb") as sink:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "server", "serve", "--home", str(folder / "home")),
            *("--api-port", "0", "--voice-port", "0", "--telephony-port", "0", *options),
            stdout=sink,
            stderr=sink,
            stdin=asyncio.subprocess.DEVNULL,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    try:
        addresses = await _ready(process, output)
        server = LiveServer(
            api_url=addresses["pages and REST"],
            voice_url=addresses["voice socket"],
            telephony_url=addresses["telephony bridge"],
            home=folder / "home",
            output=output,
            process=process,
        )
        yield server
        if process.returncode is None:
            server.interrupt()
            await server.ended()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _ready(process: asyncio.subprocess.Process, output: Path) -> dict[str, str]:
    """The addresses that the server prints, once /readyz says 200."""
    until_s = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < until_s and process.returncode is None:
        addresses = _printed_addresses(output)
        if len(addresses) == 3 and await asyncio.to_thread(_is_ready, addresses["pages and REST"]):
            return addresses
        await asyncio.sleep(0.1)
    raise RuntimeError(f"the server did not become ready:\n{_text(output)}")


def _text(output: Path) -> str:
    return output.read_text(errors="replace")


def _printed_addresses(output: Path) -> dict[str, str]:
    return dict(_ADDRESS.findall(_text(output)))


def _is_ready(api_url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{api_url}readyz", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False
