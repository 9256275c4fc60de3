"""How French says figures: telephone numbers by pairs, 24-hour times, the first of a month as an ordinal."""

from typing import ClassVar

from voice_core.tts.normalise.grammar import Currency, Gender, Grammar, Noun

_ONES = (
    "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dix-sept "
    "dix-huit dix-neuf"
).split()
_TENS = {
    2: "vingt",
    3: "trente",
    4: "quarante",
    5: "cinquante",
    6: "soixante",
    7: "soixante",
    8: "quatre-vingt",
    9: "quatre-vingt",
}
_MONEY = {
    Currency.EUR: Noun("euro", "euros"),
    Currency.USD: Noun("dollar", "dollars"),
    Currency.MAD: Noun("dirham", "dirhams"),
    Currency.GBP: Noun("livre", "livres", Gender.FEMININE),
}


class French(Grammar):
    """French, fr-FR."""

    code = "fr"
    decimal_sign = ","
    months = "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split()
    month_words: ClassVar = {
        **{name: n for n, name in enumerate(months, 1)},
        "janv": 1,
        "févr": 2,
        "fév": 2,
        "avr": 4,
        "juil": 7,
        "sept": 9,
        "oct": 10,
        "nov": 11,
        "déc": 12,
    }
    abbreviations: ClassVar = {
        "dr.": "Docteur",
        "dr": "Docteur",
        "m.": "Monsieur",
        "mm.": "Messieurs",
        "mme": "Madame",
        "mme.": "Madame",
        "mmes": "Mesdames",
        "mlle": "Mademoiselle",
        "mlle.": "Mademoiselle",
        "me": "Maître",
        "pr": "Professeur",
        "pr.": "Professeur",
        "bd": "boulevard",
        "bd.": "boulevard",
        "av.": "avenue",
        "st": "Saint",
        "st.": "Saint",
        "ste": "Sainte",
        "tél.": "téléphone",
        "tél": "téléphone",
        "rdv": "rendez-vous",
        "etc.": "et cætera",
        "svp": "s'il vous plaît",
        "min.": "minutes",
        "env.": "environ",
        "ex.": "exemple",
        "p.ex.": "par exemple",
        "c.-à-d.": "c'est-à-dire",
        "max.": "maximum",
        "n°": "numéro",
        "nº": "numéro",
        "lun.": "lundi",
        "mar.": "mardi",
        "mer.": "mercredi",
        "jeu.": "jeudi",
        "ven.": "vendredi",
        "sam.": "samedi",
        "dim.": "dimanche",
        "1/2": "un demi",
        "24h/24": "vingt-quatre heures sur vingt-quatre",
        "7j/7": "sept jours sur sept",
    }
    units: ClassVar = {
        "km": Noun("kilomètre", "kilomètres"),
        "m": Noun("mètre", "mètres"),
        "cm": Noun("centimètre", "centimètres"),
        "mm": Noun("millimètre", "millimètres"),
        "kg": Noun("kilo", "kilos"),
        "g": Noun("gramme", "grammes"),
        "mg": Noun("milligramme", "milligrammes"),
        "l": Noun("litre", "litres"),
        "ml": Noun("millilitre", "millilitres"),
        "min": Noun("minute", "minutes", Gender.FEMININE),
        "mn": Noun("minute", "minutes", Gender.FEMININE),
        "s": Noun("seconde", "secondes", Gender.FEMININE),
        "heures": Noun("heure", "heures", Gender.FEMININE),
        "minutes": Noun("minute", "minutes", Gender.FEMININE),
        "km/h": Noun("kilomètre heure", "kilomètres heure"),
        "°c": Noun("degré", "degrés"),
        "°": Noun("degré", "degrés"),
        "m²": Noun("mètre carré", "mètres carrés"),
        "personnes": Noun("personne", "personnes", Gender.FEMININE),
        "go": Noun("giga-octet", "giga-octets"),
        "mo": Noun("méga-octet", "méga-octets"),
    }
    letters: ClassVar = {"Y": "i grec", "W": "double v"}
    number_range = "à"
    at, dot, dash, underscore, slash = "arobase", "point", "tiret", "tiret bas", "slash"
    www, plus, percent, number_sign = "trois double v", "plus", "pour cent", "numéro"
    symbols: ClassVar = {
        "&": "et",
        "+": "plus",
        "=": "égale",
        "@": "arobase",
        "%": "pour cent",
        "€": "euros",
        "$": "dollars",
        "£": "livres",
    }

    def cardinal(self, n: int, gender: Gender = Gender.MASCULINE) -> str:
        """ "soixante et onze", "quatre-vingts", "deux cents"."""
        if n < 100:
            return self._below_hundred(n, gender)
        if n < 1000:
            hundreds, rest = divmod(n, 100)
            head = "cent" if hundreds == 1 else f"{_ONES[hundreds]} cent"
            if not rest:
                return head if hundreds == 1 else head + "s"
            return f"{head} {self._below_hundred(rest, gender)}"
        for value, name in ((10**9, "milliard"), (10**6, "million")):
            if n >= value:
                count, rest = divmod(n, value)
                head = f"{self.cardinal(count)} {name}{'s' if count > 1 else ''}"
                return f"{head} {self.cardinal(rest, gender)}" if rest else head
        count, rest = divmod(n, 1000)
        head = (
            "mille"
            if count == 1
            else f"{self.cardinal(count).removesuffix('s') if count % 100 in (0, 80) else self.cardinal(count)} mille"
        )
        return f"{head} {self.cardinal(rest, gender)}" if rest else head

    def _below_hundred(self, n: int, gender: Gender) -> str:
        one = "une" if gender is Gender.FEMININE else "un"
        if n == 1:
            return one
        if n < 20:
            return _ONES[n]
        ten, unit = divmod(n, 10)
        if ten in (7, 9):
            unit += 10
        if n == 80:
            return "quatre-vingts"
        if not unit:
            return _TENS[ten]
        said = one if unit == 1 else _ONES[unit]
        return f"{_TENS[ten]} et {said}" if unit in (1, 11) and ten < 8 else f"{_TENS[ten]}-{said}"

    def ordinal(self, n: int, gender: Gender = Gender.MASCULINE) -> str:
        """ "premier", "première", "vingt et unième"."""
        if n == 1:
            return "première" if gender is Gender.FEMININE else "premier"
        words = self.cardinal(n)
        if words.endswith("cinq"):
            return words + "uième"
        if words.endswith("neuf"):
            return words[:-1] + "vième"
        if words.endswith(("cents", "vingts")):
            words = words[:-1]
        return words.removesuffix("e") + "ième"

    def counted(self, n: int, noun: Noun) -> str:
        """Plural from two on; "une minute"; "deux millions d'euros"."""
        said = self.cardinal(n, noun.gender)
        if said.endswith(("million", "millions", "milliard", "milliards")):
            return f"{said} d'{noun.many}" if noun.many[0] in "aeiouh" else f"{said} de {noun.many}"
        return f"{said} {noun.one if n < 2 else noun.many}"

    def clock(self, hour: int, minute: int, half: str) -> str:
        """ "neuf heures trente", "midi", "dix-huit heures"."""
        if half == "pm" and hour < 12:
            hour += 12
        if hour in (0, 24):
            return f"minuit {self.cardinal(minute)}" if minute else "minuit"
        if hour == 12:
            return f"midi {self.cardinal(minute)}" if minute else "midi"
        said = f"{self.cardinal(hour, Gender.FEMININE)} {'heure' if hour == 1 else 'heures'}"
        return f"{said} {self.cardinal(minute)}" if minute else said

    def date(self, day: int, month: int, year: int | None) -> str:
        """ "premier mai deux mille vingt-six"."""
        said = f"{'premier' if day == 1 else self.cardinal(day)} {self.months[month - 1]}"
        return f"{said} {self.year(year)}" if year else said

    def money(self, whole: int, cents: int, currency: Currency) -> str:
        """ "quarante-neuf euros quatre-vingt-dix", "cinquante centimes"."""
        if not whole and cents:
            return f"{self.cardinal(cents)} centime{'s' if cents > 1 else ''}"
        said = self.counted(whole, _MONEY[currency])
        return f"{said} {self.cardinal(cents)}" if cents else said

    def phone_group(self, digits: str) -> str:
        """A pair: "zéro six", "soixante-dix-huit"."""
        zeros = len(digits) - len(digits.lstrip("0"))
        rest = [self.cardinal(int(digits))] if zeros < len(digits) else []
        return " ".join(["zéro"] * zeros + rest)

    def phone_groups(self, digits: str) -> list[str]:
        """Pairs, a single digit first when their number is odd (after a country code)."""
        odd = len(digits) % 2
        return ([digits[:1]] if odd else []) + [digits[i : i + 2] for i in range(odd, len(digits), 2)]

    @property
    def decimal_word(self) -> str:
        """ "virgule"."""
        return "virgule"
