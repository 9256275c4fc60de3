"""How Spanish says figures: 12-hour times with the part of the day, "veintiún euros", digits in threes."""

from typing import ClassVar

from voice_core.tts.normalise.grammar import Currency, Gender, Grammar, Noun

_ONES = (
    "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis diecisiete "
    "dieciocho diecinueve veinte veintiuno veintidós veintitrés veinticuatro veinticinco veintiséis veintisiete "
    "veintiocho veintinueve"
).split()
_TENS = {3: "treinta", 4: "cuarenta", 5: "cincuenta", 6: "sesenta", 7: "setenta", 8: "ochenta", 9: "noventa"}
_HUNDREDS = (
    " ciento doscientos trescientos cuatrocientos quinientos seiscientos setecientos ochocientos novecientos"
).split(" ")
_ORDINALS = " primero segundo tercero cuarto quinto sexto séptimo octavo noveno décimo".split(" ")
_MONEY = {
    Currency.EUR: (Noun("euro", "euros"), Noun("céntimo", "céntimos")),
    Currency.USD: (Noun("dólar", "dólares"), Noun("centavo", "centavos")),
    Currency.MAD: (Noun("dírham", "dírhams"), Noun("céntimo", "céntimos")),
    Currency.GBP: (Noun("libra", "libras", Gender.FEMININE), Noun("penique", "peniques")),
}


class Spanish(Grammar):
    """Spanish, es-ES."""

    code = "es"
    decimal_sign = ","
    months = "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre".split()
    month_words: ClassVar = {
        **{name: n for n, name in enumerate(months, 1)},
        "ene": 1,
        "feb": 2,
        "abr": 4,
        "ago": 8,
        "sept": 9,
        "sep": 9,
        "oct": 10,
        "nov": 11,
        "dic": 12,
    }
    abbreviations: ClassVar = {
        "dr.": "Doctor",
        "dra.": "Doctora",
        "sr.": "Señor",
        "sra.": "Señora",
        "srta.": "Señorita",
        "d.": "Don",
        "dña.": "Doña",
        "ud.": "usted",
        "uds.": "ustedes",
        "av.": "avenida",
        "avda.": "avenida",
        "c/": "calle",
        "pza.": "plaza",
        "núm.": "número",
        "n.º": "número",
        "tel.": "teléfono",
        "tfno.": "teléfono",
        "etc.": "etcétera",
        "p.ej.": "por ejemplo",
        "min.": "minutos",
        "máx.": "máximo",
        "mín.": "mínimo",
        "aprox.": "aproximadamente",
        "lun.": "lunes",
        "mar.": "martes",
        "mié.": "miércoles",
        "jue.": "jueves",
        "vie.": "viernes",
        "sáb.": "sábado",
        "dom.": "domingo",
    }
    units: ClassVar = {
        "km": Noun("kilómetro", "kilómetros"),
        "m": Noun("metro", "metros"),
        "cm": Noun("centímetro", "centímetros"),
        "mm": Noun("milímetro", "milímetros"),
        "kg": Noun("kilo", "kilos"),
        "g": Noun("gramo", "gramos"),
        "mg": Noun("miligramo", "miligramos"),
        "l": Noun("litro", "litros"),
        "ml": Noun("mililitro", "mililitros"),
        "min": Noun("minuto", "minutos"),
        "s": Noun("segundo", "segundos"),
        "minutos": Noun("minuto", "minutos"),
        "horas": Noun("hora", "horas", Gender.FEMININE),
        "km/h": Noun("kilómetro por hora", "kilómetros por hora"),
        "personas": Noun("persona", "personas", Gender.FEMININE),
        "°c": Noun("grado", "grados"),
        "°": Noun("grado", "grados"),
        "m²": Noun("metro cuadrado", "metros cuadrados"),
        "gb": Noun("giga", "gigas"),
        "mb": Noun("mega", "megas"),
    }
    letters: ClassVar = {"Y": "i griega", "W": "uve doble", "V": "uve", "B": "be", "H": "hache"}
    number_range = "a"
    at, dot, dash, underscore, slash = "arroba", "punto", "guion", "guion bajo", "barra"
    www, plus, percent, number_sign = "uve doble uve doble uve doble", "más", "por ciento", "número"
    symbols: ClassVar = {
        "&": "y",
        "+": "más",
        "=": "igual a",
        "@": "arroba",
        "%": "por ciento",
        "€": "euros",
        "$": "dólares",
        "£": "libras",
    }

    def cardinal(self, n: int, gender: Gender = Gender.MASCULINE) -> str:
        """ "veintiuno", "treinta y una", "quinientas"."""
        if n < 30:
            words = _ONES[n]
        elif n < 100:
            ten, unit = divmod(n, 10)
            words = f"{_TENS[ten]} y {_ONES[unit]}" if unit else _TENS[ten]
        elif n == 100:
            return "cien"
        elif n < 1000:
            hundreds, rest = divmod(n, 100)
            head = _HUNDREDS[hundreds]
            if gender is Gender.FEMININE and head.endswith("os"):
                head = head[:-2] + "as"
            return f"{head} {self.cardinal(rest, gender)}" if rest else head
        elif n < 10**6:
            count, rest = divmod(n, 1000)
            head = "mil" if count == 1 else f"{self._before_noun(count, gender)} mil"
            return f"{head} {self.cardinal(rest, gender)}" if rest else head
        else:
            count, rest = divmod(n, 10**6)
            head = "un millón" if count == 1 else f"{self._before_noun(count, Gender.MASCULINE)} millones"
            return f"{head} {self.cardinal(rest, gender)}" if rest else head
        return words[:-1] + "a" if gender is Gender.FEMININE and words.endswith("uno") else words

    def _before_noun(self, n: int, gender: Gender) -> str:
        """Apocope: "un", "veintiún", "treinta y un"."""
        words = self.cardinal(n, gender)
        if words.endswith("veintiuno"):
            return words.removesuffix("uno") + "ún"
        return words.removesuffix("o") if words.endswith("uno") else words

    def ordinal(self, n: int, gender: Gender = Gender.MASCULINE) -> str:
        """To the tenth; later floors and days are said as numbers in Spanish."""
        if not 1 <= n <= 10:
            return self.cardinal(n, gender)
        return _ORDINALS[n][:-1] + "a" if gender is Gender.FEMININE else _ORDINALS[n]

    def counted(self, n: int, noun: Noun) -> str:
        """ "un euro", "veintiuna horas"."""
        of = "de " if n >= 10**6 and n % 10**6 == 0 else ""
        return f"{self._before_noun(n, noun.gender)} {of}{noun.one if n == 1 else noun.many}"

    def clock(self, hour: int, minute: int, half: str) -> str:
        """ "diez y media", "seis y cuarto de la tarde"."""
        if half == "pm" and hour < 12:
            hour += 12
        part = ""
        if half == "am":
            part = " de la mañana"
        elif hour in (0, 24):
            part = " de la noche"
        elif hour >= 13:
            part = " de la tarde" if hour < 21 else " de la noche"
        said = self.cardinal((hour - 1) % 12 + 1, Gender.FEMININE)
        minutes = {0: "", 15: " y cuarto", 30: " y media"}.get(minute, f" y {self.cardinal(minute)}")
        return said + minutes + part

    def date(self, day: int, month: int, year: int | None) -> str:
        """ "veinticuatro de noviembre de dos mil veintiséis"."""
        said = f"{'primero' if day == 1 else self.cardinal(day)} de {self.months[month - 1]}"
        return f"{said} de {self.year(year)}" if year else said

    def money(self, whole: int, cents: int, currency: Currency) -> str:
        """ "cuarenta y nueve euros con noventa", "cincuenta céntimos"."""
        noun, small = _MONEY[currency]
        if not whole and cents:
            return self.counted(cents, small)
        said = self.counted(whole, noun)
        return f"{said} con {self.cardinal(cents)}" if cents else said

    def phone_group(self, digits: str) -> str:
        """Digit by digit."""
        return self.digits(digits)

    def phone_groups(self, digits: str) -> list[str]:
        """By three, as Spanish numbers are written."""
        return [digits[i : i + 3] for i in range(0, len(digits), 3)]

    @property
    def decimal_word(self) -> str:
        """ "coma"."""
        return "coma"
