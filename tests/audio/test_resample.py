"""The resampler as a caller hears it: on time, in tune, free of images, whatever the chunking."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_core.frames import LEG_RATES_HZ, Pcm16, frame_samples
from voice_core.resample import StreamingResampler

PAIRS = [(a, b) for a in LEG_RATES_HZ for b in LEG_RATES_HZ if a != b] + [(22_050, 16_000), (44_100, 8_000)]


def tone(hz: float, rate_hz: int, seconds: float = 0.5) -> Pcm16:
    return (10_000 * np.sin(2 * np.pi * hz * np.arange(int(rate_hz * seconds)) / rate_hz)).astype(np.int16)


def convert(pcm: Pcm16, from_hz: int, to_hz: int) -> Pcm16:
    stream = StreamingResampler(from_hz, to_hz)
    return np.concatenate((stream.push(pcm), stream.flush()))


def level_db(pcm: Pcm16) -> float:
    """RMS relative to the test tone, leaving out the edges."""
    middle = pcm[pcm.size // 10 : -pcm.size // 10].astype(np.float64)
    return 20 * np.log10(max(np.sqrt(np.mean(middle**2)), 1e-3) / (10_000 / np.sqrt(2)))


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
def test_a_frame_in_is_a_frame_out(from_hz: int, to_hz: int) -> None:
    stream = StreamingResampler(from_hz, to_hz)
    sizes = {stream.push(np.zeros(from_hz // 50, np.int16)).size for _ in range(10)}
    assert sizes == {frame_samples(to_hz)}


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
def test_it_is_at_most_two_milliseconds_late_and_says_how_much(from_hz: int, to_hz: int) -> None:
    click = np.zeros(from_hz // 5, np.int16)
    at = from_hz // 10
    click[at : at + from_hz // 1000] = 20_000
    out = np.abs(convert(click, from_hz, to_hz).astype(np.float64))
    heard_ms = 1000 / to_hz * (out @ np.arange(out.size)) / out.sum()
    sent_ms = 1000 / from_hz * (at + from_hz // 1000 / 2 - 0.5)
    delay_ms = StreamingResampler(from_hz, to_hz).delay_ms
    assert delay_ms <= 2.0
    assert heard_ms - sent_ms == pytest.approx(delay_ms, abs=0.15)


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
def test_no_sound_is_lost_or_made(from_hz: int, to_hz: int) -> None:
    pcm = tone(500, from_hz, 0.333)
    out = convert(pcm, from_hz, to_hz)
    delay = StreamingResampler(from_hz, to_hz).delay_ms * to_hz / 1000
    assert out.size == pytest.approx(pcm.size * to_hz / from_hz + delay, abs=1.01)


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
def test_the_telephone_band_passes_unchanged(from_hz: int, to_hz: int) -> None:
    for hz in (300, 1_000, 3_300):
        assert level_db(convert(tone(hz, from_hz), from_hz, to_hz)) == pytest.approx(0, abs=0.5)


@pytest.mark.parametrize(("from_hz", "to_hz"), [(16_000, 8_000), (24_000, 8_000), (48_000, 8_000), (48_000, 16_000)])
def test_what_the_lower_rate_cannot_carry_is_removed_not_folded(from_hz: int, to_hz: int) -> None:
    too_high = to_hz * 0.6
    assert level_db(convert(tone(too_high, from_hz), from_hz, to_hz)) < -45


@pytest.mark.parametrize(("from_hz", "to_hz"), [(8_000, 16_000), (8_000, 48_000), (16_000, 24_000)])
def test_going_up_adds_no_mirror_images(from_hz: int, to_hz: int) -> None:
    spectrum = np.abs(np.fft.rfft(convert(tone(1_000, from_hz), from_hz, to_hz).astype(np.float64)))
    hz = np.arange(spectrum.size) * to_hz / 2 / spectrum.size
    assert spectrum[hz > from_hz / 2].max() < spectrum.max() / 300


def test_equal_rates_return_the_same_samples() -> None:
    pcm = tone(440, 16_000)
    assert StreamingResampler(16_000, 16_000).push(pcm) is pcm
    assert StreamingResampler(16_000, 16_000).flush().size == 0


@given(cuts=st.lists(st.integers(0, 2_400), max_size=8), pair=st.sampled_from(PAIRS))
def test_the_chunking_does_not_matter(cuts: list[int], pair: tuple[int, int]) -> None:
    pcm = tone(700, 24_000, 0.1)
    stream = StreamingResampler(*pair)
    parts = [stream.push(piece) for piece in np.split(pcm, sorted(cuts))]
    assert np.allclose(np.concatenate((*parts, stream.flush())), convert(pcm, *pair), atol=1)


def test_loud_audio_clips_instead_of_wrapping() -> None:
    square = np.repeat(np.array([32767, -32768] * 40, np.int16), 20)
    out = convert(square, 8_000, 16_000).astype(np.int32)
    wanted = np.repeat(square, 2).astype(np.int32)
    delay = int(StreamingResampler(8_000, 16_000).delay_ms * 16)
    assert np.all(np.sign(out[delay + 20 : delay + 30]) == np.sign(wanted[20:30]))


def test_after_a_flush_it_starts_afresh() -> None:
    stream = StreamingResampler(24_000, 8_000)
    first = np.concatenate((stream.push(tone(300, 24_000)), stream.flush()))
    second = np.concatenate((stream.push(tone(300, 24_000)), stream.flush()))
    assert np.array_equal(first, second)


def test_a_rate_must_be_positive() -> None:
    with pytest.raises(ValueError, match="positive"):
        StreamingResampler(0, 16_000)
