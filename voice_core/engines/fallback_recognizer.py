"""A chain of recognisers for one call: when the first one fails, the next decodes the same audio.

The utterance is kept here, so no word is lost with a failing engine. `HealthBook` makes a failure
cost one time-out once; a pausing engine is probed in the shadow of a live utterance and returns with
the next one. Built by `registry`, used by `VoiceCall` like any other recogniser.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import msgspec

from voice_core.engines.health import HealthBook, HealthEvent
from voice_core.engines.livekit_recognizer import NoTranscript
from voice_core.engines.utterance import UtteranceAudio
from voice_core.errors import EngineError
from voice_core.frames import Pcm16
from voice_core.speech import DecodeDropped, DecodeKind, Recognizer, Transcript

DECODE_TIMEOUT_S = 2.0
"""Longer than any engine that is well needs for the end of a turn; a pause that a caller forgives once."""


class RecognizerCandidate(msgspec.Struct, frozen=True):
    """One engine of the chain. name: in the health book. make: a recogniser for this call."""

    name: str
    make: Callable[[], Recognizer]
    timeout_s: float = DECODE_TIMEOUT_S


class FallbackRecognizer:
    """Speech to text for one call by the first engine that works.

    language: of an answer when no engine heard words.
    """

    def __init__(self, candidates: Sequence[RecognizerCandidate], book: HealthBook, language: str) -> None:
        self._candidates = {candidate.name: candidate for candidate in candidates}
        self._book = book
        self._language = language
        self._audio = UtteranceAudio()
        self._open: dict[str, Recognizer] = {}
        self._fed: set[str] = set()
        self._terms: tuple[str, ...] = ()
        self._tasks: set[asyncio.Task[None]] = set()
        self._active = self._book.order(list(self._candidates))[0]
        self._probed = False

    @property
    def active(self) -> str:
        """Name of the engine that listens now."""
        return self._active

    def push(self, pcm: Pcm16) -> None:
        """Take the next samples; the engines that hear this utterance get them too."""
        self._feed(self._active)
        self._audio.push(pcm)
        for name in self._fed:
            self._open[name].push(pcm)

    def begin(self, lookback_ms: float) -> None:
        """Start an utterance with the first engine that is healthy."""
        best = self._book.order(list(self._candidates))[0]
        self._feed(best)
        for name in self._fed - {best}:
            self._open[name].finish()
        self._fed = {best}
        self._active = best
        self._probed = False
        self._audio.begin(lookback_ms)
        self._open[best].begin(lookback_ms)

    async def decode(self, kind: DecodeKind) -> Transcript:
        """Decode the utterance. Raises DecodeDropped (PARTIAL only), and EngineError when no engine works."""
        if kind is DecodeKind.PARTIAL:
            return await self._partial()
        silent: list[tuple[str, float]] = []
        failure: EngineError | None = None
        for name in self._tries():
            began_s = self._book.clock()
            try:
                transcript = await self._ask(name, kind)
            except NoTranscript:
                silent.append((name, began_s))
            except EngineError as error:
                failure = error
                self._failed(name, began_s, error)
            else:
                self._book.note(name, HealthEvent.SUCCEEDED, began_s)
                self._judge(silent, transcript)
                self._active = name
                if kind is DecodeKind.FINAL:
                    self._probe_in_shadow(transcript)
                return transcript
        if silent:
            # Nobody heard words, so there were none; silence is no proof of health either.
            return Transcript(text="", language=self._language, confidence=0.0)
        raise failure or EngineError("no recogniser is left")

    def finish(self) -> None:
        """Forget the utterance in every engine that heard it."""
        self._audio.finish()
        for name in self._fed:
            self._open[name].finish()
        self._fed &= {self._active}

    def bias(self, terms: Sequence[str]) -> None:
        """Prefer these terms in whichever engine listens."""
        self._terms = tuple(terms)
        for recognizer in self._open.values():
            recognizer.bias(terms)

    async def aclose(self) -> None:
        """Close every engine's stream; an unfinished probe counts as abandoned."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(recognizer.aclose() for recognizer in self._open.values()), return_exceptions=True)
        self._open.clear()
        self._fed.clear()

    def _tries(self) -> list[str]:
        """The engine that already heard the utterance first, then the others by health."""
        others = [name for name in self._book.order(list(self._candidates)) if name != self._active]
        return [self._active, *others]

    async def _partial(self) -> Transcript:
        name = self._active
        began_s = self._book.clock()
        try:
            return await self._ask(name, DecodeKind.PARTIAL)
        except NoTranscript as error:
            raise DecodeDropped from error
        except EngineError as error:
            self._failed(name, began_s, error)
            self._active = self._book.order(list(self._candidates))[0]
            raise DecodeDropped from error

    async def _ask(self, name: str, kind: DecodeKind) -> Transcript:
        """Decode with one engine. Raises EngineError for a time-out as well."""
        candidate = self._candidates[name]
        recognizer = self._feed(name)
        try:
            async with asyncio.timeout(candidate.timeout_s):
                return await recognizer.decode(kind)
        except TimeoutError as error:
            raise EngineError(f"no answer within {candidate.timeout_s:.1f} s") from error

    def _feed(self, name: str) -> Recognizer:
        """The engine's recogniser, with the audio so far."""
        recognizer = self._open.get(name)
        if recognizer is None:
            recognizer = self._open[name] = self._make(name)
        if name not in self._fed:
            self._give_audio(recognizer)
            self._fed.add(name)
        return recognizer

    def _make(self, name: str) -> Recognizer:
        recognizer = self._candidates[name].make()
        if self._terms:
            recognizer.bias(self._terms)
        return recognizer

    def _give_audio(self, recognizer: Recognizer) -> None:
        samples = self._audio.samples()
        if len(samples):
            recognizer.push(samples)
        if self._audio.began:
            recognizer.begin(self._audio.duration_ms)

    def _failed(self, name: str, began_s: float, error: EngineError) -> None:
        """Note the failure and let go of the engine's stream: its next use starts afresh."""
        self._book.note(name, HealthEvent.FAILED, began_s, str(error))
        recognizer = self._open.pop(name, None)
        self._fed.discard(name)
        if recognizer is not None:
            self._spawn(recognizer.aclose())

    def _judge(self, silent: Sequence[tuple[str, float]], transcript: Transcript) -> None:
        """Engines that heard nothing are right when this one found no words either."""
        for name, began_s in silent:
            if transcript.text:
                self._failed(name, began_s, EngineError("heard no words where another engine did"))
            else:
                self._book.note(name, HealthEvent.SUCCEEDED, began_s)

    def _probe_in_shadow(self, served: Transcript) -> None:
        """Try a pausing engine that is preferred to the active one, once an utterance."""
        names = list(self._candidates)
        due = self._book.probe_due(names[: names.index(self._active)])
        if due is None or self._probed:
            return
        self._probed = True
        self._book.note(due, HealthEvent.PROBED, self._book.clock())
        probe = self._make(due)
        self._give_audio(probe)
        self._spawn(self._probe(due, probe, served))

    async def _probe(self, name: str, recognizer: Recognizer, served: Transcript) -> None:
        began_s = self._book.clock()
        event, message = HealthEvent.ABANDONED, ""
        try:
            async with asyncio.timeout(self._candidates[name].timeout_s):
                await recognizer.decode(DecodeKind.FINAL)
            event = HealthEvent.SUCCEEDED
        except NoTranscript:
            # Without words in the utterance the probe has proved nothing.
            event = HealthEvent.FAILED if served.text else HealthEvent.ABANDONED
        except (EngineError, TimeoutError) as error:
            event, message = HealthEvent.FAILED, str(error)
        finally:
            self._book.note(name, event, began_s, message)
            await recognizer.aclose()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
