"""How soon, how fast and how truly the embedded voices speak.

`python -m benchmarks.tts [--lang en fr es ar ary] [--token-ms 25] [--out FILE]` needs no recordings. It
streams replies token by token and takes the time from the first token to the first audio, renders
prompts for speed and level, and holds estimated word times against the true ones of espeak.
"""

import argparse
import asyncio
import re
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
import numpy as np

from voice_core.tts.clauses import ClauseChunker
from voice_core.tts.embedded import DEFAULT_VOICES, EmbeddedTts, build_engine, render_clause
from voice_core.tts.espeak_voice import SETTINGS, EspeakVoice
from voice_core.tts.normalise import speakable
from voice_core.tts.shaping import OUTPUT_HZ, active_level_db, hop_levels_db, pauses_ms, shape
from voice_core.tts.word_times import SHORTEST_PAUSE_MS, estimate_ends

REPLIES = {
    "en": [
        "Of course. We close at 1 p.m. on Saturday, and we open again on Monday at 9:00.",
        "A cleaning is €65, and it takes about 40 minutes.",
        "I have you down for Tuesday 24 November at 10:00, is that right?",
        "Could you tell me your phone number, please?",
    ],
    "fr": [
        "Bien sûr. Nous fermons à 13 h le samedi, et nous rouvrons lundi à 9 h.",
        "Un détartrage coûte 65 €, et dure environ 40 minutes.",
        "Je vous ai noté pour mardi 24 novembre à 10 h 30, c'est bien cela ?",
        "Quel est votre numéro de téléphone, s'il vous plaît ?",
    ],
    "es": [
        "Claro. Cerramos a las 13:00 los sábados, y abrimos el lunes a las 9:00.",
        "Una limpieza cuesta 65 €, y dura unos 40 minutos.",
        "¿Cuál es su número de teléfono, por favor?",
    ],
    "ar": ["نعم. نغلق في الساعة 13:00 يوم السبت.", "التنظيف يكلف 65 €، ويستغرق 40 دقيقة."],
    "ary": ["واخا. كنسدو مع 13:00 نهار السبت.", "الثمن هو 250 درهم، وكياخد 40 دقيقة."],
}


class Row(msgspec.Struct):
    """One language. Times in ms; speed in seconds of speech per second of work; levels in dBFS."""

    language: str
    voice: str
    first_clause_after_token_ms: float
    first_audio_after_token_ms: float
    shortest_clause_ms: float
    times_real_time: float
    lead_silence_ms: float
    level_dbfs: float
    level_spread_db: float
    word_time_error_ms: float
    word_time_error_p90_ms: float


async def tokens(text: str, every_ms: float) -> AsyncIterator[str]:
    """The text as a language model sends it: a word or a mark at a time."""
    for n, token in enumerate(re.findall(r"\s?[^\s.,!?،؟]+|[.,!?،؟]", text)):
        if n:
            await asyncio.sleep(every_ms / 1000)
        yield token


async def first_delays_ms(tts: EmbeddedTts, text: str, language: str, token_ms: float) -> tuple[float, float]:
    """From the first token of a reply to its first clause, and to the first audio of that clause."""
    chunker = ClauseChunker()
    voice = tts.voice()
    began = time.perf_counter()
    clauses: list[str] = []
    async for token in tokens(text, token_ms):
        clauses = chunker.push(token)
        if clauses:
            break
    clauses = clauses or chunker.flush()
    cut = time.perf_counter()
    async for _ in voice.render(clauses[0], language):
        break
    return (cut - began) * 1000, (time.perf_counter() - began) * 1000


def word_errors_ms(language: str) -> list[float]:
    """Estimated ends of words against those espeak reports for the same audio."""
    voice = EspeakVoice(SETTINGS[language])
    errors: list[float] = []
    for text in REPLIES[language]:
        words = speakable(text, language)
        raw = voice.synthesise(words)
        shaped = shape(raw.samples, raw.rate_hz, text)
        true = np.clip(np.array(raw.word_ends_ms) - shaped.offset_ms, 0, shaped.speech_ms)
        pauses = pauses_ms(shaped.pcm, shaped.speech_ms, SHORTEST_PAUSE_MS)
        estimate = np.array(estimate_ends(words, language, shaped.speech_ms, pauses))
        errors += [float(e) for e in np.abs(estimate - true)[:-1]]
    return errors


async def measure(language: str, token_ms: float) -> Row:
    """All figures of one language, nothing cached."""
    engine = build_engine(DEFAULT_VOICES[language], language)
    tts = EmbeddedTts.load((language,))
    delays = [await first_delays_ms(tts, text, language, token_ms) for text in REPLIES[language]]
    tts.close()
    spent: list[float] = []
    seconds, leads, levels = 0.0, list[float](), list[float]()
    for text in REPLIES[language]:
        chunker = ClauseChunker()
        for clause in [*chunker.push(text), *chunker.flush()]:
            began = time.perf_counter()
            pcm = render_clause(engine, clause, language).pcm
            spent.append(time.perf_counter() - began)
            hops = hop_levels_db(pcm.astype(np.float32) / np.float32(32768), OUTPUT_HZ)
            levels.append(active_level_db(hops))
            leads.append(5.0 * int(np.argmax(hops > levels[-1] - 30)))
            seconds += len(pcm) / OUTPUT_HZ
    errors = word_errors_ms(language)
    return Row(
        language,
        engine.name,
        float(np.median([cut for cut, _ in delays])),
        float(np.median([audio for _, audio in delays])),
        min(spent) * 1000,
        seconds / sum(spent),
        float(np.mean(leads)),
        float(np.mean(levels)),
        float(np.ptp(levels)),
        float(np.mean(errors)),
        float(np.percentile(errors, 90)),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table; write it as JSON when asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lang", nargs="+", default=list(REPLIES), choices=list(REPLIES))
    parser.add_argument("--token-ms", type=float, default=25.0, help="time between two tokens of the reply")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    rows = [asyncio.run(measure(language, options.token_ms)) for language in options.lang]
    for row in rows:
        print(
            f"{row.language:4s} {row.voice:18s} first clause {row.first_clause_after_token_ms:4.0f} ms, "
            f"first audio {row.first_audio_after_token_ms:4.0f} ms after the first token; "
            f"shortest clause {row.shortest_clause_ms:3.0f} ms, {row.times_real_time:4.0f} x real time; "
            f"lead {row.lead_silence_ms:2.0f} ms, {row.level_dbfs:5.1f} dBFS +- {row.level_spread_db / 2:3.1f}; "
            f"words +- {row.word_time_error_ms:3.0f} ms (p90 {row.word_time_error_p90_ms:3.0f})"
        )
    if options.out:
        options.out.write_bytes(msgspec.json.format(msgspec.json.encode(rows)))


if __name__ == "__main__":
    main()
