"""Finding a start: the one that was asked for, or the nearest ones that the desk still has.

The desk alone decides what is free; this module asks it, explains why a wish cannot be met and picks
two or three starts, which is what a caller can keep in mind. Called by `agents.dialogue.booking`.
"""

import datetime as dt

import msgspec

from agents.dialogue.setting import Setting
from agents.dialogue.state import DialogueState, Draft
from agents.understanding.dates import Window, resolved

OFFERED = 2
"""Starts offered instead of one that was refused."""

OFFERED_OF_DAY = 3
"""Starts offered for a day without a time."""

SEARCH_DAYS = 14
"""How far ahead another day is looked for."""


class Search(msgspec.Struct, frozen=True):
    """start: the one asked for, free. Else offered: other free starts, and why: sentences on the refusal."""

    start: dt.datetime | None = None
    offered: tuple[dt.datetime, ...] = ()
    why: tuple[str, ...] = ()


class Availability:
    """Looks for starts on the desk; reads only."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting

    async def search(self, state: DialogueState, draft: Draft) -> Search:
        """Free starts for the wish in `draft`, which names a service and a day, days or "the earliest"."""
        if draft.day is None or draft.until is not None or (draft.earliest and draft.clock is None):
            return await self._within_days(state, draft)
        if draft.clock is None:
            return await self._on_day(state, draft, draft.day)
        return await self._exactly(state, draft, draft.day)

    def meant_day(self, day: dt.date, draft: Draft, *, weekly: bool) -> dt.date:
        """The day meant by a weekday: in a week, when today's time has passed."""
        if not weekly or draft.clock is None or day != self._setting.today():
            return day
        start = self._setting.at(day, resolved(draft.clock, self._windows(day)))
        return day + dt.timedelta(days=7) if start < self._first_start() else day

    def time_on(self, draft: Draft, day: dt.date) -> dt.time | None:
        """The time of day that was asked for, read by that day's opening hours."""
        return None if draft.clock is None else resolved(draft.clock, self._windows(day))

    async def _exactly(self, state: DialogueState, draft: Draft, day: dt.date) -> Search:
        time = self.time_on(draft, day)
        assert time is not None  # search() asks only for wishes with a time
        wanted = self._setting.at(day, time)
        free = await self._free(draft, day)
        if wanted in free:
            return Search(start=wanted)
        why = self._refusal(state, day, wanted)
        if free:
            nearest = sorted(free, key=lambda start: (abs(start - wanted), start))[:OFFERED]
            return Search(offered=tuple(sorted(nearest)), why=why)
        return Search(offered=await self._later(draft, day, time), why=why)

    async def _on_day(self, state: DialogueState, draft: Draft, day: dt.date) -> Search:
        free = await self._free(draft, day)
        fitting = [start for start in free if draft.window is None or draft.window.holds(start.time())]
        if fitting:
            return Search(offered=_spread(fitting, OFFERED_OF_DAY))
        if free:
            return Search(offered=_spread(free, OFFERED), why=(self._setting.say(state, "full_window"),))
        return Search(offered=await self._later(draft, day, None), why=self._refusal(state, day, None))

    async def _within_days(self, state: DialogueState, draft: Draft) -> Search:
        first = draft.day or self._setting.today()
        last = draft.until or first + dt.timedelta(days=SEARCH_DAYS)
        found: list[dt.datetime] = []
        wanted = 1 if draft.earliest else OFFERED
        day = first
        while day <= last and len(found) < wanted:
            free = await self._free(draft, day)
            fitting = [start for start in free if self._fits(draft, start)]
            found.extend(fitting[:1])
            day += dt.timedelta(days=1)
        if found:
            return Search(offered=tuple(found))
        return Search(offered=await self._later(draft, last, None), why=(self._setting.say(state, "full_window"),))

    def _fits(self, draft: Draft, start: dt.datetime) -> bool:
        if draft.clock is not None:
            return start.time() == self.time_on(draft, start.date())
        return draft.window is None or draft.window.holds(start.time())

    async def _later(self, draft: Draft, day: dt.date, time: dt.time | None) -> tuple[dt.datetime, ...]:
        """Starts on the first later day that has any, near `time`."""
        first = max(day + dt.timedelta(days=1), self._setting.today())
        if self._too_far(first):
            first = self._setting.today()
        for ahead in range(SEARCH_DAYS):
            other = first + dt.timedelta(days=ahead)
            free = await self._free(draft, other)
            fitting = [start for start in free if draft.window is None or draft.window.holds(start.time())] or free
            if fitting and time is not None:
                wanted = self._setting.at(other, time)
                return tuple(sorted(sorted(fitting, key=lambda start: abs(start - wanted))[:OFFERED]))
            if fitting:
                return _spread(fitting, OFFERED)
        return ()

    async def _free(self, draft: Draft, day: dt.date) -> list[dt.datetime]:
        return await self._setting.desk.free_slots(draft.service_id, day)

    def _refusal(self, state: DialogueState, day: dt.date, wanted: dt.datetime | None) -> tuple[str, ...]:
        """Why nothing, or not `wanted`, can be sold on that day."""
        setting = self._setting
        forms = setting.forms(state)
        on_day = forms.on_day(day, setting.today())
        if self._too_far(day):
            return (setting.say(state, "too_far", days=str(setting.tenant.booking.days_ahead)),)
        hours = setting.hours(day)
        if not hours:
            return (setting.say(state, "closed_that_day", day=on_day),)
        if wanted is None:
            return (setting.say(state, "full_day", day=on_day),)
        if wanted < self._first_start():
            return (setting.say(state, "too_soon"),)
        if not any(opening.opens <= wanted.time() < opening.closes for opening in hours):
            return (setting.say(state, "outside_hours", hours=forms.opening(hours), day=on_day),)
        return (setting.say(state, "taken", time=forms.time(wanted.time()), day=on_day),)

    def _too_far(self, day: dt.date) -> bool:
        return day > self._setting.today() + dt.timedelta(days=self._setting.tenant.booking.days_ahead)

    def _first_start(self) -> dt.datetime:
        return self._setting.now() + dt.timedelta(hours=self._setting.tenant.booking.notice_hours)

    def _windows(self, day: dt.date) -> tuple[Window, ...]:
        return tuple(Window(opening.opens, opening.closes) for opening in self._setting.hours(day))


def _spread(starts: list[dt.datetime], count: int) -> tuple[dt.datetime, ...]:
    """`count` of the starts, from the first to the last."""
    if len(starts) <= count:
        return tuple(starts)
    return tuple(starts[i * (len(starts) - 1) // (count - 1)] for i in range(count))
