"""One real server for all whole calls, the voices of the callers, and an ear for the recordings."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import numpy as np
import pytest
import pytest_asyncio
import soxr

from tests.e2e.scripted_calls import ScriptedCalls, Speak, english_call, french_call, noisy_call
from tests.live_server import LiveServer, live_server
from voice_core.asr.engine import WhisperEngine
from voice_core.frames import ANALYSIS_HZ, Pcm16
from voice_core.speech import DecodeKind
from voice_core.tts.embedded import EmbeddedTts
from voice_core.voice_to_voice import Span, speech_spans

_PER_MS = ANALYSIS_HZ // 1000
_MARGIN_MS = 150.0
_TURN_PAUSE_MS = 700.0

Hear = Callable[[Pcm16, int, str], Awaitable[str]]


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """`parley serve` with the embedded engines and the demo tenant."""
    async with live_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="package")
def callers() -> Iterator[EmbeddedTts]:
    """The callers' voices."""
    voices = EmbeddedTts.load(("en", "fr"))
    yield voices
    voices.close()


@pytest.fixture(scope="package")
def speak(callers: EmbeddedTts) -> Speak:
    """Says a text in a language at a rate (16 kHz unless told): `await speak("Hello.", "en", 8_000)`."""

    async def say(text: str, language: str, rate_hz: int = ANALYSIS_HZ) -> Pcm16:
        voice = callers.voice(language)
        pcm = np.concatenate([chunk.pcm async for chunk in voice.render(text, language)])
        samples = soxr.resample(pcm.astype(np.float32), voice.sample_rate, rate_hz)
        return np.clip(np.rint(samples), -32768, 32767).astype(np.int16)

    return say


@pytest.fixture(scope="package")
def ear(server: LiveServer) -> Iterator[WhisperEngine]:
    """A recogniser of our own for recordings; it takes the model that the server has put together."""
    engine = WhisperEngine.load(server.home / "models", ("en", "fr"))
    yield engine
    engine.close()


@pytest.fixture(scope="package")
def hear(ear: WhisperEngine) -> Hear:
    """The words of one channel: `await hear(samples, rate_hz, language)`."""

    async def words(samples: Pcm16, rate_hz: int, language: str) -> str:
        pcm = soxr.resample(samples.astype(np.float32), rate_hz, ANALYSIS_HZ)
        sound = np.clip(pcm, -32768, 32767).astype(np.int16)
        recognizer = ear.recognizer((language,), language)
        heard: list[str] = []
        for span in _turns(sound):
            recognizer.begin(0)
            recognizer.push(sound[int(span.start_ms * _PER_MS) : int(span.end_ms * _PER_MS)])
            heard.append((await recognizer.decode(DecodeKind.FINAL)).text)
        await recognizer.aclose()
        return " ".join(heard)

    return words


def _turns(sound: Pcm16) -> list[Span]:
    """The speech of a channel, as long as no pause of a turn's length lies in it, with a margin."""
    turns: list[Span] = []
    for span in speech_spans(sound, ANALYSIS_HZ):
        around = Span(max(0.0, span.start_ms - _MARGIN_MS), span.end_ms + _MARGIN_MS)
        if turns and around.start_ms - turns[-1].end_ms < _TURN_PAUSE_MS:
            turns[-1] = Span(turns[-1].start_ms, around.end_ms)
        else:
            turns.append(around)
    return turns


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def calls(server: LiveServer, speak: Speak) -> AsyncIterator[ScriptedCalls]:
    """Three callers at the same time, since calls take the time that they take; await the one you ask about."""
    placed = ScriptedCalls(
        english=asyncio.create_task(english_call(server.voice_url, speak)),
        french=asyncio.create_task(french_call(server.voice_url, speak)),
        noisy=asyncio.create_task(noisy_call(server.voice_url, speak)),
    )
    yield placed
    tasks = (placed.english, placed.french, placed.noisy)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
