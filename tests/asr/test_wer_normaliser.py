"""The word error rate must count what was said, not how it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.number_words import spell_number
from benchmarks.wer import NO_WORDS, align, normalise, total, word_errors

WORDS = st.lists(st.sampled_from("please hold the line a b c".split()), max_size=8)


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("en", "It's 9:30, Mr. Smith!", "its nine thirty mister smith"),
        ("en", "Set it to 50%", "set it to fifty percent"),
        ("en", "the 23rd of May, 12th and 20th", "the twenty third of may twelfth and twentieth"),
        ("en", "10,000 people", "ten thousand people"),
        ("en", "1.5 metres", "one point five metres"),
        ("fr", "L\u2019heure est 71", "l heure est soixante et onze"),
        ("fr", "allume à 80 pourcent", "allume à quatre-vingt pour cent"),
        ("fr", "le 1er étage", "le premier étage"),
        ("fr", "97, 21, 200, 1 300", "quatre vingt dix sept vingt et un deux cent mille trois cent"),
        ("es", "Mi número es 268.", "mi numero es doscientos sesenta y ocho"),
        ("es", "contraseña", "contrasena"),
        ("ar", "إِلْغَاء", "الغاء"),
    ],
)
def test_two_spellings_of_the_same_speech_are_equal(language: str, one: str, other: str) -> None:
    assert normalise(one, language) == normalise(other, language)


def test_a_phone_number_is_read_digit_by_digit() -> None:
    assert spell_number("0612345678", "en").split() == "zero six one two three four five six seven eight".split()


def test_different_words_stay_different() -> None:
    assert normalise("fifteen", "en") != normalise("50", "en")


def test_errors_are_counted_by_kind() -> None:
    errors = word_errors("please hold the line", "please told line now", "en")
    assert (errors.substitutions, errors.deletions, errors.insertions, errors.words) in {(1, 1, 1, 4), (3, 0, 0, 4)}
    assert errors.rate == pytest.approx(0.75)


def test_nothing_heard_is_all_deletions_and_invented_words_count() -> None:
    assert word_errors("one two", "", "en").rate == 1.0
    assert word_errors("", "thank you", "en").rate == 1.0
    assert word_errors("", "", "en").rate == 0.0


def test_a_set_weighs_every_word_alike() -> None:
    both = total([word_errors("a b c d", "a b c d", "en"), word_errors("a", "b", "en")])
    assert both.rate == pytest.approx(1 / 5)
    assert total([]) == NO_WORDS


@given(WORDS, WORDS)
def test_errors_obey_the_laws_of_a_distance(one: list[str], other: list[str]) -> None:
    there, back = align(one, other), align(other, one)
    edits = there.substitutions + there.deletions + there.insertions
    assert edits == back.substitutions + back.deletions + back.insertions
    assert (edits == 0) == (one == other)
    assert len(one) - there.deletions + there.insertions == len(other)
    assert edits <= max(len(one), len(other))
