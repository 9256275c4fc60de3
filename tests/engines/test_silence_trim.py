import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_core.engines.silence_trim import LEAD_KEPT_MS, TAIL_KEPT_MS, WINDOW_MS, SilenceTrim
from voice_core.frames import Pcm16

RATE_HZ = 24_000


def silence(ms: float) -> Pcm16:
    return np.zeros(int(RATE_HZ * ms / 1000), dtype=np.int16)


def tone(ms: float) -> Pcm16:
    at = np.arange(int(RATE_HZ * ms / 1000))
    return (8_000 * np.sin(2 * np.pi * 300 * at / RATE_HZ)).astype(np.int16)


def trimmed(audio: Pcm16, piece_samples: int) -> tuple[Pcm16, float]:
    trim = SilenceTrim(RATE_HZ)
    pieces = [trim.push(audio[i : i + piece_samples]) for i in range(0, len(audio), piece_samples)]
    return np.concatenate([*pieces, trim.finish()]), trim.lead_ms


@given(
    lead_ms=st.integers(0, 400),
    pause_ms=st.integers(0, 300),
    tail_ms=st.integers(0, 400),
    piece_samples=st.integers(24, 9_000),
)
def test_only_the_silence_at_both_ends_goes_however_the_audio_is_cut(
    lead_ms: int, pause_ms: int, tail_ms: int, piece_samples: int
):
    audio = np.concatenate([silence(lead_ms), tone(200), silence(pause_ms), tone(200), silence(tail_ms)])
    kept, cut_ms = trimmed(audio, piece_samples)
    kept_ms = len(kept) * 1000 / RATE_HZ
    speech_ms = 400 + pause_ms
    assert np.count_nonzero(kept) == np.count_nonzero(audio), "no sound is lost"
    assert speech_ms - 1 <= kept_ms <= speech_ms + LEAD_KEPT_MS + TAIL_KEPT_MS + 2 * WINDOW_MS
    assert max(0, lead_ms - LEAD_KEPT_MS - WINDOW_MS) - 1 <= cut_ms <= lead_ms


def test_sound_leaves_as_soon_as_it_arrives():
    trim = SilenceTrim(RATE_HZ)
    assert len(trim.push(silence(300))) == 0
    assert len(trim.push(tone(100))) * 1000 / RATE_HZ == pytest.approx(100 + LEAD_KEPT_MS, abs=WINDOW_MS)


def test_a_clause_without_sound_gives_nothing():
    kept, _ = trimmed(silence(500), 480)
    assert len(kept) == 0
