"""What small recognisers really wrote for clear callers is read as what was said."""

import pytest

from agents.understanding.homophones import put_right
from agents.understanding.language_pack import pack_for

EN, FR = pack_for("en"), pack_for("fr")


@pytest.mark.parametrize(
    ("heard", "said"),
    [
        ("à quel ordre fermez-vous le samedi ?", "à quelle heure fermez-vous le samedi ?"),
        ("à qu'elle leur ferme et vous le samedi.", "à quelle heure fermez-vous le samedi."),
        ("et qu'on vient coûte un détartrage", "et combien coûte un détartrage"),
        ("qu'on vient couper un détartrage,", "combien couper un détartrage,"),
        ("qu'elle est le prix d'une couronne", "quelle est le prix d'une couronne"),
        ("Je dis à 15h30.", "jeudi à 15h30."),
        ("Vendre dit à 14h.", "vendredi à 14h."),
        ("Je voudrais un rendez-vous, merpredi à 10h.", "Je voudrais un rendez-vous, mercredi à 10h."),
    ],
)
def test_words_that_only_sound_right_are_put_right(heard: str, said: str) -> None:
    assert put_right(heard, FR) == said


@pytest.mark.parametrize(
    "said",
    [
        "Qu'elle vienne mardi.",
        "Je dis que non.",
        "Ça va bien, et vous ?",
        "On vient à deux.",
        "C'est madame Samedy.",
        "mercredis et samedis",
        "J'ai une question.",
    ],
)
def test_words_that_make_sense_are_left_alone(said: str) -> None:
    assert put_right(said, FR) == said
    assert put_right(said, EN) == said
