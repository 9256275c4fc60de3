"""What a caller hears when voices fail: every word, once."""

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest

from benchmarks.fake_engines import FakeVoice
from voice_core.engines.fallback_voice import FallbackVoice, VoiceCandidate
from voice_core.engines.health import FIRST_PAUSE_S, HealthBook, HealthState
from voice_core.errors import EngineError
from voice_core.speech import SpeechChunk, Voice

TEXT = "We close at one on Saturday."


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class BreaksOff(FakeVoice):
    """Speaks the first `chunks` chunks of every clause and then fails."""

    def __init__(self, chunks: int) -> None:
        super().__init__(ms_per_word=200, chunk_ms=200)
        self.chunks = chunks

    async def render(self, text: str, language: str) -> AsyncIterator[SpeechChunk]:
        left = self.chunks
        async for chunk in super().render(text, language):
            if not left:
                raise EngineError("cut")
            left -= 1
            yield chunk


def down(text: str) -> EngineError:
    return EngineError("down")


def chain(*voices: Voice, clock: Clock | None = None) -> tuple[FallbackVoice, HealthBook]:
    book = HealthBook(clock or Clock())
    candidates = [
        VoiceCandidate(name, lambda voice=voice: voice, 0.2, 0.2) for name, voice in zip("abc", voices, strict=False)
    ]
    return FallbackVoice(candidates, book), book


async def spoken(voice: Voice, text: str = TEXT) -> tuple[str, float]:
    """The words marked, and the audio's length in ms; marks must lie within the audio and in order."""
    chunks = [chunk async for chunk in voice.render(text, "en")]
    marks = [mark for chunk in chunks for mark in chunk.words]
    total_ms = sum(len(chunk.pcm) for chunk in chunks) * 1000 / voice.sample_rate
    assert [mark.end_ms for mark in marks] == sorted(mark.end_ms for mark in marks)
    assert marks[-1].end_ms <= total_ms + 1
    return " ".join(mark.text for mark in marks), total_ms


async def test_the_first_voice_speaks_while_it_is_well():
    first, second = FakeVoice(), FakeVoice()
    voice, _ = chain(first, second)
    assert await spoken(voice) == (TEXT, 6 * 250)
    assert second.rendered == []


async def test_a_voice_that_fails_before_any_audio_is_replaced_for_the_whole_clause():
    second = FakeVoice()
    voice, _ = chain(FakeVoice(failure=down), second)
    assert (await spoken(voice))[0] == TEXT
    assert second.rendered == [TEXT]


async def test_a_clause_that_breaks_off_goes_on_with_the_words_not_spoken_yet():
    second = FakeVoice(ms_per_word=200)
    voice, _ = chain(BreaksOff(chunks=2), second)
    words, total_ms = await spoken(voice)
    assert words == TEXT
    assert total_ms == pytest.approx(6 * 200)
    assert second.rendered == ["at one on Saturday."]


async def test_a_slow_voice_costs_one_time_out_once():
    slow, second = FakeVoice(delay_ms=10_000), FakeVoice()
    voice, _ = chain(slow, second)
    began_s = asyncio.get_running_loop().time()
    for _ in range(3):
        assert (await spoken(voice))[0] == TEXT
    assert len(slow.rendered) == 1
    assert asyncio.get_running_loop().time() - began_s < 5.0


async def test_a_voice_comes_back_after_a_probe_in_the_shadow():
    clock = Clock()
    errors = [EngineError("down")]
    first, second = FakeVoice(failure=lambda text: errors.pop() if errors else None), FakeVoice()
    voice, book = chain(first, second, clock=clock)
    await spoken(voice)
    clock.now_s += FIRST_PAUSE_S
    await spoken(voice)
    await asyncio.sleep(0.01)
    assert book.of("a").state is HealthState.HEALTHY
    assert len(second.rendered) == 2
    await spoken(voice)
    assert len(second.rendered) == 2


async def test_another_voices_rate_is_converted():
    voice, _ = chain(FakeVoice(sample_rate=24_000, failure=down), FakeVoice(sample_rate=16_000, ms_per_word=250))
    assert voice.sample_rate == 24_000
    words, total_ms = await spoken(voice)
    assert words == TEXT
    assert total_ms == pytest.approx(6 * 250, abs=5)


async def test_when_no_voice_works_the_call_is_told():
    voice, _ = chain(FakeVoice(failure=down), FakeVoice(failure=down))
    with pytest.raises(EngineError):
        await spoken(voice)


async def test_an_interrupted_clause_says_nothing_about_the_voice():
    voice, book = chain(FakeVoice(delay_ms=10_000), FakeVoice())
    reading = asyncio.create_task(spoken(voice))
    await asyncio.sleep(0.01)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    assert book.of("a").state is HealthState.HEALTHY


async def test_audio_is_sound_and_not_silence():
    voice, _ = chain(FakeVoice())
    chunk = await anext(aiter(voice.render(TEXT, "en")))
    assert np.abs(chunk.pcm).max() > 1_000
