"""Rendered clauses, kept because a business says the same things all day: greetings, questions, goodbyes.

In memory everything is kept up to a bound, oldest use first out. On disk only what is pre-rendered on
purpose is kept, for callers' names and numbers are spoken too and must not pile up in files. The key holds
engine, voice, language and text, so tenants share nothing but identical sentences.
"""

import hashlib
import os
import tempfile
import threading
from collections import OrderedDict
from pathlib import Path

import msgspec
import numpy as np

from voice_core.frames import Pcm16
from voice_core.speech import WordMark

FORMAT = 1
"""Part of every key: raise it when shaping or normalising changes what a text sounds like."""
DEFAULT_BOUND_BYTES = 64 * 1024 * 1024
"""About 23 minutes of speech at 24 kHz."""


class PhraseKey(msgspec.Struct, frozen=True):
    """What makes two renderings the same. engine: with its voice, such as "hibari:heart"."""

    engine: str
    language: str
    text: str

    def digest(self) -> str:
        """Name of the file on disk."""
        return hashlib.sha256(msgspec.json.encode((FORMAT, self.engine, self.language, self.text))).hexdigest()


class Phrase(msgspec.Struct, frozen=True):
    """A rendered clause: little-endian int16 samples and its words."""

    audio: bytes
    words: tuple[WordMark, ...]

    @property
    def pcm(self) -> Pcm16:
        """Samples, read-only."""
        return np.frombuffer(self.audio, np.int16)


class PhraseCache:
    """Bounded by the bytes of audio it holds. Safe to use from several threads."""

    def __init__(self, bound_bytes: int = DEFAULT_BOUND_BYTES, folder: Path | None = None) -> None:
        self._bound = bound_bytes
        self._folder = folder
        self._lock = threading.Lock()
        self._phrases: OrderedDict[PhraseKey, Phrase] = OrderedDict()
        self._held = 0
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    @property
    def held_bytes(self) -> int:
        """Bytes of audio in memory."""
        return self._held

    def get(self, key: PhraseKey) -> Phrase | None:
        """The phrase, when it is in memory."""
        with self._lock:
            phrase = self._phrases.get(key)
            if phrase is not None:
                self._phrases.move_to_end(key)
            return phrase

    def put(self, key: PhraseKey, phrase: Phrase) -> None:
        """Keep it in memory; what was used longest ago goes. A phrase above the bound is not kept."""
        with self._lock:
            old = self._phrases.pop(key, None)
            self._held -= len(old.audio) if old else 0
            if len(phrase.audio) > self._bound:
                return
            self._phrases[key] = phrase
            self._held += len(phrase.audio)
            while self._held > self._bound:
                _, oldest = self._phrases.popitem(last=False)
                self._held -= len(oldest.audio)

    def load(self, key: PhraseKey) -> Phrase | None:
        """The phrase from memory or disk; a file that cannot be read counts as absent."""
        phrase = self.get(key)
        if phrase is not None or self._folder is None:
            return phrase
        try:
            phrase = msgspec.msgpack.decode((self._folder / f"{key.digest()}.phrase").read_bytes(), type=Phrase)
        except (OSError, msgspec.DecodeError):
            return None
        if len(phrase.audio) % 2:
            return None
        self.put(key, phrase)
        return phrase

    def store(self, key: PhraseKey, phrase: Phrase) -> None:
        """Keep it in memory and, when there is a folder, on disk: whole or not at all."""
        self.put(key, phrase)
        if self._folder is None:
            return
        handle, name = tempfile.mkstemp(dir=self._folder, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(msgspec.msgpack.encode(phrase))
            os.replace(name, self._folder / f"{key.digest()}.phrase")
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
