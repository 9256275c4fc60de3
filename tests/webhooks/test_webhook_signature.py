"""The signature of webhooks, checked against the words of the documentation and not against our own code."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context.webhooks.errors import SignatureRefusedError
from context.webhooks.signature import REPLAY_WINDOW_S, new_secret, sign, verify

NOW = 1_800_000_000.0
BODY = b'{"id":"e1"}'


def written_by_hand(secret: str, seconds: int, body: bytes) -> str:
    """t=...,v1=hex(HMAC-SHA256(secret, "{t}.{body}"))"""
    return f"t={seconds},v1=" + hmac.new(secret.encode(), b"%d.%s" % (seconds, body), hashlib.sha256).hexdigest()


@given(st.binary(max_size=200), st.integers(0, 2**33), st.text(min_size=1))
def test_the_signature_is_what_the_documentation_says(body: bytes, seconds: int, secret: str) -> None:
    assert sign([secret], body, float(seconds)) == written_by_hand(secret, seconds, body)
    verify(secret, {"parley-signature": written_by_hand(secret, seconds, body)}, body, float(seconds))


def test_the_known_answer() -> None:
    # echo -n '1800000000.{"id":"e1"}' | openssl dgst -sha256 -hmac whsec_test
    expected = "b42cea22ffdaf1260befffe780b65c2b4329084ba2ae2223eafc00daf6803b75"
    assert sign(["whsec_test"], BODY, NOW) == f"t=1800000000,v1={expected}"


@pytest.mark.parametrize("away_s", [-REPLAY_WINDOW_S, 0, REPLAY_WINDOW_S])
def test_a_request_within_five_minutes_passes(away_s: int) -> None:
    verify("s", {"Parley-Signature": sign(["s"], BODY, NOW)}, BODY, NOW + away_s)


@pytest.mark.parametrize("away_s", [-REPLAY_WINDOW_S - 1, REPLAY_WINDOW_S + 1, 10**9])
def test_a_request_that_is_repeated_later_is_refused(away_s: int) -> None:
    with pytest.raises(SignatureRefusedError, match="more than 300 s"):
        verify("s", {"Parley-Signature": sign(["s"], BODY, NOW)}, BODY, NOW + away_s)


def test_while_a_secret_is_replaced_either_one_verifies() -> None:
    headers = {"Parley-Signature": sign(["new", "old"], BODY, NOW)}
    assert headers["Parley-Signature"].count("v1=") == 2
    verify("new", headers, BODY, NOW)
    verify("old", headers, BODY, NOW)
    verify(["other", "old"], headers, BODY, NOW)
    with pytest.raises(SignatureRefusedError):
        verify("other", headers, BODY, NOW)


@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_a_body_that_differs_in_one_byte_is_refused(place: int, difference: int) -> None:
    changed = bytearray(BODY)
    changed[place] ^= difference
    with pytest.raises(SignatureRefusedError):
        verify("s", {"Parley-Signature": sign(["s"], BODY, NOW)}, bytes(changed), NOW)


def test_a_newer_time_on_an_old_signature_is_refused() -> None:
    header = sign(["s"], BODY, NOW).replace("t=1800000000", "t=1800000400")
    with pytest.raises(SignatureRefusedError):
        verify("s", {"Parley-Signature": header}, BODY, NOW + 400)


@given(st.text() | st.from_regex(r"(t=[0-9²-]{0,20},?|v1=[0-9a-f]{0,70},?){0,5}"))
def test_any_other_header_is_refused_and_nothing_else_happens(header: str) -> None:
    with pytest.raises(SignatureRefusedError):
        verify("secret", {"Parley-Signature": header}, BODY, NOW)


def test_a_request_without_the_header_is_refused() -> None:
    with pytest.raises(SignatureRefusedError):
        verify("secret", {}, BODY, NOW)


def test_secrets_are_long_and_never_the_same() -> None:
    made = {new_secret() for _ in range(100)}
    assert len(made) == 100
    assert all(secret.startswith("whsec_") and len(secret) == len("whsec_") + 43 for secret in made)
