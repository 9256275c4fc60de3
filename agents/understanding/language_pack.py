"""What the parsers must know of one language, as data.

Every parser of this folder is written once, over a `LanguagePack`; a new language is a new module in
`packs` and a new wording file, and no new code. Patterns are regular expressions over `Words.text`:
lower case, no accents, no punctuation.
"""

import re
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from importlib import import_module

import msgspec

from agents.understanding.language_text import Apostrophe, Words, words_of


class Intent(Enum):
    """What a caller may want in a turn."""

    DANGER = "danger"
    """Life may be at risk: an ambulance, not a dentist."""
    EMERGENCY = "emergency"
    COMPLAINT = "complaint"
    IDENTITY = "identity"
    """Are you a robot? Who is this?"""
    LANGUAGE = "language"
    HUMAN = "human"
    MESSAGE = "message"
    CHANGE = "change"
    """Move or cancel an appointment."""
    CANCEL = "cancel"
    OPEN_NOW = "open_now"
    HOURS = "hours"
    PRICE = "price"
    SERVICES = "services"
    OFFERS = "offers"
    """Do you do this service?"""
    ADDRESS = "address"
    PHONE = "phone"
    BOOK = "book"
    WANTS = "wants"
    """I need a ...: a booking when a service or an appointment is named."""
    REPEAT = "repeat"
    SLOWER = "slower"
    WAIT = "wait"
    THANKS = "thanks"
    BYE = "bye"
    GREET = "greet"


class DayPart(msgspec.Struct, frozen=True):
    """A part of the day, in whole hours, and how it reads an ambiguous hour (12 -> add twelve)."""

    from_hour: int
    to_hour: int


class TimePattern(msgspec.Struct, frozen=True):
    """How a clock time is said, over text whose number words have become figures.

    pattern: {h} and {m} stand for hour and minute. The time is h:00 + sign x m + minutes (a quarter to:
    -15). hour: for fixed times such as noon. half: "am" or "pm" when the words say it.
    """

    pattern: str
    hour: int | None = None
    minutes: int = 0
    sign: int = 1
    half: str = ""


class LanguagePack(msgspec.Struct, frozen=True, kw_only=True):
    """One language. Phrases are plain (lower case, no accents), written as `Words.text` shows them."""

    code: str
    apostrophe: Apostrophe
    markers: frozenset[str]
    """Frequent words that tell this language from the others."""
    common: frozenset[str]
    """Everyday words: never part of a name, never a misheard service."""
    stop: frozenset[str]
    """Words without weight in a search."""
    suffixes: tuple[str, ...]
    """Endings that the light stemmer takes off, longest first."""

    cardinals: Mapping[str, int]
    ordinals: Mapping[str, int]
    ordinal_suffixes: frozenset[str]
    misheard_digits: Mapping[str, str]
    """Words that are digits when they stand among digits ("oh", "for")."""
    digit_repeats: Mapping[str, int]
    hundred: frozenset[str]
    plus: frozenset[str]
    phone_filler: frozenset[str]
    """Words that may stand between the digits of a number ("um", "then")."""

    homophones: tuple[tuple[str, str], ...] = ()
    """(pattern over the text as received, what was said): see `agents.understanding.homophones`."""
    misheard_figures: tuple[tuple[str, str], ...] = ()
    """(pattern, replacement) for pairs that recognisers write as sums: "60 10 8" for soixante-dix-huit."""

    weekdays: tuple[tuple[str, ...], ...]
    """Monday first; several spellings each."""
    months: tuple[tuple[str, ...], ...]
    relative_days: Mapping[str, int]
    day_patterns: tuple[str, ...]
    """{weekday} {month} {day} {count}; named groups weekday, month, day, count, unit."""
    weeks_ahead: Mapping[str, int]
    """next week -> 1."""
    week_units: frozenset[str]
    time_patterns: tuple[TimePattern, ...]
    bare_time_patterns: tuple[TimePattern, ...]
    """Only read when a time is expected."""
    day_parts: Mapping[str, DayPart]
    after_words: str
    before_words: str
    earliest: str
    any_choice: str
    choices: Mapping[str, int]
    """ "the first one" -> 0, "the last" -> -1."""

    yes: str
    no: str
    no_but_fine: str
    """A no that agrees: "no no, that's right"."""
    corrects: str
    """Words that announce a correction: "actually", "rather"."""
    disputes: str
    """Words that say that something read back is wrong."""
    fields: Mapping[str, str]
    """Pattern -> "service", "day", "time", "name" or "phone"."""

    name_intros: tuple[str, ...]
    expected_name_intros: tuple[str, ...]
    """Only trusted when a name was asked for or is being corrected ("it's", "this is")."""
    name_for: str
    """A word before anything, and so before a name only when two capitals follow: "for Marie Curie"."""
    name_particles: frozenset[str]
    name_stops: frozenset[str]
    honorifics: frozenset[str]
    spelled_as: str
    """Pattern between a letter and its example: "as in", "comme"."""
    with_letter: str
    """Pattern of "with a K"; group letter."""
    letter_names: Mapping[str, str]
    """Spoken letter names that recognisers write out: "double u" -> w."""

    email_at: frozenset[str]
    email_marks: Mapping[str, str]
    """dot -> ".", underscore -> "_"."""

    language_names: Mapping[str, str]
    """How this language names the product's languages: french -> fr."""
    clause_starts: str
    """Pattern of a conjunction that begins another request: "and how much"."""
    question: str
    """Pattern of a question without its mark."""
    intents: Mapping[Intent, str]
    opens: str
    closes: str
    asks_time: str
    """ "what time": the opening time alone is asked for."""
    complaints: Mapping[str, str]
    """Kind of complaint -> pattern."""
    vowels_take_an: bool = False
    feminine: str = ""
    """Pattern of feminine nouns, where articles agree."""

    def words(self, text: str) -> Words:
        """Cut a text the way this language writes."""
        return words_of(text, self.apostrophe)

    def find(self, pattern: str, text: str) -> re.Match[str] | None:
        """The first match of one of this pack's patterns, on word borders."""
        return bounded(pattern).search(text)


@lru_cache(maxsize=4096)
def bounded(pattern: str) -> re.Pattern[str]:
    """The pattern, compiled, on word borders."""
    return re.compile(rf"(?<![^\s:/])(?:{pattern})(?![^\s:/])")


@lru_cache(maxsize=8)
def pack_for(language: str) -> LanguagePack:
    """The pack of a language. Raises LookupError when there is none."""
    try:
        module = import_module(f"agents.understanding.packs.{language}")
    except ModuleNotFoundError as missing:
        raise LookupError(f"no language pack for {language!r}") from missing
    pack: LanguagePack = module.PACK
    return pack


def alternation(phrases: Mapping[str, object] | frozenset[str] | tuple[str, ...]) -> str:
    """A pattern that matches any of the phrases, longest first."""
    return "|".join(re.escape(phrase) for phrase in sorted(phrases, key=len, reverse=True))
