"""Which starts a tenant may sell on one day: opening hours, policy and what is sold already.

Pure arithmetic over five-minute grains, so that offering a slot and selling it obey one function
and the grains of two sales collide in the database itself. Called by `context.bookings.store`.
"""

import datetime as dt
from collections.abc import Iterator, Set
from zoneinfo import ZoneInfo

import msgspec

from context.tenants.config import BookingPolicy, OpeningHours

GRAIN_S = 300
"""Calendars are cut into five minutes: every usual length and start is a whole number of them."""

MINUTE_S = 60
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Calendar(msgspec.Struct, frozen=True):
    """A tenant's days: time zone, opening hours by weekday name and booking policy."""

    zone: ZoneInfo
    hours: dict[str, tuple[OpeningHours, ...]]
    policy: BookingPolicy

    def day_of(self, instant_s: int) -> dt.date:
        """The tenant's date at `instant_s`, seconds since the epoch."""
        return self.local(instant_s).date()

    def local(self, instant_s: int) -> dt.datetime:
        """The tenant's wall clock at `instant_s`."""
        return dt.datetime.fromtimestamp(instant_s, self.zone)

    def bounds_s(self, day: dt.date) -> tuple[int, int]:
        """First second of `day` and of the day after: 23, 24 or 25 hours apart."""
        return self._instant_s(day, dt.time()), self._instant_s(day + dt.timedelta(days=1), dt.time())

    def starts(self, day: dt.date, minutes: int, *, taken: Set[int], sold_that_day: int, now: dt.datetime) -> list[int]:
        """Starts on `day` that may be sold now, in order, as seconds since the epoch.

        minutes: length of the appointment, which must end by closing time. taken: grains that are
        sold. sold_that_day: live bookings that start on `day`. now: aware.

        Starts lie `slot_minutes` apart from opening. An appointment holds its buffer too; where only
        that runs over the next start, the start is put off by as much, so that a buffer costs its own
        minutes and not a whole slot.
        """
        policy = self.policy
        now_s = int(now.timestamp())
        today = self.day_of(now_s)
        if not today <= day <= today + dt.timedelta(days=policy.days_ahead) or sold_that_day >= policy.per_day:
            return []
        longest_delay_s = -(-policy.buffer_minutes * MINUTE_S // GRAIN_S) * GRAIN_S
        earliest_s = now_s + policy.notice_hours * 3600
        found: list[int] = []
        for opening in self.hours.get(WEEKDAYS[day.weekday()], ()):
            closes_s = self._instant_s(day, opening.closes)
            for grid_s in self._grid(day, opening):
                start_s = _first_free(grid_s, taken)
                if start_s < earliest_s or start_s > grid_s + longest_delay_s:
                    continue
                if start_s + minutes * MINUTE_S <= closes_s and taken.isdisjoint(self.grains(start_s, minutes)):
                    found.append(start_s)
        return sorted(set(found))  # a buffer longer than a slot puts two starts off to one

    def grains(self, start_s: int, minutes: int) -> range:
        """The grains that an appointment and its buffer hold: no two sales may share one."""
        end_s = start_s + (minutes + self.policy.buffer_minutes) * MINUTE_S
        return range(start_s // GRAIN_S, -(-end_s // GRAIN_S))

    def _grid(self, day: dt.date, opening: OpeningHours) -> Iterator[int]:
        # Stepping real seconds skips the hour that a change to summer time removes and visits the
        # hour that the change back repeats twice, as two different slots.
        step_s = self.policy.slot_minutes * MINUTE_S
        return iter(range(self._instant_s(day, opening.opens), self._instant_s(day, opening.closes), step_s))

    def _instant_s(self, day: dt.date, time: dt.time) -> int:
        return int(dt.datetime.combine(day, time, self.zone).timestamp())


def _first_free(start_s: int, taken: Set[int]) -> int:
    """`start_s`, or the first grain boundary after it when its grain is sold."""
    while start_s // GRAIN_S in taken:
        start_s = (start_s // GRAIN_S + 1) * GRAIN_S
    return start_s
