"""espeak-ng: speaks every language at once and robotically; the Arabic voice and everyone's last resort.

It is the only engine here that tells where each word begins, so it also serves as the reference for the
estimated word times of the others. The library keeps global state: one lock for the whole process.
"""

import ctypes
import threading
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec
import numpy as np

from voice_core.errors import EngineError, EngineUnavailable
from voice_core.tts.engine import RawSpeech
from voice_core.tts.normalise.spoken import SpokenWord, spoken_text

_AUDIO_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_DONT_EXIT = 0x8000
_CHARS_UTF8 = 1
_POSITION_CHARACTER = 1
_RATE, _PITCH, _RANGE, _WORD_GAP = 1, 3, 4, 7
_EVENT_LIST_TERMINATED, _EVENT_WORD = 0, 1


class EspeakSettings(msgspec.Struct, frozen=True):
    """A voice of espeak. rate_wpm: words a minute. pitch, pitch_range: 0..100. gap: 10 ms between words."""

    voice: str
    rate_wpm: int = 150
    pitch: int = 50
    pitch_range: int = 60
    gap: int = 0


SETTINGS = {
    "en": EspeakSettings("en-us+f3"),
    "fr": EspeakSettings("fr+f5"),
    "es": EspeakSettings("es+f5"),
    "ar": EspeakSettings("ar", rate_wpm=140),
    "ary": EspeakSettings("ar", rate_wpm=140),
}
"""Variants that Whisper base understood best after G.711 (French: +f5 71 % word errors, others 84-114 %)."""


class _Event(ctypes.Structure):
    """espeak_EVENT of speak_lib.h; `id` is an 8-byte union that is not used here."""

    _fields_: ClassVar = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    ]


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int16), ctypes.c_int, ctypes.POINTER(_Event))


class _Library:
    """The library and its global state: the current voice and the buffers of the text being spoken."""

    def __init__(self) -> None:
        try:
            import espeakng_loader

            lib = ctypes.CDLL(espeakng_loader.get_library_path())
            data = espeakng_loader.get_data_path()
        except (ImportError, OSError, RuntimeError) as error:
            raise EngineUnavailable('espeak-ng is not installed: pip install "espeakng-loader"') from error
        self._lib = lib
        self.rate_hz = int(lib.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, 0, data.encode(), _INITIALIZE_DONT_EXIT))
        if self.rate_hz <= 0:
            raise EngineUnavailable(f"espeak-ng could not read its data in {data}")
        self._current: EspeakSettings | None = None
        self._audio = bytearray()
        self._words: list[tuple[int, float]] = []
        self._callback = _Callback(self._receive)  # kept: the library holds only a pointer
        lib.espeak_SetSynthCallback(self._callback)

    def speak(self, text: str, settings: EspeakSettings) -> tuple[bytes, list[tuple[int, float]]]:
        """Samples (int16) and, of each word, (index of its first character, start in ms)."""
        if settings != self._current:
            if self._lib.espeak_SetVoiceByName(settings.voice.encode()) != 0:
                raise EngineUnavailable(f"espeak-ng has no voice {settings.voice!r}")
            for parameter, value in (
                (_RATE, settings.rate_wpm),
                (_PITCH, settings.pitch),
                (_RANGE, settings.pitch_range),
                (_WORD_GAP, settings.gap),
            ):
                self._lib.espeak_SetParameter(parameter, value, 0)
            self._current = settings
        self._audio = bytearray()
        self._words = []
        data = text.encode() + b"\0"
        status = self._lib.espeak_Synth(
            data, ctypes.c_size_t(len(data)), 0, _POSITION_CHARACTER, 0, _CHARS_UTF8, None, None
        )
        if status != 0:
            raise EngineError(f"espeak-ng failed with status {status}")
        return bytes(self._audio), self._words

    def _receive(self, samples: Any, count: int, events: Any) -> int:
        if samples and count > 0:
            self._audio += ctypes.string_at(samples, count * 2)
        index = 0
        while events[index].type != _EVENT_LIST_TERMINATED:
            if events[index].type == _EVENT_WORD:
                self._words.append((events[index].text_position - 1, float(events[index].audio_position)))
            index += 1
        return 0


_lock = threading.Lock()
_loaded: list[_Library] = []


def _library() -> _Library:
    """The one library of the process; call with the lock held."""
    if not _loaded:
        _loaded.append(_Library())
    return _loaded[0]


class EspeakVoice:
    """One espeak voice. Threads wait for each other: a clause takes 2-10 ms."""

    def __init__(self, settings: EspeakSettings) -> None:
        self._settings = settings
        with _lock:
            self._rate_hz = _library().rate_hz
            _library().speak("a", settings)

    @property
    def name(self) -> str:
        """ "espeak:", the voice and its rate."""
        return f"espeak:{self._settings.voice}@{self._settings.rate_wpm}"

    def synthesise(self, words: Sequence[SpokenWord]) -> RawSpeech:
        """Speak at espeak's rate (22,050 Hz) with true word times."""
        with _lock:
            audio, starts = _library().speak(spoken_text(words), self._settings)
        samples = np.frombuffer(audio, np.int16).astype(np.float32) / np.float32(32768)
        return RawSpeech(samples, self._rate_hz, _word_ends(words, starts, 1000 * len(samples) / self._rate_hz))

    def close(self) -> None:
        """Nothing: the library belongs to the process."""


def _word_ends(words: Sequence[SpokenWord], starts: list[tuple[int, float]], total_ms: float) -> tuple[float, ...]:
    """End of each spoken word: where the first word after it starts; words without a sound end with their neighbour."""
    ends: list[float] = []
    positions = [position for position, _ in starts]
    for count in range(1, len(words) + 1):
        after = bisect_right(positions, len(spoken_text(words[:count])))
        ends.append(starts[after][1] if after < len(starts) else total_ms)
    return tuple(ends)
