"""False cut-offs against added delay, on the pauses of recorded speech.

`python -m benchmarks.endpointing --speech DIR [--lang en]` decodes each recording up to each of its pauses,
as a call does, and asks endpointing how long it would wait there. A turn is cut when it would have waited
less than the pause lasted. Silence-only thresholds stand beside it. No server, no real time: minutes.
"""

import argparse
import asyncio
import tempfile
from pathlib import Path

import msgspec
import numpy as np

from benchmarks.corpus import Corpus, Recording, speech_folder
from voice_core.asr.engine import WhisperEngine
from voice_core.endpointing import Rhythm, endpoint
from voice_core.expectation import NOTHING_EXPECTED
from voice_core.frames import ANALYSIS_HZ, Pcm16
from voice_core.policy import EndpointPolicy
from voice_core.speech import DecodeKind
from voice_core.voice_to_voice import percentile

SETS = {
    "en": (
        "asterisk-en",
        "speech-to-phrase",
        "pytest-audioeval",
        "librispeech-test-other",
        "ljspeech",
        "pocketsphinx",
    ),
    "fr": ("asterisk-fr", "speech-to-phrase", "pytest-audioeval", "misc"),
    "es": ("asterisk-es", "pytest-audioeval"),
}
THRESHOLDS_MS = (200.0, 300.0, 400.0, 500.0, 600.0, 1_000.0)
HOP_MS = 10
PAUSE_MIN_MS = 150.0
DECODED_AFTER_MS = 120.0
"""Silence at which a call decodes."""


class Pause(msgspec.Struct, frozen=True):
    """A silence: where it begins, how long it lasts (infinite at the end), and what we would wait."""

    at_ms: float
    lasts_ms: float
    waited_ms: float
    reason: str


def find_pauses(pcm: Pcm16) -> list[tuple[float, float]]:
    """(start, length) in ms of the silences inside and after the speech, by level."""
    hop = ANALYSIS_HZ * HOP_MS // 1000
    power = (pcm[: len(pcm) // hop * hop].astype(np.float64).reshape(-1, hop) ** 2).mean(axis=1)
    level = 10 * np.log10(power + 1)
    speech = np.flatnonzero(level > max(np.percentile(level, 95) - 32, np.percentile(level, 5) + 6))
    if not len(speech):
        return []
    gaps = np.diff(speech) - 1
    found = [
        (float(speech[i] + 1) * HOP_MS, float(gaps[i]) * HOP_MS) for i in np.flatnonzero(gaps * HOP_MS >= PAUSE_MIN_MS)
    ]
    return [*found, (float(speech[-1] + 1) * HOP_MS, float("inf"))]


async def judge(engine: WhisperEngine, pcm: Pcm16, language: str) -> list[Pause]:
    """Each pause of one recording with the silence that a call would have given it."""
    judged: list[Pause] = []
    for at_ms, lasts_ms in find_pauses(pcm):
        end = int((at_ms + DECODED_AFTER_MS) * ANALYSIS_HZ / 1000)
        heard = np.concatenate([pcm[:end], np.zeros(max(0, end - len(pcm)), np.int16)])
        recognizer = engine.recognizer((language,), language)
        recognizer.begin(0)
        recognizer.push(heard)
        said = await recognizer.decode(DecodeKind.FINAL)
        found = endpoint(
            said.text,
            language,
            NOTHING_EXPECTED,
            Rhythm(),
            EndpointPolicy(),
            end_probability=said.end_probability,
        )
        judged.append(Pause(at_ms, lasts_ms, found.delay_ms, found.reason))
    return judged


def report(turns: list[list[Pause]]) -> list[str]:
    """A line for ours and one for each threshold."""

    def line(name: str, waits: list[list[float]]) -> str:
        cut = sum(
            any(pause.lasts_ms > wait for pause, wait in zip(turn[:-1], wait_of, strict=False))
            for turn, wait_of in zip(turns, waits, strict=True)
        )
        last = [wait_of[-1] for wait_of in waits]
        share = 100 * cut / len(turns)
        return (
            f"{name:>16}  cut {cut:3d} of {len(turns)} ({share:4.1f} %)  "
            f"delay p50 {percentile(last, 0.5):5.0f} ms  p90 {percentile(last, 0.9):5.0f} ms"
        )

    ours = line("parley", [[pause.waited_ms for pause in turn] for turn in turns])
    silence = [line(f"silence {t:.0f} ms", [[t] * len(turn) for turn in turns]) for t in THRESHOLDS_MS]
    return [ours, *silence]


async def measure(corpus: Corpus, recordings: list[Recording], language: str, cache: Path) -> list[list[Pause]]:
    """The judged pauses of every recording that holds speech."""
    engine = WhisperEngine.load(cache, (language,))
    try:
        turns = [await judge(engine, corpus.load(one, ANALYSIS_HZ), language) for one in recordings]
    finally:
        engine.close()
    return [turn for turn in turns if turn]


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.endpointing", description=__doc__)
    parser.add_argument("--speech", help="folder of recordings with a manifest.json")
    parser.add_argument("--lang", default="en", choices=sorted(SETS))
    parser.add_argument("--limit", type=int, default=0, help="recordings, 0 for all")
    parser.add_argument("--cache", type=Path, help="folder of prepared models")
    options = parser.parse_args()
    corpus = Corpus(speech_folder(options.speech))
    recordings = corpus.select(*SETS[options.lang], lang=options.lang)
    with tempfile.TemporaryDirectory() as scratch:
        chosen = recordings[: options.limit or None]
        turns = asyncio.run(measure(corpus, chosen, options.lang, options.cache or Path(scratch)))
    print("\n".join(report(turns)))


if __name__ == "__main__":
    main()
