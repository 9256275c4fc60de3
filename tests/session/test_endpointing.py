"""How long the agent waits, as a caller would judge it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_core.endpointing import Rhythm, count_digits, endpoint
from voice_core.expectation import NOTHING_EXPECTED, ExpectedSlot, SlotKind
from voice_core.policy import EndpointPolicy
from voice_core.turn_words import TURN_WORDS

POLICY = EndpointPolicy()


def delay(text: str, language: str = "en", expected: ExpectedSlot = NOTHING_EXPECTED) -> float:
    return endpoint(text, language, expected, Rhythm(), POLICY).delay_ms


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("What time do you close on Saturday?", "en"),
        ("Yeah.", "en"),
        ("Hello?", "en"),
        ("I'd like to book a cleaning.", "en"),
        ("À quelle heure fermez-vous samedi ?", "fr"),
        ("Oui", "fr"),
        ("¿A qué hora cierran?", "es"),
        ("متى تغلقون يوم السبت؟", "ar"),
        ("واخا", "ary"),
    ],
)
def test_whole_sentences_and_one_word_answers_are_answered_at_once(text: str, language: str) -> None:
    assert delay(text, language) <= POLICY.complete_ms, "without any opinion on the sound"
    belief = endpoint(text, language, NOTHING_EXPECTED, Rhythm(), POLICY, end_probability=0.9)
    assert belief.delay_ms <= POLICY.complete_ms


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Bonjour !", "fr"),
        ("Good morning.", "en"),
        ("Buenos días.", "es"),
        ("مرحبا", "ar"),
        ("سلام", "ary"),
    ],
)
def test_the_question_behind_a_greeting_is_waited_for(text: str, language: str) -> None:
    assert POLICY.complete_ms < delay(text, language) <= POLICY.unsure_ms


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("I would like to book an appointment for my", "en"),
        ("I need it on Tuesday or", "en"),
        ("Well, um", "en"),
        ("My name is", "en"),
        ("I'd like to come in on Tuesday,", "en"),
        ("Let me think...", "en"),
        ("Mon numéro est le 0, 6 ?", "fr"),
        ("It is zero six one", "en"),
        ("Je voudrais un rendez-vous pour le", "fr"),
        ("Bonjour, je m'appelle", "fr"),
        ("J'appelle parce que", "fr"),
        ("Quiero una cita para el", "es"),
        ("أريد موعدا في", "ar"),
    ],
)
def test_a_sentence_that_must_go_on_is_waited_for(text: str, language: str) -> None:
    assert delay(text, language) >= POLICY.dangling_ms


@pytest.mark.parametrize(
    ("text", "language", "digits"),
    [
        ("06 12 34", "fr", 6),
        ("0-6-1-2-3-4-5-6-7-8", "en", 10),
        ("zero six one two", "en", 4),
        ("zero six twelve thirty-four fifty six seventy eight", "en", 10),
        ("zéro six douze trente-quatre cinquante-six soixante-dix-huit", "fr", 10),
        ("zéro six quatre-vingt-douze soixante dix", "fr", 6),
        ("vingt et un", "fr", 2),
        ("my number is", "en", 0),
        ("cero seis doce treinta y cuatro", "es", 6),
    ],
)
def test_digits_are_counted_as_they_are_spoken(text: str, language: str, digits: int) -> None:
    assert count_digits(text, language) == digits


def test_half_a_phone_number_is_waited_for_and_a_whole_one_is_not() -> None:
    phone = ExpectedSlot(SlotKind.PHONE, digits=10)
    assert delay("zero six one two", "en", phone) >= 1_200, "dictation pauses last up to 1.2 s"
    assert delay("0612345678", "en", phone) == POLICY.min_ms


def test_half_an_email_is_waited_for() -> None:
    email = ExpectedSlot(SlotKind.EMAIL)
    assert delay("marie dot curie", "en", email) >= 1_200
    assert delay("marie.curie at", "en", email) >= 1_200
    assert delay("marie point curie arobase gmail point com", "fr", email) < 1_200


def test_spelling_letter_by_letter_is_waited_for() -> None:
    assert delay("C U R", "en", ExpectedSlot(SlotKind.SPELLING)) >= 1_200


def test_yes_to_a_yes_or_no_question_needs_no_wait() -> None:
    assert delay("yes", "en", ExpectedSlot(SlotKind.YES_NO)) == POLICY.min_ms


def test_a_caller_who_pauses_long_is_given_longer() -> None:
    slow = Rhythm()
    for _ in range(3):
        slow.paused(450.0)
    hurried = endpoint("I'd like a cleaning.", "en", NOTHING_EXPECTED, Rhythm(), POLICY)
    patient = endpoint("I'd like a cleaning.", "en", NOTHING_EXPECTED, slow, POLICY)
    assert hurried.delay_ms < patient.delay_ms <= 2 * hurried.delay_ms


def test_an_audio_model_moves_the_delay_both_ways() -> None:
    def with_model(probability: float) -> float:
        rhythm = Rhythm()
        return endpoint("I want to come", "en", NOTHING_EXPECTED, rhythm, POLICY, end_probability=probability).delay_ms

    assert with_model(0.95) < delay("I want to come") < with_model(0.05)


@given(
    st.text(max_size=80),
    st.sampled_from([*TURN_WORDS, "de"]),
    st.builds(ExpectedSlot, st.sampled_from(SlotKind), st.none() | st.integers(1, 15)),
    st.lists(st.floats(0, 5_000), max_size=6),
    st.none() | st.floats(0, 1),
)
def test_every_delay_is_within_bounds(
    text: str, language: str, expected: ExpectedSlot, pauses: list[float], probability: float | None
) -> None:
    rhythm = Rhythm()
    for pause_ms in pauses:
        rhythm.paused(pause_ms)
    found = endpoint(text, language, expected, rhythm, POLICY, end_probability=probability)
    assert POLICY.min_ms <= found.delay_ms <= POLICY.max_ms
