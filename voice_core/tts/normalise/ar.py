"""How Modern Standard Arabic says figures, in the pausal forms of speech ("خمسة وستين").

Times use the feminine ordinal of the hour with the part of the day; telephone numbers are read digit by digit.
"""

from typing import ClassVar

from voice_core.tts.normalise.grammar import Currency, Gender, Grammar, Noun

_ONES = (
    "صفر,واحد,اثنان,ثلاثة,أربعة,خمسة,ستة,سبعة,ثمانية,تسعة,عشرة,أحد عشر,اثنا عشر,ثلاثة عشر,أربعة عشر,خمسة عشر,"
    "ستة عشر,سبعة عشر,ثمانية عشر,تسعة عشر"
).split(",")
_TENS = " , ,عشرين,ثلاثين,أربعين,خمسين,ستين,سبعين,ثمانين,تسعين".split(",")
_HUNDREDS = " ,مئة,مئتين,ثلاثمئة,أربعمئة,خمسمئة,ستمئة,سبعمئة,ثمانمئة,تسعمئة".split(",")
_ORDINALS = " ,الأول,الثاني,الثالث,الرابع,الخامس,السادس,السابع,الثامن,التاسع,العاشر,الحادي عشر,الثاني عشر".split(",")
_HOURS = (
    " ,الواحدة,الثانية,الثالثة,الرابعة,الخامسة,السادسة,السابعة,الثامنة,التاسعة,العاشرة,الحادية عشرة,الثانية عشرة"
).split(",")
_MONEY = {
    Currency.EUR: (Noun("يورو", "يورو"), "سنت"),
    Currency.USD: (Noun("دولار", "دولارات"), "سنت"),
    Currency.MAD: (Noun("درهم", "دراهم"), "سنتيم"),
    Currency.GBP: (Noun("جنيه", "جنيهات"), "بنس"),
}


class Arabic(Grammar):
    """Modern Standard Arabic, ar-SA."""

    code = "ar"
    decimal_sign = "."
    months = "يناير فبراير مارس أبريل مايو يونيو يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر".split()
    month_words: ClassVar = {
        **{name: n for n, name in enumerate(months, 1)},
        "ماي": 5,
        "يوليوز": 7,
        "غشت": 8,
        "شتنبر": 9,
        "نونبر": 11,
        "دجنبر": 12,
    }
    abbreviations: ClassVar = {
        "د.": "الدكتور",
        "أ.": "الأستاذ",
        "م.": "المهندس",
        "إلخ": "إلى آخره",
        "ص.ب": "صندوق البريد",
        "ت.": "هاتف",
    }
    units: ClassVar = {
        "كم": Noun("كيلومتر", "كيلومترات"),
        "km": Noun("كيلومتر", "كيلومترات"),
        "سم": Noun("سنتيمتر", "سنتيمترات"),
        "م": Noun("متر", "أمتار"),
        "كغ": Noun("كيلوغرام", "كيلوغرامات"),
        "kg": Noun("كيلوغرام", "كيلوغرامات"),
        "غ": Noun("غرام", "غرامات"),
        "مل": Noun("ملليلتر", "ملليلترات"),
        "دقيقة": Noun("دقيقة", "دقائق", Gender.FEMININE),
        "دقائق": Noun("دقيقة", "دقائق", Gender.FEMININE),
        "د": Noun("دقيقة", "دقائق", Gender.FEMININE),
        "°": Noun("درجة", "درجات", Gender.FEMININE),
        "min": Noun("دقيقة", "دقائق", Gender.FEMININE),
    }
    number_range = "إلى"
    at, dot, dash, underscore, slash = "آت", "نقطة", "شرطة", "شرطة سفلية", "على"
    www, plus, percent, number_sign = "دبليو دبليو دبليو", "زائد", "بالمئة", "رقم"
    symbols: ClassVar = {
        "&": "و",
        "+": "زائد",
        "=": "يساوي",
        "@": "آت",
        "%": "بالمئة",
        "€": "يورو",
        "$": "دولار",
        "£": "جنيه",
    }

    def cardinal(self, n: int, gender: Gender = Gender.MASCULINE) -> str:
        """ "خمسة وستين"; the counting form, whatever is counted."""
        if n < 20:
            return _ONES[n]
        if n < 100:
            ten, unit = divmod(n, 10)
            return f"{_ONES[unit]} و{_TENS[ten]}" if unit else _TENS[ten]
        if n < 1000:
            return self._joined(_HUNDREDS[n // 100], n % 100)
        if n < 10**6:
            return self._joined(self._scaled(n // 1000, "ألف", "ألفين", "آلاف"), n % 1000)
        return self._joined(self._scaled(n // 10**6, "مليون", "مليونين", "ملايين"), n % 10**6)

    def _joined(self, head: str, rest: int) -> str:
        return f"{head} و{self.cardinal(rest)}" if rest else head

    def _scaled(self, count: int, one: str, two: str, few: str) -> str:
        """One, a pair, three to ten, more: each has its form."""
        if count <= 2:
            return one if count == 1 else two
        return f"{self.cardinal(count)} {few if count <= 10 else one}"

    def ordinal(self, n: int, gender: Gender = Gender.MASCULINE) -> str:
        """To the twelfth; then the number."""
        if not 1 <= n <= 12:
            return self.cardinal(n)
        return _HOURS[n] if gender is Gender.FEMININE and n > 1 else _ORDINALS[n]

    def counted(self, n: int, noun: Noun) -> str:
        """Noun before one, plural from three to ten, singular after."""
        if n == 1:
            return f"{noun.one} {'واحدة' if noun.gender is Gender.FEMININE else 'واحد'}"
        return f"{self.cardinal(n)} {noun.many if 3 <= n % 100 <= 10 else noun.one}"

    def clock(self, hour: int, minute: int, half: str) -> str:
        """ "العاشرة والنصف صباحا"."""
        if half == "pm" and hour < 12:
            hour += 12
        named = half != "" or hour >= 13
        part = "صباحا" if hour < 12 else "ظهرا" if hour == 12 else "بعد الظهر" if hour < 18 else "مساء"
        said = _HOURS[(hour - 1) % 12 + 1]
        said += {0: "", 15: " والربع", 30: " والنصف"}.get(minute, f" و{self.counted(minute, self.units['دقيقة'])}")
        return f"{said} {part}" if named else said

    def date(self, day: int, month: int, year: int | None) -> str:
        """ "أربعة وعشرين نوفمبر"."""
        said = f"{'فاتح' if day == 1 and self.code == 'ary' else self.cardinal(day)} {self.months[month - 1]}"
        return f"{said} {self.year(year)}" if year else said

    def money(self, whole: int, cents: int, currency: Currency) -> str:
        """ "تسعة وأربعين يورو وتسعين سنت"."""
        noun, small = _MONEY[currency]
        if not whole and cents:
            return f"{self.cardinal(cents)} {small}"
        said = self.counted(whole, noun)
        return f"{said} و{self.cardinal(cents)} {small}" if cents else said

    def phone_group(self, digits: str) -> str:
        """Digit by digit."""
        return self.digits(digits)

    def phone_groups(self, digits: str) -> list[str]:
        """By three."""
        return [digits[i : i + 3] for i in range(0, len(digits), 3)]

    @property
    def decimal_word(self) -> str:
        """ "فاصلة"."""
        return "فاصلة"
