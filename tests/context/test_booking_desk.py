"""Booking, cancelling and moving an appointment as the agent's tools do it."""

import asyncio
import datetime as dt

import pytest

from context.bookings.desk import BookingNotFound, SlotTaken
from context.bookings.store import StoredBookingDesk
from context.store.database import Store
from tests.context.clinic import CLINIC, NOW, SUNDAY, TUESDAY, WEDNESDAY, at, clinic, clock_times


@pytest.fixture
def desk(store: Store) -> StoredBookingDesk:
    return StoredBookingDesk(store, CLINIC, lambda: NOW)


async def book(desk: StoredBookingDesk, start: dt.datetime, *, call: str = "call-1", service: str = "cleaning") -> str:
    booked = await desk.book(call_id=call, service_id=service, starts_at=start, name="Marie Curie", phone="0612345678")
    return booked.id


async def test_a_booking_is_read_back_as_it_was_made_after_the_server_restarts(
    store: Store, database_url: str, desk: StoredBookingDesk
) -> None:
    made = await desk.book(
        call_id="call-1",
        service_id="cleaning",
        starts_at=at(TUESDAY, 10),
        name="Marie Curie",
        phone="0612345678",
        email="marie@example.org",
    )
    assert (made.starts_at, made.minutes, made.name) == (at(TUESDAY, 10), 45, "Marie Curie")
    await store.aclose()
    again = await Store.open(database_url)
    assert await StoredBookingDesk(again, CLINIC, lambda: NOW).of_call("call-1") == [made]
    await again.aclose()


async def test_a_sold_slot_is_not_offered_and_not_sold_to_another_call(desk: StoredBookingDesk) -> None:
    await book(desk, at(TUESDAY, 10))
    assert "10:00" not in clock_times(await desk.free_slots("cleaning", TUESDAY))
    with pytest.raises(SlotTaken):
        await book(desk, at(TUESDAY, 10), call="call-2")


async def test_a_longer_service_that_would_run_into_a_sold_slot_is_refused(desk: StoredBookingDesk) -> None:
    await book(desk, at(TUESDAY, 10))
    assert clock_times(await desk.free_slots("surgery", TUESDAY)) == ["14:00", "15:00", "16:00"]
    with pytest.raises(SlotTaken):
        await book(desk, at(TUESDAY, 9), call="call-2", service="surgery")


async def test_the_same_call_asking_again_gets_the_same_booking(desk: StoredBookingDesk) -> None:
    first = await book(desk, at(TUESDAY, 10))
    assert await book(desk, at(TUESDAY, 10)) == first
    assert len(await desk.of_call("call-1")) == 1


@pytest.mark.parametrize(
    ("start", "service"),
    [
        (at(TUESDAY, 10, 20), "cleaning"),
        (at(TUESDAY, 12), "cleaning"),
        (at(SUNDAY, 10), "cleaning"),
        (NOW + dt.timedelta(hours=1), "cleaning"),
        (at(TUESDAY, 10) + dt.timedelta(days=21), "cleaning"),
        (at(TUESDAY, 10), "quote"),
        (at(TUESDAY, 10), "unheard-of"),
    ],
    ids=["between slots", "lunch", "closed", "too soon", "too far", "not bookable", "unknown"],
)
async def test_what_the_policy_does_not_offer_cannot_be_booked(
    desk: StoredBookingDesk, start: dt.datetime, service: str
) -> None:
    with pytest.raises(SlotTaken):
        await book(desk, start, service=service)
    assert await desk.of_call("call-1") == []


async def test_a_start_without_a_time_zone_is_refused_because_it_names_no_instant(desk: StoredBookingDesk) -> None:
    with pytest.raises(ValueError, match="time zone"):
        await book(desk, at(TUESDAY, 10).replace(tzinfo=None))


async def test_a_start_in_another_time_zone_is_the_same_instant(desk: StoredBookingDesk) -> None:
    await book(desk, at(TUESDAY, 10).astimezone(dt.UTC))
    assert (await desk.of_call("call-1"))[0].starts_at.hour == 10


async def test_the_day_is_full_after_the_policys_number_of_bookings(desk: StoredBookingDesk) -> None:
    for number, start in enumerate((await desk.free_slots("cleaning", TUESDAY))[:5]):
        await book(desk, start, call=f"call-{number}")
    assert await desk.free_slots("cleaning", TUESDAY) == []
    assert await desk.free_slots("cleaning", WEDNESDAY) != []


async def test_a_cancelled_slot_is_free_again_and_cancelling_twice_changes_nothing(desk: StoredBookingDesk) -> None:
    before = await desk.free_slots("cleaning", TUESDAY)
    booked = await book(desk, at(TUESDAY, 10))
    cancelled = await desk.cancel(booked)
    assert await desk.free_slots("cleaning", TUESDAY) == before
    assert await book(desk, at(TUESDAY, 10), call="call-2")
    assert await desk.cancel(booked) == cancelled
    assert "10:00" not in clock_times(await desk.free_slots("cleaning", TUESDAY))


async def test_a_call_that_cancelled_can_book_the_same_slot_again(desk: StoredBookingDesk) -> None:
    first = await book(desk, at(TUESDAY, 10))
    await desk.cancel(first)
    assert await book(desk, at(TUESDAY, 10)) != first


async def test_moving_frees_the_old_slot_and_takes_the_new_one(desk: StoredBookingDesk) -> None:
    booked = await book(desk, at(TUESDAY, 10))
    moved = await desk.move(booked, at(WEDNESDAY, 15))
    assert (moved.id, moved.starts_at, moved.name) == (booked, at(WEDNESDAY, 15), "Marie Curie")
    assert "10:00" in clock_times(await desk.free_slots("cleaning", TUESDAY))
    assert "15:00" not in clock_times(await desk.free_slots("cleaning", WEDNESDAY))
    assert await desk.of_call("call-1") == [moved]


async def test_a_move_to_a_taken_slot_changes_nothing(desk: StoredBookingDesk) -> None:
    booked = await book(desk, at(TUESDAY, 10))
    await book(desk, at(TUESDAY, 11), call="call-2")
    with pytest.raises(SlotTaken):
        await desk.move(booked, at(TUESDAY, 11))
    assert (await desk.of_call("call-1"))[0].starts_at == at(TUESDAY, 10)
    assert "10:00" not in clock_times(await desk.free_slots("cleaning", TUESDAY))


async def test_a_long_appointment_can_be_moved_onto_part_of_its_own_time(desk: StoredBookingDesk) -> None:
    booked = await book(desk, at(TUESDAY, 9), service="surgery")
    assert (await desk.move(booked, at(TUESDAY, 10))).starts_at == at(TUESDAY, 10)


async def test_a_booking_can_be_moved_within_a_full_day(store: Store) -> None:
    policy = CLINIC.booking.__class__(slot_minutes=60, notice_hours=2, per_day=1)
    desk = StoredBookingDesk(store, clinic(booking=policy), lambda: NOW)
    booked = await book(desk, at(TUESDAY, 10))
    assert (await desk.move(booked, at(TUESDAY, 15))).starts_at == at(TUESDAY, 15)


async def test_moving_to_where_it_is_changes_nothing(desk: StoredBookingDesk) -> None:
    booked = await book(desk, at(TUESDAY, 10))
    assert (await desk.move(booked, at(TUESDAY, 10))).starts_at == at(TUESDAY, 10)


async def test_a_cancelled_or_unknown_booking_cannot_be_moved(desk: StoredBookingDesk) -> None:
    booked = await book(desk, at(TUESDAY, 10))
    await desk.cancel(booked)
    for wrong in (booked, "no-such-booking"):
        with pytest.raises(BookingNotFound):
            await desk.move(wrong, at(TUESDAY, 11))
    with pytest.raises(BookingNotFound):
        await desk.cancel("no-such-booking")


async def test_tenants_neither_see_nor_touch_nor_block_each_others_bookings(
    store: Store, desk: StoredBookingDesk
) -> None:
    other = StoredBookingDesk(store, clinic(id="rival"), lambda: NOW)
    booked = await book(desk, at(TUESDAY, 10))
    assert await other.of_call("call-1") == []
    with pytest.raises(BookingNotFound):
        await other.cancel(booked)
    with pytest.raises(BookingNotFound):
        await other.move(booked, at(TUESDAY, 11))
    assert await book(other, at(TUESDAY, 10)) != booked


async def test_of_twenty_callers_who_want_the_same_slot_at_once_one_gets_it(desk: StoredBookingDesk) -> None:
    tries = [book(desk, at(TUESDAY, 10), call=f"call-{number}") for number in range(20)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(result, str) for result in results) == 1
    assert sum(isinstance(result, SlotTaken) for result in results) == 19


async def test_a_sale_whose_caller_hangs_up_in_the_middle_leaves_the_desk_usable(desk: StoredBookingDesk) -> None:
    for turns in range(12):
        sale = asyncio.create_task(book(desk, at(TUESDAY, 10)))
        for _ in range(turns * 4):
            await asyncio.sleep(0)
        sale.cancel()
        await asyncio.gather(sale, return_exceptions=True)
    await book(desk, at(TUESDAY, 10))
    assert len(await desk.of_call("call-1")) == 1
