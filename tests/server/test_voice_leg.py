"""The leg alone: what a client that is slow, or interrupted, gets to see."""

import asyncio
import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.admission import VoiceSocketLimits
from telephony.voice_leg import WebSocketLeg, WireFormat
from tests.server.fake_calls import until
from voice_core.errors import AudioFormatError
from voice_core.frames import AudioFormat
from voice_core.notices import EndedNotice, StateNotice

LIMITS = VoiceSocketLimits(backlog_frames=3, not_reading_s=1.0, goodbye_s=0.1)
ENDED = EndedNotice(outcome="completed", reason="goodbye")


class FakeWire:
    """A client that reads only while `reading` is set."""

    def __init__(self) -> None:
        self.sent: list[str | bytes] = []
        self.closed: tuple[int, str] | None = None
        self.reading = asyncio.Event()
        self.reading.set()

    async def send(self, message: str | bytes) -> None:
        await self.reading.wait()
        self.sent.append(message)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        self.closed = (code, reason)

    def kinds(self) -> list[str]:
        return ["audio" if isinstance(item, bytes) else json.loads(item)["type"] for item in self.sent]


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def frame(value: int = 1) -> np.ndarray:
    return np.full(160, value, np.int16)


async def test_audio_and_notices_keep_their_order() -> None:
    wire = FakeWire()
    leg = WebSocketLeg(wire, 8_000, AudioFormat.PCM16, LIMITS, Clock())
    leg.notify(StateNotice("speaking"))
    leg.play(frame())
    leg.notify(StateNotice("listening"))
    await leg.close(ENDED)
    await leg.hang_up()
    assert wire.kinds() == ["state", "audio", "state", "ended"]
    assert wire.closed == (1000, "")


async def test_a_client_that_does_not_read_loses_frames_and_in_the_end_is_reported_once() -> None:
    wire, clock = FakeWire(), Clock()
    wire.reading.clear()
    leg = WebSocketLeg(wire, 8_000, AudioFormat.PCM16, LIMITS, clock)
    stuck: list[float] = []
    leg.when_stuck(lambda: stuck.append(clock.now_s))
    for number in range(100):
        clock.now_s = number * 0.02
        leg.play(frame())
        await asyncio.sleep(0)
    assert leg.lost_frames == 100 - 1 - LIMITS.backlog_frames
    assert len(stuck) == 1
    assert 1.0 < stuck[0] < 1.2
    await leg.close(ENDED)
    await leg.hang_up()
    assert wire.closed is not None, "hanging up does not wait for such a client"


async def test_a_client_that_reads_again_in_time_keeps_its_call() -> None:
    wire, clock = FakeWire(), Clock()
    leg = WebSocketLeg(wire, 8_000, AudioFormat.PCM16, LIMITS, clock)
    stuck: list[float] = []
    leg.when_stuck(lambda: stuck.append(clock.now_s))
    for round_start in (0.0, 10.0):
        wire.reading.clear()
        for number in range(10):
            clock.now_s = round_start + number * 0.02
            leg.play(frame())
            await asyncio.sleep(0)
        wire.reading.set()
        await asyncio.sleep(0.01)
    assert leg.lost_frames > 0
    assert stuck == []
    await leg.close(ENDED)
    await leg.hang_up()


async def test_clear_drops_queued_audio_but_no_notice() -> None:
    wire = FakeWire()
    wire.reading.clear()
    leg = WebSocketLeg(wire, 8_000, AudioFormat.PCM16, LIMITS, Clock())
    leg.notify(StateNotice("speaking"))
    await asyncio.sleep(0)
    leg.play(frame())
    leg.notify(StateNotice("listening"))
    leg.clear()
    leg.play(frame(2))
    wire.reading.set()
    await until(lambda: len(wire.sent) == 4)
    assert wire.kinds() == ["state", "state", "clear", "audio"]
    await leg.close(ENDED)
    await leg.hang_up()


async def test_nothing_follows_the_last_notice() -> None:
    wire = FakeWire()
    leg = WebSocketLeg(wire, 8_000, AudioFormat.PCM16, LIMITS, Clock())
    await leg.close(ENDED)
    leg.play(frame())
    leg.notify(StateNotice("speaking"))
    await leg.hang_up()
    assert wire.kinds() == ["ended"]


async def test_samples_of_another_type_are_a_fault_of_the_server() -> None:
    leg = WebSocketLeg(FakeWire(), 8_000, AudioFormat.PCM16, LIMITS, Clock())
    with pytest.raises(AudioFormatError):
        leg.play(np.zeros(160, np.float32))  # pyright: ignore[reportArgumentType]
    await leg.hang_up()


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=8))
def test_pcm16_is_the_same_samples_however_it_is_cut(data: bytes, cuts: list[int]) -> None:
    wire = WireFormat(AudioFormat.PCM16)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [wire.decode(data[start:stop]) for start, stop in itertools.pairwise(edges)]
    whole = np.frombuffer(data[: len(data) & ~1], "<i2")
    assert np.concatenate(pieces).tolist() == whole.tolist()


@pytest.mark.parametrize("law", [AudioFormat.MULAW, AudioFormat.ALAW])
def test_g711_is_one_byte_a_sample_and_comes_back_close(law: AudioFormat) -> None:
    wire = WireFormat(law)
    samples = np.array([0, 100, -100, 8_000, -30_000], np.int16)
    data = wire.encode(samples)
    assert len(data) == 5
    assert np.allclose(wire.decode(data), samples, rtol=0.05, atol=10)
