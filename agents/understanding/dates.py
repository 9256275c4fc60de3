"""Days and times as callers say them: "Tuesday at ten", "demain après-midi", "le 24 à 14h30".

A focused parser, because a turn must be answered within milliseconds and general date parsers do not
read half of this (one reads "Tuesday at ten" as the 22nd of last month). Patterns come from the
language pack, over text whose numbers have become figures. Called by `agents.understanding.understand`.
"""

import datetime as dt
import re
from functools import lru_cache

import msgspec

from agents.understanding.language_pack import Intent, LanguagePack, TimePattern, alternation, bounded
from agents.understanding.language_text import Words
from agents.understanding.numbers import in_figures

NIGHT_ENDS_HOUR = 7
"""Hours before it, said without am or pm, are meant in the afternoon."""


class Clock(msgspec.Struct, frozen=True):
    """A time as said. ambiguous: it may also be twelve hours later ("at two")."""

    hour: int
    minute: int = 0
    ambiguous: bool = False


class Window(msgspec.Struct, frozen=True):
    """Part of a day, local time, the end excluded."""

    start: dt.time
    end: dt.time

    def holds(self, time: dt.time) -> bool:
        """Whether the time lies in it."""
        return self.start <= time < self.end


class When(msgspec.Struct, frozen=True):
    """What a turn says about time; fields it does not mention are None.

    day: a date. until: last date when the turn names several ("next week": day..until). clock: a time.
    window: a part of the day, or "after four". earliest: as soon as possible. weekly: the day was named by
    its weekday alone, so that today may also mean in a week.
    """

    day: dt.date | None = None
    until: dt.date | None = None
    clock: Clock | None = None
    window: Window | None = None
    earliest: bool = False
    weekly: bool = False

    @property
    def said(self) -> bool:
        """Whether the turn mentions a day or a time at all."""
        return self != When()


def find_when(words: Words, pack: LanguagePack, today: dt.date, *, time_expected: bool = False) -> When:
    """Everything the turn says about time.

    time_expected: a time was asked for, so that "ten" alone is one.
    """
    text = in_figures(words, pack)
    day, until, weekly, rest = _find_day(text, pack, today)
    window = _part_of_day(text, pack)
    clock, window = _find_clock(rest, pack, window, time_expected=time_expected)
    earliest = bool(pack.find(pack.earliest, words.text))
    return When(day, until, clock, window, earliest, weekly)


def resolved(clock: Clock, windows: tuple[Window, ...]) -> dt.time:
    """The time meant: of the two readings of an ambiguous hour, the one that lies in a window."""
    said = dt.time(clock.hour % 24, clock.minute)
    if not clock.ambiguous or clock.hour >= 12:
        return said
    later = dt.time(clock.hour + 12, clock.minute)
    for time in (said, later):
        if any(window.holds(time) for window in windows):
            return time
    return later if clock.hour < NIGHT_ENDS_HOUR else said


def _find_day(text: str, pack: LanguagePack, today: dt.date) -> tuple[dt.date | None, dt.date | None, bool, str]:
    """Day, last day, whether only its weekday was said, and the text without the words that named it."""
    for pattern in _day_patterns(pack.day_patterns, pack.weekdays, pack.months):
        for found in pattern.finditer(text):
            day = _day_of(found, pack, today)
            if day is not None:
                exact = any(found.groupdict().get(part) for part in ("day", "count", "next", "week_later"))
                return day, None, not exact, _cut(text, found)
    found = bounded(alternation(pack.relative_days)).search(text)
    if found:
        return today + dt.timedelta(days=pack.relative_days[found.group()]), None, False, _cut(text, found)
    found = bounded(alternation(pack.weeks_ahead)).search(text)
    if found:
        monday = today - dt.timedelta(days=today.weekday()) + dt.timedelta(weeks=pack.weeks_ahead[found.group()])
        return max(monday, today), monday + dt.timedelta(days=6), False, _cut(text, found)
    return None, None, False, text


def _cut(text: str, found: re.Match[str]) -> str:
    return f"{text[: found.start()].rstrip()} | {text[found.end() :].lstrip()}"


def _day_of(found: re.Match[str], pack: LanguagePack, today: dt.date) -> dt.date | None:
    parts = found.groupdict()
    if parts.get("count"):
        unit_days = 7 if parts.get("unit") in pack.week_units else 1
        return today + dt.timedelta(days=unit_days * int(parts["count"]))
    weekday = _index(pack.weekdays, parts.get("weekday"))
    month = _index(pack.months, parts.get("month"))
    if month is None and parts.get("month_number"):
        month = int(parts["month_number"]) - 1
    if parts.get("day"):
        return _date(int(parts["day"]), month, weekday, today)
    if weekday is None:
        return None
    ahead = (weekday - today.weekday()) % 7
    if ahead == 0 and parts.get("next"):
        ahead = 7
    return today + dt.timedelta(days=ahead + (7 if parts.get("week_later") else 0))


def _date(day: int, month: int | None, weekday: int | None, today: dt.date) -> dt.date | None:
    """The next date with this day, month (0..11) and weekday; a weekday that never fits is misheard."""
    candidates: list[dt.date] = []
    for ahead in range(13):
        year, month_index = divmod(today.month - 1 + ahead, 12)
        if month is not None and month_index != month:
            continue
        try:
            date = dt.date(today.year + year, month_index + 1, day)
        except ValueError:
            continue
        if date >= today:
            candidates.append(date)
    near = candidates[:2]
    agreeing = [date for date in near if weekday is None or date.weekday() == weekday]
    return (agreeing or near or [None])[0]


def _index(groups: tuple[tuple[str, ...], ...], word: str | None) -> int | None:
    return next((i for i, words in enumerate(groups) if word in words), None) if word else None


def _part_of_day(text: str, pack: LanguagePack) -> Window | None:
    without_greeting = bounded(pack.intents[Intent.GREET]).sub("|", text)
    part = bounded(alternation(pack.day_parts)).search(without_greeting)
    if part is None:
        return None
    hours = pack.day_parts[part.group()]
    return Window(dt.time(hours.from_hour), dt.time(hours.to_hour))


def _find_clock(
    text: str, pack: LanguagePack, window: Window | None, *, time_expected: bool
) -> tuple[Clock | None, Window | None]:
    found = _best_time(text, pack, pack.time_patterns)
    if found is None and time_expected:
        found = _best_time(text, pack, pack.bare_time_patterns)
    if found is None:
        return None, window
    clock, start = found
    if window and clock.ambiguous:
        later = Clock(clock.hour + 12, clock.minute)
        fits = window.holds(dt.time(later.hour % 24, later.minute))
        clock = later if fits else Clock(clock.hour, clock.minute)
    before = text[:start].rstrip()
    for words, after in ((pack.after_words, True), (pack.before_words, False)):
        if re.search(rf"(?:^| )(?:{words})$", before):
            return None, _bound(clock, after=after)
    return clock, None


def _bound(clock: Clock, *, after: bool) -> Window:
    """ "After four": an ambiguous hour before seven is in the afternoon."""
    time = resolved(clock, ())
    return Window(time, dt.time.max) if after else Window(dt.time.min, time)


def _best_time(text: str, pack: LanguagePack, patterns: tuple[TimePattern, ...]) -> tuple[Clock, int] | None:
    """The longest match, the first of equals, and where its hour stands."""
    best: tuple[int, int, TimePattern, re.Match[str]] | None = None
    for pattern in patterns:
        for found in _time_regex(pattern.pattern).finditer(text):
            rank = (found.end() - found.start(), -found.start())
            if best is None or rank > best[:2]:
                best = (*rank, pattern, found)
    if best is None:
        return None
    clock = _clock_of(best[3], best[2])
    found = best[3]
    return None if clock is None else (clock, found.start("h") if "h" in found.groupdict() else found.start())


def _clock_of(found: re.Match[str], pattern: TimePattern) -> Clock | None:
    parts = found.groupdict()
    said = parts.get("h") or ""
    hour = int(said) if pattern.hour is None else pattern.hour
    minute = int(parts.get("m") or 0)
    if pattern.half == "pm" and hour < 12:
        hour += 12
    if pattern.half == "am" and hour == 12:
        hour = 0
    total = hour * 60 + pattern.sign * minute + pattern.minutes
    if minute > 59 or not 0 <= total < 24 * 60:
        return None
    exact = pattern.hour is not None or hour > 12 or said.startswith("0") or bool(pattern.half)
    return Clock(total // 60, total % 60, ambiguous=not exact and total < 12 * 60)


@lru_cache(maxsize=256)
def _time_regex(pattern: str) -> re.Pattern[str]:
    filled = pattern.replace("{h}", r"(?P<h>[01]?\d|2[0-4])").replace("{m}", r"(?P<m>[0-5]?\d)")
    return bounded(filled)


_Spellings = tuple[tuple[str, ...], ...]


@lru_cache(maxsize=8)
def _day_patterns(patterns: tuple[str, ...], weekdays: _Spellings, months: _Spellings) -> tuple[re.Pattern[str], ...]:
    weekday = "|".join(word for words in weekdays for word in words)
    month = "|".join(word for words in months for word in words)
    filled = (
        pattern.replace("{weekday}", f"(?P<weekday>{weekday})")
        .replace("{month}", f"(?P<month>{month})")
        .replace("{month_number}", r"(?P<month_number>0?[1-9]|1[0-2])")
        .replace("{day}", r"(?P<day>0?[1-9]|[12]\d|3[01])")
        .replace("{count}", r"(?P<count>\d{1,2})")
        for pattern in patterns
    )
    return tuple(bounded(pattern) for pattern in filled)
