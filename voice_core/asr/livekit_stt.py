"""The embedded recogniser as a livekit-agents STT.

Lets a LiveKit `AgentSession`, or anything else that takes livekit's `stt.STT`, use the engine that
Parley's own calls share. It recognises whole utterances; livekit's stream adapter cuts them by VAD.
"""

from collections.abc import Sequence

import numpy as np
import soxr
from livekit import rtc
from livekit.agents import APIConnectionError, APIConnectOptions
from livekit.agents.language import LanguageCode
from livekit.agents.stt import STT, SpeechData, SpeechEvent, SpeechEventType, STTCapabilities
from livekit.agents.types import NOT_GIVEN, NotGivenOr
from livekit.agents.utils import AudioBuffer, combine_frames, is_given

from voice_core.asr.language import whisper_code
from voice_core.asr.log_mel import FRAMES_PER_S, LogMel
from voice_core.asr.terms import TermList
from voice_core.asr.utterance import Engine, Utterance
from voice_core.errors import EngineError
from voice_core.frames import ANALYSIS_HZ, Pcm16
from voice_core.speech import DecodeKind


def mono_at_analysis_rate(frame: rtc.AudioFrame) -> Pcm16:
    """Samples of `frame` as the engine takes them: one channel, 16 kHz."""
    samples = np.frombuffer(frame.data, dtype=np.int16).reshape(-1, frame.num_channels)
    mono = samples[:, 0] if frame.num_channels == 1 else samples.mean(axis=1).astype(np.int16)
    if frame.sample_rate == ANALYSIS_HZ:
        return mono
    return np.asarray(soxr.resample(mono, frame.sample_rate, ANALYSIS_HZ), dtype=np.int16)


class WhisperSTT(STT[None]):
    """Speech to text for LiveKit sessions, non-streaming."""

    def __init__(self, engine: Engine, languages: Sequence[str], terms: Sequence[str] = ()) -> None:
        """engine: loaded for `languages`, which are detected among for every utterance."""
        super().__init__(capabilities=STTCapabilities(streaming=False, interim_results=False, keyterms=True))
        if not languages:
            raise ValueError("a session needs at least one language")
        self._engine = engine
        self._languages = {whisper_code(language): language for language in reversed(languages)}
        self._own_terms = tuple(terms)
        self._terms = TermList(self._own_terms)

    @property
    def model(self) -> str:
        """Name shown in LiveKit's metrics."""
        return "whisper"

    @property
    def provider(self) -> str:
        """Name shown in LiveKit's metrics."""
        return "parley"

    def _update_session_keyterms(self, keyterms: list[str]) -> None:
        self._terms = TermList((*self._own_terms, *keyterms))

    async def _recognize_impl(
        self,
        buffer: AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions,
    ) -> SpeechEvent:
        mel = LogMel()
        mel.push(mono_at_analysis_rate(combine_frames(buffer)))
        codes = tuple(self._languages)
        if is_given(language) and language:
            codes = (whisper_code(LanguageCode(language).language),)
        utterance = Utterance(
            frames=mel.frames(), language=codes[0] if len(codes) == 1 else None, among=codes, terms=self._terms
        )
        try:
            understood = await self._engine.understand(DecodeKind.FINAL, utterance)
        except EngineError as error:
            raise APIConnectionError(str(error), retryable=error.retryable) from error
        heard = understood.heard
        spoken = self._languages.get(heard.language, heard.language)
        text = " ".join(piece for piece in (*understood.committed, heard.text) if piece)
        return SpeechEvent(
            type=SpeechEventType.FINAL_TRANSCRIPT,
            alternatives=[
                SpeechData(
                    language=LanguageCode(spoken),
                    text=text,
                    end_time=len(utterance.frames) / FRAMES_PER_S,
                    confidence=heard.confidence,
                )
            ],
        )
