"""Any livekit `tts.TTS` as the `Voice` of one call.

Adds what a call needs and plugins do not give alike: a time-out for the first audio, no silence at
either end, and the time at which each word ends. Built by `registry`.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

import numpy as np
from livekit.agents import APIConnectOptions, tts
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT, NotGiven

from voice_core.engines.api_errors import engine_error
from voice_core.engines.host import PluginHost
from voice_core.engines.silence_trim import SilenceTrim
from voice_core.engines.word_timing import DEFAULT_MS_PER_CHARACTER, WordTiming
from voice_core.errors import EngineError
from voice_core.frames import Pcm16
from voice_core.resample import StreamingResampler
from voice_core.speech import SpeechChunk, WordMark

FIRST_AUDIO_TIMEOUT_S = 2.5
"""Silence that a caller still takes for thinking; after it the next engine is worth more."""

NEXT_AUDIO_TIMEOUT_S = 3.0
PACE_MEMORY = 0.3
"""Weight of the newest clause in the running average of the voice's pace."""


class LivekitVoice:
    """Text to speech for one call through a livekit plugin.

    engines: one per language that the plugin was built for; `default` speaks every other language.
    """

    def __init__(
        self,
        engines: Mapping[str, tts.TTS[Any]],
        default: str,
        host: PluginHost,
        *,
        first_audio_timeout_s: float = FIRST_AUDIO_TIMEOUT_S,
        next_audio_timeout_s: float = NEXT_AUDIO_TIMEOUT_S,
    ) -> None:
        self._engines = engines
        self._default = default
        self._host = host
        self._first_audio_timeout_s = first_audio_timeout_s
        self._next_audio_timeout_s = next_audio_timeout_s
        self._sample_rate = engines[default].sample_rate
        self._ms_per_character = DEFAULT_MS_PER_CHARACTER

    @property
    def sample_rate(self) -> int:
        """Rate of every chunk, Hz."""
        return self._sample_rate

    async def render(self, text: str, language: str) -> AsyncIterator[SpeechChunk]:
        """Speak one clause, silence trimmed at both ends. Raises EngineError."""
        if not text.strip():
            return
        engine = self._engines.get(language, self._engines[self._default])
        timing = WordTiming(text, self._ms_per_character, aligned=engine.capabilities.aligned_transcript)
        trim = SilenceTrim(self._sample_rate)
        given_samples = 0
        async with aclosing(self._audio(engine, text, timing)) as pieces:
            async for audio in pieces:
                sound = trim.push(audio)
                given_samples += len(sound)
                if len(sound):
                    given_ms = given_samples * 1000 / self._sample_rate
                    yield SpeechChunk(sound, _shifted(timing.ended_by(given_ms + trim.lead_ms), trim.lead_ms))
        tail = trim.finish()
        given_samples += len(tail)
        if not given_samples:
            raise EngineError("the voice gave no sound")
        total_ms = given_samples * 1000 / self._sample_rate
        yield SpeechChunk(tail, _shifted(timing.rest(total_ms + trim.lead_ms), trim.lead_ms))
        self._ms_per_character += PACE_MEMORY * (total_ms / timing.characters - self._ms_per_character)

    async def aclose(self) -> None:
        """Do nothing: the engines are shared by calls."""

    async def _audio(self, engine: tts.TTS[Any], text: str, timing: WordTiming) -> AsyncGenerator[Pcm16, None]:
        stream = self._host.run(
            engine.synthesize,
            text,
            conn_options=APIConnectOptions(max_retry=0, timeout=self._first_audio_timeout_s),
        )
        resampler: StreamingResampler | None = None
        timeout_s = self._first_audio_timeout_s
        try:
            while True:
                try:
                    async with asyncio.timeout(timeout_s):
                        audio = await anext(stream)
                except StopAsyncIteration:
                    break
                timeout_s = self._next_audio_timeout_s
                for piece in audio.frame.userdata.get(USERDATA_TIMED_TRANSCRIPT, []):
                    if not isinstance(piece.end_time, NotGiven):
                        timing.align(str(piece), piece.end_time * 1000)
                if audio.frame.sample_rate != self._sample_rate and resampler is None:
                    resampler = StreamingResampler(audio.frame.sample_rate, self._sample_rate)
                pcm = _mono(np.frombuffer(audio.frame.data, dtype=np.int16), audio.frame.num_channels)
                yield resampler.push(pcm) if resampler else pcm
            if resampler is not None:
                yield resampler.flush()
        except TimeoutError as error:
            raise EngineError(f"no audio within {timeout_s:.1f} s") from error
        except Exception as error:  # a plugin may raise anything
            raise engine_error("voice", error) from error
        finally:
            await stream.aclose()


def _shifted(marks: tuple[WordMark, ...], lead_ms: float) -> tuple[WordMark, ...]:
    return tuple(WordMark(mark.text, max(0.0, mark.end_ms - lead_ms)) for mark in marks)


def _mono(pcm: Pcm16, channels: int) -> Pcm16:
    if channels == 1:
        return pcm
    return pcm.reshape(-1, channels).mean(axis=1).astype(np.int16)
