"""A chain of voices for one call: when one fails, the next speaks the words that are still missing.

A clause of which nothing was heard is rendered again from its start; one that broke off goes on with
its remaining words, so the caller hears every word once. `HealthBook` makes a failure cost one
time-out once. Built by `registry`, used by `VoiceCall` like any other voice.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import cast

import msgspec

from voice_core.engines.health import HealthBook, HealthEvent
from voice_core.errors import EngineError
from voice_core.resample import StreamingResampler
from voice_core.speech import SpeechChunk, Voice, WordMark

FIRST_CHUNK_TIMEOUT_S = 2.5
"""To the first audio of a clause: after it the caller wonders whether anybody is there."""

NEXT_CHUNK_TIMEOUT_S = 3.0


class VoiceCandidate(msgspec.Struct, frozen=True):
    """One engine of the chain. name: in the health book. make: a voice for this call."""

    name: str
    make: Callable[[], Voice]
    first_timeout_s: float = FIRST_CHUNK_TIMEOUT_S
    next_timeout_s: float = NEXT_CHUNK_TIMEOUT_S


class FallbackVoice:
    """Text to speech for one call by the first engine that works.

    Every chunk has the rate of the first candidate; another engine's audio is resampled to it.
    """

    def __init__(self, candidates: Sequence[VoiceCandidate], book: HealthBook) -> None:
        self._candidates = {candidate.name: candidate for candidate in candidates}
        self._book = book
        self._open: dict[str, Voice] = {}
        self._probes: set[asyncio.Task[None]] = set()
        self._sample_rate = self._voice(candidates[0].name).sample_rate

    @property
    def sample_rate(self) -> int:
        """Rate of every chunk, Hz."""
        return self._sample_rate

    async def render(self, text: str, language: str) -> AsyncIterator[SpeechChunk]:
        """Speak one clause. Raises EngineError when no engine could speak all of it."""
        words = text.split()
        spoken_words, spoken_ms = 0, 0.0
        failure: EngineError | None = None
        for name in self._book.order(list(self._candidates)):
            left = " ".join(words[spoken_words:]) if spoken_words else text
            began_s = self._book.clock()
            offset_ms = spoken_ms
            outcome = HealthEvent.ABANDONED
            try:
                async with aclosing(self._speak(name, left, language)) as chunks:
                    async for chunk in chunks:
                        # The consumer may stop after any chunk: the engine has shown that it works.
                        outcome = HealthEvent.SUCCEEDED
                        spoken_words += len(chunk.words)
                        spoken_ms += len(chunk.pcm) * 1000 / self._sample_rate
                        yield _later(chunk, offset_ms)
                outcome = HealthEvent.SUCCEEDED
            except EngineError as error:
                failure = error
                outcome = HealthEvent.FAILED
            finally:
                self._book.note(name, outcome, began_s, str(failure) if outcome is HealthEvent.FAILED else "")
            if outcome is HealthEvent.SUCCEEDED:
                self._probe_in_shadow(name, text, language)
                return
            if words and spoken_words >= len(words):
                return
        raise failure or EngineError("no voice is left")

    async def aclose(self) -> None:
        """Close every voice; an unfinished probe counts as abandoned."""
        for probe in self._probes:
            probe.cancel()
        await asyncio.gather(*self._probes, return_exceptions=True)
        await asyncio.gather(*(voice.aclose() for voice in self._open.values()), return_exceptions=True)
        self._open.clear()

    def _voice(self, name: str) -> Voice:
        voice = self._open.get(name)
        if voice is None:
            voice = self._open[name] = self._candidates[name].make()
        return voice

    async def _speak(self, name: str, text: str, language: str) -> AsyncGenerator[SpeechChunk, None]:
        """One engine's chunks at the chain's rate. Raises EngineError for a time-out as well."""
        voice = self._voice(name)
        candidate = self._candidates[name]
        resampler = StreamingResampler(voice.sample_rate, self._sample_rate)
        timeout_s = candidate.first_timeout_s
        # Every voice is an async generator function; the protocol shows only that it can be iterated.
        async with aclosing(cast(AsyncGenerator[SpeechChunk, None], voice.render(text, language))) as chunks:
            while True:
                try:
                    async with asyncio.timeout(timeout_s):
                        chunk = await anext(chunks)
                except StopAsyncIteration:
                    break
                except TimeoutError as error:
                    raise EngineError(f"no audio within {timeout_s:.1f} s") from error
                timeout_s = candidate.next_timeout_s
                yield SpeechChunk(resampler.push(chunk.pcm), chunk.words)
        rest = resampler.flush()
        if len(rest):
            yield SpeechChunk(rest)

    def _probe_in_shadow(self, served: str, text: str, language: str) -> None:
        """Try a pausing engine that is preferred to the one that just spoke, on the same words."""
        names = list(self._candidates)
        due = self._book.probe_due(names[: names.index(served)])
        if due is None:
            return
        self._book.note(due, HealthEvent.PROBED, self._book.clock())
        probe = asyncio.create_task(self._probe(due, text, language))
        self._probes.add(probe)
        probe.add_done_callback(self._probes.discard)

    async def _probe(self, name: str, text: str, language: str) -> None:
        began_s = self._book.clock()
        event, message = HealthEvent.ABANDONED, ""
        try:
            async with aclosing(self._speak(name, text, language)) as chunks:
                async for _ in chunks:
                    event = HealthEvent.SUCCEEDED
                    break
        except EngineError as error:
            event, message = HealthEvent.FAILED, str(error)
        finally:
            self._book.note(name, event, began_s, message)


def _later(chunk: SpeechChunk, offset_ms: float) -> SpeechChunk:
    if not offset_ms:
        return chunk
    return SpeechChunk(chunk.pcm, tuple(WordMark(word.text, word.end_ms + offset_ms) for word in chunk.words))
