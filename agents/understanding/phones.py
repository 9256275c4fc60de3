"""Telephone numbers as they are dictated: digits, pairs, "double five", with pauses and slips.

French callers say pairs that run into each other ("soixante-dix-huit" is 78, or 60 then 18), so every
reading of a run is tried until `phonenumbers` accepts one for the tenant's country. Called by
`agents.understanding.understand`.
"""

import re
from collections.abc import Iterator
from enum import Enum
from functools import lru_cache
from itertools import islice

import msgspec
import phonenumbers

from agents.understanding.language_pack import LanguagePack
from agents.understanding.language_text import Token, Words
from agents.understanding.numbers import readings

MAX_READINGS = 256
"""Of one run; a French number of five ambiguous pairs has 32."""

PARTIAL_MIN_DIGITS = 2
PHONE_LIKE_DIGITS = 6
"""A run this long is a telephone number even when none was asked for."""


class Hearing(Enum):
    """How the digits of a number were heard."""

    CLEAR = "clear"
    REPAIRED = "repaired"
    """They made a number only after undoing a slip of the recogniser: to be confirmed by the caller."""


class PhoneMention(msgspec.Struct, frozen=True):
    """Digits that the caller dictated.

    digits: as heard, with a leading "+" when international. e164: "" unless the number is valid.
    start, end: tokens it took. hearing: how sure the digits are.
    """

    digits: str
    e164: str
    start: int
    end: int
    hearing: Hearing = Hearing.CLEAR

    @property
    def valid(self) -> bool:
        """Whether it is a number that exists in the numbering plan."""
        return bool(self.e164)


class _Run(msgspec.Struct, frozen=True):
    start: int
    end: int
    choices: tuple[tuple[tuple[str, int], ...], ...]
    """At each token of the run: (digits, tokens used), preferred first; () where nothing begins."""


@lru_cache(maxsize=1024)
def valid_e164(digits: str, country: str) -> str:
    """E.164 form of digits dialled in `country` (ISO 3166 alpha-2), or "" when there is no such number."""
    try:
        number = phonenumbers.parse(digits, country)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_valid_number(number):
        return ""
    # The parser forgives a missing trunk prefix, which would make a number of any nine French digits.
    national = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
    if not digits.startswith(("+", "00")) and digits != "".join(c for c in national if c.isdigit()):
        return ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def spoken_phone(e164: str, country: str) -> str:
    """How the number is written for people of `country`: "06 12 34 56 78"."""
    number = phonenumbers.parse(e164, None)
    home = phonenumbers.is_valid_number_for_region(number, country)
    form = phonenumbers.PhoneNumberFormat.NATIONAL if home else phonenumbers.PhoneNumberFormat.INTERNATIONAL
    return phonenumbers.format_number(number, form)


@lru_cache(maxsize=64)
def national_digits(country: str) -> int | None:
    """How many digits a mobile number of `country` has when dialled there (France: 10); None if unknown."""
    example = phonenumbers.example_number_for_type(country, phonenumbers.PhoneNumberType.MOBILE)
    if example is None:
        return None
    written = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.NATIONAL)
    return sum(c.isdigit() for c in written)


def find_phone(
    words: Words, pack: LanguagePack, country: str, *, expected: bool, before: str = ""
) -> PhoneMention | None:
    """The telephone number in a turn.

    expected: a number was asked for, so a short run counts too. before: digits dictated in the turns
    before, which this one may complete.
    """
    best: PhoneMention | None = None
    for run in _runs(words.tokens, pack):
        mention = _read(run, country, before)
        if not mention.valid:
            mention = _repaired(mention, pack, country)
        shortest = PARTIAL_MIN_DIGITS if expected else PHONE_LIKE_DIGITS
        if not mention.valid and len(mention.digits) < shortest:
            continue
        if best is None or (mention.valid, len(mention.digits)) > (best.valid, len(best.digits)):
            best = mention
    return best


def _read(run: _Run, country: str, before: str) -> PhoneMention:
    # A number that stands before the telephone number ("at ten, 06 12 ...") is left out by starting later.
    for start in range(run.start, run.end):
        for digits in islice(_spellings(run, start - run.start), MAX_READINGS):
            for candidate in (before + digits, digits) if before else (digits,):
                e164 = valid_e164(candidate, country)
                if e164:
                    return PhoneMention(candidate, e164, start, run.end)
    heard = next(_spellings(run, 0), "")
    return PhoneMention(heard, "", run.start, run.end)


def _repaired(mention: PhoneMention, pack: LanguagePack, country: str) -> PhoneMention:
    """The number that one known slip of the recogniser has hidden, or the mention as it is."""
    wanted = national_digits(country)
    if wanted is None or len(mention.digits) <= wanted:
        return mention
    for pattern, replacement in pack.misheard_figures:
        for found in reversed(list(re.finditer(pattern, mention.digits))):
            digits = mention.digits[: found.start()] + found.expand(replacement) + mention.digits[found.end() :]
            e164 = valid_e164(digits, country)
            if e164:
                return PhoneMention(digits, e164, mention.start, mention.end, Hearing.REPAIRED)
    return mention


def _spellings(run: _Run, at: int) -> Iterator[str]:
    if at >= run.end - run.start:
        yield ""
        return
    for digits, used in run.choices[at]:
        for rest in _spellings(run, at + used):
            yield digits + rest


def _runs(tokens: tuple[Token, ...], pack: LanguagePack) -> Iterator[_Run]:
    at = 0
    while at < len(tokens):
        choices: list[tuple[tuple[str, int], ...]] = []
        end = at
        reach = at
        while end < len(tokens):
            here = _digit_choices(tokens, end, pack, inside=end > at)
            if not here and end >= reach:
                break
            choices.append(tuple(here))
            reach = max([reach, *(end + used for _, used in here)])
            end += 1
        trimmed = _trim(choices)
        if trimmed:
            yield _Run(at, at + len(trimmed), tuple(trimmed))
        at = max(end, at + 1)


def _trim(choices: list[tuple[tuple[str, int], ...]]) -> list[tuple[tuple[str, int], ...]]:
    """Without the words at the end that add no digit."""
    while choices and all(not digits for digits, _ in choices[-1]) and choices[-1]:
        choices = choices[:-1]
    return choices


def _digit_choices(tokens: tuple[Token, ...], at: int, pack: LanguagePack, *, inside: bool) -> list[tuple[str, int]]:
    word = tokens[at].plain
    found = readings(tokens, at, pack)
    if not inside and "+" in tokens[at].gap and tokens[at].is_number:
        found = [(f"+{word}", 1)]
    if word in pack.digit_repeats and at + 1 < len(tokens):
        repeated = [
            (digits * pack.digit_repeats[word], used + 1)
            for digits, used in readings(tokens, at + 1, pack)
            if len(digits) == 1
        ]
        found = repeated + found
    if found and at + found[0][1] < len(tokens) and tokens[at + found[0][1]].plain in pack.hundred:
        digits, used = found[0]
        found = [(f"{digits}00", used + 1), *found] if len(digits) == 1 else found
    if not inside and word in pack.plus and at + 1 < len(tokens):
        found = [(f"+{digits}", used + 1) for digits, used in readings(tokens, at + 1, pack)]
    near_digits = inside or _digit_follows(tokens, at + 1, pack)
    if not found and word in pack.misheard_digits and near_digits:
        found = [(pack.misheard_digits[word], 1)]
    if not found and inside and word in pack.phone_filler:
        found = [("", 1)]
    return found


def _digit_follows(tokens: tuple[Token, ...], at: int, pack: LanguagePack) -> bool:
    return at < len(tokens) and bool(readings(tokens, at, pack))
