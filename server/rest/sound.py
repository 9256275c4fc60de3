"""Sound files in and out: what a client sends becomes 16 kHz for recognition, what a voice says becomes its format.

WAV of any usual kind, raw 16-bit PCM and telephone mu-law. Used by `server.rest.speech`; decoding blocks and runs in a
thread.
"""

import io
import struct
from enum import StrEnum

import numpy as np
import soundfile
import soxr

from server.rest.problems import Problem
from voice_core import g711
from voice_core.frames import ANALYSIS_HZ, AudioFormat, Pcm16
from voice_core.resample import StreamingResampler

LONGEST_SOUND_S = 60
LARGEST_SOUND_BYTES = 12_000_000
"""60 s of stereo at 48 kHz and a header."""

LOWEST_HZ, HIGHEST_HZ = 8_000, 48_000
MULAW_HZ = 8_000
UNKNOWN_LENGTH = 0xFFFFFFFF - 44
"""What a WAV header says of a stream whose end is not known; players read to the end."""


class SoundFormat(StrEnum):
    """How spoken text is sent."""

    WAV = "wav"
    PCM16 = "pcm16"
    MULAW = "mulaw"


def decoded(body: bytes, media_type: str, rate_hz: int) -> Pcm16:
    """The sound as 16 kHz mono. rate_hz: of raw PCM. Raises Problem 400 and 415."""
    if media_type in ("audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave"):
        pcm, rate_hz = _wav(body)
    elif media_type == "audio/pcm":
        if len(body) % 2:
            raise _bad("16-bit samples need an even number of bytes")
        pcm = np.frombuffer(body, dtype="<i2").astype(np.int16)
    elif media_type == "audio/basic":
        pcm, rate_hz = g711.decode(AudioFormat.MULAW, body), MULAW_HZ
    else:
        raise Problem(
            415,
            "unsupported_media_type",
            "Send audio/wav, audio/pcm (16 bit, little-endian, mono) or audio/basic (mu-law, 8 kHz).",
        )
    if not len(pcm):
        raise _bad("there is no sound in it")
    _check_length(len(pcm), rate_hz)
    if rate_hz == ANALYSIS_HZ:
        return pcm
    return np.asarray(soxr.resample(pcm, rate_hz, ANALYSIS_HZ), dtype=np.int16)


def _wav(body: bytes) -> tuple[Pcm16, int]:
    try:
        with soundfile.SoundFile(io.BytesIO(body)) as file:
            if file.format not in ("WAV", "WAVEX"):
                raise _bad("it is no WAV file")
            _check_length(file.frames, file.samplerate)
            samples = file.read(LONGEST_SOUND_S * file.samplerate, dtype="int16", always_2d=True)
            return samples.mean(axis=1).astype(np.int16), file.samplerate
    except (soundfile.LibsndfileError, ValueError, RuntimeError) as error:
        raise _bad("it is no WAV file that can be read") from error


def _check_length(samples: int, rate_hz: int) -> None:
    if not LOWEST_HZ <= rate_hz <= HIGHEST_HZ:
        raise _bad(f"its rate must be {LOWEST_HZ} to {HIGHEST_HZ} Hz, not {rate_hz}")
    if samples > LONGEST_SOUND_S * rate_hz:
        raise _bad(f"it must not be longer than {LONGEST_SOUND_S} s")


def _bad(why: str) -> Problem:
    return Problem(400, "bad_audio", f"The sound cannot be used: {why}.")


class SoundWriter:
    """Writes one voice's samples in a format, piece by piece. rate_hz: of the voice."""

    def __init__(self, wanted: SoundFormat, rate_hz: int) -> None:
        self._wanted = wanted
        self._rate_hz = rate_hz
        self._resampler = StreamingResampler(rate_hz, MULAW_HZ) if wanted is SoundFormat.MULAW else None

    @property
    def media_type(self) -> str:
        """Of the answer."""
        return {
            SoundFormat.WAV: "audio/wav",
            SoundFormat.PCM16: f"audio/pcm; rate={self._rate_hz}",
            SoundFormat.MULAW: "audio/basic",
        }[self._wanted]

    def begin(self) -> bytes:
        """What stands before the samples."""
        if self._wanted is not SoundFormat.WAV:
            return b""
        layout = struct.pack("<IHHIIHH", 16, 1, 1, self._rate_hz, 2 * self._rate_hz, 2, 16)
        return (
            b"RIFF" + struct.pack("<I", UNKNOWN_LENGTH + 36) + b"WAVEfmt " + layout
            + b"data" + struct.pack("<I", UNKNOWN_LENGTH)
        )  # fmt: skip

    def push(self, pcm: Pcm16) -> bytes:
        """The next samples."""
        if self._resampler is None:
            return pcm.astype("<i2").tobytes()
        return g711.encode(AudioFormat.MULAW, np.ascontiguousarray(self._resampler.push(pcm))).tobytes()

    def finish(self) -> bytes:
        """What the resampler still holds."""
        if self._resampler is None:
            return b""
        return g711.encode(AudioFormat.MULAW, np.ascontiguousarray(self._resampler.flush())).tobytes()
