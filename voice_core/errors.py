"""The errors of the audio pipeline; each has a machine-readable `code`.

Callers catch `VoiceError` and send `code` and the message to whoever can act on it.
"""


class VoiceError(Exception):
    """Base of every error raised on purpose by voice_core."""

    code = "voice_error"


class EngineError(VoiceError):
    """An STT, TTS or LLM engine failed on one request. `retryable` says whether another try may work."""

    code = "engine_failed"

    def __init__(self, message: str, *, retryable: bool = True) -> None:
        super().__init__(message)
        self.retryable = retryable


class EngineUnavailable(VoiceError):  # noqa: N818 - names the state the operator meets
    """An engine cannot be built: the message says what to install or set."""

    code = "engine_unavailable"


class AudioFormatError(VoiceError):
    """Audio that is not what the leg declared."""

    code = "bad_audio"
