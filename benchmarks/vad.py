"""How exactly and how cheaply the voice activity detector finds speech.

`python -m benchmarks.vad --speech DIR` pushes recordings through the real hub in 20 ms frames: edges against
the level truth of clean recordings (also in noise), frames against human labels, false starts on noise, and
the CPU of 1, 10 and 100 calls in real time. Prints tables and writes JSON with `--out`.
"""

import argparse
import asyncio
import itertools
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import uvloop

from benchmarks.corpus import Corpus, Recording, speech_folder
from voice_core.frames import ANALYSIS_FRAME_SAMPLES, ANALYSIS_HZ, FRAME_MS, Pcm16
from voice_core.vad import EdgeKind, SpeechEdge
from voice_core.vad_hub import VadHub, VadStream
from voice_core.voice_to_voice import Span, percentile, speech_spans

CLEAN_SETS = ("asterisk-en", "asterisk-fr", "asterisk-es", "pytest-audioeval", "ljspeech")
LABELLED_SETS = ("vad-labelled", "meeting-ami")
SNRS_DB = (None, 20.0, 10.0)
LEVELS_DBFS = (-20.0, -40.0)
CALLS = (1, 10, 100)


class Edges(msgspec.Struct, frozen=True):
    """What the detector said about one recording. Times in ms; delay: from a boundary to being told of it."""

    spans: tuple[Span, ...]
    start_delays_ms: tuple[float, ...]
    stop_delays_ms: tuple[float, ...]


class EdgeScore(msgspec.Struct, frozen=True):
    """Errors of one condition, ms; positive means later than the truth."""

    condition: str
    recordings: int
    missed: int
    start_error_p50: float
    start_error_worst90: float
    end_error_p50: float
    end_error_worst90: float
    end_within_30ms: float
    told_of_start_p50: float
    told_of_start_p90: float
    told_of_end_p50: float
    told_of_end_p90: float
    pauses_per_recording: float


async def detect(hub: VadHub, pcm: Pcm16, *, agent_speaking: bool = False) -> Edges:
    """Push one recording, frame by frame, as fast as it goes."""
    edges: list[tuple[EdgeKind, float, float]] = []
    pushed_ms = 0.0

    def on_edge(edge: SpeechEdge) -> None:
        edges.append((edge.kind, pushed_ms - edge.lag_ms, edge.lag_ms))

    stream = hub.stream(on_edge)
    stream.agent_speaking(agent_speaking)
    for at in range(0, pcm.size, ANALYSIS_FRAME_SAMPLES):
        frame = pcm[at : at + ANALYSIS_FRAME_SAMPLES]
        pushed_ms += frame.size * 1000 / ANALYSIS_HZ
        stream.push(frame)
        while stream.waiting:
            await asyncio.sleep(0)
    stream.close()
    starts = [e for e in edges if e[0] is EdgeKind.STARTED]
    stops = [e for e in edges if e[0] is EdgeKind.STOPPED]
    spans = [
        Span(start[1], stop[1] if stop else pushed_ms) for start, stop in itertools.zip_longest(starts, stops) if start
    ]
    return Edges(tuple(spans), tuple(e[2] for e in starts), tuple(e[2] for e in stops))


def between_silences(pcm: Pcm16, rng: np.random.Generator, level_dbfs: float, snr_db: float | None) -> Pcm16:
    """The recording at a level (of its loudest tenth), a second of line around it, and noise over all of it."""
    lead = int(rng.integers(ANALYSIS_HZ, ANALYSIS_HZ + 512))
    speech = pcm.astype(np.float64) / 32768
    hops = speech[: speech.size // 160 * 160].reshape(-1, 160)
    loud = float(np.sqrt(np.percentile(np.mean(hops**2, axis=1), 90)))
    gain = 10 ** (level_dbfs / 20) / loud
    line = np.concatenate((np.zeros(lead), speech * gain, np.zeros(ANALYSIS_HZ)))
    noise_dbfs = level_dbfs - snr_db if snr_db is not None else -85.0
    noisy = line + rng.normal(0, 10 ** (noise_dbfs / 20), line.size)
    return np.asarray(np.clip(noisy, -1, 1) * 32767, dtype=np.int16)


async def score_edges(hub: VadHub, corpus: Corpus, limit: int, level_dbfs: float, snr_db: float | None) -> EdgeScore:
    """First onset and last end of every clean recording, in one condition."""
    start_errors: list[float] = []
    end_errors: list[float] = []
    told_start: list[float] = []
    told_end: list[float] = []
    missed = pauses = count = 0
    for name in CLEAN_SETS:
        for recording in corpus.select(name)[:limit]:
            pcm = corpus.load(recording, ANALYSIS_HZ)
            truth = speech_spans(between_silences(pcm, np.random.default_rng(count), level_dbfs, None), ANALYSIS_HZ)
            heard = await detect(hub, between_silences(pcm, np.random.default_rng(count), level_dbfs, snr_db))
            count += 1
            if not heard.spans or not truth or not heard.stop_delays_ms:
                missed += 1
                continue
            start_errors.append(heard.spans[0].start_ms - truth[0].start_ms)
            end_errors.append(heard.spans[-1].end_ms - truth[-1].end_ms)
            told_start.append(start_errors[-1] + heard.start_delays_ms[0])
            told_end.append(end_errors[-1] + heard.stop_delays_ms[-1])
            pauses += len(heard.spans) - 1
    noise = "clean" if snr_db is None else f"{snr_db:.0f} dB SNR"
    return EdgeScore(
        condition=f"{level_dbfs:.0f} dBFS, {noise}",
        recordings=count,
        missed=missed,
        start_error_p50=percentile(start_errors, 0.5),
        start_error_worst90=percentile([abs(e) for e in start_errors], 0.9),
        end_error_p50=percentile(end_errors, 0.5),
        end_error_worst90=percentile([abs(e) for e in end_errors], 0.9),
        end_within_30ms=float(np.mean([abs(e) <= 30 for e in end_errors])) if end_errors else 0.0,
        told_of_start_p50=percentile(told_start, 0.5),
        told_of_start_p90=percentile(told_start, 0.9),
        told_of_end_p50=percentile(told_end, 0.5),
        told_of_end_p90=percentile(told_end, 0.9),
        pauses_per_recording=pauses / max(1, count - missed),
    )


def labelled_spans(recording: Recording) -> list[Span]:
    """The human labels of a recording, whichever of the two shapes they have."""
    labels = recording.labels or {}
    spans: list[Span] = []
    for segment in labels.get("speaker_segments", []):
        spans.append(Span(float(segment[0]) * 1000, float(segment[1]) * 1000))
    for segment in labels.get("segments", []):
        fields = segment[0].split("\t") if isinstance(segment[0], str) else [str(field) for field in segment]
        if len(fields) >= 3 and "silence" not in fields[2]:
            spans.append(Span(float(fields[0]) * 1000, float(fields[1]) * 1000))
    return spans


def _frames(spans: Sequence[Span], duration_ms: float) -> np.ndarray[Any, np.dtype[np.bool_]]:
    flags = np.zeros(int(duration_ms / FRAME_MS) + 1, dtype=bool)
    for span in spans:
        flags[int(span.start_ms / FRAME_MS) : int(span.end_ms / FRAME_MS)] = True
    return flags


async def score_labels(hub: VadHub, corpus: Corpus) -> list[dict[str, Any]]:
    """Precision and recall of 20 ms frames on each labelled recording."""
    rows: list[dict[str, Any]] = []
    for recording in corpus.select(*LABELLED_SETS):
        truth = labelled_spans(recording)
        if not truth:
            continue
        pcm = corpus.load(recording, ANALYSIS_HZ)
        duration_ms = pcm.size * 1000 / ANALYSIS_HZ
        found = _frames((await detect(hub, pcm)).spans, duration_ms)
        said = _frames(truth, duration_ms)
        both = float(np.sum(found & said))
        rows.append(
            {
                "file": recording.file,
                "precision": both / max(1.0, float(found.sum())),
                "recall": both / max(1.0, float(said.sum())),
            }
        )
    return rows


async def score_noise(hub: VadHub, corpus: Corpus) -> list[dict[str, Any]]:
    """False starts a minute on recordings without speech, under both rules."""
    rows: list[dict[str, Any]] = []
    for recording in corpus.select("noise"):
        pcm = corpus.load(recording, ANALYSIS_HZ)
        minutes = pcm.size / ANALYSIS_HZ / 60
        listening = len((await detect(hub, pcm)).spans)
        speaking = len((await detect(hub, pcm, agent_speaking=True)).spans)
        rows.append({"file": recording.file, "listening": listening / minutes, "agent_speaking": speaking / minutes})
    return rows


async def cpu_per_call(calls: int, lines: Pcm16, seconds: float) -> dict[str, float]:
    """CPU of one call in % of a core when `calls` run at once, the pacing loop taken off."""
    idle_s = await _pace([], lines, seconds)
    hub = VadHub()
    await hub.start()
    lags: list[float] = []
    streams = [hub.stream(lambda edge: lags.append(edge.lag_ms)) for _ in range(calls)]
    busy_s = await _pace(streams, lines, seconds)
    await hub.close()
    return {"calls": calls, "percent": (busy_s - idle_s) / seconds / calls * 100, "edges": len(lags)}


async def _pace(streams: Sequence[VadStream], lines: Pcm16, seconds: float) -> float:
    """Push a frame into every stream each 20 ms, spread over ten moments; CPU seconds used."""
    frames = lines[: lines.size // ANALYSIS_FRAME_SAMPLES * ANALYSIS_FRAME_SAMPLES].reshape(-1, ANALYSIS_FRAME_SAMPLES)
    phases = np.random.default_rng(0).integers(0, len(frames), len(streams))
    began, cpu = time.perf_counter(), time.process_time()
    for slot in range(int(seconds * 1000 / FRAME_MS) * 10):
        for index in range(slot % 10, len(streams), 10):
            streams[index].push(frames[(slot // 10 + phases[index]) % len(frames)])
        await asyncio.sleep(max(0.0, began + (slot + 1) * FRAME_MS / 10_000 - time.perf_counter()))
    return time.process_time() - cpu


def half_talking(corpus: Corpus) -> Pcm16:
    """A caller's side of a dialogue: recordings with as much quiet line between them, 60 s."""
    rng = np.random.default_rng(1)
    parts: list[Pcm16] = []
    for recording in corpus.select("asterisk-en", "pytest-audioeval"):
        pcm = corpus.load(recording, ANALYSIS_HZ)
        parts += [pcm, rng.normal(0, 4, pcm.size).astype(np.int16)]
    return np.concatenate(parts)[: ANALYSIS_HZ * 60]


async def measure(corpus: Corpus, limit: int, seconds: float) -> dict[str, Any]:
    """Every table."""
    # A clock that always says that the pause between batches is over: offline there is nothing to collect.
    ticks = itertools.count()
    hub = VadHub(clock=lambda: float(next(ticks)))
    await hub.start()
    edges = [await score_edges(hub, corpus, limit, level, snr) for level in LEVELS_DBFS for snr in SNRS_DB]
    result = {
        "edges": [msgspec.to_builtins(row) for row in edges],
        "labels": await score_labels(hub, corpus),
        "noise": await score_noise(hub, corpus),
    }
    await hub.close()
    lines = half_talking(corpus)
    result["cpu"] = [await cpu_per_call(calls, lines, seconds) for calls in CALLS]
    return result


def print_table(title: str, rows: Sequence[dict[str, Any]]) -> None:
    """One table, columns in the order of the first row."""
    print(f"\n{title}")
    if not rows:
        return
    texts = [[f"{v:.2f}" if isinstance(v, float) else str(v) for v in row.values()] for row in rows]
    widths = [max(len(name), *(len(row[i]) for row in texts)) for i, name in enumerate(rows[0])]
    for line in [list(rows[0]), *texts]:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))


def main(arguments: Sequence[str]) -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.vad", description=__doc__)
    parser.add_argument("--speech", help="folder of recordings with a manifest.json")
    parser.add_argument("--limit", type=int, default=20, help="recordings of each set")
    parser.add_argument("--seconds", type=float, default=10, help="length of each CPU measurement")
    parser.add_argument("--out", type=Path, help="write the figures here as JSON")
    options = parser.parse_args(arguments)
    result = uvloop.run(measure(Corpus(speech_folder(options.speech)), options.limit, options.seconds))
    print_table("Edges against the level truth, ms", result["edges"])
    print_table("Frames against human labels", result["labels"])
    print_table("False starts a minute on noise", result["noise"])
    print_table("CPU per call, % of a core, callers that talk half the time", result["cpu"])
    if options.out is not None:
        options.out.write_bytes(msgspec.json.format(msgspec.json.encode(result)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
