"""The written forms that are not words, as patterns, and how a `Grammar` says each of them.

Order matters: the first rule whose pattern matches at a word and whose speech is not None wins, so
longer forms (a telephone number, a date) stand before the numbers they are made of.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date

from voice_core.tts.normalise.grammar import Currency, Gender, Grammar

Speak = Callable[[re.Match[str]], "str | list[str] | None"]
"""Spoken form of a match; a list has one entry per written word; None when it is not this form after all."""
Rule = tuple[re.Pattern[str], Speak]

_END = r"(?![\w])(?!\.\w)"
_DASH = r"\s?[-–—]\s?"
_CLOCK = (
    r"(?P<h{0}>\d{{1,2}})(?::(?P<m{0}>\d{{2}})(?::\d{{2}})?(?:\s?h(?!\w))?|\s?h(?:\s?(?P<n{0}>\d{{2}}))?(?!\w))?"
    r"\s?(?P<p{0}>[ap]\.?m(?!\w)\.?)?"
)
"""Hour, minutes after a colon or an h, half of the day: "10:00", "9h30", "18 h", "9 a.m."."""
_SPACES = "\u00a0\u202f\u2009"
_NUMBER = rf"\d{{1,3}}(?:[., {_SPACES}]\d{{3}})+(?!\d)(?:[.,]\d+)?|\d+(?:[.,]\d+)?"
_CURRENCIES: Mapping[str, Currency] = {
    "€": Currency.EUR, "eur": Currency.EUR, "euro": Currency.EUR, "euros": Currency.EUR, "يورو": Currency.EUR,
    "$": Currency.USD, "usd": Currency.USD, "dollar": Currency.USD, "dollars": Currency.USD, "دولار": Currency.USD,
    "dólares": Currency.USD, "£": Currency.GBP, "gbp": Currency.GBP, "mad": Currency.MAD, "dh": Currency.MAD,
    "dhs": Currency.MAD, "dirham": Currency.MAD, "dirhams": Currency.MAD, "درهم": Currency.MAD, "دراهم": Currency.MAD,
}  # fmt: skip
_CURRENCY = "|".join(sorted((re.escape(c) for c in _CURRENCIES), key=len, reverse=True))
_TOP_LEVEL = "com|org|net|fr|ma|es|eu|io|co|uk|info|be|ch|ca|de|dz|tn|sa|ae|app|dev|ai|biz|gov|edu|us"


def rules_for(g: Grammar) -> list[Rule]:
    """All rules of a language, in order."""
    flags = re.IGNORECASE
    months = "|".join(sorted((re.escape(m) for m in g.month_words), key=len, reverse=True))
    units = "|".join(sorted((re.escape(u) for u in g.units), key=len, reverse=True))
    say = _Speaker(g)
    table: list[tuple[str, Speak]] = [
        (r"[\w.+\-]+@[\w\-]+(?:\.[\w\-]+)+", say.address),
        (r"https?://[^\s]*[\w/]", say.address),
        (rf"(?:www\.)?[a-z0-9][\w\-]*(?:\.[\w\-]+)*\.(?:{_TOP_LEVEL})(?:/[\w\-./]*[\w/])?{_END}", say.address),
        (rf"(\d{{4}})-(\d{{2}})-(\d{{2}}){_END}", say.iso_date),
        (rf"(\d{{1,2}})[/.](\d{{1,2}})[/.](\d{{4}}|\d{{2}}){_END}", say.short_date),
        (r"\+?\(?\d(?:(?:[\s.\-]|\)\s?|\s\()?\d){6,14}(?!\w)(?![.,:]\d)", say.phone),
        (_CLOCK.format(1) + _DASH + _CLOCK.format(2) + _END, say.clock_range),
        (_CLOCK.format(1) + _END, say.clock),
        (rf"(\d{{1,2}})(?:er|st|nd|rd|th)?\s(?:of\s|de\s)?({months})\b\.?(?:,?\s(?:de\s)?(\d{{4}})\b)?", say.day_month),
        (rf"({months})\b\.?\s(\d{{1,2}})(?:st|nd|rd|th)?\b(?!:)(?:,?\s(\d{{4}})\b)?", say.month_day),
        (rf"(?P<c>[€$£]|EUR|USD|MAD|GBP)\s?(?P<n>{_NUMBER}){_END}", say.money),
        (rf"(?P<n>{_NUMBER})\s?(?P<c>{_CURRENCY}){_END}", say.money),
        (rf"({_NUMBER})\s?%", say.percent),
        (rf"({_NUMBER})\s?({units}){_END}", say.unit),
        (rf"(\d{{1,4}}){_DASH}(\d{{1,4}})\s?(%)?{_END}", say.number_range),
        (rf"(\d+)(st|nd|rd|th|er|ère|re|nd|nde|e|ème|eme|º|ª|o|a|\.º|\.ª){_END}", say.ordinal),
        (rf"(\d{{1,3}})/(\d{{1,3}}){_END}", say.out_of),
        (rf"(?:n°|nº|#|№)\s?(\d+){_END}", say.numbered),
        (rf"(?P<n>{_NUMBER}){_END}", say.number),
        (r"((?:[^\W\d_]-){2,}[^\W\d_])(?!\w)", lambda m: g.spell(m.group(1))),
        (r"([^\W\d_]{1,4}\d[\w]*|\d+[^\W\d_][\w]*)(?!\w)", lambda m: say.mixed(m.group(1))),
        (r"([A-ZÀ-Þ]{2,5})(?![\w])", lambda m: say.capitals(m.group(1))),
    ]  # fmt: skip
    case_matters = len(table) - 1
    return [(re.compile(p, 0 if i == case_matters else flags), speak) for i, (p, speak) in enumerate(table)]


class _Speaker:
    """The rules' right-hand sides for one grammar."""

    def __init__(self, grammar: Grammar) -> None:
        self.g = grammar

    def parse(self, text: str) -> tuple[int, str]:
        """Whole part and digits of the fraction of a written number, "1,250.50" or "1 250,50"."""
        plain = re.sub(rf"[ {_SPACES}]", "", text)
        group = "," if self.g.decimal_sign == "." else "."
        if re.fullmatch(rf"\d{{1,3}}(?:\{group}\d{{3}})+(?:\{self.g.decimal_sign}\d+)?", plain):
            plain = plain.replace(group, "")
        whole, _, fraction = plain.replace(",", ".").rpartition(".") if re.search("[.,]", plain) else (plain, "", "")
        return int(re.sub(r"\D", "", whole)), fraction

    def number(self, m: re.Match[str]) -> str:
        text = m.group("n")
        if text.isdecimal() and (len(text) > 6 or (len(text) > 1 and text[0] == "0")):
            return self.g.digits(text)
        if text.isdecimal() and len(text) == 4 and 1100 <= int(text) < 2100:
            return self.g.year(int(text))
        whole, fraction = self.parse(text)
        return self.g.decimal(whole, fraction) if fraction else self.g.cardinal(whole)

    def _amount(self, text: str) -> str:
        whole, fraction = self.parse(text)
        return self.g.decimal(whole, fraction) if fraction else self.g.cardinal(whole)

    def money(self, m: re.Match[str]) -> str:
        whole, fraction = self.parse(m.group("n"))
        currency = _CURRENCIES[m.group("c").lower()]
        if len(fraction) > 2:
            fraction = ""
        return self.g.money(whole, int(fraction.ljust(2, "0") or 0), currency)

    def percent(self, m: re.Match[str]) -> str:
        return f"{self._amount(m.group(1))} {self.g.percent}"

    def unit(self, m: re.Match[str]) -> str | None:
        noun = self.g.units.get(m.group(2)) or self.g.units.get(m.group(2).lower())
        if noun is None:
            return None
        whole, fraction = self.parse(m.group(1))
        if fraction:
            return f"{self.g.decimal(whole, fraction)} {noun.many}"
        return self.g.counted(whole, noun)

    def number_range(self, m: re.Match[str]) -> str:
        both = f"{self.g.cardinal(int(m.group(1)))} {self.g.number_range} {self.g.cardinal(int(m.group(2)))}"
        return f"{both} {self.g.percent}" if m.group(3) else both

    def ordinal(self, m: re.Match[str]) -> str:
        feminine = m.group(2).lower() in ("re", "ère", "nde", "ª", "a", ".ª")
        return self.g.ordinal(int(m.group(1)), Gender.FEMININE if feminine else Gender.MASCULINE)

    def out_of(self, m: re.Match[str]) -> str:
        if m.group() in self.g.abbreviations:
            return self.g.abbreviations[m.group()]
        return f"{self.g.cardinal(int(m.group(1)))} {self.g.slash} {self.g.cardinal(int(m.group(2)))}"

    def numbered(self, m: re.Match[str]) -> str:
        return f"{self.g.number_sign} {self.g.cardinal(int(m.group(1)))}"

    def iso_date(self, m: re.Match[str]) -> str | None:
        return self._date(int(m.group(1)), int(m.group(2)), int(m.group(3)))

    def short_date(self, m: re.Match[str]) -> str | None:
        """Day first but in English, where the month is (the product's English is en-US), unless it cannot be."""
        first, second = int(m.group(1)), int(m.group(2))
        year = int(m.group(3)) + (2000 if len(m.group(3)) == 2 else 0)
        if (self.g.code == "en" and first <= 12) or second > 12:
            first, second = second, first
        return self._date(year, second, first)

    def _date(self, year: int, month: int, day: int) -> str | None:
        try:
            date(year, month, day)
        except ValueError:
            return None
        return self.g.date(day, month, year)

    def day_month(self, m: re.Match[str]) -> str | None:
        said = self._day_of(m.group(1), m.group(2), m.group(3))
        if said and self.g.code == "en" and re.search(r"\sof\s", m.group()):
            day, year = self.g.ordinal(int(m.group(1))), f" {self.g.year(int(m.group(3)))}" if m.group(3) else ""
            return f"{day} of {self.g.months[self.g.month_words[m.group(2).lower()] - 1]}{year}"
        return said

    def month_day(self, m: re.Match[str]) -> str | None:
        return self._day_of(m.group(2), m.group(1), m.group(3)) if self.g.code == "en" else None

    def _day_of(self, day: str, month: str, year: str | None) -> str | None:
        if not 1 <= int(day) <= 31:
            return None
        return self.g.date(int(day), self.g.month_words[month.lower()], int(year) if year else None)

    def clock(self, m: re.Match[str], which: str = "1", half: str = "") -> str | None:
        hour, minute = int(m.group("h" + which)), int(m.group("m" + which) or m.group("n" + which) or 0)
        half = (m.group("p" + which) or half).lower().replace(".", "")
        text = m.group()
        if hour > 24 or minute > 59 or (half and not 1 <= hour <= 12):
            return None
        if which == "1" and not half and ":" not in text and not re.search(r"\d\s?[hH]", text):
            return None
        return self.g.clock(hour, minute, half)

    def clock_range(self, m: re.Match[str]) -> str | None:
        """Both ends are times when either is written as one: "9-12h30", "9:00-18:00", "2-4 p.m."."""
        if not (":" in m.group() or re.search(r"\d\s?[hH]", m.group()) or m.group("p2")):
            return None
        hours = [int(m.group("h1")), int(m.group("h2"))]
        if max(hours) > 24:
            return None
        halves = [(m.group("p1") or "").lower().replace(".", ""), (m.group("p2") or "").lower().replace(".", "")]
        if halves[1] and not halves[0]:
            halves[0] = "am" if hours[0] > hours[1] else halves[1]
        said: list[str] = []
        for which, hour, half in zip("12", hours, halves, strict=True):
            minute = int(m.group("m" + which) or m.group("n" + which) or 0)
            if minute > 59 or (half and not 1 <= hour <= 12):
                return None
            said.append(self.g.clock(hour, minute, half))
        return f"{said[0]} {self.g.number_range} {said[1]}"

    def phone(self, m: re.Match[str]) -> str | list[str] | None:
        """Eight to fifteen digits that start like a telephone number or are grouped like one."""
        text = m.group().rstrip(" .-(")
        if text != m.group():
            return None
        groups = re.findall(r"\d+", text)
        digits = "".join(groups)
        international = text.startswith(("+", "00"))
        local = digits[0] == "0" or any(s in text for s in "-()")
        spaced = len(groups) > 2 and any(len(group) != 3 for group in groups[1:])
        mobile = len(digits) == 9 and digits[0] in "6789" and len(groups) in (1, 3)
        if not 8 <= len(digits) <= 15 and not (7 <= len(digits) <= 8 and "-" in text):
            return None
        if not (international or local or spaced or mobile):
            return None
        if len(groups) == 1 or max(map(len, groups)) > 4:
            groups = [*groups[:-1], *self.g.phone_groups(groups[-1])]
        said = [self.g.phone_group(group) for group in groups]
        if text.startswith("+"):
            said[0] = f"{self.g.plus} {said[0]}"
        said = [f"{group}," for group in said[:-1]] + said[-1:]
        return said if len(said) == len(text.split()) else " ".join(said)

    def address(self, m: re.Match[str]) -> str:
        """An e-mail or web address as one tells it to somebody who writes it down."""
        text = re.sub(r"^https?://", "", m.group(), flags=re.IGNORECASE).rstrip("/")
        names = {
            "@": self.g.at, ".": self.g.dot, "-": self.g.dash, "_": self.g.underscore,
            "/": self.g.slash, "+": self.g.plus,
        }  # fmt: skip
        said: list[str] = []
        for part in re.findall(r"[^\W\d_]+|\d+|[@.\-_/+]|\S", text):
            if part in names:
                said.append(names[part])
            elif part.isdecimal():
                said.append(self.g.digits(part) if len(part) > 2 or part[0] == "0" else self.g.cardinal(int(part)))
            elif part.lower() == "www":
                said.append(self.g.www)
            elif len(part) == 1 or (len(part) <= 3 and part.lower() not in ("com", "org", "net", "gov", "app", "dev")):
                said.append(self.g.acronym(part.upper()))
            else:
                said.append(part)
        return " ".join(said)

    def mixed(self, text: str) -> str:
        """ "B12", "2B", "A4": letters by name, figures as a number."""
        said: list[str] = []
        for part in re.findall(r"\d+|[^\W\d_]+|_", text):
            if part.isdecimal():
                said.append(self.g.digits(part) if len(part) > 3 or part[0] == "0" else self.g.cardinal(int(part)))
            elif part != "_":
                said.append(self.g.acronym(part.upper()) if len(part) <= 2 or part.isupper() else part)
        return " ".join(said)

    def capitals(self, text: str) -> str | None:
        """Initials are spelled when they cannot be a word: three at most, or no vowel."""
        if text.lower() in self.g.abbreviations:
            return self.g.abbreviations[text.lower()]
        if text in ("OK", "NON", "OUI", "YES", "NO", "NOT", "SI", "THE", "AND", "LE", "LA", "ET", "DE", "DU"):
            return None
        if len(text) <= 3 or not re.search("[AEIOUYÀ-Þ]", text):
            return self.g.acronym(text)
        return None
