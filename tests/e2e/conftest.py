"""One real server for all whole calls, the voices of the callers, and an ear for the recordings."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
import soxr

from tests.live_server import LiveServer, live_server
from voice_core.asr.engine import WhisperEngine
from voice_core.frames import ANALYSIS_HZ, Pcm16
from voice_core.speech import DecodeKind
from voice_core.tts.embedded import EmbeddedTts

Speak = Callable[..., Awaitable[Pcm16]]
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


@pytest.fixture
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


@pytest.fixture
def hear(ear: WhisperEngine) -> Hear:
    """The words of one channel: `await hear(samples, rate_hz, language)`."""

    async def words(samples: Pcm16, rate_hz: int, language: str) -> str:
        pcm = soxr.resample(samples.astype(np.float32), rate_hz, ANALYSIS_HZ)
        recognizer = ear.recognizer((language,), language)
        recognizer.begin(0)
        recognizer.push(np.clip(pcm, -32768, 32767).astype(np.int16))
        found = await recognizer.decode(DecodeKind.FINAL)
        await recognizer.aclose()
        return found.text

    return words


def recordings_of(server: LiveServer, call_id: str) -> tuple[Path, Path]:
    """The stereo recording and the event log of a call."""
    folder = server.home / "recordings"
    return folder / f"{call_id}.wav", folder / f"{call_id}.events.jsonl"
