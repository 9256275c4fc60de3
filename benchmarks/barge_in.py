"""Interrupting the agent, from outside: how fast it falls silent, and what makes it stop that should not.

`python -m benchmarks.barge_in --speech DIR` asks a question with a long answer, and says, coughs or murmurs something
into it. Words must silence the agent for good; noises and backchannels may make it pause, but it must go on.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from enum import Enum
from typing import Any

import msgspec
import numpy as np

from benchmarks.corpus import Corpus, speech_folder
from benchmarks.socket_call import CallOver, SocketCall, Told, add_call_options, dialled, server_address
from server.caller import Turn
from server.caller_speech import speak_sentences
from voice_core.frames import ANALYSIS_HZ, Pcm16
from voice_core.voice_to_voice import Span, percentile, speech_spans

QUESTIONS = {
    "en": "What are your opening hours, and how much is a cleaning?",
    "fr": "Quels sont vos horaires, et combien coûte un détartrage ?",
}
BACKCHANNELS = {"en": ("Mm-hmm.", "Okay.", "Yeah.", "Uh-huh.", "Right."), "fr": ("Mm-hmm.", "D'accord.", "Oui.", "Ok.")}
WORD_SETS = ("speech-to-phrase", "pytest-audioeval", "pocketsphinx")
INTO_ANSWER_MS = 600.0
"""How far into the answer the caller makes itself heard."""

WATCH_MS = 4_000.0
"""How long the agent is watched after that: a verdict and a resumed sentence fit in."""

REACTION_MS = 1_500.0
"""A silence that begins later than this after the onset is the end of the answer, not a reaction."""

PAUSE_MS = 250.0
"""Shorter silences of the agent are between words."""


class ProbeKind(Enum):
    """What is put into the answer."""

    WORDS = "words"
    NOISE = "noise"
    BACKCHANNEL = "backchannel"


class Probe(msgspec.Struct, frozen=True):
    """One sound of a kind."""

    kind: ProbeKind
    label: str
    pcm: Pcm16


class Reaction(msgspec.Struct, frozen=True):
    """What the agent did. silent_after_ms: from the caller's onset to the agent's last sample, None when it went on.

    interrupted: it took the sound for the caller's turn. resumed: it went on with what it was saying.
    """

    kind: str
    label: str
    silent_after_ms: float | None
    interrupted: bool
    resumed: bool


def reaction(probe: Probe, onset_ms: float, agent: Sequence[Span], told: Sequence[Told], from_ms: float) -> Reaction:
    """From when the agent spoke (ms from `from_ms`), the sound's onset (same) and the notices (ms of the call)."""
    # `clear` says nothing here: it also accompanies a pause that is taken back.
    taken = any(
        t.kind == "transcript" and t.notice["role"] == "caller" and t.notice["final"] and t.at_ms - from_ms > onset_ms
        for t in told
    )
    joined: list[Span] = []
    for span in agent:
        if joined and span.start_ms - joined[-1].end_ms < PAUSE_MS:
            joined[-1] = Span(joined[-1].start_ms, span.end_ms)
        else:
            joined.append(span)
    during = next((span for span in joined if span.start_ms <= onset_ms < span.end_ms), None)
    silent_after_ms = during.end_ms - onset_ms if during else None
    if silent_after_ms is not None and silent_after_ms > REACTION_MS:
        silent_after_ms = None
    later = during is not None and any(span.start_ms > during.end_ms for span in joined)
    return Reaction(
        kind=probe.kind.value,
        label=probe.label,
        silent_after_ms=silent_after_ms,
        interrupted=taken,
        resumed=silent_after_ms is None or (later and not taken),
    )


async def put_into_answer(url: str, language: str, question: Turn, probe: Probe) -> Reaction | None:
    """One call: ask, wait for the answer, disturb it. None when there was no answer to disturb."""
    async with dialled(url, language) as call:
        from_ms = 0.0
        try:
            await call.until_agent_has_finished()
            await call.say(question.pcm)
            asked_ms = call.line.now_ms
            if not await call.until(lambda: call.heard_ms >= asked_ms, 8_000):
                return None
            from_ms = call.heard_ms
            await call.until(lambda: False, INTO_ANSWER_MS)
            await call.say(probe.pcm)
            await call.until(lambda: False, WATCH_MS)
        except CallOver:
            pass
    return _reaction_in(call, probe, from_ms)


def _reaction_in(call: SocketCall, probe: Probe, from_ms: float) -> Reaction | None:
    left, right = call.line.recording(from_ms)
    said = speech_spans(left, ANALYSIS_HZ)
    if not said:
        return None
    told = [t for t in call.told if t.at_ms >= from_ms]
    return reaction(probe, said[0].start_ms, speech_spans(right, ANALYSIS_HZ), told, from_ms)


def synthetic_noises(rng: np.random.Generator) -> list[Probe]:
    """Coughs (two bursts of breath noise), a door (a low thump with a rattle) and clicks of a handset."""
    return [
        *(Probe(ProbeKind.NOISE, f"cough {n}", _cough(rng)) for n in range(3)),
        *(Probe(ProbeKind.NOISE, f"door {n}", _door(rng)) for n in range(2)),
        *(Probe(ProbeKind.NOISE, f"clicks {n}", _clicks(rng)) for n in range(2)),
    ]


def _decay(length_ms: float, half_life_ms: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    return 0.5 ** (np.arange(int(length_ms * ANALYSIS_HZ / 1000)) * 1000 / ANALYSIS_HZ / half_life_ms)


def _pcm(sound: np.ndarray[Any, np.dtype[np.float64]], peak: float) -> Pcm16:
    return np.asarray(sound / np.abs(sound).max() * peak * 32767, dtype=np.int16)


def _cough(rng: np.random.Generator) -> Pcm16:
    envelope = np.concatenate((_decay(140, 40), np.zeros(1_600), 0.6 * _decay(180, 50)))
    breath = rng.normal(0, 1, envelope.size)
    coloured = np.convolve(breath, np.hanning(9), "same")  # most of a cough lies under 2.5 kHz
    return _pcm(coloured * envelope, 0.4)


def _door(rng: np.random.Generator) -> Pcm16:
    envelope = _decay(350, 60)
    time = np.arange(envelope.size) / ANALYSIS_HZ
    return _pcm((np.sin(2 * np.pi * 70 * time) + 0.4 * rng.normal(0, 1, time.size)) * envelope, 0.6)


def _clicks(rng: np.random.Generator) -> Pcm16:
    sound = np.zeros(ANALYSIS_HZ // 2)
    for at in rng.integers(0, sound.size - 200, 4):
        sound[at : at + 200] += rng.normal(0, 1, 200) * _decay(12.5, 2)
    return _pcm(sound, 0.5)


def probes(corpus: Corpus, language: str, limit: int) -> list[Probe]:
    """Every kind, at most `limit` of each (0 for all)."""
    words = [
        Probe(ProbeKind.WORDS, recording.file, corpus.load(recording, ANALYSIS_HZ))
        for recording in corpus.select(*WORD_SETS, lang=language)
    ]
    noises = synthetic_noises(np.random.default_rng(1))
    for recording in corpus.select("noise"):
        second = corpus.load(recording, ANALYSIS_HZ)[ANALYSIS_HZ : 2 * ANALYSIS_HZ]
        noises.append(Probe(ProbeKind.NOISE, recording.file, second))
    murmurs = [
        Probe(ProbeKind.BACKCHANNEL, turn.label, turn.pcm)
        for turn in speak_sentences(BACKCHANNELS[language], language, ANALYSIS_HZ)
    ]
    return [*words[: limit or None], *noises[: limit or None], *murmurs[: limit or None]]


def summary(reactions: Sequence[Reaction]) -> dict[str, dict[str, float]]:
    """Per kind: how many, how fast silent (ms), and the share that ended as it should."""
    rows: dict[str, dict[str, float]] = {}
    for kind in ProbeKind:
        of_kind = [r for r in reactions if r.kind == kind.value]
        silences = [r.silent_after_ms for r in of_kind if r.silent_after_ms is not None]
        if not of_kind:
            continue
        rows[kind.value] = {
            "probes": len(of_kind),
            "silenced": len(silences) / len(of_kind),
            "silent_after_p50_ms": percentile(silences, 0.5),
            "silent_after_p95_ms": percentile(silences, 0.95),
            "interrupted": float(np.mean([r.interrupted for r in of_kind])),
            "resumed": float(np.mean([r.resumed for r in of_kind])),
        }
    return rows


async def run(options: argparse.Namespace, question: Turn, chosen: Sequence[Probe]) -> list[Reaction]:
    """One call for each probe."""
    reactions: list[Reaction] = []
    async with server_address(options) as url:
        for probe in chosen:
            seen = await put_into_answer(url, options.lang, question, probe)
            if seen is None:
                print(f"no answer to put this into: {probe.label}", flush=True)
                continue
            reactions.append(seen)
            silent = "went on" if seen.silent_after_ms is None else f"silent after {seen.silent_after_ms:.0f} ms"
            then = "interrupted" if seen.interrupted else "resumed" if seen.resumed else "STAYED SILENT"
            print(f"{probe.kind.value:12}  {silent:22}  {then:14}  {probe.label}", flush=True)
    return reactions


def main(arguments: Sequence[str]) -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.barge_in", description=__doc__)
    add_call_options(parser)
    parser.add_argument("--limit", type=int, default=12, help="probes of each kind, 0 for all")
    options = parser.parse_args(arguments)
    if options.lang not in QUESTIONS:
        raise SystemExit(f"no question is known in {options.lang}; one of {', '.join(QUESTIONS)}")
    chosen = probes(Corpus(speech_folder(options.speech)), options.lang, options.limit)
    (question,) = speak_sentences((QUESTIONS[options.lang],), options.lang, ANALYSIS_HZ)
    reactions = asyncio.run(run(options, question, chosen))
    rows = summary(reactions)
    for kind, row in rows.items():
        print(f"\n{kind}: " + ", ".join(f"{name} {value:.2f}" for name, value in row.items()))
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        result = {"summary": rows, "reactions": reactions}
        (options.out / "barge_in.json").write_bytes(msgspec.json.format(msgspec.json.encode(result)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
