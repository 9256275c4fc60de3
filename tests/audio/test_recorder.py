"""The recording as someone who plays it later hears it."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
import threading
import time
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_core.frames import Pcm16
from voice_core.recorder import MAX_BACKLOG_S, CallRecorder, DiskWriter
from voice_core.voice_to_voice import read_stereo

RATE = 8_000
FRAME = RATE // 50


def frame(value: int) -> Pcm16:
    return np.full(FRAME, value, np.int16)


def record(path: Path, caller: list[tuple[float, Pcm16]], agent: list[tuple[float, Pcm16]]) -> tuple[Pcm16, Pcm16]:
    """Both channels of a call whose chunks are handed over in the order of their times."""

    async def call() -> bool:
        recorder = CallRecorder(path, RATE)
        for at_ms, pcm, is_caller in sorted(
            [(at, pcm, True) for at, pcm in caller] + [(at, pcm, False) for at, pcm in agent], key=lambda c: c[0]
        ):
            (recorder.caller if is_caller else recorder.agent)(pcm, at_ms)
        return await recorder.close()

    assert asyncio.run(call())
    left, right, rate = read_stereo(path)
    assert rate == RATE
    return left, right


def test_caller_is_left_and_agent_is_right(tmp_path: Path) -> None:
    left, right = record(tmp_path / "a.wav", [(0, frame(100))], [(0, frame(-100))])
    assert set(left) == {100}
    assert set(right) == {-100}


def test_both_sides_stand_where_they_were_heard(tmp_path: Path) -> None:
    caller = [(20.0 * i, frame(i + 1)) for i in range(100)]
    agent = [(1_000.0 + 20 * i, frame(-i - 1)) for i in range(30)]
    left, right = record(tmp_path / "a.wav", caller, agent)
    assert np.array_equal(left, np.repeat(np.arange(1, 101), FRAME))
    assert not right[: RATE - 1].any()
    assert np.array_equal(right[RATE : RATE + 30 * FRAME], np.repeat(-np.arange(1, 31), FRAME))


def test_timer_jitter_does_not_tear_the_voice(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    agent = [(500 + 20.0 * i + rng.uniform(0, 8), frame(i + 1)) for i in range(200)]
    _, right = record(tmp_path / "a.wav", [], agent)
    voice = right[np.flatnonzero(right)[0] :]
    assert np.array_equal(voice, np.repeat(np.arange(1, 201), FRAME))


def test_frames_that_a_stalled_network_delivers_at_once_stay_where_they_belong(tmp_path: Path) -> None:
    arrivals = [(20.0 * i if i < 50 or i >= 70 else 1_400.0, frame(i + 1)) for i in range(150)]
    left, _ = record(tmp_path / "a.wav", arrivals, [])
    assert np.array_equal(left, np.repeat(np.arange(1, 151), FRAME))


def test_lost_frames_leave_a_hole_of_their_length(tmp_path: Path) -> None:
    arrivals = [(20.0 * i, frame(i + 1)) for i in range(150) if not 60 <= i < 65]
    left, _ = record(tmp_path / "a.wav", arrivals, [])
    expected = np.repeat(np.arange(1, 151), FRAME)
    expected[60 * FRAME : 65 * FRAME] = 0
    assert np.array_equal(left, expected)


def test_a_caller_who_mutes_and_returns_is_heard_at_the_right_time(tmp_path: Path) -> None:
    left, _ = record(tmp_path / "a.wav", [(0, frame(5)), (10_000, frame(6)), (10_020, frame(7))], [])
    assert np.flatnonzero(left == 6)[0] == 10 * RATE
    assert np.flatnonzero(left == 7)[0] == 10 * RATE + FRAME


@given(
    steps=st.lists(st.tuples(st.floats(-50, 900), st.integers(1, 900)), max_size=40),
    other=st.lists(st.tuples(st.floats(0, 300), st.integers(1, 300)), max_size=10),
)
def test_no_sample_is_lost_or_moved_before_an_earlier_one(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[float, int]], other: list[tuple[float, int]]
) -> None:
    def chunks(parts: list[tuple[float, int]]) -> list[tuple[float, Pcm16]]:
        placed: list[tuple[float, Pcm16]] = []
        at, value = 0.0, 0
        for pause_ms, length in parts:
            at = max(at, at + pause_ms)
            values = np.arange(value, value + length) % 30_000 + 1
            placed.append((at, values.astype(np.int16)))
            at += length * 1000 / RATE
            value += length
        return placed

    left, right = record(tmp_path_factory.mktemp("law") / "a.wav", chunks(steps), chunks(other))
    for channel, parts in ((left, steps), (right, other)):
        total = sum(length for _, length in parts)
        assert np.array_equal(channel[channel != 0], np.arange(total) % 30_000 + 1)


def test_a_call_without_audio_leaves_a_playable_file(tmp_path: Path) -> None:
    left, right = record(tmp_path / "deep" / "er" / "a.wav", [], [])
    assert left.size == right.size == 0


def test_only_the_servers_user_can_read_a_recording(tmp_path: Path) -> None:
    record(tmp_path / "a.wav", [(0, frame(1))], [])
    assert stat.S_IMODE((tmp_path / "a.wav").stat().st_mode) == 0o600


def test_a_killed_process_leaves_a_valid_recording(tmp_path: Path) -> None:
    """The child records in real chunks and waits; kill -9 then catches it with the file open."""
    path = tmp_path / "killed.wav"
    program = f"""
import pathlib, sys, time
import numpy as np
from voice_core.recorder import CallRecorder
recorder = CallRecorder(pathlib.Path({str(path)!r}), {RATE})
for i in range(200):
    recorder.caller(np.full({FRAME}, i + 1, np.int16), 20.0 * i)
    recorder.agent(np.full({FRAME}, -i - 1, np.int16), 20.0 * i)
time.sleep(0.5)
print("recorded", flush=True)
time.sleep(60)
"""
    root = str(Path(__file__).parents[2])
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": root}
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "recorded\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    with wave.open(str(path), "rb") as file:
        seconds = file.getnframes() / file.getframerate()
    assert 3.4 <= seconds <= 4.0
    left, right, _ = read_stereo(path)
    assert np.array_equal(left, np.repeat(np.arange(1, left.size // FRAME + 1), FRAME))
    assert np.array_equal(right, -left)


def test_a_full_disk_ends_the_recording_but_not_the_call(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("not a folder")

    async def call() -> bool:
        recorder = CallRecorder(in_the_way / "a.wav", RATE)
        for i in range(100):
            recorder.caller(frame(1), 20.0 * i)
        return await recorder.close()

    assert asyncio.run(call()) is False


def test_a_slow_disk_never_makes_the_call_wait(tmp_path: Path) -> None:
    writer = DiskWriter()
    stuck = threading.Event()

    def wait() -> None:
        stuck.wait()

    writer.offer(wait, 0)

    async def call() -> tuple[float, bool]:
        recorder = CallRecorder(tmp_path / "a.wav", RATE, writer)
        began = time.monotonic()
        for i in range((MAX_BACKLOG_S + 20) * 50):
            recorder.caller(frame(1), 20.0 * i)
        elapsed_s = time.monotonic() - began
        stuck.set()
        return elapsed_s, await recorder.close()

    elapsed_s, whole = asyncio.run(call())
    assert elapsed_s < 1.0
    assert whole is False
    left, _, _ = read_stereo(tmp_path / "a.wav")
    assert (MAX_BACKLOG_S - 1) * RATE <= np.count_nonzero(left) <= (MAX_BACKLOG_S + 1) * RATE


def test_calls_share_one_thread(tmp_path: Path) -> None:
    async def calls() -> int:
        recorders = [CallRecorder(tmp_path / f"{i}.wav", RATE) for i in range(20)]
        for i, recorder in enumerate(recorders):
            recorder.caller(frame(i + 1), 0)
        await asyncio.gather(*(recorder.close() for recorder in recorders))
        return sum(thread.name == "recorder" for thread in threading.enumerate())

    before = sum(thread.name == "recorder" for thread in threading.enumerate())
    assert asyncio.run(calls()) <= max(1, before)
    for i in range(20):
        left, _, _ = read_stereo(tmp_path / f"{i}.wav")
        assert set(left) == {i + 1}
