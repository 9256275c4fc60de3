"""The real OpenAI plugin as recogniser and voice, against a server on loopback."""

from collections.abc import AsyncIterator, Callable, Sequence

import numpy as np
import pytest

from benchmarks.fake_engines import FakeRecognizer, FakeVoice
from tests.llm.openai_server import Fail, OpenAiServer, Say, openai_server
from voice_core.engines.health import HealthState
from voice_core.engines.host import plugin_host
from voice_core.engines.registry import EngineRegistry, TenantEngines
from voice_core.errors import EngineUnavailable
from voice_core.frames import ANALYSIS_FRAME_SAMPLES
from voice_core.speech import DecodeDropped, DecodeKind, Recognizer, Voice

FRAME = np.full(ANALYSIS_FRAME_SAMPLES, 500, dtype=np.int16)


class Embedded:
    """The engines of the machine, for the places of a chain that are not a plugin."""

    def recognizer(self, languages: Sequence[str], language: str) -> Recognizer:
        return FakeRecognizer(["from the embedded engine"], language=language)

    def voice(self) -> Voice:
        return FakeVoice()

    def piper(self, path: str) -> Callable[[], Voice]:
        raise EngineUnavailable(f"no voice file {path}")


@pytest.fixture
async def server() -> AsyncIterator[OpenAiServer]:
    async with openai_server() as running:
        yield running


@pytest.fixture
async def registry() -> AsyncIterator[EngineRegistry]:
    async with plugin_host() as host:
        registry = EngineRegistry(Embedded(), host, {"OPENAI_API_KEY": "sk-test"})
        yield registry
        await registry.aclose()


def prepared(
    registry: EngineRegistry, *, stt: Sequence[str] = ("embedded",), tts: Sequence[str] = ("embedded",)
) -> TenantEngines:
    return registry.prepare(stt_names=stt, tts_names=tts, llm_names=(), languages=("en", "fr"), default_language="en")


async def heard(recognizer: Recognizer) -> str:
    recognizer.begin(0.0)
    for _ in range(20):
        recognizer.push(FRAME)
    try:
        return (await recognizer.decode(DecodeKind.FINAL)).text
    finally:
        recognizer.finish()


async def test_an_utterance_is_recognised_by_the_provider(registry: EngineRegistry, server: OpenAiServer):
    server.transcript = "Bonjour, je voudrais un rendez-vous."
    recognizer = prepared(registry, stt=[f"openai/fake-stt?base_url={server.url}"]).recognizer("fr")
    assert await heard(recognizer) == "Bonjour, je voudrais un rendez-vous."
    assert server.speech_requests == [{"model": "fake-stt", "language": "fr"}]


async def test_a_provider_without_streaming_gives_no_partials(registry: EngineRegistry, server: OpenAiServer):
    recognizer = prepared(registry, stt=[f"openai/fake-stt?base_url={server.url}"]).recognizer("en")
    recognizer.begin(0.0)
    with pytest.raises(DecodeDropped):
        await recognizer.decode(DecodeKind.PARTIAL)
    assert server.speech_requests == []


async def test_the_embedded_engine_takes_over_when_the_provider_is_down(registry: EngineRegistry):
    engines = prepared(registry, stt=["openai/fake-stt?base_url=http://127.0.0.1:9/v1", "embedded"])
    assert await heard(engines.recognizer("en")) == "from the embedded engine"


async def test_a_clause_is_spoken_without_the_providers_silence(registry: EngineRegistry, server: OpenAiServer):
    voice = prepared(registry, tts=[f"openai/tts-1?base_url={server.url}&response_format=wav"]).voice()
    chunks = [chunk async for chunk in voice.render("See you on Tuesday.", "en")]
    audio = np.concatenate([chunk.pcm for chunk in chunks])
    assert 1_000 <= len(audio) * 1000 / voice.sample_rate <= 1_120, "4 words of 250 ms; 600 ms of silence are gone"
    assert np.flatnonzero(np.abs(audio) > 500)[0] * 1000 / voice.sample_rate < 45
    assert " ".join(word.text for chunk in chunks for word in chunk.words) == "See you on Tuesday."


async def test_the_embedded_voice_takes_over_when_the_provider_is_down(registry: EngineRegistry):
    voice = prepared(registry, tts=["openai/tts-1?base_url=http://127.0.0.1:9/v1", "embedded"]).voice()
    chunks = [chunk async for chunk in voice.render("See you on Tuesday.", "en")]
    assert " ".join(word.text for chunk in chunks for word in chunk.words) == "See you on Tuesday."


async def test_a_tenant_with_a_missing_engine_is_refused_at_start(registry: EngineRegistry):
    with pytest.raises(EngineUnavailable, match="pip install"):
        prepared(registry, stt=["embedded", "deepgram/nova-3"])
    with pytest.raises(EngineUnavailable, match="it cannot recognise speech"):
        prepared(registry, stt=["piper:/voice.onnx"])
    with pytest.raises(EngineUnavailable, match="no voice file"):
        prepared(registry, tts=["piper:/voice.onnx"])


async def test_a_tenants_own_key_is_used_for_it_alone(registry: EngineRegistry, server: OpenAiServer):
    def language_model(keys: dict[str, str]) -> TenantEngines:
        return registry.prepare(
            stt_names=["embedded"],
            tts_names=["embedded"],
            llm_names=[f"openai/fake?base_url={server.url}"],
            languages=("en",),
            default_language="en",
            keys=keys,
        )

    server.answer(Say("Yes."), Say("Yes."), Say("Yes."))
    everybodys, own, same = [language_model(keys) for keys in ({}, {"openai": "sk-own"}, {"openai": "sk-own"})]
    assert own.llms[0].engine is same.llms[0].engine
    assert own.llms[0].engine is not everybodys.llms[0].engine
    assert own.llms[0].name != everybodys.llms[0].name, "the health of one says nothing of the other"
    assert "sk-own" not in own.llms[0].name
    await registry.warm_up()
    assert sorted(server.keys) == ["Bearer sk-own", "Bearer sk-test"]


async def test_a_key_of_ones_own_for_a_provider_that_takes_none_is_refused(registry: EngineRegistry):
    with pytest.raises(EngineUnavailable, match=r"'nobody' takes no key of one's own; allowed: .*openai"):
        registry.prepare(
            stt_names=["embedded"],
            tts_names=["embedded"],
            llm_names=[],
            languages=("en",),
            default_language="en",
            keys={"nobody": "x"},
        )


async def test_an_embedded_engine_is_no_language_model(registry: EngineRegistry):
    with pytest.raises(EngineUnavailable, match="leave llm empty"):
        registry.prepare(
            stt_names=["embedded"],
            tts_names=["embedded"],
            llm_names=["embedded"],
            languages=("en",),
            default_language="en",
        )


async def test_a_model_with_a_wrong_key_is_found_at_start_and_one_that_works_is_ready(
    registry: EngineRegistry, server: OpenAiServer
):
    async with openai_server() as refusing:
        server.answer(Say("Yes."))
        refusing.answer(Fail(401))
        names = [f"openai/fake?base_url={url}" for url in (server.url, refusing.url)]
        registry.prepare(
            stt_names=["embedded"], tts_names=["embedded"], llm_names=names, languages=("en",), default_language="en"
        )
        assert await registry.warm_up() == {f"llm:{names[1]}": "model: APIStatusError 401"}
        states = [registry.book.of(f"llm:{name}").state for name in names]
        assert states == [HealthState.HEALTHY, HealthState.FAILING]
