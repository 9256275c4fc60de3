"""What stops the agent and what does not."""

import pytest

from voice_core.expectation import ExpectedSlot, SlotKind
from voice_core.interruption import Verdict, verdict

SPOKEN = "We are open from nine to six on weekdays."


def judge(text: str, language: str = "en", *, answering: ExpectedSlot | None = None, final: bool = True) -> Verdict:
    return verdict(text, language, spoken=SPOKEN, answering=answering, final=final)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Mm-hm.", "en"),
        ("Okay.", "en"),
        ("Yeah, okay.", "en"),
        ("I see.", "en"),
        ("D'accord.", "fr"),
        ("Oui, oui, très bien.", "fr"),
        ("Vale.", "es"),
        ("wakha", "ary"),
        ("واخا", "ary"),
        ("نعم", "ar"),
    ],
)
def test_listening_noises_do_not_stop_the_agent(text: str, language: str) -> None:
    assert judge(text, language) is Verdict.BACKCHANNEL


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("No.", "en"),
        ("Wait.", "en"),
        ("Excuse me", "en"),
        ("Okay but what about Sunday?", "en"),
        ("Attendez.", "fr"),
        ("Non.", "fr"),
        ("Espere", "es"),
        ("بلاتي", "ary"),
        ("Monday.", "en"),
    ],
)
def test_words_that_want_the_floor_stop_the_agent(text: str, language: str) -> None:
    assert judge(text, language) is Verdict.WORDS


def test_a_sound_without_words_is_noise() -> None:
    assert judge("") is Verdict.NOISE
    assert judge(" ... ") is Verdict.NOISE


def test_the_agents_own_words_coming_back_are_not_the_caller() -> None:
    assert judge("open from nine to six") is Verdict.NOISE
    assert judge("are you open from nine to six on Sundays") is Verdict.WORDS


def test_yes_is_an_answer_once_the_question_is_out() -> None:
    assert judge("Yes.", answering=ExpectedSlot(SlotKind.YES_NO)) is Verdict.WORDS
    assert judge("Yes.", answering=ExpectedSlot(SlotKind.NAME)) is Verdict.BACKCHANNEL


def test_one_word_of_an_unfinished_sound_is_not_judged_yet() -> None:
    assert judge("Monday", final=False) is not Verdict.WORDS
    assert judge("Stop", final=False) is Verdict.WORDS
