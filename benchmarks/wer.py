"""Word error rate with our own normaliser.

Two spellings of the same spoken words must count as equal, else the figure measures style: case,
punctuation, accents, contractions and the way numbers are written are levelled first, per language.
Used by the speech benchmarks; not part of the product.
"""

import re
import unicodedata
from collections.abc import Iterable

import msgspec

from benchmarks.number_words import spell_digits, spell_ordinals

_ABBREVIATIONS = {
    "en": {"mr": "mister", "mrs": "missus", "dr": "doctor", "ok": "okay", "%": "percent"},
    "fr": {
        "mr": "monsieur",
        "mme": "madame",
        "%": "pour cent",
        "pourcent": "pour cent",
        "cents": "cent",  # 80 is quatre-vingts alone but quatre-vingt-un: the s cannot be heard
        "vingts": "vingt",
    },
    "es": {"sr": "señor", "sra": "señora", "%": "por ciento"},
}
_ARABIC_MARKS = re.compile(r"[\u064b-\u0652\u0670\u0640]")
"""Harakat, superscript alef and tatweel: pronunciation marks that most writing leaves out."""
_ARABIC_FOLD = str.maketrans("أإآٱىة", "ااااىه")


class WordErrors(msgspec.Struct, frozen=True):
    """Errors over `words` reference words."""

    substitutions: int
    deletions: int
    insertions: int
    words: int

    @property
    def rate(self) -> float:
        """Errors per reference word, 0 for none; may pass 1 when words were invented."""
        wrong = self.substitutions + self.deletions + self.insertions
        return wrong / self.words if self.words else float(wrong > 0)

    def __add__(self, other: "WordErrors") -> "WordErrors":
        """Sum, so that the rate of a set weighs every word alike."""
        return WordErrors(
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
            self.words + other.words,
        )


NO_WORDS = WordErrors(0, 0, 0, 0)


def _fold_accents(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")


def normalise(text: str, language: str) -> list[str]:
    """The words of `text`, levelled so that only what was said remains.

    language: en, fr, es or ar (ary is read as ar); others get the language-free steps only.
    """
    language = "ar" if language == "ary" else language
    text = unicodedata.normalize("NFKC", text).lower().replace("\u2019", "'")
    text = text.replace("%", " % ")
    if language == "ar":
        text = _ARABIC_MARKS.sub("", text).translate(_ARABIC_FOLD)
    # "10,000" is one number, and the dot of "1.5" is spoken; both must go before punctuation does.
    text = re.sub(r"(?<=\d)[,\u202f\u00a0 ](?=\d{3}(?!\d))", "", text)
    text = spell_ordinals(text, language)
    text = spell_digits(text, language)
    # English keeps a contraction one word (it's -> its); French elision is a word border.
    text = text.replace("'", "" if language == "en" else " ")
    text = _fold_accents(text).replace("œ", "oe").replace("æ", "ae")
    words = re.sub(r"[^\w%]+|_", " ", text).split()
    known = _ABBREVIATIONS.get(language, {})
    return " ".join(_fold_accents(known.get(word, word)) for word in words).split()


def align(reference: list[str], heard: list[str]) -> WordErrors:
    """Fewest edits that turn `reference` into `heard` (Levenshtein), counted by kind."""
    # One row per reference word; a cell is (edits, substitutions, deletions, insertions).
    row = [(j, 0, 0, j) for j in range(len(heard) + 1)]
    for i, said in enumerate(reference, 1):
        previous, row = row, [(i, 0, i, 0)]
        for j, got in enumerate(heard, 1):
            cost, s, d, n = previous[j - 1]
            best = (cost, s, d, n) if said == got else (cost + 1, s + 1, d, n)
            cost, s, d, n = previous[j]
            best = min(best, (cost + 1, s, d + 1, n))
            cost, s, d, n = row[j - 1]
            row.append(min(best, (cost + 1, s, d, n + 1)))
    _, s, d, n = row[-1]
    return WordErrors(s, d, n, len(reference))


def word_errors(reference: str, heard: str, language: str) -> WordErrors:
    """Word errors of one transcript against what was said."""
    return align(normalise(reference, language), normalise(heard, language))


def total(errors: Iterable[WordErrors]) -> WordErrors:
    """Sum over a set of recordings."""
    return sum(errors, NO_WORDS)
