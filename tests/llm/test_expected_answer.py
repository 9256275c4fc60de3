import pytest

from agents.llm.expectation import expected_answer
from voice_core.expectation import NOTHING_EXPECTED, ExpectedSlot, SlotKind


@pytest.mark.parametrize(
    ("language", "reply", "kind"),
    [
        ("en", "Certainly. What is your name?", SlotKind.NAME),
        ("en", "Could you spell your last name?", SlotKind.SPELLING),
        ("en", "Please tell me your e-mail address.", SlotKind.EMAIL),
        ("en", "Which day would suit you?", SlotKind.DATE),
        ("en", "What time would you like?", SlotKind.TIME),
        ("en", "Which day and time would you like?", SlotKind.DATE_TIME),
        ("en", "How many people will come?", SlotKind.NUMBER),
        ("en", "Shall I book it?", SlotKind.YES_NO),
        ("en", "Tuesday at ten for Marie Curie, is that right?", SlotKind.YES_NO),
        ("fr", "À quel nom ?", SlotKind.NAME),
        ("fr", "Pouvez-vous épeler votre nom ?", SlotKind.SPELLING),
        ("fr", "Quel jour vous conviendrait ?", SlotKind.DATE),
        ("fr", "À quelle heure ?", SlotKind.TIME),
        ("fr", "Souhaitez-vous que je réserve ?", SlotKind.YES_NO),
        ("es", "¿Cuál es su nombre?", SlotKind.NAME),
        ("es", "¿Qué día le viene bien?", SlotKind.DATE),
        ("es", "¿Quiere que lo reserve?", SlotKind.YES_NO),
        ("ar", "ما اسمك الكامل؟", SlotKind.NAME),
        ("ary", "واش نحجز ليك؟", SlotKind.YES_NO),
    ],
)
def test_the_question_tells_what_is_awaited(language: str, reply: str, kind: SlotKind):
    assert expected_answer(reply, language, "FR").kind is kind


@pytest.mark.parametrize(
    ("country", "language", "reply", "digits"),
    [
        ("FR", "en", "May I have your phone number?", 10),
        ("FR", "fr", "Quel est votre numéro de téléphone ?", 10),
        ("ES", "es", "¿Me da su número de teléfono?", 9),
        ("MA", "ar", "ما هو رقم هاتفك؟", 10),
    ],
)
def test_a_phone_number_has_the_digits_of_the_country(country: str, language: str, reply: str, digits: int):
    assert expected_answer(reply, language, country) == ExpectedSlot(SlotKind.PHONE, digits=digits)


def test_alternatives_are_a_choice():
    english = expected_answer("Would you prefer the morning or the afternoon?", "en", "FR")
    french = expected_answer("Préférez-vous le matin ou l'après-midi ?", "fr", "FR")
    assert english == ExpectedSlot(SlotKind.CHOICE, choices=("the morning", "the afternoon"))
    assert french == ExpectedSlot(SlotKind.CHOICE, choices=("le matin", "l'après-midi"))


def test_only_the_last_question_counts():
    reply = "Is that your name? Good. And what is your phone number? Take your time."
    assert expected_answer(reply, "en", "FR").kind is SlotKind.PHONE


def test_a_reply_that_asks_nothing_awaits_nothing():
    assert expected_answer("We close at 1 p.m. on Saturday.", "en", "FR") == NOTHING_EXPECTED
