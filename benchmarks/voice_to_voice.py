"""Voice-to-voice latency from outside: real calls through the socket, measured on their stereo recordings.

`python -m benchmarks.voice_to_voice --speech DIR` says recorded (or with `--tts FILE` spoken) turns to a running
server, in real time, and reports each turn and the percentiles. A turn without an answer counts as infinite.
"""

import argparse
import asyncio
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from benchmarks.corpus import Corpus, speech_folder
from benchmarks.socket_call import CallOver, SocketCall, Told, add_call_options, dialled, server_address
from server.caller import Turn
from server.caller_speech import speak_sentences
from voice_core.frames import ANALYSIS_HZ
from voice_core.voice_to_voice import Span, conversation, percentile, speech_spans

ENGLISH_SETS = (
    "asterisk-en",
    "speech-to-phrase",
    "pytest-audioeval",
    "librispeech-test-other",
    "ljspeech",
    "pocketsphinx",
)
ANSWER_TIMEOUT_MS = 8_000.0
AFTER_ANSWER_MS = 500.0
"""What a caller waits before the next turn."""


class TurnFigures(msgspec.Struct, frozen=True):
    """One turn; times in ms. gap_ms: infinite when nothing was answered, negative when spoken over.

    cut_off_ms: how much caller speech was still to come when the agent spoke or took its words for final; 0 if none.
    aborted: answers that were begun and taken back. stages: the server's own timeline.
    """

    said: str
    speech_ms: float
    gap_ms: float
    cut_off_ms: float
    aborted: int
    heard: str
    stages: dict[str, float]


class Summary(msgspec.Struct, frozen=True):
    """All turns of a run, ms; shares 0..1."""

    turns: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    cut_off: float
    aborted: float
    missing: float


def measured(said: str, call: SocketCall, from_ms: float) -> TurnFigures:
    """The turn that began at `from_ms` and lasts until now, from the recording and what was told meanwhile."""
    left, right = call.line.recording(from_ms)
    told = [t for t in call.told if t.at_ms >= from_ms]
    return figures(said, conversation(left, right, ANALYSIS_HZ).agent, speech_spans(left, ANALYSIS_HZ), told, from_ms)


def figures(
    said: str, agent: Sequence[Span], caller: Sequence[Span], told: Sequence[Told], from_ms: float
) -> TurnFigures:
    """One turn from when each side spoke (ms from `from_ms`) and the notices (ms of the call)."""
    end_ms = caller[-1].end_ms if caller else 0.0
    finals = [t for t in told if t.kind == "transcript" and t.notice["role"] == "caller" and t.notice["final"]]
    early = [t.at_ms - from_ms for t in finals if t.at_ms - from_ms < end_ms]
    early += [span.start_ms for span in agent if 0 < span.start_ms < end_ms]
    answers = [span.start_ms for span in agent if span.end_ms > end_ms]
    return TurnFigures(
        said=said,
        speech_ms=end_ms - caller[0].start_ms if caller else 0.0,
        gap_ms=answers[0] - end_ms if answers else math.inf,
        cut_off_ms=end_ms - min(early) if early else 0.0,
        aborted=sum(t.kind == "clear" and t.at_ms - from_ms < (answers[0] if answers else math.inf) for t in told),
        heard=" ".join(str(t.notice["text"]) for t in finals),
        stages=next((t.notice["timeline"] for t in told if t.kind == "turn"), {}),
    )


def summary(turns: Sequence[TurnFigures]) -> Summary:
    """Percentiles over all turns, the missing ones as infinite."""
    gaps = [turn.gap_ms for turn in turns]
    return Summary(
        turns=len(turns),
        p50_ms=percentile(gaps, 0.5),
        p90_ms=percentile(gaps, 0.9),
        p99_ms=percentile(gaps, 0.99),
        cut_off=float(np.mean([turn.cut_off_ms > 0 for turn in turns])),
        aborted=float(np.mean([turn.aborted > 0 for turn in turns])),
        missing=float(np.mean([math.isinf(gap) for gap in gaps])),
    )


async def take_turn(call: SocketCall, turn: Turn) -> TurnFigures:
    """Say one turn, wait for the answer and for its end."""
    from_ms = call.line.now_ms
    try:
        await call.say(turn.pcm)
        said_ms = call.line.now_ms
        if await call.until(lambda: call.heard_ms >= said_ms, ANSWER_TIMEOUT_MS):
            await call.until_agent_has_finished()
    except CallOver:
        pass  # what was heard until then is measured all the same
    return measured(turn.label, call, from_ms)


async def hold_call(url: str, language: str, turns: Sequence[Turn], wav: Path | None) -> list[TurnFigures]:
    """One call; fewer figures than turns when the agent ended it."""
    done: list[TurnFigures] = []
    async with dialled(url, language) as call:
        try:
            if not await call.until_agent_has_finished():
                raise SystemExit(f"no greeting from {url}")
            for turn in turns:
                done.append(await take_turn(call, turn))
                print_turn(done[-1])
                await call.until(lambda: False, AFTER_ANSWER_MS)
        except CallOver:
            pass
    if wav is not None:
        await asyncio.to_thread(call.line.write, wav)
    return done


async def run(options: argparse.Namespace, turns: Sequence[Turn]) -> list[TurnFigures]:
    """Every turn, several to a call; a call that the agent ends early is followed by another one."""
    done: list[TurnFigures] = []
    async with server_address(options) as url:
        calls = 0
        while len(done) < len(turns):
            part = turns[len(done) : len(done) + options.turns_per_call]
            wav = options.out / f"call-{calls:03}.wav" if options.out is not None else None
            figures_of_call = await hold_call(url, options.lang, part, wav)
            calls += 1
            if not figures_of_call:
                raise SystemExit(f"the server ends calls before a turn can be said: {part[0].label}")
            done += figures_of_call
    return done


def recorded_turns(corpus: Corpus, sets: Sequence[str], language: str, limit: int) -> Iterator[Turn]:
    """Recordings as turns, taken from each set in turn so that a limited run holds all of them."""
    queues = [corpus.select(name, lang=language) for name in sets]
    picked = [queue[rank] for rank in range(max(map(len, queues), default=0)) for queue in queues if rank < len(queue)]
    for recording in picked[: limit or None]:
        yield Turn(recording.file, corpus.load(recording, ANALYSIS_HZ))


def print_turn(turn: TurnFigures) -> None:
    """One line, while the run goes on."""
    cut = f"  cut off {turn.cut_off_ms:.0f} ms early" if turn.cut_off_ms else ""
    aborted = f"  {turn.aborted} aborted" if turn.aborted else ""
    print(
        f"{turn.gap_ms:7.0f} ms  {turn.speech_ms / 1000:5.1f} s  {turn.said}  [{turn.heard}]{cut}{aborted}", flush=True
    )


def report(turns: Sequence[TurnFigures], out: Path | None) -> None:
    """The summary, and with `out` the JSON (a missing answer as null)."""
    total = summary(turns)
    print(f"\n{total.turns} turns: p50 {total.p50_ms:.0f} ms, p90 {total.p90_ms:.0f} ms, p99 {total.p99_ms:.0f} ms")
    print(f"cut off {total.cut_off:.1%}, aborted {total.aborted:.1%}, missing {total.missing:.1%}")
    if out is not None:
        result: dict[str, Any] = {"summary": total, "turns": list(turns)}
        (out / "voice_to_voice.json").write_bytes(msgspec.json.format(msgspec.json.encode(result)))


def main(arguments: Sequence[str]) -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.voice_to_voice", description=__doc__)
    add_call_options(parser)
    parser.add_argument("--sets", nargs="+", default=ENGLISH_SETS, help="sets of the manifest")
    parser.add_argument("--tts", type=Path, help="speak the lines of this file instead of recordings")
    parser.add_argument("--limit", type=int, default=32, help="turns, 0 for all")
    parser.add_argument("--turns-per-call", type=int, default=3)
    options = parser.parse_args(arguments)
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
    if options.tts is not None:
        lines = [line.strip() for line in options.tts.read_text(encoding="utf-8").splitlines() if line.strip()]
        turns = speak_sentences(lines[: options.limit or None], options.lang, ANALYSIS_HZ)
    else:
        corpus = Corpus(speech_folder(options.speech))
        turns = list(recorded_turns(corpus, options.sets, options.lang, options.limit))
    if not turns:
        raise SystemExit("nothing to say: no recording of these sets is in this language")
    report(asyncio.run(run(options, turns)), options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
