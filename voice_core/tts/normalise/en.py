"""How English says figures: American dates and money, telephone numbers digit by digit.

Everything is written out in words, so that hibari's own expansion finds nothing left to do.
"""

from typing import ClassVar

from voice_core.tts.normalise.grammar import Currency, Gender, Grammar, Noun

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_SCALES = ((10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred"))
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_MONEY = {
    Currency.EUR: (Noun("euro", "euros"), "cents"),
    Currency.USD: (Noun("dollar", "dollars"), "cents"),
    Currency.MAD: (Noun("dirham", "dirhams"), "centimes"),
    Currency.GBP: (Noun("pound", "pounds"), "pence"),
}


class English(Grammar):
    """English, en-US."""

    code = "en"
    decimal_sign = "."
    months = ("January February March April May June July August September October November December").split()
    month_words: ClassVar = {
        **{name.lower(): n for n, name in enumerate(months, 1)},
        **{name.lower()[:3]: n for n, name in enumerate(months, 1) if name != "May"},
        "sept": 9,
    }
    abbreviations: ClassVar = {
        "dr.": "Doctor",
        "dr": "Doctor",
        "mr.": "Mister",
        "mr": "Mister",
        "mrs.": "Missus",
        "mrs": "Missus",
        "ms.": "Miz",
        "prof.": "Professor",
        "st.": "Saint",
        "ave.": "Avenue",
        "blvd.": "Boulevard",
        "rd.": "Road",
        "apt.": "apartment",
        "no.": "number",
        "tel.": "telephone",
        "ext.": "extension",
        "approx.": "approximately",
        "24/7": "twenty-four seven",
        "1/2": "one half",
        "1/4": "one quarter",
        "3/4": "three quarters",
        "etc.": "et cetera",
        "e.g.": "for example",
        "i.e.": "that is",
        "vs.": "versus",
        "vs": "versus",
        "min.": "minutes",
        "mon.": "Monday",
        "tue.": "Tuesday",
        "wed.": "Wednesday",
        "thu.": "Thursday",
        "fri.": "Friday",
        "sat.": "Saturday",
        "sun.": "Sunday",
        "inc.": "Incorporated",
        "ltd.": "Limited",
        "jr.": "Junior",
        "appt": "appointment",
        "appt.": "appointment",
    }
    units: ClassVar = {
        "km": Noun("kilometer", "kilometers"),
        "m": Noun("meter", "meters"),
        "cm": Noun("centimeter", "centimeters"),
        "mm": Noun("millimeter", "millimeters"),
        "kg": Noun("kilogram", "kilograms"),
        "g": Noun("gram", "grams"),
        "mg": Noun("milligram", "milligrams"),
        "l": Noun("liter", "liters"),
        "ml": Noun("milliliter", "milliliters"),
        "min": Noun("minute", "minutes"),
        "mins": Noun("minute", "minutes"),
        "hrs": Noun("hour", "hours"),
        "hr": Noun("hour", "hours"),
        "h": Noun("hour", "hours"),
        "s": Noun("second", "seconds"),
        "km/h": Noun("kilometer an hour", "kilometers an hour"),
        "°c": Noun("degree Celsius", "degrees Celsius"),
        "°": Noun("degree", "degrees"),
        "m²": Noun("square meter", "square meters"),
        "gb": Noun("gigabyte", "gigabytes"),
        "mb": Noun("megabyte", "megabytes"),
    }
    letters: ClassVar = {"A": "eh"}
    number_range = "to"
    at, dot, dash, underscore, slash = "at", "dot", "dash", "underscore", "slash"
    www, plus, percent, number_sign = "double you double you double you", "plus", "percent", "number"
    symbols: ClassVar = {
        "&": "and",
        "+": "plus",
        "=": "equals",
        "@": "at",
        "%": "percent",
        "€": "euros",
        "$": "dollars",
        "£": "pounds",
    }

    def cardinal(self, n: int, gender: Gender = Gender.MASCULINE) -> str:
        """American style without "and"."""
        if n < 20:
            return _ONES[n]
        if n < 100:
            return _TENS[n // 10 - 2] + (f"-{_ONES[n % 10]}" if n % 10 else "")
        for value, name in _SCALES:
            if n >= value:
                rest = n % value
                return f"{self.cardinal(n // value)} {name}" + (f" {self.cardinal(rest)}" if rest else "")
        return _ONES[0]

    def ordinal(self, n: int, gender: Gender = Gender.MASCULINE) -> str:
        """ "twenty-fourth"."""
        words = self.cardinal(n)
        cut = max(words.rfind(" "), words.rfind("-")) + 1
        last = words[cut:]
        if last in _ORDINALS:
            return words[:cut] + _ORDINALS[last]
        return words[:cut] + (last[:-1] + "ieth" if last.endswith("y") else last + "th")

    def counted(self, n: int, noun: Noun) -> str:
        """ "one meter", "two meters"."""
        return f"{self.cardinal(n)} {noun.one if n == 1 else noun.many}"

    def year(self, n: int) -> str:
        """ "nineteen oh five", "two thousand six", "twenty twenty-six"."""
        high, low = divmod(n, 100)
        if 2000 <= n < 2010 or (low == 0 and high % 10 == 0):
            return self.cardinal(n)
        if low == 0:
            return f"{self.cardinal(high)} hundred"
        return f"{self.cardinal(high)} {'oh ' if low < 10 else ''}{self.cardinal(low)}"

    def clock(self, hour: int, minute: int, half: str) -> str:
        """ "ten o'clock", "six thirty p.m."; 24-hour times become 12-hour ones."""
        if not half and hour in (0, 24) and not minute:
            return "midnight"
        if not half and hour >= 13:
            hour, half = hour - 12, "pm" if hour < 24 else "am"
        said = self.cardinal(hour or 12)
        if minute:
            said += f" {'oh ' if minute < 10 else ''}{self.cardinal(minute)}"
        if half:
            return f"{said} {half[0]}.m."
        return said if minute else f"{said} o'clock"

    def date(self, day: int, month: int, year: int | None) -> str:
        """ "November twenty-fourth, twenty twenty-six"."""
        said = f"{self.months[month - 1]} {self.ordinal(day)}"
        return f"{said}, {self.year(year)}" if year else said

    def money(self, whole: int, cents: int, currency: Currency) -> str:
        """ "forty-nine euros ninety", "fifty cents"."""
        noun, small = _MONEY[currency]
        if not whole and cents:
            return f"{self.cardinal(cents)} {small if cents > 1 else small.removesuffix('s')}"
        said = self.counted(whole, noun)
        return f"{said} and {self.cardinal(cents)} {small}" if cents else said

    def phone_group(self, digits: str) -> str:
        """Digit by digit."""
        return self.digits(digits)

    def phone_groups(self, digits: str) -> list[str]:
        """Three, three and four digits; other lengths by three."""
        if len(digits) == 10:
            return [digits[:3], digits[3:6], digits[6:]]
        return [digits[i : i + 3] for i in range(0, len(digits), 3)]

    @property
    def decimal_word(self) -> str:
        """ "point"."""
        return "point"

    def decimal(self, whole: int, fraction: str) -> str:
        """Digit by digit after the point."""
        return f"{self.cardinal(whole)} point {self.digits(fraction)}"
