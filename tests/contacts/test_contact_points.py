"""A number or an address has one spelling, whatever somebody wrote."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context.contacts.points import ContactPointError, email_point, external_point, phone_point, points_found


@pytest.mark.parametrize(
    ("written", "country", "kept"),
    [
        ("06 12 34 56 78", "FR", "+33612345678"),
        ("+33 (0)6 12.34.56.78", "", "+33612345678"),
        ("0033612345678", "FR", "+33612345678"),
        ("(415) 555-2671", "US", "+14155552671"),
        ("0612345678", "MA", "+212612345678"),
    ],
)
def test_spellings_of_a_number_are_one_number(written: str, country: str, kept: str) -> None:
    assert phone_point(written, country).value == kept


@pytest.mark.parametrize("written", ["", "12", "anonymous", "06 12 34 56 78 90 12 34 56 78", "+33"])
def test_what_is_no_number_is_refused_without_repeating_it(written: str) -> None:
    with pytest.raises(ContactPointError) as refused:
        phone_point(written, "FR")
    assert "number of FR" in str(refused.value)
    assert not written or written not in str(refused.value).replace("+ ", "")


def test_a_local_number_needs_a_country() -> None:
    with pytest.raises(ContactPointError, match="international"):
        phone_point("06 12 34 56 78", "")


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (" Marie.Curie@Example.COM ", "marie.curie@example.com"),
        ("mailto:marie@example.com", "marie@example.com"),
        ("marie@münchen.de", "marie@xn--mnchen-3ya.de"),
        ("ＭＡＲＩＥ@example.com", "marie@example.com"),
    ],
)
def test_spellings_of_an_address_are_one_address(written: str, kept: str) -> None:
    assert email_point(written).value == kept


@pytest.mark.parametrize(
    "written", ["", "marie", "marie@", "@example.com", "a b@example.com", "a@b@c.com", "m@ex\0.com"]
)
def test_what_is_no_address_is_refused(written: str) -> None:
    with pytest.raises(ContactPointError):
        email_point(written)


@given(st.text(max_size=80))
def test_whatever_is_taken_is_taken_again_unchanged(text: str) -> None:
    for make in (lambda text: phone_point(text, "FR"), email_point, external_point):
        try:
            point = make(text)
        except ContactPointError:
            continue
        assert point.value.isprintable()
        assert make(point.value) == point


def test_of_what_a_call_left_the_unusable_is_left_out() -> None:
    found = points_found(("withheld", "0612345678", "+33612345678"), ("x", "a@b.fr"), "FR")
    assert [point.value for point in found] == ["+33612345678", "a@b.fr"]
