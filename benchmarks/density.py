"""Calls per core: how many calls one process on one core carries before their audio is late.

`python -m benchmarks.density [--calls 1 10 50 100 ...] [--stt-ms 100] [--out FILE]` puts the voice socket with fake
engines and real VAD on one core and callers with 8 kHz mu-law both ways on the other, and adds calls step by step. A
number is carried when p99 of the frames' lateness is at most 10 ms, nothing ran dry, no call was dropped and every turn
was answered; CPU and memory are of the server's process.
"""

import argparse
import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import soxr
import uvloop

from benchmarks.fake_server import ServerFigures
from benchmarks.media_load import LINE_HZ, Load, Script, frames, line_noise
from telephony.voice_socket import PATH
from voice_core.tts.embedded import EmbeddedTts

LATE_LIMIT_MS = 10.0
PAUSE_MS = 6_000
"""From the end of a caller's turn to its next: the answer lasts about 2 s, so a caller talks a quarter of the time."""

SETTLE_S = 8.0
"""Between a new number of calls and the measurement: every caller has had a turn."""

SENTENCES = (
    "What time do you close on Saturday?",
    "And how much is a cleaning?",
    "I would like an appointment on Tuesday morning.",
    "Is there a car park near you?",
)


class Step(msgspec.Struct, frozen=True):
    """One number of calls. cpu_percent and rss_mb: per call. answered: share of turns. sent_late_ms: of the callers'
    own clock, p99."""

    calls: int
    cpu_percent: float
    rss_mb: float
    late_p50_ms: float
    late_p99_ms: float
    late_max_ms: float
    added_p50_ms: float
    added_p99_ms: float
    turns: int
    answered: float
    underruns: int
    dropped: int
    sent_late_ms: float

    @property
    def carried(self) -> bool:
        """Whether so many calls are fine."""
        return self.late_p99_ms <= LATE_LIMIT_MS and not self.underruns and not self.dropped and self.answered > 0.999


def spoken_script() -> Script:
    """The sentences in a synthetic voice at 8 kHz, with a line's noise between them."""
    rng = np.random.default_rng(1)
    tts = EmbeddedTts.load(("en",))
    turns = [asyncio.run(_spoken(tts, sentence)) for sentence in SENTENCES]
    tts.close()
    return Script(turns, frames(line_noise(2.0, rng)), PAUSE_MS // 20)


async def _spoken(tts: EmbeddedTts, sentence: str) -> list[bytes]:
    voice = tts.voice()
    pcm = np.concatenate([chunk.pcm async for chunk in voice.render(sentence, "en")])
    quiet = soxr.resample(pcm.astype(np.float32) / 2, voice.sample_rate, LINE_HZ)
    return frames(quiet.astype(np.int16))


async def measure(options: argparse.Namespace, script: Script) -> list[Step]:
    """Every number of calls in turn, in one server."""
    command = [sys.executable, "-m", "benchmarks.fake_server", "--sessions", str(max(options.calls) + 10)]
    for name in ("stt", "llm", "tts"):
        command += [f"--{name}-ms", str(getattr(options, f"{name}_ms"))]
    if options.server_core is not None:
        command = ["taskset", "-c", str(options.server_core), *command]
    server = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    assert server.stdin is not None
    assert server.stdout is not None

    async def ask(line: str) -> bytes:
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(f"{line}\n".encode())
        return await server.stdout.readline() if line == "report" else b""

    load = Load(int(await server.stdout.readline()), PATH, script)
    try:
        await ask("mark")
        await asyncio.sleep(1)
        empty = msgspec.json.decode(await ask("report"), type=ServerFigures)
        steps: list[Step] = []
        for calls in options.calls:
            await load.grow(calls)
            await asyncio.sleep(SETTLE_S)
            turns, answers = load.turns()
            load.late_ms.clear()
            await ask("mark")
            await asyncio.sleep(options.seconds)
            figures = msgspec.json.decode(await ask("report"), type=ServerFigures)
            step = stepped(figures, empty, load, turns, answers)
            steps.append(step)
            print_step(step)
            if not step.carried and not options.go_on:
                break
        return steps
    finally:
        await load.close()
        server.stdin.close()
        await server.wait()


def stepped(figures: ServerFigures, empty: ServerFigures, load: Load, turns: int, answers: int) -> Step:
    """The figures of one step. turns, answers: of all callers before it."""
    now_turns, now_answers = load.turns()
    calls = len(load.callers)
    return Step(
        calls=calls,
        cpu_percent=100 * figures.cpu_s / figures.wall_s / calls,
        rss_mb=(figures.rss_bytes - empty.rss_bytes) / calls / 2**20,
        late_p50_ms=figures.late_ms.get("p50", float("inf")),
        late_p99_ms=figures.late_ms.get("p99", float("inf")),
        late_max_ms=figures.late_ms.get("max", float("inf")),
        added_p50_ms=figures.added_ms.get("p50", float("inf")),
        added_p99_ms=figures.added_ms.get("p99", float("inf")),
        turns=now_turns - turns,
        answered=(now_answers - answers) / max(1, now_turns - turns),
        underruns=figures.underruns,
        dropped=load.dropped,
        sent_late_ms=float(np.percentile(load.late_ms, 99)) if load.late_ms else float("inf"),
    )


def print_step(step: Step) -> None:
    """One line."""
    print(
        f"{step.calls:4d} calls: {step.cpu_percent:5.2f} % of a core and {step.rss_mb:4.2f} MB each, frames late "
        f"p50 {step.late_p50_ms:.2f} p99 {step.late_p99_ms:.2f} max {step.late_max_ms:.1f} ms, answers later than they "
        f"need p50 {step.added_p50_ms:.1f} p99 {step.added_p99_ms:.1f} ms, {step.turns} turns, "
        f"{step.answered:.1%} answered, {step.underruns} underruns, {step.dropped} dropped; callers' own lateness "
        f"p99 {step.sent_late_ms:.2f} ms{'' if step.carried else '  <- too many'}",
        flush=True,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 1 when not even the first number of calls was carried."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, nargs="+", default=[1, 10, 50, 100, 150, 200, 250, 300])
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement")
    parser.add_argument("--stt-ms", type=float, default=100.0)
    parser.add_argument("--llm-ms", type=float, default=0.0)
    parser.add_argument("--tts-ms", type=float, default=0.0)
    parser.add_argument("--server-core", type=int, default=0, help="the server's core; the callers take another")
    parser.add_argument("--go-on", action="store_true", help="do not stop at the first number that is too much")
    parser.add_argument("--out", type=Path, help="write the figures here, JSON")
    options = parser.parse_args(arguments)
    cores = os.sched_getaffinity(0)
    if options.server_core not in cores or len(cores) < 2:
        parser.error(f"--server-core: {options.server_core} is not one of {sorted(cores)}, and two cores are needed")
    os.sched_setaffinity(0, cores - {options.server_core})
    script = spoken_script()
    os.environ["OMP_NUM_THREADS"] = "1"
    steps = uvloop.run(measure(options, script))
    carried = max((step.calls for step in steps if step.carried), default=0)
    print(f"{carried} calls on one core.")
    if options.out:
        options.out.write_bytes(msgspec.json.format(msgspec.json.encode(steps)))
    return 0 if carried else 1


if __name__ == "__main__":
    sys.exit(main())
