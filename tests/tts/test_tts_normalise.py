"""What is heard for what is written."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from voice_core.tts.normalise import LANGUAGES, speakable
from voice_core.tts.normalise.en import English
from voice_core.tts.normalise.es import Spanish
from voice_core.tts.normalise.fr import French
from voice_core.tts.normalise.spoken import spoken_text

ENGLISH = {
    "A cleaning is €65.": "A cleaning is sixty-five euros.",
    "It is $1,250.50 or 49.90 EUR.": "It is one thousand two hundred fifty dollars and fifty cents"
    " or forty-nine euros and ninety cents.",
    "Open 9:00-18:00, 2-4 p.m.": "Open nine o'clock to six p.m., two p.m. to four p.m.",
    "9–12 people": "nine to twelve people",
    "at 10:00, 9:05 or 18:30": "at ten o'clock, nine oh five or six thirty p.m.",
    "at 9 a.m. sharp": "at nine a.m. sharp",
    "on Tuesday 24 November": "on Tuesday November twenty-fourth",
    "the 24th of November 2026": "the twenty-fourth of November twenty twenty-six",
    "on 2026-11-24": "on November twenty-fourth, twenty twenty-six",
    "on 12/05/2026": "on December fifth, twenty twenty-six",
    "the 21st": "the twenty-first",
    "Call 555-123-4567.": "Call five five five, one two three, four five six seven.",
    "marie.curie@example.com": "marie dot curie at example dot com",
    "www.parc.fr": "double you double you double you dot parc dot F R",
    "Dr. Smith, St. Mary's": "Doctor Smith, Saint Mary's",
    "in 1984, room 204": "in nineteen eighty-four, room two hundred four",
    "3.5 kg, 20%": "three point five kilograms, twenty percent",
    "code 004512": "code zero zero four five one two",
    "spelled M-A-R-I-E?": "spelled M, eh, R, I, E?",
    "**bold** — really": "bold, really",
}  # fmt: skip
FRENCH = {
    "Un détartrage coûte 65 €.": "Un détartrage coûte soixante-cinq euros.",
    "49,90 € ou 49.90 €": "quarante-neuf euros quatre-vingt-dix ou quarante-neuf euros quatre-vingt-dix",
    "1 250 euros": "mille deux cent cinquante euros",
    "06 12 34 56 78": "zéro six, douze, trente-quatre, cinquante-six, soixante-dix-huit",
    "0612345678": "zéro six, douze, trente-quatre, cinquante-six, soixante-dix-huit",
    "+33 6 12 34 56 78": "plus trente-trois, six, douze, trente-quatre, cinquante-six, soixante-dix-huit",
    "de 9h30 à 18 h, 9h-12h30": "de neuf heures trente à dix-huit heures, neuf heures à midi trente",
    "mardi 24 novembre, le 1er mai, le 1 mai": "mardi vingt-quatre novembre, le premier mai, le premier mai",
    "le 12/05/2026": "le douze mai deux mille vingt-six",
    "M. Dupont et Mme Curie, 12 bd Voltaire": "Monsieur Dupont et Madame Curie, douze boulevard Voltaire",
    "marie@exemple.fr": "marie arobase exemple point F R",
    "21 min, 1 min, 3,5 km, 20 %": "vingt et une minutes, une minute, trois virgule cinq kilomètres, vingt pour cent",
    "« Oui ! »": "Oui!",
}  # fmt: skip
SPANISH = {
    "Son 65 €, 21 € y 49,90 €.": "Son sesenta y cinco euros, veintiún euros y cuarenta y nueve euros con noventa.",
    "612 345 678": "seis uno dos, tres cuatro cinco, seis siete ocho",
    "a las 18:30, a la 1:00": "a las seis y media de la tarde, a la una",
    "el 24 de noviembre de 2026": "el veinticuatro de noviembre de dos mil veintiséis",
    "¿Sr. García?": "¿Señor García?",
    "101 horas, 1º, 20 %": "ciento una horas, primero, veinte por ciento",
    "a@b.es": "A arroba be punto E S",
}  # fmt: skip
ARABIC = {
    "التنظيف 65 €": "التنظيف خمسة وستين يورو",
    "الساعة 10:30، ٢٥٪": "الساعة العاشرة والنصف، خمسة وعشرين بالمئة",
    "3 دقائق": "ثلاثة دقائق",
    "يوم 24 نوفمبر": "يوم أربعة وعشرين نوفمبر",
}
DARIJA = {
    "250 DH": "ميتين وخمسين درهم",
    "مع 18:30": "مع الستة ونص دالعشية",
    "06 12 34 56 78": "صفر ستة, طناش, ربعة وتلاتين, ستة وخمسين, تمنية وسبعين",
    "22": "تنين وعشرين",
}
CASES = [
    (language, written, heard)
    for language, table in (("en", ENGLISH), ("fr", FRENCH), ("es", SPANISH), ("ar", ARABIC), ("ary", DARIJA))
    for written, heard in table.items()
]


@pytest.mark.parametrize(("language", "written", "heard"), CASES)
def test_figures_and_signs_are_said_as_people_say_them(language: str, written: str, heard: str) -> None:
    assert spoken_text(speakable(written, language)) == heard


def test_each_spoken_group_keeps_the_words_it_stands_for() -> None:
    words = speakable("Call 06 12, it is €65 at 10:00.", "fr")
    assert [(w.written, w.spoken) for w in words if w.written[0] == "€"] == [("€65", "soixante-cinq euros")]
    phone = speakable("Le 06 12 34 56 78.", "fr")
    assert [w.written for w in phone] == ["Le", "06", "12", "34", "56", "78."]
    assert phone[2].spoken == "douze,"


@example("en", "0²")
@given(st.sampled_from(LANGUAGES), st.text(max_size=60))
def test_any_text_keeps_all_its_written_words(language: str, text: str) -> None:
    assert " ".join(w.written for w in speakable(text, language)) == " ".join(text.split())


signs = st.sampled_from(
    ["€", "$", "%", ":", "-", "/", ".", ",", " ", "h", "am", "@", "+", "er", "º", "km", "mai", "Nov"]
)


@example("en", [",", "0"])
@example("fr", ["12", ",", ",", "123456"])
@given(st.sampled_from(LANGUAGES), st.lists(st.one_of(signs, st.integers(0, 99999).map(str)), max_size=12))
def test_whatever_figures_come_no_digit_reaches_the_voice(language: str, parts: list[str]) -> None:
    text = "".join(parts)
    words = speakable(text, language)
    assert " ".join(w.written for w in words) == " ".join(text.split())
    if all(part.isdigit() or part in " ," for part in parts):
        assert not any(c.isdigit() for c in spoken_text(words))


@pytest.mark.parametrize(
    ("n", "en", "fr", "es"),
    [
        (0, "zero", "zéro", "cero"),
        (21, "twenty-one", "vingt et un", "veintiuno"),
        (71, "seventy-one", "soixante et onze", "setenta y uno"),
        (80, "eighty", "quatre-vingts", "ochenta"),
        (81, "eighty-one", "quatre-vingt-un", "ochenta y uno"),
        (99, "ninety-nine", "quatre-vingt-dix-neuf", "noventa y nueve"),
        (100, "one hundred", "cent", "cien"),
        (101, "one hundred one", "cent un", "ciento uno"),
        (500, "five hundred", "cinq cents", "quinientos"),
        (1000, "one thousand", "mille", "mil"),
        (80_000, "eighty thousand", "quatre-vingt mille", "ochenta mil"),
        (200_000, "two hundred thousand", "deux cent mille", "doscientos mil"),
        (21_000, "twenty-one thousand", "vingt et un mille", "veintiún mil"),
        (2_000_001, "two million one", "deux millions un", "dos millones uno"),
    ],
)
def test_numbers_follow_each_language(n: int, en: str, fr: str, es: str) -> None:
    assert (English().cardinal(n), French().cardinal(n), Spanish().cardinal(n)) == (en, fr, es)


@given(st.integers(0, 10**9))
def test_two_numbers_never_sound_the_same_as_their_neighbours(n: int) -> None:
    for grammar in (English(), French(), Spanish()):
        assert grammar.cardinal(n) != grammar.cardinal(n + 1)
