import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_core.engines.word_timing import WordTiming

WORDS = st.lists(st.text(alphabet="abcdefé'-", min_size=1, max_size=12), min_size=1, max_size=20)


@given(
    words=WORDS, steps=st.lists(st.floats(0, 2_000), max_size=10), total_ms=st.floats(1, 20_000), aligned=st.booleans()
)
def test_every_word_is_told_once_in_order_and_never_after_the_end(
    words: list[str], steps: list[float], total_ms: float, aligned: bool
):
    timing = WordTiming(" ".join(words), 65.0, aligned=aligned)
    marks = [mark for ms in sorted(steps) if ms <= total_ms for mark in timing.ended_by(ms)]
    marks += timing.rest(total_ms)
    assert [mark.text for mark in marks] == words
    ends = [mark.end_ms for mark in marks]
    assert ends == sorted(ends)
    assert ends[-1] <= total_ms + 1e-6


def test_an_engines_own_times_are_used():
    timing = WordTiming("Hello, my friend.", 65.0, aligned=True)
    timing.align("Hello, ", 420)
    timing.align("my ", 600)
    timing.align("friend.", 1_100)
    assert [(m.text, m.end_ms) for m in timing.ended_by(700)] == [("Hello,", 420), ("my", 600)]
    assert [(m.text, m.end_ms) for m in timing.rest(1_200)] == [("friend.", 1_100)]


def test_an_engine_that_times_letters_times_words():
    timing = WordTiming("Oui bien", 65.0, aligned=True)
    for at, letter in enumerate("Oui bien"):
        timing.align(letter, (at + 1) * 50)
    assert [(m.text, m.end_ms) for m in timing.ended_by(1_000)] == [("Oui", 150), ("bien", 400)]


def test_without_times_a_longer_word_takes_longer():
    timing = WordTiming("a considerable", 65.0, aligned=False)
    first, second = timing.rest(1_000)
    assert first.end_ms < 200
    assert second.end_ms == pytest.approx(1_000)
