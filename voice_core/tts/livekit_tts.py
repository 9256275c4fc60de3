"""The embedded voices as a livekit `tts.TTS`, so that they also speak inside a LiveKit AgentSession.

Words carry their times, which lets the session show and remember only what was heard.
"""

import uuid
from typing import Literal

from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, APIConnectionError, APIConnectOptions, tts
from livekit.agents.types import TimedString

from voice_core.errors import EngineError
from voice_core.tts.embedded import EmbeddedTts
from voice_core.tts.shaping import OUTPUT_HZ


class EmbeddedTTS(tts.TTS[Literal["error"]]):
    """One language of a loaded `EmbeddedTts`."""

    def __init__(self, embedded: EmbeddedTts, language: str) -> None:
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=False, aligned_transcript=True),
            sample_rate=OUTPUT_HZ,
            num_channels=1,
        )
        self.embedded = embedded
        self.language = language

    @property
    def model(self) -> str:
        """For metrics."""
        return "embedded"

    @property
    def provider(self) -> str:
        """For metrics."""
        return "parley"

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        """Speak a text; frames come clause by clause."""
        return _Speech(self, text, conn_options)


class _Speech(tts.ChunkedStream):
    def __init__(self, voice: EmbeddedTTS, text: str, conn_options: APIConnectOptions) -> None:
        super().__init__(tts=voice, input_text=text, conn_options=conn_options)
        self._voice = voice

    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(
            request_id=uuid.uuid4().hex, sample_rate=OUTPUT_HZ, num_channels=1, mime_type="audio/pcm"
        )
        began_s = 0.0
        try:
            async for chunk in self._voice.embedded.voice(self._voice.language).render(
                self.input_text, self._voice.language
            ):
                for word in chunk.words:
                    end_s = word.end_ms / 1000
                    output_emitter.push_timed_transcript(TimedString(f"{word.text} ", began_s, end_s))
                    began_s = end_s
                output_emitter.push(chunk.pcm.tobytes())
        except EngineError as error:
            raise APIConnectionError(str(error), retryable=error.retryable) from error
        output_emitter.flush()
