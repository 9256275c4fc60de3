"""Days, times, money and lists, written so that the voice says them the way people do.

Figures stay figures ("10 a.m.", "€65", "06 12 34 56 78"): the voice's own rules turn them into words.
Called by the planners of `agents.dialogue`.
"""

import datetime as dt
from collections.abc import Sequence

from agents.dialogue.wording import Wording
from agents.understanding.language_pack import LanguagePack
from agents.understanding.language_text import plain
from agents.understanding.phones import spoken_phone
from context.tenants.config import OpeningHours

_SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£", "MAD": "MAD"}

_DOTTED_HALVES = ("a.m.", "p.m.")


class SpokenForms:
    """The forms of one language, on the tenant's calendar."""

    def __init__(self, wording: Wording, pack: LanguagePack, country: str, currency: str) -> None:
        self._forms = wording.forms
        self._pack = pack
        self._country = country
        self._symbol = _SYMBOLS.get(currency, currency)

    def time(self, time: dt.time) -> str:
        """ "10 a.m.", "10h30", "noon"."""
        forms = self._forms
        if (time.hour, time.minute) == (12, 0):
            return forms.noon
        half_days = forms.clock == "half_days"
        pattern = forms.hour_minute if time.minute else forms.hour
        hour = (time.hour % 12 or 12) if half_days else time.hour
        return pattern.format(hour=hour, minute=f"{time.minute:02}", half=_DOTTED_HALVES[time.hour >= 12])

    def day(self, day: dt.date, today: dt.date) -> str:
        """Today, tomorrow, or the full date: "Tuesday 24 November"."""
        if day == today:
            return self._forms.today
        if day == today + dt.timedelta(days=1):
            return self._forms.tomorrow
        return self.date(day)

    def on_day(self, day: dt.date, today: dt.date) -> str:
        """The day with its preposition: "on Saturday", "today"; the date when it is a week away or more."""
        if day - today <= dt.timedelta(days=1):
            return self.day(day, today)
        name = self._forms.weekdays[day.weekday()] if (day - today).days < 7 else self.date(day)
        return self._forms.on_day.format(day=name)

    def on_weekday(self, day: dt.date) -> str:
        """ "on Saturday", for a day that the caller named so."""
        return self._forms.on_day.format(day=self.weekday(day))

    def date(self, day: dt.date) -> str:
        """ "Tuesday 24 November", whatever today is: for what is read back."""
        forms = self._forms
        number = forms.first_of_month if day.day == 1 else str(day.day)
        return forms.date.format(weekday=forms.weekdays[day.weekday()], day=number, month=forms.months[day.month - 1])

    def slot(self, start: dt.datetime) -> str:
        """ "on Tuesday 24 November at 10 a.m.", for what is read back."""
        day = self._forms.on_day.format(day=self.date(start.date()))
        return f"{day} {self._forms.at.format(time=self.time(start.time()))}"

    def offer(self, start: dt.datetime, today: dt.date) -> str:
        """ "tomorrow at 10 a.m.", for what is offered."""
        day = self.weekday(start.date()) if 1 < (start.date() - today).days < 7 else self.day(start.date(), today)
        return f"{day} {self._forms.at.format(time=self.time(start.time()))}"

    def offers(self, starts: Sequence[dt.datetime], today: dt.date) -> str:
        """Several starts in one breath: the day is said once for those that share it."""
        parts: list[str] = []
        last: dt.date | None = None
        for start in starts:
            at = self.time(start.time()) if start.date() == last else self.offer(start, today)
            parts.append(at)
            last = start.date()
        return self.either(parts)

    def weekday(self, day: dt.date) -> str:
        """ "Tuesday"."""
        return self._forms.weekdays[day.weekday()]

    def opening(self, hours: Sequence[OpeningHours]) -> str:
        """ "from 9 a.m. to 6 p.m."."""
        spans = [self._forms.span.format(start=self.time(h.opens), end=self.time(h.closes)) for h in hours]
        return self.both(spans)

    def weekday_run(self, first: int, last: int) -> str:
        """ "Monday to Friday", or one weekly day: "Saturdays". 0 is Monday."""
        forms = self._forms
        if first == last:
            return forms.on_day.format(day=forms.weekly[first])
        return forms.days.format(first=forms.weekdays[first], last=forms.weekdays[last])

    def money(self, amount: float) -> str:
        """ "€65", "49,90 €"."""
        whole = f"{amount:.0f}" if amount == int(amount) else f"{amount:.2f}".replace(".", self._forms.decimal)
        return self._forms.money.format(amount=whole, symbol=self._symbol)

    def phone(self, e164: str) -> str:
        """The number as people of the tenant's country write it."""
        return spoken_phone(e164, self._country)

    def digits(self, digits: str) -> str:
        """A part of a number, in pairs."""
        return " ".join(digits[i : i + 2] for i in range(0, len(digits), 2))

    def with_article(self, name: str) -> str:
        """ "a cleaning", "an implant", "une couronne"."""
        forms = self._forms
        head = plain(name).split(" ")[0]
        if self._pack.vowels_take_an:
            return f"{'an' if head[:1] in 'aeiou' else 'a'} {name}"
        feminine = bool(self._pack.feminine) and self._pack.find(self._pack.feminine, head) is not None
        return (forms.article_feminine if feminine else forms.article).format(name=name)

    def both(self, parts: Sequence[str]) -> str:
        """ "a, b and c"."""
        return _listed(parts, self._forms.and_)

    def either(self, parts: Sequence[str]) -> str:
        """ "a, b or c"."""
        return _listed(parts, self._forms.or_)

    def language_names(self, languages: Sequence[str]) -> str:
        """ "English and French"."""
        return self.both([self._forms.languages.get(code, code) for code in languages])


def _listed(parts: Sequence[str], joint: str) -> str:
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {joint} {parts[-1]}"
