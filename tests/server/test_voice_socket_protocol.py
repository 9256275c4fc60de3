"""What a client of `/v1/voice` may count on."""

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator
from typing import Any
from urllib.error import HTTPError

import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from telephony.admission import VoiceSocketLimits
from tests.server.fake_calls import RunningSocket, until, voice_socket
from voice_core import g711
from voice_core.frames import AudioFormat

START: dict[str, Any] = {"type": "start", "sample_rate": 16000, "format": "pcm16"}
FRAME = b"\x00\x00" * 320


@pytest.fixture
async def socket() -> AsyncIterator[RunningSocket]:
    async with voice_socket() as running:
        yield running


async def rest_of(client: ClientConnection) -> tuple[list[dict[str, Any]], int]:
    """Every JSON message until the server closes, and the close code."""
    messages: list[dict[str, Any]] = []
    try:
        async with asyncio.timeout(5):
            while True:
                data = await client.recv()
                if isinstance(data, str):
                    messages.append(json.loads(data))
    except ConnectionClosed:
        return messages, client.close_code or 0


async def next_frame(client: ClientConnection) -> bytes:
    async with asyncio.timeout(3):
        while True:
            data = await client.recv()
            if isinstance(data, bytes):
                return data


async def test_a_call_starts_with_a_json_message(socket: RunningSocket) -> None:
    async with connect(socket.url) as client:
        await client.send(json.dumps(START))
        assert json.loads(await client.recv()) == {"type": "state", "state": "speaking"}
        assert np.frombuffer(await next_frame(client), "<i2").tolist() == [1] * 320


async def test_a_call_starts_with_the_query_string(socket: RunningSocket) -> None:
    async with connect(f"{socket.url}?sample_rate=8000&format=mulaw&language=fr") as client:
        frame = await next_frame(client)
        assert len(frame) == 160
        assert g711.decode(AudioFormat.MULAW, frame).tolist() == g711.decode(AudioFormat.MULAW, b"\xff" * 160).tolist()


@pytest.mark.parametrize(("rate", "samples"), [(8_000, 160), (16_000, 320), (24_000, 480), (48_000, 960)])
async def test_audio_comes_back_at_the_rate_of_the_client(socket: RunningSocket, rate: int, samples: int) -> None:
    async with connect(f"{socket.url}?sample_rate={rate}") as client:
        assert len(await next_frame(client)) == 2 * samples


async def test_mulaw_without_a_rate_means_8_khz(socket: RunningSocket) -> None:
    async with connect(f"{socket.url}?format=mulaw") as client:
        assert len(await next_frame(client)) == 160


async def test_binary_pieces_of_any_length_reach_the_call_as_the_same_samples(socket: RunningSocket) -> None:
    samples = np.arange(-800, 800, dtype="<i2")
    data = samples.tobytes()
    async with connect(f"{socket.url}?key=silent&sample_rate=16000") as client:
        for start, stop in [(0, 1), (1, 8), (8, 8), (8, 1001), (1001, 1002), (1002, 3200)]:
            await client.send(data[start:stop])
        await until(lambda: socket.exchange.calls and len(socket.exchange.calls[0].samples) == 1600)
        assert socket.exchange.calls[0].samples.tolist() == samples.tolist()


async def test_mulaw_reaches_the_call_as_samples(socket: RunningSocket) -> None:
    async with connect(f"{socket.url}?key=silent&format=mulaw") as client:
        await client.send(b"\x80\xff\x00")
        await until(lambda: socket.exchange.calls and len(socket.exchange.calls[0].samples) == 3)
        assert socket.exchange.calls[0].samples.tolist() == [32124, 0, -32124]


async def test_keys_and_typed_turns_reach_the_call(socket: RunningSocket) -> None:
    async with connect(f"{socket.url}?key=silent") as client:
        await client.send('{"type":"dtmf","digits":"12#"}')
        await client.send('{"type":"dtmf","digit":"*"}')
        await client.send('{"type":"text","text":"héllo"}')
        await until(lambda: socket.exchange.calls and socket.exchange.calls[0].texts)
        assert socket.exchange.calls[0].digits == "12#*"
        assert socket.exchange.calls[0].texts == ["héllo"]


async def test_hanging_up_ends_the_call_and_the_record_is_stored_before_ended_is_sent(socket: RunningSocket) -> None:
    async with connect(f"{socket.url}?key=silent") as client:
        await client.send('{"type":"hangup"}')
        while json.loads(await client.recv())["type"] != "ended":
            pass
        assert socket.exchange.calls[0].stored
        assert socket.exchange.calls[0].reason == "caller_hung_up"
        assert await rest_of(client) == ([], 1000)


async def test_a_client_that_goes_without_a_word_ends_the_call(socket: RunningSocket) -> None:
    async with connect(f"{socket.url}?key=silent") as client:
        await client.recv()
        client.transport.abort()
    await until(lambda: socket.exchange.calls[0].stored)
    assert socket.exchange.calls[0].reason == "caller_hung_up"
    await until(lambda: socket.voice.live_calls == 0)


async def test_an_interruption_tells_the_client_to_drop_what_it_has_not_played(socket: RunningSocket) -> None:
    async with connect(f"{socket.url}?sample_rate=16000") as client:
        await next_frame(client)
        await client.send('{"type":"text","text":"interrupt"}')
        async with asyncio.timeout(3):
            while (data := await client.recv()) != '{"type":"clear"}':
                assert isinstance(data, bytes)


REFUSED = [
    pytest.param("hello", "bad_json", 1007, id="not JSON"),
    pytest.param("\ufeff{", "bad_json", 1007, id="a byte order mark"),
    pytest.param('{"x":' + "[" * 30_000, "bad_json", 1007, id="deep nesting"),
    pytest.param("[]", "bad_message", 1003, id="not an object"),
    pytest.param("{}", "bad_message", 1003, id="no type"),
    pytest.param('{"type":"launch"}', "bad_message", 1003, id="an unknown type"),
    pytest.param('{"type":7}', "bad_message", 1003, id="a type that is no text"),
    pytest.param('{"type":"text","text":"hi"}', "start_expected", 1008, id="text before start"),
    pytest.param(FRAME, "start_expected", 1008, id="audio before start"),
    pytest.param('{"type":"start","sample_rate":"fast"}', "bad_message", 1003, id="a rate that is no number"),
    pytest.param('{"type":"start","sample_rate":44100}', "unsupported_rate", 1003, id="an unsupported rate"),
    pytest.param('{"type":"start","format":"mp3"}', "bad_message", 1003, id="an unknown format"),
    pytest.param('{"type":"start","colour":"red"}', "bad_message", 1003, id="an unknown field"),
    pytest.param('{"type":"start","key":"wrong"}', "unauthorized", 1008, id="a wrong key"),
]


@pytest.mark.parametrize(("first", "code", "close_code"), REFUSED)
async def test_a_wrong_first_message_is_explained_then_closed(
    socket: RunningSocket, first: str | bytes, code: str, close_code: int
) -> None:
    async with connect(socket.url) as client:
        await client.send(first)
        messages, closed = await rest_of(client)
    assert [(m["type"], m["code"]) for m in messages] == [("error", code)]
    assert messages[0]["message"]
    assert closed == close_code
    assert socket.voice.live_calls == 0


async def test_an_unsupported_rate_names_the_rates_that_work(socket: RunningSocket) -> None:
    async with connect(f"{socket.url}?sample_rate=11025") as client:
        messages, _ = await rest_of(client)
    assert "8000, 16000, 24000, 48000" in messages[0]["message"]


BROKEN = [
    pytest.param("hello", "bad_json", 1007, id="not JSON"),
    pytest.param('{"type":"text","text":5}', "bad_message", 1003, id="a wrong type"),
    pytest.param('{"type":"text","text":"' + "x" * 1001 + '"}', "bad_message", 1003, id="too long a text"),
    pytest.param('{"type":"dtmf","digits":"12345x"}', "bad_message", 1003, id="no such key"),
    pytest.param(json.dumps(START), "already_started", 1008, id="a second start"),
    pytest.param(b"\x00" * 65537, "too_large", 1009, id="too large a frame"),
    pytest.param(b"\x00" * 3_000_000, "too_large", 1009, id="a huge frame"),
]


@pytest.mark.parametrize(("message", "code", "close_code"), BROKEN)
async def test_a_wrong_message_in_a_call_is_explained_and_ends_the_call(
    socket: RunningSocket, message: str | bytes, code: str, close_code: int
) -> None:
    async with connect(f"{socket.url}?key=silent") as client:
        await client.recv()
        await client.send(message)
        messages, closed = await rest_of(client)
    assert messages[0]["type"] == "error"
    assert messages[0]["code"] == code
    assert closed == close_code
    await until(lambda: socket.exchange.calls[0].stored)


async def test_invalid_utf8_is_explained_then_closed(socket: RunningSocket) -> None:
    async with connect(f"{socket.url}?key=silent") as client:
        await client.recv()
        await client.send(b"\xff\xfe", text=True)
        messages, closed = await rest_of(client)
    assert (messages[0]["code"], closed) == ("bad_text", 1007)


async def test_a_fault_inside_the_call_is_an_error_for_this_client_only(socket: RunningSocket) -> None:
    bystander = connect(f"{socket.url}?sample_rate=16000", max_queue=None)
    async with bystander as other, connect(f"{socket.url}?key=silent") as client:
        await client.send('{"type":"text","text":"break"}')
        messages, closed = await rest_of(client)
        assert (messages[1]["code"], closed) == ("internal_error", 1011)
        assert "fault" not in json.dumps(messages), "the client is not told our insides"
        assert await next_frame(other)


async def test_audio_far_ahead_of_real_time_is_refused() -> None:
    async with voice_socket(VoiceSocketLimits(burst_s=1.0)) as socket, connect(f"{socket.url}?key=silent") as client:
        for _ in range(60):
            await client.send(FRAME)
        messages, closed = await rest_of(client)
    assert (messages[1]["code"], closed) == ("too_fast", 1008)
    assert 0.9 <= len(socket.exchange.calls[0].samples) / 16000 <= 1.2


async def test_a_client_whose_network_stalled_may_catch_up() -> None:
    async with voice_socket(VoiceSocketLimits(burst_s=1.0)) as socket, connect(f"{socket.url}?key=silent") as client:
        for _ in range(45):
            await client.send(FRAME)
        await asyncio.sleep(0.5)
        for _ in range(25):
            await client.send(FRAME)
        await until(lambda: len(socket.exchange.calls[0].samples) == 70 * 320)


async def test_a_flood_of_tiny_messages_is_refused() -> None:
    limits = VoiceSocketLimits(messages_per_s=50)
    async with voice_socket(limits) as socket, connect(f"{socket.url}?key=silent") as client:
        for _ in range(150):
            await client.send(b"")
        messages, _ = await rest_of(client)
    assert messages[1]["code"] == "too_fast"


async def test_a_client_that_never_starts_is_sent_away() -> None:
    async with voice_socket(VoiceSocketLimits(start_s=0.1)) as socket, connect(socket.url) as client:
        messages, closed = await rest_of(client)
    assert (messages[0]["code"], closed) == ("start_timeout", 1008)


async def test_a_client_that_says_nothing_for_long_is_hung_up() -> None:
    async with voice_socket(VoiceSocketLimits(idle_s=0.2)) as socket, connect(f"{socket.url}?key=silent") as client:
        messages, closed = await rest_of(client)
    assert [m["type"] for m in messages] == ["state", "error", "ended"]
    assert (messages[1]["code"], closed) == ("idle", 1001)


async def test_more_calls_than_the_node_takes_are_asked_to_come_back() -> None:
    async with voice_socket(VoiceSocketLimits(sessions=1)) as socket, connect(f"{socket.url}?key=silent") as first:
        await first.recv()
        with pytest.raises(InvalidStatus) as refused:
            await connect(socket.url)
    assert refused.value.response.status_code == 503
    assert int(refused.value.response.headers["Retry-After"]) > 0


async def test_the_last_line_taken_between_connect_and_start_is_refused_as_busy() -> None:
    limits = VoiceSocketLimits(sessions=1)
    async with (
        voice_socket(limits) as socket,
        connect(socket.url) as late,
        connect(f"{socket.url}?key=silent") as first,
    ):
        await first.recv()
        await late.send(json.dumps(START))
        messages, closed = await rest_of(late)
    assert (messages[0]["code"], closed) == ("busy", 1013)


async def test_too_many_connects_from_one_address_are_slowed_down() -> None:
    async with voice_socket(VoiceSocketLimits(connects_per_minute=2)) as socket:
        somebody = {"X-Forwarded-For": "203.0.113.9"}
        for _ in range(2):
            async with connect(socket.url, additional_headers=somebody):
                pass
        with pytest.raises(InvalidStatus) as refused:
            await connect(socket.url, additional_headers=somebody)
        assert refused.value.response.status_code == 429
        assert 0 < int(refused.value.response.headers["Retry-After"]) <= 30
        async with connect(socket.url, additional_headers={"X-Forwarded-For": "203.0.113.10"}):
            pass


async def test_a_server_that_is_not_ready_says_when_to_come_back(socket: RunningSocket) -> None:
    socket.refusals.append("Starting.")
    with pytest.raises(InvalidStatus) as refused:
        await connect(socket.url)
    assert refused.value.response.status_code == 503
    assert int(refused.value.response.headers["Retry-After"]) > 0


async def test_winding_down_lets_every_call_say_goodbye(socket: RunningSocket) -> None:
    async with connect(f"{socket.url}?sample_rate=16000") as client:
        await next_frame(client)
        await socket.voice.wind_down(within_s=3)
        assert socket.voice.live_calls == 0
        messages, closed = await rest_of(client)
    assert messages[-1] == {"type": "ended", "outcome": "completed", "reason": "shutdown", "call_id": "c1"}
    assert closed == 1000


async def test_a_call_that_does_not_end_in_time_is_cut_off_but_leaves_its_record(socket: RunningSocket) -> None:
    async with connect(f"{socket.url}?sample_rate=16000") as client:
        await next_frame(client)
        await socket.voice.wind_down(within_s=0.01)
        assert socket.exchange.calls[0].stored
        messages, _ = await rest_of(client)
    assert messages[-1]["type"] == "ended"


def http_status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=3) as response:
            return response.status
    except HTTPError as error:
        return error.code


async def test_plain_http_gets_the_health_and_otherwise_404(socket: RunningSocket) -> None:
    base = f"http://127.0.0.1:{socket.port}"
    assert await asyncio.to_thread(http_status, f"{base}/healthz") == 200
    assert await asyncio.to_thread(http_status, f"{base}/nothing") == 404
