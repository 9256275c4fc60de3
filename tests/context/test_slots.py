"""Which starts are offered: opening hours, policy, buffers and the two nights when clocks change."""

import datetime as dt
import itertools

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from context.bookings.slots import Calendar
from context.tenants.config import BookingPolicy, OpeningHours
from tests.context.clinic import CLINIC, NOW, PARIS, SUNDAY, TUESDAY, at, clock_times

MINUTE_S = 60


def calendar(**policy: int) -> Calendar:
    return Calendar(PARIS, CLINIC.hours, msgspec.structs.replace(CLINIC.booking, **policy))


def offered(
    on: Calendar, day: dt.date, minutes: int, *, taken: set[int] | None = None, sold: int = 0, now: dt.datetime = NOW
) -> list[str]:
    starts = on.starts(day, minutes, taken=taken or set(), sold_that_day=sold, now=now)
    return clock_times([on.local(start_s) for start_s in starts])


def night(opens: int, closes: int) -> Calendar:
    """A clinic that is open every night, with a slot an hour."""
    hours = {"sunday": (OpeningHours(dt.time(opens), dt.time(closes)),)}
    return Calendar(PARIS, hours, BookingPolicy(buffer_minutes=0, notice_hours=0))


def test_starts_follow_the_opening_hours_and_the_appointment_ends_by_closing_time() -> None:
    assert offered(calendar(), TUESDAY, 45) == ["09:00", "10:00", "11:00", "14:00", "15:00", "16:00", "17:00"]
    assert offered(calendar(), TUESDAY, 120) == ["09:00", "10:00", "14:00", "15:00", "16:00"]


def test_a_closed_day_offers_nothing() -> None:
    assert offered(calendar(), SUNDAY, 45) == []


def test_nothing_is_offered_before_the_notice_has_passed() -> None:
    assert offered(calendar(notice_hours=27), TUESDAY, 45) == ["11:00", "14:00", "15:00", "16:00", "17:00"]


def test_nothing_is_offered_in_the_past_or_past_the_last_day() -> None:
    assert offered(calendar(notice_hours=0), NOW.date() - dt.timedelta(days=3), 45) == []
    assert offered(calendar(days_ahead=1), TUESDAY, 45) != []
    assert offered(calendar(days_ahead=0), TUESDAY, 45) == []


def test_a_full_day_offers_nothing() -> None:
    assert offered(calendar(per_day=3), TUESDAY, 45, sold=2) != []
    assert offered(calendar(per_day=3), TUESDAY, 45, sold=3) == []


def test_a_sold_appointment_that_fits_its_slot_takes_only_that_slot() -> None:
    on = calendar()
    taken = set(on.grains(int(at(TUESDAY, 10).timestamp()), 45))
    assert offered(on, TUESDAY, 45, taken=taken) == ["09:00", "11:00", "14:00", "15:00", "16:00", "17:00"]


def test_a_buffer_that_runs_into_the_next_start_delays_it_by_minutes_not_by_a_slot() -> None:
    on = calendar()
    taken = set(on.grains(int(at(TUESDAY, 14).timestamp()), 60))
    assert offered(on, TUESDAY, 45, taken=taken) == ["09:00", "10:00", "11:00", "15:05", "16:00", "17:00"]


def test_the_hour_that_spring_removes_is_not_offered() -> None:
    now = dt.datetime(2027, 3, 27, 12, tzinfo=PARIS)
    assert offered(night(1, 5), dt.date(2027, 3, 28), 60, now=now) == ["01:00", "03:00", "04:00"]


def test_the_hour_that_autumn_repeats_is_two_slots_an_hour_apart() -> None:
    now = dt.datetime(2027, 10, 30, 12, tzinfo=PARIS)
    on = night(1, 5)
    starts = on.starts(dt.date(2027, 10, 31), 60, taken=set(), sold_that_day=0, now=now)
    assert clock_times([on.local(s) for s in starts]) == ["01:00", "02:00", "02:00", "03:00", "04:00"]
    assert {later - sooner for sooner, later in itertools.pairwise(starts)} == {3600}


@given(
    st.dates(dt.date(2027, 1, 1), dt.date(2027, 12, 31)),
    st.integers(5, 180),
    st.integers(5, 90),
    st.integers(0, 30),
    st.lists(st.tuples(st.integers(0, 24 * 12 - 1), st.integers(5, 120)), max_size=8),
)
def test_whatever_is_sold_an_offer_fits_the_hours_and_touches_no_other_hold(
    day: dt.date, minutes: int, slot_minutes: int, buffer_minutes: int, sold: list[tuple[int, int]]
) -> None:
    on = calendar(slot_minutes=slot_minutes, buffer_minutes=buffer_minutes, notice_hours=0)
    midnight_s = on.bounds_s(day)[0]
    holds = [
        (midnight_s + five * 300, midnight_s + five * 300 + (length + buffer_minutes) * MINUTE_S)
        for five, length in sold
    ]
    taken = {grain for five, length in sold for grain in on.grains(midnight_s + five * 300, length)}
    starts = on.starts(day, minutes, taken=taken, sold_that_day=0, now=at(day, 0))
    assert starts == sorted(set(starts))
    for start_s in starts:
        opens, ends = on.local(start_s), on.local(start_s + minutes * MINUTE_S)
        assert any(o.opens <= opens.time() and ends.time() <= o.closes for o in CLINIC.hours[f"{day:%A}".lower()])
        end_s = start_s + (minutes + buffer_minutes) * MINUTE_S
        assert all(end_s <= from_s or to_s <= start_s for from_s, to_s in holds)
