"""How Moroccan Arabic says figures: its own numbers ("جوج", "ربعة"), "العشرة ونص", telephone numbers by pairs."""

from typing import ClassVar

from voice_core.tts.normalise.ar import Arabic
from voice_core.tts.normalise.grammar import Gender, Noun

_ONES = (
    "صفر,واحد,جوج,تلاتة,ربعة,خمسة,ستة,سبعة,تمنية,تسعود,عشرة,حضاش,طناش,تلطاش,ربعطاش,خمسطاش,سطاش,سبعطاش,تمنطاش,تسعطاش"
).split(",")
_TENS = " , ,عشرين,تلاتين,ربعين,خمسين,ستين,سبعين,تمانين,تسعين".split(",")
_HUNDREDS = " ,مية,ميتين,تلتمية,ربعمية,خمسمية,ستمية,سبعمية,تمنمية,تسعمية".split(",")
_HOURS = " ,الوحدة,الجوج,التلاتة,الربعة,الخمسة,الستة,السبعة,التمنية,التسعود,العشرة,الحضاش,الطناش".split(",")


class Darija(Arabic):
    """Moroccan Arabic, ar-MA, written in Arabic letters."""

    code = "ary"
    decimal_sign = ","
    months = "يناير فبراير مارس أبريل ماي يونيو يوليوز غشت شتنبر أكتوبر نونبر دجنبر".split()
    number_range = "حتى ل"
    at, dash, slash = "أروباز", "تيري", "على"
    percent, number_sign = "فالمية", "نمرة"
    units: ClassVar = {
        **Arabic.units,
        "دقيقة": Noun("دقيقة", "دقايق", Gender.FEMININE),
        "دقائق": Noun("دقيقة", "دقايق", Gender.FEMININE),
        "min": Noun("دقيقة", "دقايق", Gender.FEMININE),
    }

    def cardinal(self, n: int, gender: Gender = Gender.MASCULINE) -> str:
        """ "تنين وعشرين": two has another form in compounds."""
        if n < 20:
            return _ONES[n]
        if n < 100:
            ten, unit = divmod(n, 10)
            return f"{'تنين' if unit == 2 else _ONES[unit]} و{_TENS[ten]}" if unit else _TENS[ten]
        if n < 1000:
            return self._joined(_HUNDREDS[n // 100], n % 100)
        if n < 10**6:
            return self._joined(self._scaled(n // 1000, "ألف", "ألفين", "آلاف"), n % 1000)
        return self._joined(self._scaled(n // 10**6, "مليون", "جوج مليون", "مليون"), n % 10**6)

    def counted(self, n: int, noun: Noun) -> str:
        """ "جوج دقايق", "عشرين دقيقة"."""
        if n == 1:
            return f"{noun.one} {'وحدة' if noun.gender is Gender.FEMININE else 'واحد'}"
        return f"{self.cardinal(n)} {noun.many if 2 <= n <= 10 else noun.one}"

    def clock(self, hour: int, minute: int, half: str) -> str:
        """ "العشرة ونص", "الستة دالعشية"."""
        if half == "pm" and hour < 12:
            hour += 12
        part = " دالصباح" if half == "am" else " دالعشية" if hour >= 13 else ""
        said = _HOURS[(hour - 1) % 12 + 1]
        said += {0: "", 15: " وربع", 30: " ونص"}.get(minute, f" و{self.counted(minute, self.units['دقيقة'])}")
        return said + part

    def phone_group(self, digits: str) -> str:
        """A pair: "صفر ستة", "تمنية وسبعين"."""
        zeros = len(digits) - len(digits.lstrip("0"))
        rest = [self.cardinal(int(digits))] if zeros < len(digits) else []
        return " ".join([_ONES[0]] * zeros + rest)

    def phone_groups(self, digits: str) -> list[str]:
        """Pairs, a single digit first when their number is odd (after a country code)."""
        odd = len(digits) % 2
        return ([digits[:1]] if odd else []) + [digits[i : i + 2] for i in range(odd, len(digits), 2)]
