"""What a language must know to say what is written in figures and signs.

The patterns of numbers, dates, times, money, telephone numbers and addresses are much the same in every
language (`rules.py`); how they are said is not. Each language module subclasses `Grammar` once.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import ClassVar

import msgspec


class Gender(Enum):
    """Of the thing that is counted."""

    MASCULINE = "masculine"
    FEMININE = "feminine"


class Currency(Enum):
    """Money that tenants use (product facts, section 11), and the pound."""

    EUR = "EUR"
    USD = "USD"
    MAD = "MAD"
    GBP = "GBP"


class Noun(msgspec.Struct, frozen=True):
    """Something that is counted: "kilometre", "kilometres"."""

    one: str
    many: str
    gender: Gender = Gender.MASCULINE


class Grammar(ABC):
    """How one language says things. Numbers are not negative."""

    code: ClassVar[str]
    decimal_sign: ClassVar[str]
    """Between units and tenths, as written in this language; the other of "." and "," groups thousands."""
    abbreviations: ClassVar[Mapping[str, str]]
    """Written with its full stop if it has one, lower case -> spoken."""
    months: ClassVar[Sequence[str]]
    """Twelve names, as spoken."""
    month_words: ClassVar[Mapping[str, int]]
    """Written names and abbreviations, lower case, without full stop -> 1..12."""
    units: ClassVar[Mapping[str, Noun]]
    letters: ClassVar[Mapping[str, str]] = {}
    """Names of the letters that an engine would misread when they stand alone."""
    number_range: ClassVar[str]
    """Said for the dash of "9-12"."""
    at: ClassVar[str]
    dot: ClassVar[str]
    dash: ClassVar[str]
    underscore: ClassVar[str]
    slash: ClassVar[str]
    www: ClassVar[str]
    plus: ClassVar[str]
    percent: ClassVar[str]
    number_sign: ClassVar[str]
    symbols: ClassVar[Mapping[str, str]]
    """Single signs between words ("&") -> spoken."""

    @abstractmethod
    def cardinal(self, n: int, gender: Gender = Gender.MASCULINE) -> str:
        """ "21" -> "twenty-one"."""

    @abstractmethod
    def ordinal(self, n: int, gender: Gender = Gender.MASCULINE) -> str:
        """ "21st" -> "twenty-first"."""

    @abstractmethod
    def counted(self, n: int, noun: Noun) -> str:
        """A number and what it counts, agreeing: "one euro", "two euros"."""

    @abstractmethod
    def clock(self, hour: int, minute: int, half: str) -> str:
        """A time of day, 0..24 h. half: "am", "pm", or "" when not written."""

    @abstractmethod
    def date(self, day: int, month: int, year: int | None) -> str:
        """A day of a year, said in full."""

    @abstractmethod
    def money(self, whole: int, cents: int, currency: Currency) -> str:
        """An amount; `cents` is 0..99."""

    @abstractmethod
    def phone_group(self, digits: str) -> str:
        """One group of a telephone number, of one to four digits."""

    @abstractmethod
    def phone_groups(self, digits: str) -> list[str]:
        """Groups in which people of this language say a number that is written without groups."""

    def year(self, n: int) -> str:
        """A year; like any number unless the language says it otherwise."""
        return self.cardinal(n)

    def decimal(self, whole: int, fraction: str) -> str:
        """ "3.5": the fraction as a number when short, else digit by digit, zeros said."""
        zeros = [self.cardinal(0)] * (len(fraction) - len(fraction.lstrip("0")))
        rest = fraction.lstrip("0")
        said = [self.cardinal(int(rest))] if 0 < len(rest) <= 2 else [self.cardinal(int(d)) for d in rest]
        return " ".join([self.cardinal(whole), self.decimal_word, *zeros, *said])

    @property
    @abstractmethod
    def decimal_word(self) -> str:
        """Said between units and tenths: "point", "virgule"."""

    def digits(self, text: str) -> str:
        """Digit by digit."""
        return " ".join(self.cardinal(int(d)) for d in text)

    def spell(self, letters: str) -> str:
        """Letter by letter, with the short stops people make."""
        return ", ".join(
            self.cardinal(int(c)) if c.isdecimal() else self.letters.get(c.upper(), c.upper())
            for c in letters
            if c.isalnum()
        )

    def acronym(self, letters: str) -> str:
        """Letters said as one word: "T V A"."""
        return " ".join(self.letters.get(c, c) for c in letters)
