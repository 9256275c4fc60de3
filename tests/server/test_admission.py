"""Limits, on a made-up clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.admission import ConnectLimiter, Intake, TokenBucket, VoiceSocketLimits


def test_twenty_connects_a_minute_then_one_every_three_seconds() -> None:
    limiter = ConnectLimiter(20)
    assert [limiter.admit("a", 0.0) for _ in range(20)] == [0.0] * 20
    assert limiter.admit("a", 0.0) == pytest.approx(3.0)
    assert limiter.admit("b", 0.0) == 0.0, "another address is not touched"
    assert limiter.admit("a", 3.1) == 0.0


def test_a_limiter_forgets_addresses_that_stayed_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ConnectLimiter, "MAX_ADDRESSES", 3)
    limiter = ConnectLimiter(1)
    for number in range(50):
        assert limiter.admit(f"10.0.0.{number}", 0.0) == 0.0
    assert limiter.admit("10.0.0.49", 0.0) > 0, "the newest are remembered"
    assert limiter.admit("10.0.0.0", 0.0) == 0.0, "the oldest had to go"


@given(st.lists(st.tuples(st.floats(0.001, 2), st.floats(0, 3)), min_size=1, max_size=60))
def test_no_client_gets_further_ahead_of_real_time_than_the_burst(pieces: list[tuple[float, float]]) -> None:
    limits = VoiceSocketLimits(burst_s=2.0)
    intake = Intake(limits, now=0.0)
    now = taken = 0.0
    for seconds, pause in pieces:
        now += pause
        if intake.audio(seconds, now):
            taken += seconds
        assert taken <= now * 1.02 + limits.burst_s + 1e-6


def test_real_time_audio_passes_for_ever_even_from_a_fast_sound_card() -> None:
    intake = Intake(VoiceSocketLimits(), now=0.0)
    assert all(intake.audio(0.02, number * 0.02 / 1.01) for number in range(100_000))


def test_a_bucket_says_how_long_to_wait() -> None:
    bucket = TokenBucket(rate=2, capacity=4, now=0.0)
    assert bucket.take(4, 0.0)
    assert not bucket.take(1, 0.4)
    assert bucket.wait_s(1, 0.4) == pytest.approx(0.1)
    assert bucket.take(1, 0.5)
