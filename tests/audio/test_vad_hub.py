"""The detector as a call uses it: real network, real voice, many calls on one loop."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import numpy as np
import pytest

from tests.audio.conftest import Say
from voice_core.errors import EngineUnavailable
from voice_core.frames import ANALYSIS_FRAME_SAMPLES, ANALYSIS_HZ, Pcm16
from voice_core.vad import EdgeKind, SpeechEdge
from voice_core.vad_hub import MAX_WAITING, VadHub, VadStream, silero_path
from voice_core.voice_to_voice import speech_spans

SENTENCE = "Good morning, can I book a cleaning on Tuesday?"


@pytest.fixture
async def hub() -> AsyncIterator[VadHub]:
    """A hub whose clock runs so fast that batches never wait."""
    ticks = itertools.count()
    hub = VadHub(clock=lambda: float(next(ticks)))
    await hub.start()
    yield hub
    await hub.close()


def on_a_line(speech: Pcm16, noise_dbfs: float = -75.0) -> Pcm16:
    """A second and a bit of quiet line before and after."""
    line = np.random.default_rng(3).normal(0, 32768 * 10 ** (noise_dbfs / 20), speech.size + 2 * ANALYSIS_HZ + 700)
    line[ANALYSIS_HZ + 300 : ANALYSIS_HZ + 300 + speech.size] += speech
    return np.clip(line, -32768, 32767).astype(np.int16)


def speech(say: Say, gain: float = 1.0) -> Pcm16:
    return (say(SENTENCE, ANALYSIS_HZ) * gain * 32767).astype(np.int16)


async def push_all(stream: VadStream, pcm: Pcm16, chunk: int = ANALYSIS_FRAME_SAMPLES) -> None:
    for at in range(0, pcm.size, chunk):
        stream.push(pcm[at : at + chunk])
        while stream.waiting:
            await asyncio.sleep(0)


async def edges_of(hub: VadHub, pcm: Pcm16, chunk: int = ANALYSIS_FRAME_SAMPLES) -> list[tuple[EdgeKind, float]]:
    """Kind and place in ms of every edge: what had been pushed when it was told, less its lag."""
    pushed = 0
    edges: list[tuple[EdgeKind, float]] = []
    stream = hub.stream(lambda edge: edges.append((edge.kind, pushed / 16 - edge.lag_ms)))
    for at in range(0, pcm.size, chunk):
        pushed = min(at + chunk, pcm.size)
        await push_all(stream, pcm[at:pushed], chunk)
    stream.close()
    return edges


@pytest.mark.parametrize("gain", [1.0, 0.1])
async def test_a_sentence_starts_and_ends_within_30_ms_of_the_truth(hub: VadHub, say: Say, gain: float) -> None:
    truth = speech_spans(on_a_line(speech(say)), ANALYSIS_HZ)
    edges = await edges_of(hub, on_a_line(speech(say, gain), -80.0))
    assert edges[0][0] is EdgeKind.STARTED
    assert edges[0][1] == pytest.approx(truth[0].start_ms, abs=30)
    assert edges[-1][0] is EdgeKind.STOPPED
    assert edges[-1][1] == pytest.approx(truth[-1].end_ms, abs=30)


async def test_the_end_is_told_within_a_sixth_of_a_second(hub: VadHub, say: Say) -> None:
    lags: list[float] = []
    stream = hub.stream(lambda edge: lags.append(edge.lag_ms))
    await push_all(stream, on_a_line(speech(say)))
    assert lags[-1] <= 165


@pytest.mark.parametrize("gain", [1.0, 0.1])
async def test_a_voice_after_long_silence_is_told_as_soon_as_if_the_network_had_never_slept(
    hub: VadHub, say: Say, gain: float
) -> None:
    quiet = np.random.default_rng(7).normal(0, 4, ANALYSIS_HZ * 5).astype(np.int16)
    pcm = np.concatenate((quiet, on_a_line(speech(say, gain), -80.0)))
    start_ms = speech_spans(pcm, ANALYSIS_HZ)[0].start_ms
    told: list[float] = []
    pushed = 0
    stream = hub.stream(lambda _: told.append(pushed / 16))
    for at in range(0, pcm.size, ANALYSIS_FRAME_SAMPLES):
        pushed = at + ANALYSIS_FRAME_SAMPLES
        await push_all(stream, pcm[at:pushed])
    assert told[0] - start_ms <= 140


async def test_the_size_of_chunks_does_not_move_the_edges(hub: VadHub, say: Say) -> None:
    pcm = on_a_line(speech(say))
    assert await edges_of(hub, pcm, 320) == await edges_of(hub, pcm, 37) == await edges_of(hub, pcm, 1_111)


async def test_a_noisy_line_without_speech_has_no_edges(hub: VadHub) -> None:
    rng = np.random.default_rng(5)
    assert await edges_of(hub, rng.normal(0, 600, ANALYSIS_HZ * 6).astype(np.int16)) == []


async def test_calls_in_one_batch_do_not_hear_each_other(hub: VadHub, say: Say) -> None:
    talking, quiet = on_a_line(speech(say)), on_a_line(np.zeros(ANALYSIS_HZ, np.int16))
    alone = await edges_of(hub, talking)
    told: list[list[tuple[EdgeKind, float]]] = [[] for _ in range(20)]
    pushed = 0

    def listen(index: int) -> VadStream:
        return hub.stream(lambda edge: told[index].append((edge.kind, pushed / 16 - edge.lag_ms)))

    streams = [listen(index) for index in range(20)]
    for at in range(0, talking.size, ANALYSIS_FRAME_SAMPLES):
        pushed = min(at + ANALYSIS_FRAME_SAMPLES, talking.size)
        for index, stream in enumerate(streams):
            stream.push((quiet if index % 2 else talking)[at:pushed])
        while any(stream.waiting for stream in streams):
            await asyncio.sleep(0)
    for index in range(20):
        places = [(kind, round(at)) for kind, at in told[index]]
        assert places == ([] if index % 2 else [(kind, round(at)) for kind, at in alone])


async def test_silence_does_not_reach_the_network(hub: VadHub) -> None:
    stream = hub.stream(lambda _: None)
    line = np.random.default_rng(6).normal(0, 4, ANALYSIS_HZ * 4).astype(np.int16)
    stream.push(line[:ANALYSIS_HZ])
    while stream.waiting:
        await asyncio.sleep(0)
    for at in range(ANALYSIS_HZ, line.size, 320):
        stream.push(line[at : at + 320])
        assert stream.waiting == 0


async def test_edges_come_on_the_loop_and_never_inside_push(hub: VadHub, say: Say) -> None:
    inside = False
    seen: list[bool] = []
    stream = hub.stream(lambda _: seen.append(inside))
    for at, pcm in enumerate(np.array_split(on_a_line(speech(say)), 60)):
        inside = True
        stream.push(pcm)
        inside = False
        await asyncio.sleep(0 if at % 2 else 0.001)
    while stream.waiting:
        await asyncio.sleep(0)
    assert seen
    assert not any(seen)


async def test_a_closed_stream_is_silent(hub: VadHub, say: Say) -> None:
    edges: list[SpeechEdge] = []
    stream = hub.stream(edges.append)
    stream.push(on_a_line(speech(say))[: 2 * ANALYSIS_HZ])
    stream.close()
    while stream.waiting:
        await asyncio.sleep(0)
    assert edges == []


async def test_a_call_that_fails_on_an_edge_does_not_stop_the_others(hub: VadHub, say: Say) -> None:
    complaints: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["message"]))

    def fail(_: SpeechEdge) -> None:
        raise ValueError("a bug in one call")

    heard: list[SpeechEdge] = []
    broken, healthy = hub.stream(fail), hub.stream(heard.append)
    pcm = on_a_line(speech(say))
    for at in range(0, pcm.size, 320):
        broken.push(pcm[at : at + 320])
        healthy.push(pcm[at : at + 320])
        while broken.waiting or healthy.waiting:
            await asyncio.sleep(0)
    assert {edge.kind for edge in heard} == {EdgeKind.STARTED, EdgeKind.STOPPED}
    assert complaints


async def test_more_than_can_be_judged_is_shortened_but_keeps_its_place(hub: VadHub, say: Say) -> None:
    pcm = on_a_line(np.tile(speech(say), 2))
    edges: list[SpeechEdge] = []
    stream = hub.stream(edges.append)
    stream.push(pcm)
    assert stream.waiting > MAX_WAITING
    while stream.waiting:
        await asyncio.sleep(0)
    last_ms = pcm.size / 16 - edges[-1].lag_ms
    assert edges[-1].kind is EdgeKind.STOPPED
    assert last_ms == pytest.approx(speech_spans(pcm, ANALYSIS_HZ)[-1].end_ms, abs=30)


async def test_level_and_speech_time_follow_the_caller(hub: VadHub, say: Say) -> None:
    stream = hub.stream(lambda _: None)
    await push_all(stream, np.full(ANALYSIS_HZ, 3277, np.int16))
    assert stream.level_dbfs == pytest.approx(-20, abs=0.1)
    pcm = on_a_line(speech(say))
    spans = speech_spans(pcm, ANALYSIS_HZ)
    await push_all(stream, pcm)
    assert stream.speech_ms_total == pytest.approx(sum(s.end_ms - s.start_ms for s in spans), rel=0.15)
    assert stream.probability < 0.1
    assert not stream.speaking


async def test_after_the_hub_has_closed_audio_is_ignored(hub: VadHub, say: Say) -> None:
    edges: list[SpeechEdge] = []
    stream = hub.stream(edges.append)
    await hub.close()
    stream.push(on_a_line(speech(say)))
    await asyncio.sleep(0.01)
    assert edges == []


async def test_few_calls_are_never_made_to_wait(say: Say) -> None:
    """With the real clock: an edge is told within a window of its last sample."""
    hub = VadHub()
    await hub.start()
    told = asyncio.Event()
    stream = hub.stream(lambda _: told.set())
    pcm = on_a_line(speech(say))
    loop = asyncio.get_running_loop()
    for at in range(0, pcm.size, 320):
        stream.push(pcm[at : at + 320])
        pushed_s = loop.time()
        while stream.waiting:
            await asyncio.sleep(0.001)
        if told.is_set():
            assert loop.time() - pushed_s < 0.032
            break
        await asyncio.sleep(0.004)
    assert told.is_set()
    await hub.close()


def test_a_missing_network_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voice_core.vad_hub.find_spec", lambda _: None)
    with pytest.raises(EngineUnavailable, match="pip install livekit-plugins-silero"):
        silero_path()
