"""Numbers written in digits, spelled as spoken, in English, French and Spanish.

A recogniser may write "50" where the reference says "fifty"; the WER normaliser spells both the
same way. Integers up to 999,999 are spelled as one number and longer ones digit by digit, as callers
read them out.
"""

import re

_EN_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
_EN_TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()
_FR_SMALL = (
    "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize "
    "dix-sept dix-huit dix-neuf"
).split()
_FR_TENS = "_ _ vingt trente quarante cinquante soixante soixante quatre-vingt quatre-vingt".split()
_ES_SMALL = (
    "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis "
    "diecisiete dieciocho diecinueve veinte veintiuno veintidós veintitrés veinticuatro veinticinco "
    "veintiséis veintisiete veintiocho veintinueve"
).split()
_ES_TENS = "_ _ veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa".split()
_ES_HUNDREDS = (
    "_ ciento doscientos trescientos cuatrocientos quinientos seiscientos setecientos ochocientos novecientos"
).split()

LONGEST_NUMBER_DIGITS = 6
"""Longer runs of digits are phone, card or account numbers, which are read digit by digit."""

_EN_ORDINALS = {"1st": "first", "2nd": "second", "3rd": "third", "5th": "fifth", "8th": "eighth", "9th": "ninth"}
_FR_ORDINALS = {"1er": "premier", "1re": "première", "1ère": "première"}
_POINT = {"en": "point", "fr": "virgule", "es": "coma"}


def _english(n: int) -> str:
    if n < 20:
        return _EN_SMALL[n]
    if n < 100:
        return _EN_TENS[n // 10] + (f" {_EN_SMALL[n % 10]}" if n % 10 else "")
    if n < 1000:
        return f"{_EN_SMALL[n // 100]} hundred" + (f" {_english(n % 100)}" if n % 100 else "")
    return f"{_english(n // 1000)} thousand" + (f" {_english(n % 1000)}" if n % 1000 else "")


def _french(n: int) -> str:
    if n < 20:
        return _FR_SMALL[n]
    if n < 100:
        ten, rest = divmod(n, 10)
        if ten in (7, 9):
            rest += 10
        joint = " et " if rest in (1, 11) and ten not in (8, 9) else " "
        return _FR_TENS[ten] + (f"{joint}{_FR_SMALL[rest]}" if rest else "")
    if n < 1000:
        head = "cent" if n < 200 else f"{_FR_SMALL[n // 100]} cent"
        return head + (f" {_french(n % 100)}" if n % 100 else "")
    head = "mille" if n < 2000 else f"{_french(n // 1000)} mille"
    return head + (f" {_french(n % 1000)}" if n % 1000 else "")


def _spanish(n: int) -> str:
    if n < 30:
        return _ES_SMALL[n]
    if n < 100:
        return _ES_TENS[n // 10] + (f" y {_ES_SMALL[n % 10]}" if n % 10 else "")
    if n == 100:
        return "cien"
    if n < 1000:
        return _ES_HUNDREDS[n // 100] + (f" {_spanish(n % 100)}" if n % 100 else "")
    head = "mil" if n < 2000 else f"{_spanish(n // 1000)} mil"
    return head + (f" {_spanish(n % 1000)}" if n % 1000 else "")


_SPELL = {"en": _english, "fr": _french, "es": _spanish}


def spell_number(digits: str, language: str) -> str:
    """Words of a run of digits; unchanged for a language that has no table here."""
    spell = _SPELL.get(language)
    if spell is None:
        return digits
    if len(digits) > LONGEST_NUMBER_DIGITS or (len(digits) > 1 and digits[0] == "0"):
        return " ".join(spell(int(d)) for d in digits)
    return spell(int(digits))


def spell_digits(text: str, language: str) -> str:
    """`text` with every number in digits replaced by words, decimals included."""

    def decimal(match: re.Match[str]) -> str:
        whole, fraction = match.groups()
        point = _POINT.get(language, " ")
        return f" {spell_number(whole, language)} {point} {' '.join(spell_number(d, language) for d in fraction)} "

    text = re.sub(r"(?<![\d.])(\d+)[.,](\d{1,2})(?![\d.,]\d|\d)", decimal, text)
    return re.sub(r"[0-9]+", lambda m: f" {spell_number(m.group(), language)} ", text)


def spell_ordinals(text: str, language: str) -> str:
    """`text` with 1st, 2nd, 23rd, 1er, 2e... spelled."""

    def english(match: re.Match[str]) -> str:
        digits, number = match.group(1), int(match.group(1))
        if number > 99:
            return match.group()
        if number > 20 and number % 10:
            return f"{_EN_TENS[number // 10]} {english_small(digits[-1] + match.group(2))}"
        return english_small(match.group())

    def english_small(written: str) -> str:
        number = int(written[:-2])
        if number == 12:
            return "twelfth"
        cardinal = _english(number)
        return _EN_ORDINALS.get(written) or (cardinal[:-1] + "ieth" if cardinal.endswith("y") else cardinal + "th")

    def french(match: re.Match[str]) -> str:
        written = match.group()
        if written in _FR_ORDINALS:
            return _FR_ORDINALS[written]
        cardinal = _french(int(match.group(1)))
        stem = {"cinq": "cinqu", "neuf": "neuv"}.get(cardinal, cardinal.removesuffix("e"))
        return f"{stem}ième"

    if language == "en":
        return re.sub(r"\b(\d{1,3})(st|nd|rd|th)\b", english, text)
    if language == "fr":
        return re.sub(r"\b(\d{1,2})(er|re|ère|e|ème)\b", french, text)
    return text
