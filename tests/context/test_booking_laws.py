"""Laws of the booking desk under any order of sales, moves and cancellations, also all at once."""

import asyncio
import datetime as dt
import itertools
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from context.bookings.desk import Booking, BookingNotFound, SlotTaken
from context.bookings.store import StoredBookingDesk
from context.bookings.tables import bookings
from context.store.database import Store
from tests.context.clinic import CLINIC, NOW, PARIS, TUESDAY, WEDNESDAY, at

BUFFER = dt.timedelta(minutes=CLINIC.booking.buffer_minutes)

starts = st.builds(at, st.sampled_from([TUESDAY, WEDNESDAY]), st.integers(8, 18), st.sampled_from([0, 0, 0, 5, 10, 30]))
services = st.sampled_from(["cleaning", "surgery"])


async def sold_times(store: Store) -> dict[str, dt.datetime]:
    """Booking id -> start, of every live booking on disk."""
    async with store.tenant(CLINIC.id).reading() as transaction:
        rows = await transaction.rows(bookings, bookings.c.cancelled_at_s.is_(None))
    return {row["id"]: dt.datetime.fromtimestamp(row["starts_at_s"], PARIS) for row in rows}


class BookingDeskLaws(RuleBasedStateMachine):
    """Real store, real clock arithmetic; the model is the list of sales that should be live."""

    sold = Bundle("sold")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.store = self.run(Store.open(f"sqlite+aiosqlite:///{Path(self.folder.name) / 'parley.db'}"))
        self.desk = StoredBookingDesk(self.store, CLINIC, lambda: NOW)
        self.live: dict[str, Booking] = {}
        self.calls = 0

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    def teardown(self) -> None:
        self.run(self.store.aclose())
        self.runner.close()
        self.folder.cleanup()

    async def book(self, start: dt.datetime, service: str) -> Booking | None:
        self.calls += 1
        try:
            return await self.desk.book(
                call_id=f"call-{self.calls}", service_id=service, starts_at=start, name="N", phone="P"
            )
        except SlotTaken:
            return None

    async def move(self, booking_id: str, start: dt.datetime) -> Booking | None:
        try:
            return await self.desk.move(booking_id, start)
        except SlotTaken:
            return None

    def keep(self, booking: Booking) -> str:
        self.live[booking.id] = booking
        return booking.id

    @rule(target=sold, start=starts, service=services)
    def a_slot_is_sold_exactly_when_it_was_offered(self, start: dt.datetime, service: str) -> Any:
        offered = start in self.run(self.desk.free_slots(service, start.date()))
        booking = self.run(self.book(start, service))
        assert (booking is not None) == offered
        return self.keep(booking) if booking else multiple()

    @rule(target=sold, day=st.sampled_from([TUESDAY, WEDNESDAY]), service=services, pick=st.integers(0, 20))
    def an_offered_slot_can_be_booked(self, day: dt.date, service: str, pick: int) -> Any:
        offered = self.run(self.desk.free_slots(service, day))
        if not offered:
            return multiple()
        booking = self.run(self.book(offered[pick % len(offered)], service))
        assert booking is not None
        return self.keep(booking)

    @rule(booking_id=consumes(sold))
    def a_cancelled_booking_is_gone(self, booking_id: str) -> None:
        assert self.run(self.desk.cancel(booking_id)).id == booking_id
        self.live.pop(booking_id)
        try:
            self.run(self.desk.move(booking_id, at(TUESDAY, 9)))
        except BookingNotFound:
            return
        raise AssertionError("a cancelled booking was moved")

    @rule(booking_id=sold, start=starts)
    def a_move_happens_whole_or_not_at_all(self, booking_id: str, start: dt.datetime) -> None:
        moved = self.run(self.move(booking_id, start))
        if moved:
            assert moved.starts_at == start
            self.live[booking_id] = moved

    @rule(target=sold, wanted=st.lists(st.tuples(starts, services), min_size=2, max_size=5), movers=st.integers(0, 2))
    def callers_come_at_once(self, wanted: list[tuple[dt.datetime, str]], movers: int) -> Any:
        async def all_at_once() -> list[Booking | None]:
            moves = [self.move(booking_id, wanted[0][0]) for booking_id in list(self.live)[:movers]]
            return await asyncio.gather(*moves, *(self.book(start, service) for start, service in wanted))

        before = set(self.live)
        made = [self.keep(booking) for booking in self.run(all_at_once()) if booking]
        return multiple(*(booking_id for booking_id in made if booking_id not in before))

    @invariant()
    def no_two_appointments_meet_and_no_day_is_overfull(self) -> None:
        sold = self.run(sold_times(self.store))
        assert sold == {booking.id: booking.starts_at for booking in self.live.values()}
        stored = list(self.live.values())
        in_order = sorted(stored, key=lambda booking: booking.starts_at)
        for sooner, later in itertools.pairwise(in_order):
            assert sooner.starts_at + dt.timedelta(minutes=sooner.minutes) + BUFFER <= later.starts_at
        for day in (TUESDAY, WEDNESDAY):
            assert sum(booking.starts_at.date() == day for booking in stored) <= CLINIC.booking.per_day


TestBookingDeskLaws = BookingDeskLaws.TestCase
# Without shrinking: every step is a real commit to disk, and a failure would take minutes to report.
TestBookingDeskLaws.settings = settings(
    max_examples=15, stateful_step_count=12, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate)
)
