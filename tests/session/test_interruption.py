"""What stops the agent and what does not."""

import pytest

from voice_core.expectation import ExpectedSlot, SlotKind
from voice_core.interruption import Verdict, verdict

SPOKEN = "We are open from nine to six on weekdays."


def judge(
    text: str,
    language: str = "en",
    *,
    answering: ExpectedSlot | None = None,
    final: bool = True,
    confidence: float = 0.8,
    length_ms: float = 900.0,
) -> Verdict:
    return verdict(
        text,
        language,
        spoken=SPOKEN,
        answering=answering,
        final=final,
        confidence=confidence,
        length_ms=length_ms,
    )


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Mm-hm.", "en"),
        ("MHM", "en"),
        ("M-M-H-M", "en"),
        ("Mm-mm.", "en"),
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


@pytest.mark.parametrize(
    ("text", "language", "confidence"),
    [
        ("Mama...", "en", 0.20),
        ("Come with me", "en", 0.22),
        ("More. More.", "en", 0.21),
        ("Mama. Mama.", "en", 0.36),
        ("No. No.", "en", 0.16),
        ("Thomas...", "en", 0.15),
        ("Anion.", "fr", 0.21),
        ("Yes !", "fr", 0.21),
    ],
)
def test_a_hum_that_was_written_as_words_does_not_stop_the_agent(text: str, language: str, confidence: float) -> None:
    assert judge(text, language, confidence=confidence, length_ms=400.0) is Verdict.BACKCHANNEL
    assert judge(text, language, confidence=confidence, length_ms=250.0, final=False) is Verdict.BACKCHANNEL


@pytest.mark.parametrize(
    ("text", "language", "confidence"),
    [
        ("Stop.", "en", 0.09),
        ("Wait.", "en", 0.16),
        ("Hello", "en", 0.17),
        ("Sorry", "en", 0.17),
        ("number", "en", 0.27),
        ("No, no.", "en", 0.6),
        ("Tuesday.", "en", 0.48),
        ("Non !", "fr", 0.31),
        ("Attendez.", "fr", 0.41),
        ("Stop !", "fr", 0.49),
    ],
)
def test_short_words_of_real_decodes_stop_the_agent(text: str, language: str, confidence: float) -> None:
    assert judge(text, language, confidence=confidence, length_ms=400.0) is Verdict.WORDS


def test_a_mumbled_answer_counts_once_the_question_is_out() -> None:
    assert judge("nine", confidence=0.1, length_ms=350.0, answering=ExpectedSlot(SlotKind.TIME)) is Verdict.WORDS


def test_who_keeps_talking_unclearly_gets_the_floor() -> None:
    assert judge("Come with me", confidence=0.15, length_ms=1_200.0) is Verdict.WORDS
