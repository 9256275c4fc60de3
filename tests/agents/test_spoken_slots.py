"""Days, times, numbers, names and addresses, as callers say them and recognisers write them."""

import datetime as dt

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.understanding.dates import Clock, Window, find_when, resolved
from agents.understanding.emails import find_email
from agents.understanding.language_pack import LanguagePack, pack_for
from agents.understanding.names import NameHint, corrected_name, find_name, merged_name
from agents.understanding.phones import Hearing, find_phone, national_digits, spoken_phone
from agents.understanding.yes_no import Answer, read_answer

EN, FR = pack_for("en"), pack_for("fr")
SUNDAY = dt.date(2026, 11, 22)
OPEN = (Window(dt.time(9), dt.time(18)),)


@pytest.mark.parametrize(
    ("pack", "words", "day", "time"),
    [
        (EN, "Tuesday at ten", 24, "10:00"),
        (EN, "on tuesday at 10 o'clock", 24, "10:00"),
        (EN, "Tuesday 10", 24, "10:00"),
        (EN, "Tuesday, 10 a.m.", 24, "10:00"),
        (EN, "next Tuesday at two", 24, "14:00"),
        (EN, "tomorrow at half past two", 23, "14:30"),
        (EN, "a quarter to three on wednesday", 25, "14:45"),
        (EN, "twenty past four on friday", 27, "16:20"),
        (EN, "ten to five", None, "16:50"),
        (EN, "the 24th at 10:30", 24, "10:30"),
        (EN, "on the twenty fourth of november at noon", 24, "12:00"),
        (EN, "November 24 at 2 pm", 24, "14:00"),
        (EN, "24/11 at 15:30", 24, "15:30"),
        (EN, "the day after tomorrow at nine", 24, "09:00"),
        (EN, "in two days at nine thirty", 24, "09:30"),
        (EN, "at 1030 on monday", 23, "10:30"),
        (EN, "five in the afternoon today", 22, "17:00"),
        (FR, "mardi à dix heures", 24, "10:00"),
        (FR, "mardi à 10h", 24, "10:00"),
        (FR, "mardi dix heures trente", 24, "10:30"),
        (FR, "mardi 24 novembre à 10 h 30", 24, "10:30"),
        (FR, "le vingt-quatre à quatorze heures", 24, "14:00"),
        (FR, "le 24 à 10:00", 24, "10:00"),
        (FR, "demain à deux heures et demie", 23, "14:30"),
        (FR, "après-demain à onze heures moins le quart", 24, "10:45"),
        (FR, "vendredi à midi et quart", 27, "12:15"),
        (FR, "mardi prochain à deux heures de l'après-midi", 24, "14:00"),
        (FR, "lundi en huit à neuf heures", 30, "09:00"),
        (FR, "dans deux jours à seize heures quarante-cinq", 24, "16:45"),
    ],
)
def test_a_day_and_a_time_are_understood(pack: LanguagePack, words: str, day: int | None, time: str) -> None:
    when = find_when(pack.words(words), pack, SUNDAY)
    assert when.day == (None if day is None else dt.date(2026, 11, day))
    assert when.clock is not None
    assert f"{resolved(when.clock, OPEN):%H:%M}" == time


@pytest.mark.parametrize(
    ("pack", "words"),
    [
        (EN, "one second please"),
        (EN, "the first one"),
        (EN, "may I ask something"),
        (EN, "it's my first visit"),
        (EN, "good morning"),
        (EN, "a cleaning for two people"),
        (FR, "une seconde"),
        (FR, "un peu plus tard"),
        (FR, "bonsoir"),
        (FR, "je voudrais un détartrage"),
    ],
)
def test_what_is_no_time_is_not_taken_for_one(pack: LanguagePack, words: str) -> None:
    assert not find_when(pack.words(words), pack, SUNDAY).said


def test_parts_of_the_day_and_limits_are_windows() -> None:
    afternoon = find_when(EN.words("friday afternoon"), EN, SUNDAY)
    assert afternoon.window == Window(dt.time(12), dt.time(18))
    assert find_when(FR.words("demain matin"), FR, SUNDAY).window == Window(dt.time(0), dt.time(12))
    after_four = find_when(EN.words("next week after four"), EN, SUNDAY)
    assert (after_four.day, after_four.until) == (dt.date(2026, 11, 23), dt.date(2026, 11, 29))
    assert after_four.window is not None
    assert after_four.window.start == dt.time(16)
    assert find_when(FR.words("mardi avant midi"), FR, SUNDAY).window == Window(dt.time.min, dt.time(12))


def test_a_bare_number_is_a_time_only_when_one_was_asked_for() -> None:
    assert find_when(EN.words("eleven"), EN, SUNDAY).clock is None
    assert find_when(EN.words("eleven"), EN, SUNDAY, time_expected=True).clock == Clock(11, ambiguous=True)
    assert find_when(FR.words("quinze"), FR, SUNDAY, time_expected=True).clock == Clock(15)


@given(st.integers(0, 23), st.sampled_from([0, 15, 30, 45]), st.integers(0, 58))
def test_written_dates_and_times_are_read_back_exactly(hour: int, minute: int, ahead: int) -> None:
    day = SUNDAY + dt.timedelta(days=ahead)
    for pack, months in ((EN, EN.months), (FR, FR.months)):
        words = f"{day.day} {months[day.month - 1][0]} at {hour:02}:{minute:02}"
        when = find_when(pack.words(words), pack, SUNDAY)
        assert when.day == day
        assert when.clock is not None
        assert (when.clock.hour, when.clock.minute) == (hour, minute)


HEARD_NUMBERS = [
    (EN, "0612345678"),
    (EN, "06-1234-5678"),
    (EN, "061-2345-678."),
    (EN, "0-6-1-2-3-4-5-6-7-8"),
    (EN, "0 6 1 2 3 4 5 6 7 8"),
    (EN, "06 12 34 56 78"),
    (EN, "06.12.34.56.78"),
    (EN, "zero six one two three four five six seven eight"),
    (EN, "oh six, one two, three four, five six, seven eight"),
    (EN, "zero six twelve thirty-four fifty-six seventy-eight"),
    (EN, "oh six one to three for five six seven ate"),
    (EN, "it's zero six um twelve then 34 56 78"),
    (EN, "on tuesday at ten 06 12 34 56 78"),
    (EN, "plus thirty three six twelve thirty four fifty six seventy eight"),
    (EN, "+33 6 12 34 56 78"),
    (FR, "zéro six douze trente-quatre cinquante-six soixante-dix-huit"),
    (FR, "zéro six douze trente quatre cinquante six soixante dix huit"),
    (FR, "c'est le 06, 12, 34, 56, 78"),
    (FR, "plus trente-trois six douze trente-quatre cinquante-six soixante-dix-huit"),
]


@pytest.mark.parametrize(("pack", "words"), HEARD_NUMBERS)
def test_a_dictated_number_is_understood(pack: LanguagePack, words: str) -> None:
    phone = find_phone(pack.words(words), pack, "FR", expected=True)
    assert phone is not None
    assert phone.e164 == "+33612345678"


def test_doubled_digits_and_foreign_numbers_are_understood() -> None:
    doubled = find_phone(EN.words("zero six double five one two three four five six"), EN, "FR", expected=True)
    assert doubled is not None
    assert doubled.e164 == "+33655123456"
    british = find_phone(
        EN.words("plus four four seven nine one one one two three four five six"), EN, "FR", expected=True
    )
    assert british is not None
    assert british.e164 == "+447911123456"
    assert spoken_phone("+447911123456", "FR").startswith("+44")


def test_a_number_given_in_two_turns_is_one_number() -> None:
    first = find_phone(EN.words("oh six one two"), EN, "FR", expected=True)
    assert first is not None
    assert (first.digits, first.valid) == ("0612", False)
    rest = find_phone(EN.words("thirty four fifty six seventy eight"), EN, "FR", expected=True, before=first.digits)
    assert rest is not None
    assert rest.e164 == "+33612345678"


def test_a_pair_written_as_a_sum_is_undone_and_marked_as_unsure() -> None:
    for heard in ("06 12 34 56 60 18", "06 12 34 56 60 10 8", "0,612,3456,610,8"):
        phone = find_phone(FR.words(heard), FR, "FR", expected=True)
        assert phone is not None
        assert (phone.e164, phone.hearing) == ("+33612345678", Hearing.REPAIRED), heard
    clear = find_phone(FR.words("06 12 34 56 78"), FR, "FR", expected=True)
    assert clear is not None
    assert clear.hearing is Hearing.CLEAR


def test_small_numbers_are_not_telephone_numbers() -> None:
    assert find_phone(EN.words("tuesday at ten thirty"), EN, "FR", expected=False) is None
    assert find_phone(FR.words("le 24 à 14h30"), FR, "FR", expected=False) is None
    assert national_digits("FR") == 10


_FRENCH_BELOW_100 = {value: phrase for phrase, value in FR.cardinals.items() if phrase != "une"}
_ENGLISH_BELOW_100 = {value: phrase for phrase, value in EN.cardinals.items()}


@given(st.integers(0, 99_999_999))
def test_every_french_mobile_number_dictated_in_pairs_is_understood(number: int) -> None:
    digits = f"06{number:08}"
    expected = phonenumbers.parse(digits, "FR")
    if not phonenumbers.is_valid_number(expected):
        return
    pairs = [digits[i : i + 2] for i in range(0, 10, 2)]
    for pack, words in ((FR, _FRENCH_BELOW_100), (EN, _ENGLISH_BELOW_100)):
        said = ", ".join(f"{words[0]} {words[int(p[1])]}" if p[0] == "0" else words[int(p)] for p in pairs)
        heard = find_phone(pack.words(said), pack, "FR", expected=True)
        assert heard is not None
        assert heard.valid, said
        spelled = " ".join(words[int(digit)] for digit in digits)
        again = find_phone(pack.words(spelled), pack, "FR", expected=True)
        assert again is not None
        assert again.e164 == phonenumbers.format_number(expected, phonenumbers.PhoneNumberFormat.E164)


@pytest.mark.parametrize(
    ("pack", "words", "name"),
    [
        (EN, "My name is Marie Curie, my number is 06", "Marie Curie"),
        (EN, "my name is mary curie my number is oh six", "Mary Curie"),
        (EN, "this is John McDonald calling", "John McDonald"),
        (EN, "book a cleaning for John Smith on Tuesday", "John Smith"),
        (EN, "under the name of de la Tour please", "De la Tour"),
        (FR, "je m'appelle Marie Curie et mon numéro est", "Marie Curie"),
        (FR, "Mon nom est Jean-Pierre Dupont", "Jean-Pierre Dupont"),
        (FR, "un rendez-vous au nom de Le Gall", "Le Gall"),
        (EN, "book a cleaning for Tuesday", ""),
        (EN, "I am looking for a dentist", ""),
        (FR, "je suis en retard", ""),
    ],
)
def test_an_introduced_name_is_understood_at_any_time(pack: LanguagePack, words: str, name: str) -> None:
    assert find_name(pack.words(words), pack, NameHint.NONE) == name


@pytest.mark.parametrize(
    ("pack", "words", "name"),
    [
        (EN, "Marie Curie", "Marie Curie"),
        (EN, "marie curie", "Marie Curie"),
        (EN, "yes it's Marie Curie", "Marie Curie"),
        (EN, "um Mary, Mary Curie", "Mary"),
        (EN, "Marie Curie, C U R I E", "Marie Curie"),
        (EN, "Mary Currey, C-U-R-I-E", "Mary Curie"),
        (EN, "C U R I E", "Curie"),
        (EN, "it's Jean-Pierre O'Neil", "Jean-Pierre O'Neil"),
        (FR, "c'est Marie Curie", "Marie Curie"),
        (FR, "madame Curie", "Curie"),
        (FR, "C comme Célestin, U, R, I, E", "Curie"),
        (FR, "d'Alembert", "D'Alembert"),
        (EN, "is there parking", ""),
        (EN, "one moment please", ""),
        (FR, "attendez", ""),
    ],
)
def test_a_name_that_was_asked_for_may_be_bare_or_spelled(pack: LanguagePack, words: str, name: str) -> None:
    assert find_name(pack.words(words), pack, NameHint.ASKED) == name


def test_a_spelling_is_corrected_by_its_letter() -> None:
    assert corrected_name(EN.words("no it's Curie with a K"), EN, "Marie Curie") == "Marie Kurie"
    assert corrected_name(FR.words("Martin avec un y"), FR, "Jean Martin") == "Jean Martyn"
    assert merged_name("Marie Currie", "Curie") == "Marie Curie"
    assert merged_name("Marie", "John Smith") == "John Smith"


@pytest.mark.parametrize(
    ("pack", "words", "address"),
    [
        (EN, "marie dot curie at gmail dot com", "marie.curie@gmail.com"),
        (EN, "my email is m.curie@labo.fr.", "m.curie@labo.fr"),
        (FR, "c'est marie point curie arobase gmail point com", "marie.curie@gmail.com"),
        (FR, "mon mail c'est marie tiret curie arobase orange point fr", "marie-curie@orange.fr"),
        (EN, "I'll be at home", ""),
    ],
)
def test_an_email_address_is_understood(pack: LanguagePack, words: str, address: str) -> None:
    assert find_email(words, pack.words(words), pack) == address


YES = {
    "en": ["yes", "Yeah.", "yep", "sure", "that's right", "correct", "ok", "go ahead", "yes please", "sounds good",
         "no no that's right", "no problem", "perfect thank you", "mm-hm"],
    "fr": ["oui", "ouais", "c'est ça", "c'est bien ça", "exact", "tout à fait", "d'accord", "parfait", "ça marche",
         "oui oui c'est bon", "bien sûr", "we", "pas de problème"],
}  # fmt: skip
NO = {
    "en": ["no", "nope", "not really", "that's not right", "no, at eleven", "wrong", "no thanks", "nah"],
    "fr": ["non", "pas vraiment", "non merci", "ce n'est pas ça", "c'est pas ça", "non à onze heures", "pas du tout"],
}


def test_agreement_and_refusal_in_their_many_forms() -> None:
    for pack in (EN, FR):
        assert [w for w in YES[pack.code] if read_answer(pack.words(w), pack) is not Answer.YES] == []
        assert [w for w in NO[pack.code] if read_answer(pack.words(w), pack) is not Answer.NO] == []
        assert read_answer(pack.words("Tuesday at ten" if pack is EN else "mardi à dix heures"), pack) is Answer.NONE
