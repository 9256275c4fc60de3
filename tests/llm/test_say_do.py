import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.llm.say_do import Deed, SayDoCheck, claimed_deeds

REPLACED = {Deed.BOOKED: "Nothing is booked yet.", Deed.SENT: "I cannot send messages."}

CLAIMS = [
    ("en", "I've booked you in for Tuesday at ten."),
    ("en", "Great, your appointment is confirmed for Tuesday."),
    ("en", "Your cleaning appointment on Tuesday at 10 is now booked."),
    ("en", "You're all booked for Tuesday."),
    ("en", "OK, it is booked."),
    ("en", "Booking confirmed!"),
    ("en", "I have gone ahead and scheduled it."),
    ("fr", "J'ai bien réservé votre créneau de mardi."),
    ("fr", "Parfait, votre rendez-vous de mardi est confirmé."),
    ("fr", "C’est réservé."),
    ("fr", "Je viens de confirmer votre rendez-vous."),
    ("es", "He reservado su cita para el martes."),
    ("es", "Perfecto, su cita del martes queda confirmada."),
    ("ar", "تم حجز موعدك يوم الثلاثاء."),
    ("ary", "راه تحجز ليك الموعد."),
]

NO_CLAIMS = [
    ("en", "Shall I book it?"),
    ("en", "Is your appointment confirmed?"),
    ("en", "Once your appointment is confirmed, you may park behind the clinic."),
    ("en", "I have not booked anything."),
    ("en", "Saturday is fully booked."),
    ("en", "I can book Tuesday at ten for you."),
    ("en", "We close at 1 p.m. on Saturday."),
    ("fr", "Je n'ai pas encore réservé."),
    ("fr", "Souhaitez-vous que je réserve ?"),
    ("fr", "Dès que votre rendez-vous est confirmé, vous pouvez venir."),
    ("es", "¿Quiere que lo reserve?"),
    ("es", "Cuando su cita está confirmada, puede venir."),
    ("ar", "هل تريد حجز موعد؟"),
]

SENTENCES = [text for _, text in CLAIMS + NO_CLAIMS]


@pytest.mark.parametrize(("language", "sentence"), CLAIMS)
def test_a_claim_is_recognised(language: str, sentence: str):
    assert claimed_deeds(sentence, language) == {Deed.BOOKED}


@pytest.mark.parametrize(("language", "sentence"), NO_CLAIMS)
def test_questions_conditions_and_denials_claim_nothing(language: str, sentence: str):
    assert claimed_deeds(sentence, language) == set()


def said(text: str, cuts: list[int], done: set[Deed], language: str = "en") -> tuple[str, str]:
    """What left while the text came in, and all that was said in the end."""
    check = SayDoCheck(language, REPLACED)
    edges = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    at_once = "".join(check.feed(text[a:b]) for a, b in itertools.pairwise(edges))
    return at_once, at_once + check.settle(done)


@given(
    sentences=st.lists(st.sampled_from(SENTENCES), max_size=4),
    cuts=st.lists(st.integers(0, 400), max_size=12),
    language=st.sampled_from(["en", "fr", "es", "ar"]),
)
def test_what_is_true_is_said_word_for_word(sentences: list[str], cuts: list[int], language: str):
    text = " ".join(sentences)
    assert said(text, cuts, set(Deed), language)[1] == text


@given(
    before=st.sampled_from(["", "Great. ", "We open at nine. "]),
    claim=st.sampled_from([text for language, text in CLAIMS if language == "en"]),
    after=st.sampled_from(["", " See you soon.", " Is that all?"]),
    cuts=st.lists(st.integers(0, 400), max_size=12),
)
def test_an_untrue_claim_never_reaches_the_caller(before: str, claim: str, after: str, cuts: list[int]):
    text = before + claim + after
    at_once, all_said = said(text, cuts, set())
    assert not claimed_deeds(at_once, "en")
    assert "Nothing is booked yet." in all_said
    assert all_said.startswith(before)
    assert all_said.endswith(after)
    assert not any(claimed_deeds(sentence + ".", "en") for sentence in all_said.replace("?", ".").split("."))


def test_ordinary_words_do_not_wait():
    check = SayDoCheck("en", REPLACED)
    assert check.feed("We close at 1 p.m. on Satur") == "We close at 1 p.m. on Satur"


def test_before_another_round_an_untrue_claim_is_dropped_with_what_follows_it():
    check = SayDoCheck("en", REPLACED)
    assert check.feed("One moment. Your appointment is confirmed. See you on Tuesday.") == "One moment."
    assert check.claims_untruth(set())
    assert check.retract(set()).strip() == ""


def test_a_message_that_no_tool_can_send_is_not_promised():
    assert said("I've sent you a text message.", [], {Deed.BOOKED})[1] == "I cannot send messages."
