"""The engines that ship with Parley, loaded once and shared by every call.

Loading takes seconds and happens in threads, each step announced in plain words. Built by `server.composition`, used
through the engine registry.
"""

from collections.abc import Callable, Sequence

from voice_core.asr.engine import WhisperEngine
from voice_core.speech import Recognizer, Voice
from voice_core.tts.embedded import EmbeddedTts


class Embedded:
    """Whisper and the embedded voices (implements `voice_core.engines.registry.EmbeddedEngines`)."""

    def __init__(self, whisper: WhisperEngine, tts: EmbeddedTts) -> None:
        self._whisper = whisper
        self.tts = tts

    def recognizer(self, languages: Sequence[str], language: str) -> Recognizer:
        """A recogniser for one call."""
        return self._whisper.recognizer(tuple(languages), language)

    def detecting_recognizer(self, languages: Sequence[str]) -> Recognizer:
        """A recogniser for one call whose language is not known; the first of `languages` is the likeliest."""
        return self._whisper.recognizer(tuple(languages))

    def voice(self) -> Voice:
        """A voice for one call."""
        return self.tts.voice()

    def piper(self, path: str) -> Callable[[], Voice]:
        """Load a Piper voice file. Raises EngineUnavailable."""
        return self.tts.piper(path)

    def close(self) -> None:
        """Stop the engines' threads."""
        self._whisper.close()
        self.tts.close()
