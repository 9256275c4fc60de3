"""G.711 as the far end of a phone line would check it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_core import g711
from voice_core.frames import AudioFormat

LAWS = (AudioFormat.MULAW, AudioFormat.ALAW)
EVERY_SAMPLE = np.arange(-32768, 32768).astype(np.int16)
EVERY_CODE = np.arange(256, dtype=np.uint8)

# Code -> value of the 14-bit (mu-law) and 13-bit (A-law) scale, from tables 2a and 1a of the recommendation,
# scaled to 16 bits: the largest value, the first of a segment, the smallest, and their mirrors.
REFERENCE = {
    AudioFormat.MULAW: {0x80: 32124, 0x8F: 16764, 0x9F: 8316, 0xFE: 8, 0xFF: 0, 0x7F: 0, 0x00: -32124, 0x7E: -8},
    AudioFormat.ALAW: {0xAA: 32256, 0xA5: 16896, 0x80: 5504, 0xD5: 8, 0x55: -8, 0xD4: 24, 0x2A: -32256},
}


@pytest.mark.parametrize("law", LAWS)
def test_codes_have_the_values_of_the_recommendation(law: AudioFormat) -> None:
    decoded = g711.decode(law, EVERY_CODE)
    assert {code: int(decoded[code]) for code in REFERENCE[law]} == REFERENCE[law]


@pytest.mark.parametrize("law", LAWS)
def test_a_second_trip_over_the_line_changes_nothing(law: AudioFormat) -> None:
    once = g711.decode(law, g711.encode(law, EVERY_SAMPLE))
    assert np.array_equal(g711.decode(law, g711.encode(law, once)), once)


@pytest.mark.parametrize("law", LAWS)
def test_a_louder_sample_never_comes_back_quieter(law: AudioFormat) -> None:
    back = g711.decode(law, g711.encode(law, EVERY_SAMPLE)).astype(np.int32)
    assert np.all(np.diff(back) >= 0)


@pytest.mark.parametrize("law", LAWS)
def test_every_sample_takes_a_neighbouring_code(law: AudioFormat) -> None:
    """The error stays within one step: 1/16 of a segment, and what is louder than the loudest code takes that one."""
    back = g711.decode(law, g711.encode(law, EVERY_SAMPLE)).astype(np.int32)
    wanted = np.clip(EVERY_SAMPLE.astype(np.int32), back.min(), back.max())
    error = np.abs(back - wanted)
    assert np.all(error <= (np.abs(wanted) + 132) / 32 + 4)


@pytest.mark.parametrize("law", LAWS)
def test_silence_is_the_code_of_zero(law: AudioFormat) -> None:
    assert g711.encode(law, np.zeros(1, np.int16))[0] == g711.SILENCE_CODE[law]
    assert abs(int(g711.decode(law, bytes([g711.SILENCE_CODE[law]]))[0])) <= 8


@pytest.mark.parametrize("law", LAWS)
@given(payload=st.binary(max_size=400))
def test_bytes_and_arrays_and_reused_buffers_agree(law: AudioFormat, payload: bytes) -> None:
    buffer = np.empty(len(payload), np.int16)
    fresh = g711.decode(law, payload)
    assert g711.decode(law, np.frombuffer(payload, np.uint8), out=buffer) is buffer
    assert np.array_equal(buffer, fresh)
    codes = np.empty(len(payload), np.uint8)
    assert g711.encode(law, fresh, out=codes) is codes
    assert np.array_equal(codes, g711.encode(law, fresh))


def test_a_buffer_of_the_wrong_size_is_refused() -> None:
    with pytest.raises(ValueError, match="output array"):
        g711.decode(AudioFormat.MULAW, b"1234", out=np.empty(3, np.int16))


def test_linear_audio_is_not_a_g711_law() -> None:
    with pytest.raises(KeyError):
        g711.decode(AudioFormat.PCM16, b"12")
