"""The boundary between a call and its speech engines.

A `Recognizer` turns the caller's audio into transcripts and a `Voice` turns clauses into audio;
`voice_core.asr` and `voice_core.tts` implement both for the embedded engines, `voice_core.engines`
for any livekit-agents plugin. `VoiceCall` is the only caller.
"""

from collections.abc import AsyncIterator, Sequence
from enum import Enum
from typing import Protocol

import msgspec

from voice_core.frames import Pcm16


class DecodeKind(Enum):
    """Why a decode is asked for; FINAL goes before INTERRUPTION, which goes before PARTIAL."""

    FINAL = "final"
    INTERRUPTION = "interruption"
    PARTIAL = "partial"


class Transcript(msgspec.Struct, frozen=True):
    """What the caller said, as far as it was decoded.

    text: "" when no words were found. language: code of the session's set (en fr es ar ary).
    confidence: 0..1. stable: prefix of `text` that two decodes in a row agreed on.
    decode_ms: time from asking to having it, waiting included. end_probability: belief that the turn
    sounds over, where the engine has one (FINAL only).
    """

    text: str
    language: str
    confidence: float = 1.0
    stable: str = ""
    decode_ms: float = 0.0
    end_probability: float | None = None


class DecodeDropped(Exception):  # noqa: N818 - a normal outcome, not a fault
    """A partial was not decoded because the engine was busy with more urgent work."""


class Recognizer(Protocol):
    """Speech to text for one call. All methods are called on the event loop and return at once."""

    def push(self, pcm: Pcm16) -> None:
        """Take the next samples, 16 kHz mono. Kept as pre-roll until `begin`."""

    def begin(self, lookback_ms: float) -> None:
        """Start an utterance `lookback_ms` before the newest sample pushed."""

    async def decode(self, kind: DecodeKind) -> Transcript:
        """Decode the utterance from its beginning to the newest sample.

        Raises DecodeDropped (PARTIAL only) and EngineError.
        """
        ...

    def finish(self) -> None:
        """Forget the utterance; later samples are pre-roll again."""

    def bias(self, terms: Sequence[str]) -> None:
        """Prefer these names and terms when the audio allows them."""

    async def aclose(self) -> None:
        """Release the stream behind it."""


class WordMark(msgspec.Struct, frozen=True):
    """One written word of a clause and where its sound ends, in ms from the clause's start."""

    text: str
    end_ms: float


class SpeechChunk(msgspec.Struct, frozen=True):
    """A piece of a clause's audio.

    pcm: mono int16 at the voice's `sample_rate`. words: the words whose sound ends in this or an
    earlier chunk of the clause, as offsets from the start of the clause; together the chunks of a
    clause name each word once.
    """

    pcm: Pcm16
    words: tuple[WordMark, ...] = ()


class Voice(Protocol):
    """Text to speech for one call."""

    @property
    def sample_rate(self) -> int:
        """Rate of every chunk, Hz."""
        ...

    def render(self, text: str, language: str) -> AsyncIterator[SpeechChunk]:
        """Speak one clause, silence trimmed at both ends. Raises EngineError."""
        ...

    async def aclose(self) -> None:
        """Release the stream behind it."""
