"""What leaves for the voice, and when, while the text is still being written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_core.tts.clauses import MAX_WORDS_FIRST, MAX_WORDS_LATER, ClauseChunker, continued_clauses


def streamed(text: str, size: int = 1) -> list[str]:
    chunker = ClauseChunker()
    clauses: list[str] = []
    for start in range(0, len(text), size):
        clauses += chunker.push(text[start : start + size])
    return clauses + chunker.flush()


@pytest.mark.parametrize(
    ("tokens", "leaves"),
    [
        (["Of", " course", "."], "Of course."),
        (["Très", " bien", " !"], "Très bien !"),
        (["¿", "Perdón", "?"], "¿Perdón?"),
        (["نعم", "؟"], "نعم؟"),
        (["Yes", ",", " of", " course", ",", " we"], "Yes, of course,"),
        (["Bonjour", ",", " Clinique", " du", " Parc", ",", " que"], "Bonjour, Clinique du Parc,"),
    ],
)
def test_the_first_clause_leaves_with_the_token_that_ends_it(tokens: list[str], leaves: str) -> None:
    chunker = ClauseChunker()
    before = [clause for token in tokens[:-1] for clause in chunker.push(token)]
    assert before == []
    assert chunker.push(tokens[-1]) == [leaves]


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        (
            "Of course. We close at 1 p.m. on Saturday. Dr. Smith is in at 9 a.m. It costs 49.90 euros. Bye!",
            [
                "Of course.", "We close at 1 p.m. on Saturday.", "Dr. Smith is in at 9 a.m.",
                "It costs 49.90 euros.", "Bye!",
            ],
        ),
        ("Write to j.k@books.co.uk or see books.co.uk. Bye.", ["Write to j.k@books.co.uk or see books.co.uk.", "Bye."]),
        ("Nous fermons à 13 h. Merci.", ["Nous fermons à 13 h.", "Merci."]),
        ("J. K. Rowling is here.", ["J. K. Rowling is here."]),
        ("It is 3.5 km away.", ["It is 3.5 km away."]),
        ("M. Dupont et Mme. Curie vont. « Oui ! » dit-il.", ["M. Dupont et Mme. Curie vont.", "« Oui ! » dit-il."]),
        ("¿Qué tal? La Sra. García llega a las 10.", ["¿Qué tal?", "La Sra. García llega a las 10."]),
        ("مرحبا، كيف يمكنني مساعدتك؟ نغلق يوم السبت.", ["مرحبا، كيف يمكنني مساعدتك؟", "نغلق يوم السبت."]),
        ("1. Book now. 2. Pay later.", ["1. Book now.", "2. Pay later."]),
        ("First line\nSecond line", ["First line", "Second line"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_clauses_do_not_depend_on_how_the_text_arrives(text: str, clauses: list[str], size: int) -> None:
    assert streamed(text, size) == clauses


def test_a_long_text_without_punctuation_is_not_waited_for() -> None:
    words = [f"word{n}" for n in range(100)]
    clauses = streamed(" ".join(words))
    assert len(clauses[0].split()) <= MAX_WORDS_FIRST
    assert all(len(clause.split()) <= MAX_WORDS_LATER for clause in clauses[1:])


def test_an_ellipsis_stays_with_its_word() -> None:
    chunker = ClauseChunker()
    clauses = [clause for token in ["Well", "...", " let", " me", " see", "."] for clause in chunker.push(token)]
    assert clauses + chunker.flush() == ["Well...", "let me see."]


def test_an_enumeration_later_in_the_reply_stays_whole() -> None:
    days = "We are open Monday, Tuesday, Thursday and Friday."
    assert streamed(f"Sure. {days}") == ["Sure.", days]


def test_a_clause_that_is_already_cut_is_not_cut_again_for_haste() -> None:
    assert continued_clauses("Yes, of course, we do.") == ["Yes, of course, we do."]


pieces = st.lists(
    st.one_of(
        st.sampled_from(
            [" ", ". ", ", ", "? ", "\n", "...", "«", "» ", "3.5", "Dr. ", "a.m. ", "،", "؟ ", "a@b.co", "—"]
        ),
        st.text(max_size=6),
    ),
    max_size=30,
)


@given(pieces)
def test_no_text_is_lost_or_said_twice(deltas: list[str]) -> None:
    chunker = ClauseChunker()
    clauses = [clause for delta in deltas for clause in chunker.push(delta)] + chunker.flush()
    assert "".join("".join(clauses).split()) == "".join("".join(deltas).split())
    assert all(clause.strip() for clause in clauses)


@given(
    st.lists(
        st.sampled_from("Yes. no, Dr. Smith 9 a.m. ok? well, fine! and so 3.5 euros « oui » ، نعم؟".split(" ")),
        max_size=40,
    ),
    st.integers(1, 9),
)
def test_whole_words_give_the_same_clauses_however_they_arrive(words: list[str], size: int) -> None:
    text = " ".join(words)
    assert streamed(text, size) == streamed(text, 10_000)
