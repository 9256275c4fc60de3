"""What a call asks the speech engine, and what it is told.

Plain data between `WhisperRecognizer`, which lives on the event loop, and `WhisperEngine`, which works
on inference threads; and where an utterance longer than Whisper's window is cut.
"""

from collections.abc import Mapping
from typing import Protocol

import msgspec
import numpy as np

from voice_core.asr.log_mel import FRAMES_PER_S, Frames
from voice_core.asr.terms import TermList
from voice_core.asr.whisper import Effort, Heard
from voice_core.speech import DecodeKind

LONGEST_PIECE_S = 24.0
"""Longer utterances are decoded in pieces: a window holds 30 s."""
EARLIEST_CUT_S = 12.0
_PAUSE_FRAMES = 20
"""A cut falls into the quietest 200 ms."""


class Utterance(msgspec.Struct, frozen=True):
    """What is to be decoded, and what is known about it.

    frames: all of its log-mel. language: Whisper's code, None when it is to be detected first.
    among: codes that may be spoken. terms: names to prefer; a QUICK effort leaves them out.
    """

    frames: Frames
    language: str | None
    among: tuple[str, ...]
    terms: TermList | None = None
    effort: Effort = Effort.THOROUGH


class Understood(msgspec.Struct, frozen=True):
    """The words of an utterance.

    committed: the words of its first `committed_frames` frames, which need no second decode: empty
    unless it was long. heard: the rest. languages: detection, code -> probability, empty when none
    was needed.
    """

    heard: Heard
    languages: Mapping[str, float] = {}
    committed: tuple[str, ...] = ()
    committed_frames: int = 0


class Engine(Protocol):
    """What a recogniser needs of the shared engine."""

    async def understand(self, kind: DecodeKind, utterance: Utterance) -> Understood:
        """Decode, in order of urgency. Raises DecodeDropped (PARTIAL only) and EngineError."""
        ...


def quietest_cut(frames: Frames) -> int:
    """Frame at the middle of the quietest 200 ms between EARLIEST_CUT_S and LONGEST_PIECE_S."""
    first, last = int(EARLIEST_CUT_S * FRAMES_PER_S), int(LONGEST_PIECE_S * FRAMES_PER_S)
    loudness = frames[first:last].mean(axis=1)
    smooth = np.convolve(loudness, np.ones(_PAUSE_FRAMES), mode="valid")
    return first + int(smooth.argmin()) + _PAUSE_FRAMES // 2
