"""Recorded speech to measure on: a folder with a `manifest.json` and FLAC files.

The folder is named by `--speech DIR` or the environment variable PARLEY_SPEECH; the manifest lists
file, set, kind, lang, duration_s, sample_rate, transcript, speaker and labels.
"""

import os
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import soundfile
import soxr

from voice_core.frames import Pcm16


class Recording(msgspec.Struct, frozen=True):
    """One entry of the manifest."""

    file: str
    set: str
    kind: str
    lang: str
    duration_s: float
    sample_rate: int
    transcript: str | None = None
    speaker: str | None = None
    labels: dict[str, Any] | None = None


class _Manifest(msgspec.Struct):
    items: list[Recording]


class Corpus:
    """The recordings of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.recordings = msgspec.json.decode((folder / "manifest.json").read_bytes(), type=_Manifest).items

    def select(self, *sets: str, lang: str | None = None, transcribed: bool = False) -> list[Recording]:
        """Recordings of these sets (all when none is named), in the manifest's order."""
        return [
            r
            for r in self.recordings
            if (not sets or r.set in sets) and (lang is None or r.lang == lang) and (not transcribed or r.transcript)
        ]

    def load(self, recording: Recording, rate_hz: int) -> Pcm16:
        """Samples of one recording, mono int16 at `rate_hz`."""
        audio, rate = soundfile.read(self.folder / recording.file, dtype="float32", always_2d=True)
        mono = audio.mean(axis=1)
        if rate != rate_hz:
            mono = soxr.resample(mono, rate, rate_hz)
        return np.asarray(np.clip(mono, -1.0, 1.0) * 32767, dtype=np.int16)


def speech_folder(argument: str | None) -> Path:
    """The folder to use. Raises SystemExit that says what to set when there is none."""
    named = argument or os.environ.get("PARLEY_SPEECH", "")
    if not named or not (Path(named) / "manifest.json").is_file():
        raise SystemExit("name a folder of recordings with a manifest.json: --speech DIR or PARLEY_SPEECH=DIR")
    return Path(named)
