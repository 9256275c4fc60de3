"""A tenant's names are put right where the audio allows it, and never invented."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_core.asr.terms import MOST_CANDIDATES, TermList, sound_key

TERMS = ("Clinique du Parc", "Zohra", "Lefebvre", "Marie Curie", "root canal", "Casablanca")
COMMON = frozenset("is this a the route canal i need or my name where does hurt clinic near park in casa".split())


def common(word: str) -> bool:
    return word in COMMON


class Audio:
    """A stand-in for the network: how likely each whole transcript is, and which were asked about."""

    def __init__(self, heard: str, **changes_nats: float) -> None:
        self.heard = heard
        self.changes = changes_nats
        self.asked: list[str] = []

    def __call__(self, text: str) -> float:
        self.asked.append(text)
        if text == self.heard:
            return -5.0
        return -5.0 + max((nats for term, nats in self.changes.items() if term in text), default=-60.0)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Zohra", "Sora"), ("Clinique du Parc", "clinique du park"), ("Lefebvre", "lefebvr"), ("Philippe", "Filip")],
)
def test_spellings_of_one_sound_have_one_key(one: str, other: str) -> None:
    assert sound_key(one) == sound_key(other)


def test_a_misheard_name_is_put_right() -> None:
    audio = Audio("My name is Sora Leffabur.", Zohra=-6.0, Lefebvre=-1.0)
    assert TermList(TERMS).corrected(audio.heard, audio, common) == "My name is Zohra Lefebvre."


def test_a_name_that_the_audio_rules_out_stays_as_heard() -> None:
    audio = Audio("My name is Sora.", Zohra=-25.0)
    assert TermList(TERMS).corrected(audio.heard, audio, common) == audio.heard


def test_ordinary_words_need_more_proof() -> None:
    heard = "I need a route canal."
    assert TermList(TERMS).corrected(heard, Audio(heard, **{"root canal": -1.0}), common) == "I need a root canal."
    assert TermList(TERMS).corrected(heard, Audio(heard, **{"root canal": -8.0}), common) == heard


def test_a_term_heard_right_is_written_as_the_tenant_does_without_asking_the_network() -> None:
    audio = Audio("Is this clinique du parc?")
    assert TermList(TERMS).corrected(audio.heard, audio, common) == "Is this Clinique du Parc?"
    assert audio.asked == []


def test_words_beside_a_name_stay() -> None:
    audio = Audio("This is Murray Curie. I need a crown", **{"Marie Curie": -3.0})
    assert TermList(TERMS).corrected(audio.heard, audio, common) == "This is Marie Curie. I need a crown"


def test_nothing_alike_costs_nothing() -> None:
    audio = Audio("Where does it hurt?")
    assert TermList(TERMS).corrected(audio.heard, audio, common) == audio.heard
    assert audio.asked == []


def test_arabic_terms_are_compared_too() -> None:
    audio = Audio("اسمي بناني", بنعلي=-30.0)
    assert TermList(("بناني",)).corrected(audio.heard, audio, common) == audio.heard


@given(st.lists(st.sampled_from("sora zara lefevre mary cury rout canals the a is casablanka".split()), max_size=10))
def test_an_unlikely_term_is_never_written_and_questions_are_few(words: list[str]) -> None:
    audio = Audio(" ".join(words))
    assert TermList(TERMS).corrected(audio.heard, audio, common).casefold() == audio.heard
    assert len(audio.asked) <= MOST_CANDIDATES + 1
