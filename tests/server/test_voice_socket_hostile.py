"""Two hundred bad clients at once, and one caller who must not notice."""

import asyncio
import contextlib
import sys
import time

import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from telephony.admission import VoiceSocketLimits
from tests.server.bad_clients import ATTACKS, attack
from tests.server.fake_calls import until, voice_socket
from voice_core.frames import FRAME_MS

ATTACKERS = 200
PLAYER_BUFFER_MS = 60.0
"""What players hold back against jitter; a frame that is less late is not heard to be late."""

QUICK = VoiceSocketLimits(start_s=1.0, idle_s=1.5, burst_s=1.0, not_reading_s=0.5, goodbye_s=0.3)


async def speak(client: ClientConnection, stop: asyncio.Event) -> int:
    """Send numbered 20 ms frames in real time; returns how many."""
    sent = 0
    due = time.monotonic()
    while not stop.is_set():
        sent += 1
        await client.send(np.full(320, sent, dtype="<i2").tobytes())
        due += FRAME_MS / 1000
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    return sent


async def listen(client: ClientConnection, arrivals: list[tuple[int, float]]) -> None:
    """Note the number and the time of every frame of the agent."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            data = await client.recv()
            if isinstance(data, bytes):
                arrivals.append((int(np.frombuffer(data, "<i2")[0]), time.monotonic()))


async def call_beside_the_crowd() -> list[float]:
    """One call while the crowd is at the door; returns how late each agent frame was, ms.

    Nothing may be lost or swapped, in either direction, and every call leaves its record.
    """
    async with voice_socket(QUICK) as socket, connect(socket.url + "?sample_rate=16000") as client:
        arrivals: list[tuple[int, float]] = []
        stop = asyncio.Event()
        listening = asyncio.create_task(listen(client, arrivals))
        speaking = asyncio.create_task(speak(client, stop))
        crowd = await asyncio.create_subprocess_exec(
            # Real attackers have their own processor.
            *("nice", sys.executable, "-m", "tests.server.bad_clients", str(socket.port), str(ATTACKERS))
        )
        async with asyncio.timeout(40):
            assert await crowd.wait() == 0
        stop.set()
        sent = await speaking
        await until(lambda: len(socket.exchange.calls[0].samples) == sent * 320)
        await until(lambda: socket.voice.live_calls == 1, within_s=10)
        await client.send('{"type":"hangup"}')
        await listening
        assert client.close_code == 1000

    caller, *bad = socket.exchange.calls
    numbers = [number for number, _ in arrivals]
    assert len(numbers) > 100
    assert numbers == list(range(1, len(numbers) + 1)), "agent frames were lost or swapped"
    assert caller.samples[::320].tolist() == list(range(1, sent + 1)), "caller frames were lost or swapped"
    assert len(bad) > ATTACKERS / 4, "the crowd did not get in"
    assert all(call.stored for call in bad)
    return [1000 * (at - arrivals[0][1]) - FRAME_MS * (number - 1) for number, at in arrivals]


async def test_two_hundred_bad_clients_do_not_touch_a_call() -> None:
    # Other programs on this machine may delay a run; a crowd that delays the call does so in every run.
    runs: list[float] = []
    while len(runs) < 3 and min(runs, default=PLAYER_BUFFER_MS) >= PLAYER_BUFFER_MS:
        runs.append(float(np.percentile(await call_beside_the_crowd(), 95)))
    assert min(runs) < PLAYER_BUFFER_MS, f"95 % of the agent's frames were this late at most, ms: {runs}"


async def test_a_client_that_does_not_read_loses_its_call() -> None:
    async with voice_socket(QUICK) as socket:
        client = await connect(socket.url + "?sample_rate=48000", max_queue=1)
        speaking = asyncio.create_task(speak(client, stop := asyncio.Event()))
        try:
            await until(lambda: socket.exchange.calls and socket.exchange.calls[0].stored, within_s=20)
            assert socket.exchange.calls[0].reason == "not_reading"
        finally:
            stop.set()
            client.transport.abort()
            await asyncio.gather(speaking, return_exceptions=True)


async def test_every_kind_of_bad_client_is_let_go_and_leaves_a_record() -> None:
    async with voice_socket(QUICK) as socket:
        await asyncio.gather(*(attack(socket.port, kind) for kind in ATTACKS))
        await until(lambda: socket.voice.live_calls == 0)
        assert all(call.stored for call in socket.exchange.calls)
