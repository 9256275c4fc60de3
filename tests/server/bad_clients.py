"""Clients that do everything wrong, each in its own way; run as a program it is a crowd of them.

python -m tests.server.bad_clients PORT COUNT
"""

import asyncio
import contextlib
import os
import random
import socket as sockets
import struct
import sys
from collections.abc import Awaitable, Callable

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

HANDSHAKE = (
    b"GET /v1/voice?key=silent HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def url(port: int, query: str = "") -> str:
    return f"ws://127.0.0.1:{port}/v1/voice{query}"


async def raw(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port)


async def random_bytes(port: int) -> None:
    _, writer = await raw(port)
    writer.write(os.urandom(20_000))
    await asyncio.sleep(0.3)
    writer.close()


async def half_open(port: int) -> None:
    reader, writer = await raw(port)
    writer.write(HANDSHAKE)
    await reader.readuntil(b"\r\n\r\n")
    await asyncio.sleep(2)
    sock: sockets.socket = writer.get_extra_info("socket")
    sock.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def slow_loris(port: int) -> None:
    _, writer = await raw(port)
    for byte in HANDSHAKE[:20]:
        writer.write(bytes([byte]))
        await asyncio.sleep(0.1)
    writer.close()


async def broken_framing(port: int) -> None:
    reader, writer = await raw(port)
    writer.write(HANDSHAKE)
    await reader.readuntil(b"\r\n\r\n")
    writer.write(os.urandom(5_000))
    await reader.read()
    writer.close()


async def promised_gigabyte(port: int) -> None:
    reader, writer = await raw(port)
    writer.write(HANDSHAKE)
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"\x82\xff" + struct.pack("!Q", 1 << 30) + b"\x00" * 50_000)
    await reader.read()
    writer.close()


async def huge_frame(port: int) -> None:
    async with connect(url(port, "?key=silent")) as client:
        await client.send(b"\x00" * 2_000_000)
        await client.wait_closed()


async def wrong_json(port: int) -> None:
    async with connect(url(port)) as client:
        await client.send(random.choice(["{", "null", '{"type":"x"}', '{"type":"start","sample_rate":1e99}', ""]))
        await client.wait_closed()


async def text_before_start(port: int) -> None:
    async with connect(url(port)) as client:
        await client.send('{"type":"text","text":"hi"}')
        await client.wait_closed()


async def too_fast(port: int) -> None:
    async with connect(url(port, "?key=silent")) as client:
        for _ in range(200):
            await client.send(b"\x00" * 8_000)


async def never_starts(port: int) -> None:
    async with connect(url(port)) as client:
        await client.wait_closed()


async def never_reads(port: int) -> None:
    reader, writer = await raw(port)
    writer.write(HANDSHAKE.replace(b"?key=silent", b"?sample_rate=48000"))
    await reader.readuntil(b"\r\n\r\n")
    writer.transport.pause_reading()  # pyright: ignore[reportAttributeAccessIssue]
    await asyncio.sleep(2)
    writer.close()


Attack = Callable[[int], Awaitable[None]]

ATTACKS: list[Attack] = [
    random_bytes,
    half_open,
    slow_loris,
    broken_framing,
    promised_gigabyte,
    huge_frame,
    wrong_json,
    text_before_start,
    too_fast,
    never_starts,
    never_reads,
]


async def attack(port: int, kind: Attack, after_s: float = 0.0) -> None:
    """One bad client; whatever the server does to it is no error here."""
    await asyncio.sleep(after_s)
    with contextlib.suppress(ConnectionClosed, InvalidHandshake, OSError, asyncio.IncompleteReadError, EOFError):
        await kind(port)


async def attack_all(port: int, count: int, within_s: float = 1.0) -> None:
    """So many bad clients, all kinds in turn, connecting over `within_s`."""
    await asyncio.gather(
        *(attack(port, ATTACKS[number % len(ATTACKS)], within_s * number / count) for number in range(count))
    )


if __name__ == "__main__":
    asyncio.run(attack_all(int(sys.argv[1]), int(sys.argv[2])))
