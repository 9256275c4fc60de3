"""The embedded voices: one engine per language, no key, no network, one format out.

Text is cut into clauses, each clause is put into words, spoken by the language's engine, shaped to one
level and kept in the phrase cache. The server loads one `EmbeddedTts` and gives each call a `voice()`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from voice_core.errors import EngineError, EngineUnavailable
from voice_core.speech import SpeechChunk, WordMark
from voice_core.tts.clauses import ClauseChunker, continued_clauses
from voice_core.tts.engine import Engine
from voice_core.tts.espeak_voice import SETTINGS, EspeakSettings, EspeakVoice
from voice_core.tts.hibari_voice import HibariVoice
from voice_core.tts.normalise import LANGUAGES, speakable
from voice_core.tts.phrase_cache import DEFAULT_BOUND_BYTES, Phrase, PhraseCache, PhraseKey
from voice_core.tts.pico_voice import PicoVoice
from voice_core.tts.piper_voice import PiperVoice
from voice_core.tts.shaping import OUTPUT_HZ, pauses_ms, shape
from voice_core.tts.word_times import SHORTEST_PAUSE_MS, before_pauses, estimate_ends, written_marks

DEFAULT_VOICES: Mapping[str, str] = {"en": "hibari", "fr": "pico", "es": "pico", "ar": "espeak", "ary": "espeak"}
"""Language -> voice: the best understood of those that come as a package with their weights."""

WARM_UP = {
    "en": "One moment, please.",
    "fr": "Un instant, s'il vous plaît.",
    "es": "Un momento, por favor.",
    "ar": "لحظة من فضلك.",
    "ary": "واحد اللحظة عافاك.",
}
RENDER_THREADS = 2
"""Clauses rendered at the same time; more only delays every first clause on small machines."""


def build_engine(voice: str, language: str) -> Engine:
    """Load the engine of a voice name: "hibari", "hibari@0.9" (speed), "pico", "espeak", "espeak:fr+f2",
    "piper:/path/voice.onnx".

    Raises EngineUnavailable, which says what to install or what the names are.
    """
    kind, _, detail = voice.partition(":")
    if kind == "hibari" or kind.startswith("hibari@"):
        if language != "en":
            raise EngineUnavailable(f"the voice hibari speaks English only, not {language!r}")
        speed = kind.partition("@")[2] or "1.0"
        if not speed.replace(".", "", 1).isdigit() or not 0.5 <= float(speed) <= 2.0:
            raise EngineUnavailable(f"the speed of {voice!r} must be between 0.5 and 2.0")
        return HibariVoice(float(speed))
    if kind == "pico":
        return PicoVoice(language)
    if kind == "espeak":
        usual = SETTINGS[language]
        return EspeakVoice(EspeakSettings(detail, rate_wpm=usual.rate_wpm) if detail else usual)
    if kind == "piper" and detail:
        return PiperVoice(Path(detail))
    raise EngineUnavailable(
        f"unknown voice {voice!r} for {language!r}; known are: hibari (en), pico (en, es, fr), espeak, "
        "espeak:VARIANT, piper:/path/to/voice.onnx"
    )


class EmbeddedTts:
    """The loaded engines, their worker threads and the phrase cache; shared by all calls."""

    def __init__(self, engines: Mapping[str, Engine], cache: PhraseCache) -> None:
        if not engines:
            raise EngineUnavailable("text to speech needs at least one language")
        self._engines = dict(engines)
        self._default = next(iter(engines))
        self._cache = cache
        self._threads = ThreadPoolExecutor(RENDER_THREADS, thread_name_prefix="tts")

    @classmethod
    def load(
        cls,
        languages: Sequence[str],
        cache_dir: Path | None = None,
        voices: Mapping[str, str] | None = None,
        *,
        cache_bytes: int = DEFAULT_BOUND_BYTES,
        progress: Callable[[str], None] = lambda language: None,
    ) -> "EmbeddedTts":
        """Load and warm the engines of these languages, the first being the default. Blocks 1-2 s.

        cache_dir: where pre-rendered phrases are kept over restarts. voices: language -> voice name
        (`build_engine`) instead of DEFAULT_VOICES. progress: told each language once it can be spoken.
        Raises EngineUnavailable.
        """
        engines: dict[str, Engine] = {}
        for language in languages:
            if language not in LANGUAGES:
                raise EngineUnavailable(f"no embedded voice for {language!r}; there are {', '.join(LANGUAGES)}")
            name = (voices or {}).get(language) or DEFAULT_VOICES[language]
            engines[language] = build_engine(name, language)
            engines[language].synthesise(speakable(WARM_UP[language], language))
            progress(language)
        return cls(engines, PhraseCache(cache_bytes, cache_dir))

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages that were loaded, the default first."""
        return tuple(self._engines)

    def voice(self, language: str | None = None) -> "EmbeddedVoice":
        """A voice for one call. language: spoken when a clause's own language was not loaded."""
        return EmbeddedVoice(self, self._engines, language or self._default)

    def piper(self, path: str) -> Callable[[], "EmbeddedVoice"]:
        """Load a Piper voice file; the result makes voices that speak every language with it.

        Raises EngineUnavailable.
        """
        engine = PiperVoice(Path(path))
        engines: dict[str, Engine] = dict.fromkeys(LANGUAGES, engine)
        return lambda: EmbeddedVoice(self, engines, self._default)

    def prerender(self, texts: Iterable[str], language: str) -> int:
        """Render what will be said for sure, as the call will cut it; kept on disk too. Returns clauses made.

        Blocks; for a worker thread at start-up. Raises EngineError.
        """
        made = 0
        engine = self._engines[language]
        for text in texts:
            chunker = ClauseChunker()
            for clause in [*chunker.push(text), *chunker.flush()]:
                key = PhraseKey(engine.name, language, clause)
                if self._cache.load(key) is None:
                    self._cache.store(key, render_clause(engine, clause, language))
                    made += 1
        return made

    def close(self) -> None:
        """Stop the threads and free the engines. Renders under way finish first."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        for engine in self._engines.values():
            engine.close()

    async def phrase(self, engine: Engine, clause: str, language: str) -> Phrase:
        """One clause, from the cache or a worker thread. Raises EngineError."""
        key = PhraseKey(engine.name, language, clause)
        phrase = self._cache.get(key)
        if phrase is None:
            loop = asyncio.get_running_loop()
            try:
                phrase = await loop.run_in_executor(self._threads, render_clause, engine, clause, language)
            except RuntimeError as error:
                raise EngineError("text to speech is closed", retryable=False) from error
            self._cache.put(key, phrase)
        return phrase


class EmbeddedVoice:
    """`voice_core.speech.Voice` for one call; holds nothing of its own."""

    def __init__(self, tts: EmbeddedTts, engines: Mapping[str, Engine], default: str) -> None:
        self._tts = tts
        self._engines = engines
        self._default = default if default in engines else next(iter(engines))

    @property
    def sample_rate(self) -> int:
        """24,000 Hz, whatever the engine."""
        return OUTPUT_HZ

    async def render(self, text: str, language: str) -> AsyncIterator[SpeechChunk]:
        """One chunk per clause: no silence before, the pause of its punctuation after it. Raises EngineError."""
        spoken = language if language in self._engines else self._default
        offset_ms = 0.0
        for clause in continued_clauses(text):
            phrase = await self._tts.phrase(self._engines[spoken], clause, spoken)
            words = tuple(WordMark(w.text, round(w.end_ms + offset_ms, 1)) for w in phrase.words)
            yield SpeechChunk(phrase.pcm, words)
            offset_ms += 1000 * len(phrase.pcm) / OUTPUT_HZ

    async def aclose(self) -> None:
        """Nothing: the engines are shared."""


def render_clause(engine: Engine, clause: str, language: str) -> Phrase:
    """Put into words, speak, shape, time the words. Blocks for the engine's time. Raises EngineError."""
    words = speakable(clause, language)
    if not any(c.isalnum() for word in words for c in word.spoken):
        return Phrase(b"", written_marks(words, [0.0] * len(words)))
    raw = engine.synthesise(words)
    shaped = shape(raw.samples, raw.rate_hz, clause)
    pauses = pauses_ms(shaped.pcm, shaped.speech_ms, SHORTEST_PAUSE_MS)
    if raw.word_ends_ms:
        ends = [float(np.clip(end - shaped.offset_ms, 0.0, shaped.speech_ms)) for end in raw.word_ends_ms]
        ends = before_pauses(ends, pauses)
    else:
        ends = estimate_ends(words, language, shaped.speech_ms, pauses)
    return Phrase(shaped.pcm.tobytes(), written_marks(words, ends))
