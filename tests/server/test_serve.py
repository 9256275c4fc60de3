"""`parley serve` as its operator meets it: a real process, real engines, real signals."""

import asyncio
import json
import os
import re
import signal
import sys
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.live_server import LiveServer, live_server


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[LiveServer]:
    async with live_server(tmp_path) as running:
        yield running


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


async def messages_until(client: ClientConnection, kind: str) -> list[dict[str, Any]]:
    """JSON messages up to the first of a type, audio left out."""
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(30):
        while not found or found[-1]["type"] != kind:
            data = await client.recv()
            if isinstance(data, str):
                found.append(json.loads(data))
    return found


async def agent_says(client: ClientConnection) -> str:
    """The next final words of the agent."""
    async with asyncio.timeout(30):
        while True:
            message = (await messages_until(client, "transcript"))[-1]
            if message["role"] == "agent" and message["final"] and message["text"]:
                return message["text"]


async def test_a_server_lives_answers_and_says_goodbye(server: LiveServer) -> None:
    for base in (
        server.api_url,
        server.telephony_url,
        server.voice_url.replace("ws:", "http:").removesuffix("v1/voice"),
    ):
        assert (await asyncio.to_thread(get, f"{base}healthz"))[0] == 200
        assert (await asyncio.to_thread(get, f"{base}readyz"))[0] == 200
    status, page = await asyncio.to_thread(get, server.api_url)
    assert status == 200
    voice_port = re.search(r":(\d+)/", server.voice_url)
    assert voice_port is not None
    assert f'data-voice-port="{voice_port[1]}"' in page

    async with connect(f"{server.voice_url}?language=en", max_queue=None) as client:
        assert "Clinique du Parc" in await agent_says(client)
        await client.send('{"type":"text","text":"What time do you close on Saturday?"}')
        assert "1" in await agent_says(client)

        server.interrupt()
        last = await messages_until(client, "ended")
        goodbyes = [m["text"] for m in last if m["type"] == "transcript" and m["role"] == "agent" and m["final"]]
        assert goodbyes, "the live call was told goodbye"
        with pytest.raises(ConnectionClosed):
            await client.recv()
        assert client.close_code == 1000
        call_id = last[-1]["call_id"]

    assert await server.ended() == 0
    stored = {path.name for path in (server.home / "recordings").iterdir()}
    assert stored == {f"{call_id}.wav", f"{call_id}.events.jsonl"}
    log = server.output.read_text()
    assert "Saturday" not in log, "what callers say is not logged"
    assert f'"call_id":"{call_id}"' in log
    assert '"tenant_id":"clinique_du_parc"' in log


SLOW_GOODBYE = """
import asyncio
from server.signals import stop_on_signals

async def main():
    stopping = stop_on_signals(print)
    print("up", flush=True)
    await stopping.wait()
    print("saying goodbye", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_a_second_ctrl_c_quits_at_once_however_long_the_goodbye() -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", SLOW_GOODBYE, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    async with asyncio.timeout(20):
        assert await process.stdout.readline() == b"up\n"
        process.send_signal(signal.SIGINT)
        assert await process.stdout.readline() == b"saying goodbye\n"
        process.send_signal(signal.SIGINT)
        assert await process.stdout.readline() == b"Quit.\n"
        assert await process.wait() == 130


async def test_ctrl_c_while_the_models_load_ends_the_server_in_good_order(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "server", "serve", "--home", str(tmp_path)),
        *("--api-port", "0", "--voice-port", "0", "--telephony-port", "0"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    async with asyncio.timeout(60):
        while b"speech recognition..." not in await process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        rest = await process.stdout.read()
        assert await process.wait() == 0
    assert rest.endswith(b"Stopped.\n")
    assert b"Traceback" not in rest


async def run(*arguments: str) -> tuple[int, str]:
    """Run `parley` to its end: exit code and everything it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "server", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(30):
        output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


async def test_a_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    busy = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = str(busy.sockets[0].getsockname()[1])
    code, output = await run(
        *("serve", "--home", str(tmp_path), "--api-port", "0", "--telephony-port", "0", "--voice-port", port)
    )
    busy.close()
    assert code == 1
    assert f"port {port} (voice) is in use" in output
    assert "PARLEY_PORT_VOICE" in output
    assert "Traceback" not in output


async def test_calling_nobody_says_how_to_start_the_server(tmp_path: Path) -> None:
    recording = tmp_path / "said.wav"
    recording.write_bytes(silent_wav())
    code, output = await run(
        "call", "--wav", str(recording), "--url", "ws://127.0.0.1:9/v1/voice", "--out", str(tmp_path)
    )
    assert code == 1
    assert "make run" in output
    assert "Traceback" not in output


async def test_a_recording_that_is_none_is_named(tmp_path: Path) -> None:
    nonsense = tmp_path / "said.wav"
    nonsense.write_bytes(b"no sound")
    code, output = await run("call", "--wav", str(nonsense))
    assert code == 1
    assert str(nonsense) in output
    assert "Traceback" not in output


def silent_wav() -> bytes:
    samples = bytes(3_200)
    header = b"RIFF" + (36 + len(samples)).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    header += (1).to_bytes(2, "little") * 2 + (16_000).to_bytes(4, "little") + (32_000).to_bytes(4, "little")
    return (
        header
        + (2).to_bytes(2, "little")
        + (16).to_bytes(2, "little")
        + b"data"
        + len(samples).to_bytes(4, "little")
        + samples
    )
