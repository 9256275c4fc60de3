"""Nothing personal and no secret reaches a log line, whatever a log call passes by mistake."""

import datetime as dt
import ipaddress
import json
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from context.bookings.desk import Booking
from context.redaction import EMAIL_MASK, MASK, PHONE_MASK, redact, redact_text

digits = st.text("0123456789", min_size=9, max_size=13)
separators = st.sampled_from(["", " ", "-", ".", " - ", "\u00a0"])
words = st.text(st.characters(categories=["Ll"]), min_size=1, max_size=8)
names = st.from_regex(r"[a-z0-9]{1,8}(\.[a-z0-9]{1,8})?", fullmatch=True)
emails = st.builds("{}@{}.{}".format, names, names, st.sampled_from(["org", "fr", "co.uk"]))


@st.composite
def phones(draw: st.DrawFn) -> str:
    """A number of 9 to 13 digits, in pairs or not, with or without its country's plus."""
    number, separator = draw(digits), draw(separators)
    size = draw(st.integers(1, 4))
    groups = [number[at : at + size] for at in range(0, len(number), size)]
    phone = draw(st.sampled_from(["", "+", "+("])) + separator.join(groups)
    assume(not is_ip_address(phone))
    return phone


def is_ip_address(text: str) -> bool:
    """Four numbers with dots between: they are kept, operators need them."""
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def nested(secret: str) -> st.SearchStrategy[Any]:
    """The secret somewhere inside lists, tuples, sets, dictionaries and exceptions."""
    return st.recursive(
        st.sampled_from([secret, ValueError(f"bad {secret}"), Path("/calls") / secret, {secret}, f"a {secret} b"]),
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=2),
            st.tuples(inner),
            st.dictionaries(words, inner, min_size=1, max_size=2),
            st.builds(lambda value: {secret: value}, inner),
        ),
        max_leaves=4,
    )


def line(**entry: Any) -> str:
    """The log line that this entry becomes."""
    return json.dumps(redact(None, "info", entry), default=repr, ensure_ascii=False)


@settings(max_examples=60)
@given(st.data(), phones())
def test_no_phone_number_gets_into_a_line_however_it_is_written_or_nested(data: st.DataObject, phone: str) -> None:
    assert phone not in line(event="call", detail=data.draw(nested(phone)))
    assert phone not in line(event=f"calling {phone} now")


@settings(max_examples=60)
@given(st.data(), emails)
def test_no_email_address_gets_into_a_line(data: st.DataObject, email: str) -> None:
    assert email not in line(event="call", detail=data.draw(nested(email)))
    assert email not in line(event=f"mail to <{email}>, please")


@given(
    st.sampled_from(["api_key", "apiKey", "OPENAI_API_KEY", "Authorization", "password", "auth-token", "client_secret"])
    | st.sampled_from(["caller_name", "callerName", "transcript", "text", "heard", "phone", "to_email", "name"]),
    words | st.integers(0, 10**12) | st.lists(words, min_size=1) | st.dictionaries(words, words, min_size=1),
)
def test_the_value_of_a_telling_key_is_masked_whole(key: str, value: Any) -> None:
    assert redact(None, "info", {"event": "x", key: value}) == {"event": "x", key: MASK}
    assert redact(None, "info", {"arguments": [{key: value}]}) == {"arguments": [{key: MASK}]}


@given(st.text())
def test_masking_a_masked_text_again_changes_nothing(text: str) -> None:
    once = redact_text(text)
    assert redact_text(once) == once


@given(st.text(st.characters(categories=["L", "Zs"], include_characters=".,;!?'")))
def test_a_text_without_digits_and_addresses_is_left_as_it_is(text: str) -> None:
    assume("@" not in text)
    assert redact_text(text) == text


@pytest.mark.parametrize(
    "harmless",
    [
        "listening on 127.0.0.1:3007",
        "peer 192.168.100.200 left",
        "2027-06-08T10:00:00.123456Z",
        "on 2027-06-08 at 10:00",
        "from 2027-06-08 10:00 to 2027-06-08 11:30:05.5, twice",
        "took 1234.5 ms, 16000 Hz, 123456 frames",
        "faster-whisper 1.2.1 and onnxruntime 1.23.2",
    ],
)
def test_what_an_operator_needs_stays_readable(harmless: str) -> None:
    assert redact_text(harmless) == harmless


def test_identifiers_measures_and_times_are_kept() -> None:
    entry = {
        "event": "turn",
        "call_id": "20270608123456789",
        "tenant_id": "clinic",
        "timestamp": "2027-06-08T10:00:00.000001Z",
        "latency_ms": 312.5,
        "bytes": 123456789,
        "caller_talk_s": 3.5,
        "ok": True,
        "reason": None,
        "day": dt.date(2027, 6, 8),
    }
    assert redact(None, "info", dict(entry)) == entry


def test_an_object_is_named_by_its_type_because_its_repr_may_hold_a_caller() -> None:
    booking = Booking("b", "clinic", "call", "cleaning", dt.datetime.now(dt.UTC), 45, "Marie Curie", "P")
    assert redact(None, "info", {"detail": booking}) == {"detail": "<Booking>"}


def test_a_callers_details_stay_out_of_a_real_log_line(capsys: pytest.CaptureFixture[str]) -> None:
    structlog.configure(
        processors=[structlog.processors.format_exc_info, redact, structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(),
    )
    try:
        try:
            raise ValueError("cannot reach marie@example.org at 06 12 34 56 78")
        except ValueError:
            structlog.get_logger().exception("callback failed", tenant_id="clinic")
    finally:
        structlog.reset_defaults()
    written = capsys.readouterr().out
    assert "ValueError" in written
    assert "clinic" in written
    assert EMAIL_MASK in written
    assert PHONE_MASK in written
    assert "marie" not in written
    assert "06 12" not in written


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"bad key pk_{'1234567890abcdef'}_{'0a' * 32}.", "bad key pk_1234567890abcdef_[masked]."),
        ("Authorization: Bearer abc.def-123_x y", "Authorization: Bearer [masked] y"),
        ("basic dXNlcjpwdw==", "basic [masked]"),
        ("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln then", "got [masked] then"),
        ("GET https://x/cb?access_token=abc&state=1", "GET https://x/cb?access_token=[masked]&state=1"),
        ("client_secret=s3cr3t failed", "client_secret=[masked] failed"),
        ("the key to it, a token of it", "the key to it, a token of it"),
    ],
)
def test_a_secret_in_the_middle_of_a_text_is_masked(text: str, left: str) -> None:
    assert redact_text(text) == left
    assert redact_text(left) == left


@given(secret=st.text("0123456789abcdef", min_size=64, max_size=64), before=words, after=words)
def test_no_api_key_gets_through_whatever_stands_around_it(secret: str, before: str, after: str) -> None:
    entry = line(
        event=f"{before} pk_0123456789abcdef_{secret} {after}", error=ValueError(f"pk_0123456789abcdef_{secret}")
    )
    assert secret not in entry
    assert entry.count("pk_0123456789abcdef_[masked]") == 2
