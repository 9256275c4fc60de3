"""A decoder's loop must be told from a caller who repeats himself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_core.asr.loops import is_loop, without_loop


@pytest.mark.parametrize(
    ("text", "duration_s"),
    [
        ("Run party time. Run party time! Run party time... run party time! Run", 2.5),
        ("Set a timer for five minutes. Set a timer for five minutes.", 2.0),
        ("I'm in the car, I'm in the car, I'm in the car, I'm in the car,", 2.9),
        ("A-A-A-A-A-A-A-A-A-A-A-A-A", 2.8),
        ("no no no no no no no no no no no no no no", 1.0),
        ("A whole sentence of many quite different words in far too short a time, that is a lot to say", 1.0),
    ],
)
def test_what_nobody_says_is_a_loop(text: str, duration_s: float) -> None:
    assert is_loop(text, duration_s)


@pytest.mark.parametrize(
    ("text", "duration_s"),
    [
        ("", 0.5),
        ("No, no, no.", 1.2),
        ("Zero six one two three four five six seven eight", 4.0),
        ("0 0 0 0 0", 2.5),
        ("06-12-34-56-78", 4.0),
        ("Tuesday at ten. Tuesday at ten.", 3.0),
        ("Hi, what time do you close on Saturday?", 2.1),
    ],
)
def test_what_people_say_is_not(text: str, duration_s: float) -> None:
    assert not is_loop(text, duration_s)


def test_the_loop_is_cut_to_what_was_said_once() -> None:
    looped = "Run party time. Run party time! Run party time... run party time! Run"
    assert without_loop(looped) == "Run party time."
    assert (
        without_loop("Please, what's the temperature? What's the temperature...") == "Please, what's the temperature?"
    )
    assert without_loop("nothing repeats here") == "nothing repeats here"


@given(st.lists(st.sampled_from(list("abcdef")), max_size=5), st.permutations(list("uvwxyz")), st.integers(2, 6))
def test_however_often_a_phrase_loops_it_is_left_once(start: list[str], phrase: list[str], times: int) -> None:
    assert without_loop(" ".join(start + phrase * times)).split() == start + phrase


@given(st.lists(st.sampled_from(list("ab,")), max_size=30).map(" ".join))
def test_cutting_only_ever_takes_from_the_end(text: str) -> None:
    said = [word for word in text.split() if word != ","]
    kept = [word for word in without_loop(text).split() if word != ","]
    assert said[: len(kept)] == kept
