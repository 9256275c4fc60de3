"""Appointments over REST: the same slots as on the phone, each sold once."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.rest.rest_server import LAKE, RestServer

TEN = "2026-11-24T10:00:00+01:00"
ELEVEN = "2026-11-24T11:00:00+01:00"


def wish(starts_at: str = TEN, **changes: Any) -> dict[str, Any]:
    return {"service_id": "cleaning", "starts_at": starts_at, "name": "Ann Lee", "phone": "06 12 34 56 78", **changes}


async def book(rest: RestServer, starts_at: str = TEN, **more: Any) -> httpx.Response:
    return await rest.ask("POST", "/v1/bookings", json=wish(starts_at), **more)


async def free(rest: RestServer) -> list[str]:
    answer = await rest.ask("GET", "/v1/bookings/slots?service_id=cleaning&day=2026-11-24")
    return [start[11:16] for start in answer.json()["starts"]]


async def test_a_free_slot_is_booked_and_free_no_more(rest_on_each: RestServer) -> None:
    rest = rest_on_each
    assert "10:00" in await free(rest)
    made = await book(rest)
    assert made.status_code == 201
    booking = made.json()
    assert (booking["phone"], booking["starts_at"]) == ("+33612345678", TEN)
    assert "10:00" not in await free(rest)
    assert (await rest.ask("GET", f"/v1/bookings/{booking['id']}")).json() == booking
    taken = await book(rest)
    assert (taken.status_code, taken.json()["code"]) == (409, "slot_taken")


async def test_the_phone_does_not_sell_what_was_booked_here(rest: RestServer) -> None:
    import datetime as dt

    await book(rest)
    starts = await rest.desk().free_slots("cleaning", dt.date(2026, 11, 24))
    assert "10:00" not in [f"{start:%H:%M}" for start in starts]


async def test_a_booking_is_moved_and_cancelled(rest: RestServer) -> None:
    booking = (await book(rest)).json()
    path = f"/v1/bookings/{booking['id']}"
    moved = await rest.ask("PATCH", path, json={"starts_at": ELEVEN})
    assert (moved.status_code, moved.json()["starts_at"]) == (200, ELEVEN)
    assert "10:00" in await free(rest)
    cancelled = await rest.ask("DELETE", path)
    assert cancelled.json()["cancelled_at"] is not None
    assert (await rest.ask("DELETE", path)).json() == cancelled.json()
    refused = await rest.ask("PATCH", path, json={"starts_at": TEN})
    assert (refused.status_code, refused.json()["code"]) == (409, "booking_cancelled")
    assert (await rest.ask("GET", "/v1/bookings")).json()["items"] == []
    assert len((await rest.ask("GET", "/v1/bookings?include_cancelled=true")).json()["items"]) == 1


async def test_who_saw_an_older_version_changes_nothing(rest: RestServer) -> None:
    booking = (await book(rest)).json()
    path = f"/v1/bookings/{booking['id']}"
    seen = (await rest.ask("GET", path)).headers["etag"]
    assert (await rest.ask("PATCH", path, json={"starts_at": ELEVEN}, headers={"If-Match": seen})).status_code == 200
    for method, body in (("PATCH", {"starts_at": TEN}), ("DELETE", None)):
        refused = await rest.ask(method, path, json=body, headers={"If-Match": seen})
        assert (refused.status_code, refused.json()["code"]) == (412, "changed_meanwhile")
    assert (await rest.ask("GET", path)).json()["starts_at"] == ELEVEN


async def test_twenty_want_one_slot_and_one_gets_it(rest: RestServer) -> None:
    statuses = [answer.status_code for answer in await asyncio.gather(*(book(rest) for _ in range(20)))]
    assert sorted(statuses) == [201] + [409] * 19


async def test_a_repeated_request_books_once(rest: RestServer) -> None:
    once = {"Idempotency-Key": "order-17"}
    first, again = await book(rest, headers=once), await book(rest, headers=once)
    assert (first.status_code, first.json()) == (again.status_code, again.json()) == (201, first.json())
    other = await rest.ask("POST", "/v1/bookings", json=wish(ELEVEN), headers=once)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert len((await rest.ask("GET", "/v1/bookings")).json()["items"]) == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"service_id": "massage"}, "service_id"),
        ({"starts_at": "2026-11-24T10:00:00"}, "starts_at"),
        ({"starts_at": "tomorrow"}, "starts_at"),
        ({"name": ""}, "name"),
        ({"phone": "", "email": ""}, "phone"),
        ({"minutes": 5}, "$"),
    ],
)
async def test_what_is_wrong_with_a_booking_is_named(rest: RestServer, changes: dict[str, Any], field: str) -> None:
    answer = await rest.ask("POST", "/v1/bookings", json=wish() | changes)
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_a_number_that_is_none_is_refused_without_repeating_it(rest: RestServer) -> None:
    answer = await rest.ask("POST", "/v1/bookings", json=wish(phone="12"))
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_contact_point")
    assert "12" not in answer.json()["detail"]


@pytest.mark.parametrize("starts_at", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59+00:00", "2026-11-24T03:00:00Z"])
async def test_no_time_is_too_odd_to_be_refused_politely(rest: RestServer, starts_at: str) -> None:
    assert (await book(rest, starts_at)).status_code == 409
    for day in ("0001-01-01", "9999-12-31"):
        slots = await rest.ask("GET", f"/v1/bookings/slots?service_id=cleaning&day={day}")
        assert slots.json()["starts"] == []


async def test_bookings_are_listed_latest_start_first_page_by_page(rest: RestServer) -> None:
    for hour in (9, 10, 11, 14):
        await book(rest, f"2026-11-24T{hour:02}:00:00+01:00")
    first = (await rest.ask("GET", "/v1/bookings?limit=3")).json()
    last = (await rest.ask("GET", f"/v1/bookings?limit=3&cursor={first['next_cursor']}")).json()
    hours = [booking["starts_at"][11:13] for booking in first["items"] + last["items"]]
    assert hours == ["14", "11", "10", "09"]
    assert last["next_cursor"] is None
    some = (await rest.ask("GET", f"/v1/bookings?since={TEN[:-6]}%2B01:00&until={ELEVEN[:-6]}%2B01:00")).json()
    assert [booking["starts_at"] for booking in some["items"]] == [TEN]


async def test_a_booking_of_another_tenant_does_not_exist_and_stays(rest: RestServer) -> None:
    booking = (await book(rest)).json()
    path = f"/v1/bookings/{booking['id']}"
    for method, body in (("GET", None), ("PATCH", {"starts_at": ELEVEN}), ("DELETE", None)):
        assert (await rest.ask(method, path, json=body, as_=LAKE)).status_code == 404
    assert (await rest.ask("GET", path)).json() == booking
