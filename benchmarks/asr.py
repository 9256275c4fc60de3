"""Word errors, CPU and delay of the embedded recogniser beside stock faster-whisper.

`python -m benchmarks.asr --speech DIR [--lang en fr es] [--limit N] [--out FILE]` decodes every
recording with both, in turns, on the same models: ours on short windows, as a call uses it,
and faster-whisper with its defaults (beam of 5, 30 s window). CPU is that of the whole process.
"""

import argparse
import asyncio
import contextlib
import logging
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from faster_whisper import WhisperModel as StockWhisper

from benchmarks.corpus import Corpus, Recording, speech_folder
from benchmarks.wer import NO_WORDS, WordErrors, word_errors
from voice_core.asr.engine import WhisperEngine
from voice_core.asr.models import find_tiny_en, prepare_base
from voice_core.frames import ANALYSIS_HZ, FRAME_MS, Pcm16, frame_samples
from voice_core.speech import DecodeDropped, DecodeKind

SETS = {
    "en": ("asterisk-en", "librispeech-test-other", "speech-to-phrase", "pytest-audioeval", "pocketsphinx", "ljspeech"),
    "fr": ("asterisk-fr", "speech-to-phrase", "pytest-audioeval", "watson-demo", "misc"),
    "es": ("asterisk-es", "pytest-audioeval"),
}
PARTIAL_EVERY_MS = 400
"""How often a call asks for the words so far while the caller speaks."""


class Tally(msgspec.Struct):
    """What one recogniser did on one set."""

    errors: WordErrors = NO_WORDS
    cpu_s: list[float] = []
    wall_s: list[float] = []

    def add(self, other: "Tally") -> None:
        """Count another set in."""
        self.errors += other.errors
        self.cpu_s += other.cpu_s
        self.wall_s += other.wall_s

    @property
    def cpu_mean_s(self) -> float:
        """CPU seconds per utterance."""
        return float(np.mean(self.cpu_s))


class Row(msgspec.Struct):
    """One set: ours decoding once, ours in a call (with partials), and stock."""

    language: str
    set: str
    utterances: int = 0
    audio_s: float = 0.0
    ours: Tally = msgspec.field(default_factory=Tally)
    live: Tally = msgspec.field(default_factory=Tally)
    stock: Tally = msgspec.field(default_factory=Tally)

    def add(self, other: "Row") -> None:
        """Count another set in."""
        self.utterances += other.utterances
        self.audio_s += other.audio_s
        self.ours.add(other.ours)
        self.live.add(other.live)
        self.stock.add(other.stock)


class Stopwatch:
    """Wall and process time of one decode."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def __enter__(self) -> None:
        self._wall_s, self._cpu_s = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        self._tally.cpu_s.append(time.process_time() - self._cpu_s)
        self._tally.wall_s.append(time.perf_counter() - self._wall_s)


async def decode_once(engine: WhisperEngine, pcm: Pcm16, language: str, tally: Tally) -> str:
    """The final decode of a whole utterance."""
    recognizer = engine.recognizer((language,))
    recognizer.begin(0)
    with Stopwatch(tally):
        recognizer.push(pcm)
        return (await recognizer.decode(DecodeKind.FINAL)).text


class CallTime:
    """Time as in a call, without waiting for it: goes with the audio, and with CPU while decoding."""

    def __init__(self) -> None:
        self.audio_s = 0.0
        self._busy_until_s = 0.0
        self._decode_began: tuple[float, float] | None = None

    def __call__(self) -> float:
        """Seconds since the call began."""
        if self._decode_began is None:
            return max(self.audio_s, self._busy_until_s)
        began_s, cpu_s = self._decode_began
        return began_s + time.process_time() - cpu_s

    def __enter__(self) -> None:
        self._decode_began = (self(), time.process_time())

    def __exit__(self, *_: object) -> None:
        self._busy_until_s, self._decode_began = self(), None


async def decode_live(engine: WhisperEngine, pcm: Pcm16, language: str, tally: Tally) -> str:
    """As in a call: frame by frame, partials while the caller speaks, then the final."""
    now = CallTime()
    recognizer = engine.recognizer((language,), clock=now)
    recognizer.begin(0)
    frame = frame_samples(ANALYSIS_HZ)
    with Stopwatch(tally):
        for number, start in enumerate(range(0, len(pcm), frame), 1):
            recognizer.push(pcm[start : start + frame])
            now.audio_s = number * FRAME_MS / 1000
            if number * FRAME_MS % PARTIAL_EVERY_MS == 0:
                with now, contextlib.suppress(DecodeDropped):
                    await recognizer.decode(DecodeKind.PARTIAL)
        return (await recognizer.decode(DecodeKind.FINAL)).text


def decode_stock(model: StockWhisper, pcm: Pcm16, language: str, tally: Tally) -> str:
    """faster-whisper's transcribe() as its README calls it."""
    with Stopwatch(tally):
        segments, _ = model.transcribe(pcm.astype(np.float32) / 32768.0, language=language)
        return " ".join(segment.text for segment in segments)


def chosen(corpus: Corpus, language: str, limit: int | None) -> list[tuple[str, list[Recording]]]:
    """The recordings of each set of a language, the first `limit` of each."""
    sets = ((name, corpus.select(name, lang=language, transcribed=True)[:limit]) for name in SETS[language])
    return [(name, recordings) for name, recordings in sets if recordings]


async def measure(
    corpus: Corpus, language: str, limit: int | None, engine: WhisperEngine, stock: StockWhisper
) -> list[Row]:
    """Decode the sets of one language with both, recording by recording."""
    rows: list[Row] = []
    for name, recordings in chosen(corpus, language, limit):
        row = Row(language, name)
        for recording in recordings:
            pcm = corpus.load(recording, ANALYSIS_HZ)
            said = recording.transcript or ""
            row.utterances += 1
            row.audio_s += recording.duration_s
            row.ours.errors += word_errors(said, await decode_once(engine, pcm, language, row.ours), language)
            row.stock.errors += word_errors(said, decode_stock(stock, pcm, language, row.stock), language)
            row.live.errors += word_errors(said, await decode_live(engine, pcm, language, row.live), language)
        rows.append(row)
        print_row(row)
    return rows


HEADER = (
    f"{'lang':4} {'set':24} {'n':>4} {'s':>5}  {'WER ours':>8} {'live':>6} {'stock':>6}  "
    f"{'CPU ms ours':>11} {'live':>6} {'stock':>6} {'ours/stock':>10}  {'wall ms p50':>11} {'p90':>6} {'stock p50':>9}"
)


def print_row(row: Row) -> None:
    """One line of the table."""
    p50, p90 = np.percentile(row.ours.wall_s, (50, 90)) * 1000
    print(
        f"{row.language:4} {row.set:24} {row.utterances:4} {row.audio_s / row.utterances:5.1f}  "
        f"{row.ours.errors.rate:8.1%} {row.live.errors.rate:6.1%} {row.stock.errors.rate:6.1%}  "
        f"{row.ours.cpu_mean_s * 1000:11.0f} {row.live.cpu_mean_s * 1000:6.0f} {row.stock.cpu_mean_s * 1000:6.0f} "
        f"{row.ours.cpu_mean_s / row.stock.cpu_mean_s:10.2f}  "
        f"{p50:11.0f} {p90:6.0f} {np.percentile(row.stock.wall_s, 50) * 1000:9.0f}",
        flush=True,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--speech", help="folder of recordings with a manifest.json")
    parser.add_argument("--lang", nargs="+", choices=sorted(SETS), default=list(SETS))
    parser.add_argument("--limit", type=int, help="recordings of each set")
    parser.add_argument("--cache", type=Path, help="where the joined multilingual model is kept")
    parser.add_argument("--out", type=Path, help="write the figures here")
    options = parser.parse_args(arguments)
    logging.getLogger("faster_whisper").setLevel(logging.WARNING)
    corpus = Corpus(speech_folder(options.speech))
    cache = options.cache or Path(tempfile.mkdtemp(prefix="parley-asr-"))
    rows: list[Row] = []
    print(HEADER)
    for language in options.lang:
        files = find_tiny_en() if language == "en" else prepare_base(cache)
        engine = WhisperEngine.load(cache, (language,), threads=1)
        # One thread like ours: with its default of four, spinning threads would count against it.
        stock = StockWhisper(str(files.folder), device="cpu", compute_type="int8", cpu_threads=1)
        found = asyncio.run(measure(corpus, language, options.limit, engine, stock))
        engine.close()
        total = Row(language, "all")
        for row in found:
            total.add(row)
        print_row(total)
        rows += [*found, total]
    if options.out:
        options.out.write_bytes(msgspec.json.format(msgspec.json.encode(rows)))


if __name__ == "__main__":
    main()
