"""The language of a call settles on evidence and changes only on clear evidence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_core.asr.language import LanguageTracker, clearly_another

DURATIONS = st.floats(0.1, 30.0)


def test_a_known_language_is_never_detected() -> None:
    tracker = LanguageTracker(("en", "fr"), "fr")
    assert tracker.settled
    assert tracker.codes == ("fr",)
    tracker.observe({"en": 1.0, "fr": 0.0}, 10.0)
    assert tracker.current == "fr"


def test_one_language_needs_no_detection() -> None:
    assert LanguageTracker(("en",), None).settled


def test_one_clear_utterance_settles_the_language() -> None:
    tracker = LanguageTracker(("en", "fr"), None)
    assert not tracker.settled
    tracker.observe({"en": 0.02, "fr": 0.98}, 2.5)
    assert tracker.settled
    assert tracker.current == "fr"


def test_one_short_word_does_not() -> None:
    tracker = LanguageTracker(("en", "fr"), None)
    tracker.observe({"en": 0.1, "fr": 0.9}, 0.4)
    assert not tracker.settled


def test_several_short_words_do() -> None:
    tracker = LanguageTracker(("en", "fr"), None)
    for _ in range(6):
        tracker.observe({"en": 0.05, "fr": 0.95}, 0.8)
    assert tracker.settled
    assert tracker.current == "fr"


def test_a_settled_language_changes_when_the_caller_clearly_changes_it() -> None:
    tracker = LanguageTracker(("en", "fr"), None)
    tracker.observe({"en": 0.99, "fr": 0.01}, 3.0)
    tracker.observe({"en": 0.3, "fr": 0.7}, 3.0)
    assert tracker.current == "en"
    tracker.observe({"en": 0.01, "fr": 0.99}, 3.0)
    assert tracker.current == "fr"


def test_moroccan_arabic_is_heard_as_arabic_and_named_as_the_session_does() -> None:
    tracker = LanguageTracker(("fr", "ary"), None)
    assert set(tracker.codes) == {"fr", "ar"}
    tracker.observe({"fr": 0.01, "ar": 0.99}, 3.0)
    assert tracker.current == "ary"
    assert tracker.named("ar") == "ary"
    assert LanguageTracker(("ar", "ary"), "ary").named("ar") == "ary"


def test_a_language_outside_the_session_is_refused() -> None:
    with pytest.raises(ValueError, match="de"):
        LanguageTracker(("en", "fr"), "de")
    with pytest.raises(ValueError, match="at least one"):
        LanguageTracker((), None)


@given(st.lists(st.tuples(st.floats(0.0, 1.0), DURATIONS), max_size=20))
def test_whatever_is_detected_the_language_stays_one_of_the_sessions(detections: list[tuple[float, float]]) -> None:
    tracker = LanguageTracker(("en", "fr"), None)
    for english, duration_s in detections:
        tracker.observe({"en": english, "fr": 1 - english}, duration_s)
        assert tracker.current in ("en", "fr")


@given(st.floats(0.0, 1.0), DURATIONS)
def test_only_a_long_and_clear_utterance_is_clearly_another(french: float, duration_s: float) -> None:
    other = clearly_another({"en": 1 - french, "fr": french}, "en", duration_s)
    assert (other == "fr") == (french >= 0.9 and duration_s >= 1.0)
