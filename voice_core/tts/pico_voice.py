"""SVOX Pico: the default French and Spanish voices, 16 kHz, through the C library inside `py-nanotts`.

On the telephone band Whisper base understood it far better than espeak (French word errors 25 % against
70 % and more, Spanish 13 % against 55 %), at 100 times real time and 2.5 MB a language. Called through
ctypes and not through the package's own function, which loads the voice anew for every text and holds
the interpreter lock meanwhile.
"""

import ctypes
import importlib.util
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from voice_core.errors import EngineError, EngineUnavailable
from voice_core.tts.engine import RawSpeech
from voice_core.tts.normalise.spoken import SpokenWord, spoken_text

PICO_HZ = 16_000
VOICES = {"fr": "fr-FR_nk0", "es": "es-ES_zl0", "en": "en-GB_kh0"}
"""Language -> the file of its signal generator; its text analysis is the same name without the speaker."""

SPEED_PERCENT = 94
"""A little slower than Pico's own pace: same or fewer word errors over the telephone than 100 %, 85 % more."""
_VOLUME_PERCENT = 60
"""At 100 % some vowels clip inside the library; the level is set afterwards anyway."""
_MEMORY_BYTES = 2_500_000
_BUFFER_BYTES = 4096
_STEP_IDLE, _STEP_BUSY = 200, 201
_RESOURCE_NAME_BYTES = 32
_VOICE = b"PicoVoice"


class PicoVoice:
    """One Pico engine for one language; a lock lets one thread at a time use it."""

    def __init__(self, language: str) -> None:
        if language not in VOICES:
            raise EngineUnavailable(f"SVOX Pico has no voice for {language!r}; it has {', '.join(sorted(VOICES))}")
        self._lock = threading.Lock()
        self._lib, folder = _library()
        self._voice = VOICES[language]
        self._memory = ctypes.create_string_buffer(_MEMORY_BYTES)
        self._system = ctypes.c_void_p()
        self._engine = ctypes.c_void_p()
        self._call("pico_initialize", self._memory, _MEMORY_BYTES, ctypes.byref(self._system))
        self._call("pico_createVoiceDefinition", self._system, _VOICE)
        for file in (f"{self._voice.split('_')[0]}_ta.bin", f"{self._voice}_sg.bin"):
            resource = ctypes.c_void_p()
            name = ctypes.create_string_buffer(_RESOURCE_NAME_BYTES)
            path = str(folder / "lang" / file).encode()
            self._call("pico_loadResource", self._system, path, ctypes.byref(resource))
            self._call("pico_getResourceName", self._system, resource, name)
            self._call("pico_addResourceToVoiceDefinition", self._system, _VOICE, name)
        self._call("pico_newEngine", self._system, _VOICE, ctypes.byref(self._engine))

    @property
    def name(self) -> str:
        """ "pico:" and the voice file."""
        return f"pico:{self._voice}"

    def synthesise(self, words: Sequence[SpokenWord]) -> RawSpeech:
        """Speak at 16 kHz; Pico does not tell word times."""
        text = spoken_text(words).replace("<", " ").replace(">", " ").replace("’", "'")
        marked = f'<speed level="{SPEED_PERCENT}"><volume level="{_VOLUME_PERCENT}">{text}</volume></speed>'
        with self._lock:
            if not self._engine:
                raise EngineError("the voice is closed", retryable=False)
            audio = self._speak(marked.encode() + b"\0")
        return RawSpeech(np.frombuffer(audio, np.int16).astype(np.float32) / np.float32(32768), PICO_HZ)

    def close(self) -> None:
        """Give the engine's memory back."""
        with self._lock:
            if self._engine:
                self._lib.pico_disposeEngine(self._system, ctypes.byref(self._engine))
                self._lib.pico_terminate(ctypes.byref(self._system))
                self._engine = ctypes.c_void_p()

    def _speak(self, text: bytes) -> bytes:
        audio = bytearray()
        buffer = ctypes.create_string_buffer(_BUFFER_BYTES)
        taken, given, kind = ctypes.c_int16(), ctypes.c_int16(), ctypes.c_int16()
        offset = 0
        while offset < len(text):
            part = text[offset : offset + 16_000]
            self._call("pico_putTextUtf8", self._engine, part, ctypes.c_int16(len(part)), ctypes.byref(taken))
            offset += taken.value
            status = _STEP_BUSY
            while status == _STEP_BUSY:
                status = self._lib.pico_getData(
                    self._engine, buffer, ctypes.c_int16(_BUFFER_BYTES), ctypes.byref(given), ctypes.byref(kind)
                )
                audio += ctypes.string_at(buffer, given.value)
            if status != _STEP_IDLE:
                self._lib.pico_resetEngine(self._engine, 0)
                raise EngineError(f"SVOX Pico stopped with status {status}")
        return bytes(audio)

    def _call(self, function: str, *arguments: object) -> None:
        status = getattr(self._lib, function)(*arguments)
        if status != 0:
            raise EngineError(f"SVOX Pico: {function} failed with status {status}", retryable=False)


def _library() -> tuple[ctypes.CDLL, Path]:
    """The extension module of py-nanotts, which exports Pico's own functions, and its folder."""
    spec = importlib.util.find_spec("py_nanotts")
    folder = Path(spec.origin).parent if spec and spec.origin else None
    files = sorted(folder.glob("_nanotts*.so")) if folder else []
    if folder is None or not files:
        raise EngineUnavailable('the SVOX Pico voices are not installed: pip install "py-nanotts"')
    library = ctypes.CDLL(str(files[0]))
    if not hasattr(library, "pico_getData"):
        raise EngineUnavailable('this build of py-nanotts hides the Pico library: pip install "py-nanotts==0.1.1"')
    for function in ("pico_loadResource", "pico_getResourceName", "pico_newEngine", "pico_putTextUtf8", "pico_getData"):
        getattr(library, function).restype = ctypes.c_int32
    return library, folder
