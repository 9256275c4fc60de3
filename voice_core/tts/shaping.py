"""Makes every engine's audio alike: no silence at the ends, one loudness, 24 kHz, a pause by punctuation.

Engines differ by 0.3 s of lead silence and 12 dB of level; a caller must notice neither a late start nor
a louder language. `EmbeddedTts` passes each rendered clause through `shape` before it is cached.
"""

import numpy as np
import soxr
from numpy.typing import NDArray

from voice_core.frames import Pcm16

OUTPUT_HZ = 24_000
"""Rate of all embedded speech: that of the neural voice, and an integer multiple of the telephone's."""

SPEECH_DBFS = -20.0
"""RMS of active speech, dB relative to full scale: the usual nominal level of telephone prompts."""
PEAK_LIMIT = 10 ** (-1.5 / 20)
"""Highest sample: -1.5 dBFS, so that resampling on a leg stays under -1 dBFS."""

_HOP_MS = 5
_ACTIVE_RANGE_DB = 30.0
"""Frames within this range of the loudest one count as speech when the level is measured."""
_SILENCE_BELOW_DB = 38.0
"""Under active speech by this much is silence: the weakest onsets, /f/ and /h/, were measured 30-37 dB under."""
_LEAD_MARGIN_MS = 10
_TAIL_MARGIN_MS = 40
_FADE_MS = 4

_PAUSES_MS = {",": 90, "،": 90, ";": 160, "؛": 160, ":": 140, "—": 140, "–": 140, "…": 220}
_SENTENCE_PAUSE_MS = 240
"""People leave 150-300 ms between sentences of one turn; 40 ms of it is the tail margin."""

Samples = NDArray[np.float32]


class Shaped:
    """One clause ready to be played: int16 at OUTPUT_HZ, and how it maps to the engine's own time line.

    offset_ms: engine time at which the audio now begins. speech_ms: where the sound ends, before the pause.
    """

    __slots__ = ("offset_ms", "pcm", "speech_ms")

    def __init__(self, pcm: Pcm16, offset_ms: float, speech_ms: float) -> None:
        self.pcm = pcm
        self.offset_ms = offset_ms
        self.speech_ms = speech_ms


def pause_after_ms(text: str) -> int:
    """Silence that belongs after a clause, ms, by its last punctuation; none after a cut between words."""
    last = text.rstrip().rstrip("\"'”’»)]")[-1:]
    if last in ".!?؟。":
        return _SENTENCE_PAUSE_MS
    return _PAUSES_MS.get(last, 0)


def hop_levels_db(samples: Samples, rate_hz: int) -> NDArray[np.float32]:
    """RMS of each 5 ms hop in dBFS, shape (hops,); digital silence is -140."""
    hop = rate_hz * _HOP_MS // 1000
    whole = len(samples) // hop * hop
    power = (samples[:whole].reshape(-1, hop) ** 2).mean(axis=1)
    return (10 * np.log10(power + 1e-14)).astype(np.float32)


def active_level_db(levels: NDArray[np.float32]) -> float:
    """Level of the speech in these hops, dBFS, pauses left out; -140 when there is none."""
    if not len(levels):
        return -140.0
    active = levels[levels > levels.max() - _ACTIVE_RANGE_DB]
    return float(10 * np.log10((10 ** (active / 10)).mean()))


def shape(samples: Samples, rate_hz: int, text: str) -> Shaped:
    """Trim, level, resample and add the pause that `text` ends with. Empty when nothing was spoken."""
    levels = hop_levels_db(samples, rate_hz)
    speech_db = active_level_db(levels)
    if speech_db < -80:
        return Shaped(np.zeros(0, np.int16), 0.0, 0.0)
    sounding = np.flatnonzero(levels > speech_db - _SILENCE_BELOW_DB)
    per_ms = rate_hz / 1000
    start = max(0, int((int(sounding[0]) * _HOP_MS - _LEAD_MARGIN_MS) * per_ms))
    end = int(((int(sounding[-1]) + 1) * _HOP_MS + _TAIL_MARGIN_MS) * per_ms)
    sound = np.pad(samples[start:end], (0, max(0, end - len(samples)))).astype(np.float32)
    gain = min(10 ** ((SPEECH_DBFS - speech_db) / 20), PEAK_LIMIT / float(np.abs(sound).max()))
    sound *= gain
    if rate_hz != OUTPUT_HZ:
        sound = np.asarray(soxr.resample(sound, rate_hz, OUTPUT_HZ, quality="HQ"), np.float32)
    fade = np.linspace(0.0, 1.0, OUTPUT_HZ * _FADE_MS // 1000, dtype=np.float32)
    sound[: len(fade)] *= fade
    sound[-len(fade) :] *= fade[::-1]
    tail = np.zeros(OUTPUT_HZ * pause_after_ms(text) // 1000, np.float32)
    pcm = np.clip(np.concatenate([sound, tail]) * 32767, -32768, 32767).astype(np.int16)
    spoken_ms = (int(sounding[-1]) + 1) * _HOP_MS - start / per_ms
    return Shaped(pcm, start / per_ms, spoken_ms)


def pauses_ms(pcm: Pcm16, speech_ms: float, shortest_ms: float) -> list[tuple[float, float]]:
    """Silences of at least `shortest_ms` inside the first `speech_ms` of a shaped clause: (start, end), ms."""
    levels = hop_levels_db(pcm.astype(np.float32) / np.float32(32768), OUTPUT_HZ)[: int(speech_ms // _HOP_MS)]
    quiet = np.concatenate([[False], levels < SPEECH_DBFS - _ACTIVE_RANGE_DB, [False]])
    edges = np.flatnonzero(np.diff(quiet.astype(np.int8)))
    spans = [(float(a * _HOP_MS), float(b * _HOP_MS)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    return [(a, b) for a, b in spans if b - a >= shortest_ms and a > 0 and b < len(levels) * _HOP_MS]
