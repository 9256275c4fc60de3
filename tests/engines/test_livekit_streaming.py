"""Streaming recognisers and timed voices of livekit, played by small plugins of our own."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
from livekit.agents import APIConnectOptions, APIStatusError, stt, tts
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, NotGivenOr, TimedString

from voice_core.engines.host import PluginHost, plugin_host
from voice_core.engines.livekit_recognizer import LivekitRecognizer, NoTranscript
from voice_core.engines.livekit_voice import LivekitVoice
from voice_core.engines.silence_trim import LEAD_KEPT_MS
from voice_core.errors import EngineError
from voice_core.frames import ANALYSIS_FRAME_SAMPLES
from voice_core.speech import DecodeKind

FRAME = np.full(ANALYSIS_FRAME_SAMPLES, 500, dtype=np.int16)


class ScriptedStt(stt.STT[Any]):
    """A streaming engine whose events the test sends. on_flush: the final text it answers a flush with."""

    def __init__(self, on_flush: str | None = None, flush_s: float = 0.0) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=True, interim_results=True))
        self.on_flush = on_flush
        self.flush_s = flush_s
        self.streams: list[ScriptedStream] = []
        self.languages: list[str] = []

    def stream(
        self,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> stt.RecognizeStream:
        self.languages.append(str(language))
        stream = ScriptedStream(self, conn_options)
        self.streams.append(stream)
        return stream

    async def _recognize_impl(self, *arguments: Any, **options: Any) -> stt.SpeechEvent:
        raise NotImplementedError

    def hear(self, text: str, *, final: bool = False, language: str = "en-US") -> None:
        kind = stt.SpeechEventType.FINAL_TRANSCRIPT if final else stt.SpeechEventType.INTERIM_TRANSCRIPT
        data = stt.SpeechData(language=language, text=text, confidence=0.9)  # type: ignore[arg-type]
        self.streams[-1]._event_ch.send_nowait(stt.SpeechEvent(kind, alternatives=[data]))


class ScriptedStream(stt.RecognizeStream):
    def __init__(self, engine: ScriptedStt, conn_options: APIConnectOptions) -> None:
        super().__init__(stt=engine, conn_options=conn_options)
        self.engine = engine
        self.heard_samples = 0
        self.broken = asyncio.Event()

    async def _run(self) -> None:
        async def listen() -> None:
            async for item in self._input_ch:
                if isinstance(item, self._FlushSentinel):
                    if self.engine.on_flush is not None:
                        await asyncio.sleep(self.engine.flush_s)
                        self.engine.hear(self.engine.on_flush, final=True)
                else:
                    self.heard_samples += item.samples_per_channel

        listening = asyncio.create_task(listen())
        await self.broken.wait()
        listening.cancel()
        raise APIStatusError("unauthorised", status_code=401)


@pytest.fixture
async def host() -> AsyncIterator[PluginHost]:
    async with plugin_host() as running:
        yield running


def recognizer(engine: ScriptedStt, host: PluginHost, timeout_s: float = 5.0) -> LivekitRecognizer:
    return LivekitRecognizer(engine, host, languages=("en", "ary"), language="en", final_timeout_s=timeout_s)


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_the_stream_hears_the_call_from_its_first_frame(host: PluginHost):
    engine = ScriptedStt()
    listening = recognizer(engine, host)
    for _ in range(10):
        listening.push(FRAME)
    await settle()
    assert engine.streams[0].heard_samples == 10 * len(FRAME)
    await listening.aclose()


async def test_a_partial_is_the_newest_interim_at_once_and_knows_what_is_stable(host: PluginHost):
    engine = ScriptedStt()
    listening = recognizer(engine, host)
    listening.push(FRAME)
    listening.begin(20.0)
    engine.hear("I would like")
    await settle()
    assert (await listening.decode(DecodeKind.PARTIAL)).text == "I would like"
    engine.hear("I would love an appointment")
    await settle()
    partial = await listening.decode(DecodeKind.PARTIAL)
    assert (partial.text, partial.stable) == ("I would love an appointment", "I would")
    await listening.aclose()


async def test_a_final_flushes_and_waits_for_the_last_words(host: PluginHost):
    engine = ScriptedStt(on_flush="I would like an appointment.", flush_s=0.05)
    listening = recognizer(engine, host)
    listening.push(FRAME)
    listening.begin(20.0)
    engine.hear("I would like an")
    await settle()
    final = await listening.decode(DecodeKind.FINAL)
    assert (final.text, final.language, final.confidence) == ("I would like an appointment.", "en", 0.9)
    assert 45 <= final.decode_ms < 4_000
    await listening.aclose()


async def test_a_final_that_does_not_come_is_the_interim(host: PluginHost):
    engine = ScriptedStt()
    listening = recognizer(engine, host, timeout_s=0.1)
    listening.push(FRAME)
    listening.begin(20.0)
    engine.hear("on Tuesday")
    await settle()
    assert (await listening.decode(DecodeKind.FINAL)).text == "on Tuesday"
    await listening.aclose()


async def test_an_engine_that_has_finished_already_is_not_waited_for(host: PluginHost):
    engine = ScriptedStt()
    listening = recognizer(engine, host, timeout_s=5.0)
    listening.push(FRAME)
    listening.begin(20.0)
    engine.hear("Yes.", final=True)
    await settle()
    final = await listening.decode(DecodeKind.FINAL)
    assert final.text == "Yes."
    assert final.decode_ms < 4_000
    await listening.aclose()


async def test_finals_of_one_utterance_are_joined_and_those_before_it_are_not(host: PluginHost):
    engine = ScriptedStt(on_flush="at ten.")
    listening = recognizer(engine, host)
    listening.push(FRAME)
    listening.begin(20.0)
    engine.hear("the turn before", final=True)
    await settle()
    listening.finish()
    await asyncio.sleep(0.03)
    listening.begin(20.0)
    engine.hear("On Tuesday", final=True)
    await settle()
    assert (await listening.decode(DecodeKind.FINAL)).text == "On Tuesday at ten."
    await listening.aclose()


async def test_no_word_in_time_is_said_so(host: PluginHost):
    listening = recognizer(ScriptedStt(), host, timeout_s=0.05)
    listening.push(FRAME)
    listening.begin(20.0)
    with pytest.raises(NoTranscript):
        await listening.decode(DecodeKind.FINAL)
    await listening.aclose()


async def test_a_broken_stream_is_an_engine_error_that_names_no_detail(host: PluginHost):
    engine = ScriptedStt()
    listening = recognizer(engine, host)
    listening.push(FRAME)
    listening.begin(20.0)
    engine.streams[0].broken.set()
    await settle()
    with pytest.raises(EngineError, match="APIStatusError 401") as error:
        await listening.decode(DecodeKind.FINAL)
    assert not error.value.retryable
    await listening.aclose()


async def test_a_stream_that_broke_between_turns_is_opened_again_with_the_pre_roll(host: PluginHost):
    engine = ScriptedStt(on_flush="hello")
    listening = recognizer(engine, host)
    for _ in range(5):
        listening.push(FRAME)
    await settle()
    engine.streams[0].broken.set()
    await settle()
    listening.begin(60.0)
    listening.push(FRAME)
    assert (await listening.decode(DecodeKind.FINAL)).text == "hello"
    assert engine.streams[1].heard_samples == 4 * len(FRAME)
    await listening.aclose()


async def test_moroccan_arabic_is_asked_for_as_arabic_and_comes_back_as_itself(host: PluginHost):
    engine = ScriptedStt()
    listening = LivekitRecognizer(engine, host, languages=("fr", "ary"), language="ary", final_timeout_s=0.1)
    listening.push(FRAME)
    listening.begin(20.0)
    engine.hear("سلام", final=True, language="ar-MA")
    await settle()
    assert (await listening.decode(DecodeKind.FINAL)).language == "ary"
    assert engine.languages == ["ar"]
    await listening.aclose()


class TimedTts(tts.TTS[Any]):
    """Speaks each word for 200 ms after 100 ms of silence and says when it ends."""

    def __init__(self, first_s: float = 0.0) -> None:
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=False, aligned_transcript=True),
            sample_rate=16_000,
            num_channels=1,
        )
        self.first_s = first_s

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        return TimedStream(self, text, conn_options)


class TimedStream(tts.ChunkedStream):
    def __init__(self, engine: TimedTts, text: str, conn_options: APIConnectOptions) -> None:
        super().__init__(tts=engine, input_text=text, conn_options=conn_options)
        self.first_s = engine.first_s

    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        await asyncio.sleep(self.first_s)
        output_emitter.initialize(request_id="1", sample_rate=16_000, num_channels=1, mime_type="audio/pcm")
        output_emitter.push(np.zeros(1_600, dtype=np.int16).tobytes())
        for index, word in enumerate(self.input_text.split()):
            output_emitter.push_timed_transcript(TimedString(f"{word} ", end_time=0.1 + (index + 1) * 0.2))
            output_emitter.push(np.full(3_200, 6_000, dtype=np.int16).tobytes())
        output_emitter.flush()


async def test_an_engines_own_word_times_count_from_the_first_sound(host: PluginHost):
    voice = LivekitVoice({"en": TimedTts()}, "en", host)
    chunks = [chunk async for chunk in voice.render("See you soon.", "en")]
    marks = [(word.text, word.end_ms) for chunk in chunks for word in chunk.words]
    ends = [LEAD_KEPT_MS + word * 200 for word in (1, 2, 3)]
    assert marks == [
        ("See", pytest.approx(ends[0])),
        ("you", pytest.approx(ends[1])),
        ("soon.", pytest.approx(ends[2])),
    ]


async def test_no_audio_in_time_is_an_engine_error(host: PluginHost):
    voice = LivekitVoice({"en": TimedTts(first_s=5.0)}, "en", host, first_audio_timeout_s=0.05)
    with pytest.raises(EngineError, match="no audio within"):
        await anext(aiter(voice.render("Hello.", "en")))
