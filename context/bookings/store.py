"""The booking desk that the agent's tools use, on the store.

A sale reads what is sold and writes the new hold in one writing transaction, so the slot offered is
the slot sold; the primary key of `booked_grains` would refuse a second sale even if it were not so.
Made per call by the server, for the call's tenant.
"""

import datetime as dt
import secrets
from collections.abc import Callable
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from context.bookings.desk import Booking, BookingNotFound, SlotTaken
from context.bookings.happened import cancelled, confirmed
from context.bookings.slots import GRAIN_S, Calendar
from context.bookings.tables import booked_grains, bookings, calendars
from context.events.outbox import publish
from context.store.database import Store
from context.store.transaction import Row, TenantTransaction
from context.tenants.config import TenantConfig

Clock = Callable[[], dt.datetime]
"""Aware time of day."""

ID_BYTES = 12


def utc_now() -> dt.datetime:
    """The wall clock."""
    return dt.datetime.now(dt.UTC)


class StoredBookingDesk:
    """Bookings of one tenant (implements `context.bookings.desk.BookingDesk`). Raises StoreError besides."""

    def __init__(self, store: Store, tenant: TenantConfig, now: Clock = utc_now) -> None:
        self._store = store.tenant(tenant.id)
        self._tenant = tenant
        self._now = now
        self._calendar = Calendar(ZoneInfo(tenant.timezone), tenant.hours, tenant.booking)

    async def free_slots(self, service_id: str, day: dt.date) -> list[dt.datetime]:
        """Free starts on that day, in order; [] when closed, full, unknown or outside the policy."""
        minutes = self._minutes(service_id)
        if minutes is None:
            return []
        async with self._store.reading() as transaction:
            free = await self._free(transaction, day, minutes)
        return [self._calendar.local(start_s) for start_s in free]

    async def book(
        self, *, call_id: str, service_id: str, starts_at: dt.datetime, name: str, phone: str, email: str = ""
    ) -> Booking:
        """Sell the slot; on disk before it returns. The same call, service and start again returns the
        same booking. Raises SlotTaken, and ValueError for a start without a time zone."""
        if not call_id:
            raise ValueError("a booking belongs to a call: without its id a retry would be sold twice")
        start_s = _instant_s(starts_at)
        minutes = self._minutes(service_id)
        if minutes is None:
            raise SlotTaken(f"no bookable service {service_id!r}")
        async with self._store.writing() as transaction:
            await transaction.lock(calendars)
            before = await transaction.rows(
                bookings,
                bookings.c.call_id == call_id,
                bookings.c.service_id == service_id,
                bookings.c.starts_at_s == start_s,
                bookings.c.cancelled_at_s.is_(None),
            )
            if before:
                return self._booking(before[0])
            await self._require_free(transaction, start_s, minutes)
            booking_id = secrets.token_hex(ID_BYTES)
            row = {
                "id": booking_id,
                "tenant_id": self._tenant.id,
                "call_id": call_id,
                "service_id": service_id,
                "starts_at_s": start_s,
                "minutes": minutes,
                "name": name,
                "phone": phone,
                "email": email,
                "notes": "",
                "created_at_s": int(self._now().timestamp()),
                "cancelled_at_s": None,
            }
            await transaction.insert(bookings, [row])
            await self._hold(transaction, booking_id, start_s, minutes)
            booking = self._booking(row)
            await publish(transaction, confirmed(booking, self._now()))
        return booking

    async def cancel(self, booking_id: str) -> Booking:
        """Give the slot back; cancelling twice is cancelling once. Raises BookingNotFound."""
        async with self._store.writing() as transaction:
            await transaction.lock(calendars)
            row = await self._row(transaction, booking_id)
            if row["cancelled_at_s"] is None:
                await transaction.delete(booked_grains, booked_grains.c.booking_id == booking_id)
                cancelled_at_s = int(self._now().timestamp())
                await transaction.update(bookings, {"cancelled_at_s": cancelled_at_s}, bookings.c.id == booking_id)
                await publish(transaction, cancelled(self._booking(row), self._now()))
        return self._booking(row)

    async def move(self, booking_id: str, starts_at: dt.datetime) -> Booking:
        """Change the start; the old slot is given back only if the new one is taken.

        Raises SlotTaken, BookingNotFound (also when cancelled) and ValueError for a start without a
        time zone.
        """
        start_s = _instant_s(starts_at)
        async with self._store.writing() as transaction:
            await transaction.lock(calendars)
            row = await self._row(transaction, booking_id)
            if row["cancelled_at_s"] is not None:
                raise BookingNotFound(f"booking {booking_id} was cancelled")
            if row["starts_at_s"] != start_s:
                await self._require_free(transaction, start_s, row["minutes"], without=row)
                await transaction.delete(booked_grains, booked_grains.c.booking_id == booking_id)
                await self._hold(transaction, booking_id, start_s, row["minutes"])
                await transaction.update(bookings, {"starts_at_s": start_s}, bookings.c.id == booking_id)
                moved = self._booking({**row, "starts_at_s": start_s})
                await publish(transaction, confirmed(moved, self._now(), instead_of=self._booking(row)))
        return self._booking({**row, "starts_at_s": start_s})

    async def of_call(self, call_id: str) -> list[Booking]:
        """Live bookings made in a call, by start."""
        async with self._store.reading() as transaction:
            rows = await transaction.rows(
                bookings,
                bookings.c.call_id == call_id,
                bookings.c.cancelled_at_s.is_(None),
                order_by=[bookings.c.starts_at_s.asc()],
            )
        return [self._booking(row) for row in rows]

    async def _free(
        self, transaction: TenantTransaction, day: dt.date, minutes: int, without: Row | None = None
    ) -> list[int]:
        """Free starts of `day`, as if the booking `without` were not there."""
        first_s, last_s = self._calendar.bounds_s(day)
        # The last appointment of the day and its buffer may hold grains of the next day.
        last_grain = self._calendar.grains(last_s, minutes).stop
        held = await transaction.rows(
            booked_grains,
            booked_grains.c.grain.between(first_s // GRAIN_S, last_grain),
            *_but(without, booked_grains.c.booking_id),
        )
        sold = await transaction.count(
            bookings,
            bookings.c.starts_at_s >= first_s,
            bookings.c.starts_at_s < last_s,
            bookings.c.cancelled_at_s.is_(None),
            *_but(without, bookings.c.id),
        )
        taken = {row["grain"] for row in held}
        return self._calendar.starts(day, minutes, taken=taken, sold_that_day=sold, now=self._now())

    async def _require_free(
        self, transaction: TenantTransaction, start_s: int, minutes: int, without: Row | None = None
    ) -> None:
        if start_s not in await self._free(transaction, self._calendar.day_of(start_s), minutes, without):
            raise SlotTaken(f"{self._calendar.local(start_s).isoformat()} is not free")

    async def _hold(self, transaction: TenantTransaction, booking_id: str, start_s: int, minutes: int) -> None:
        grains = self._calendar.grains(start_s, minutes)
        await transaction.insert(booked_grains, [{"grain": grain, "booking_id": booking_id} for grain in grains])

    async def _row(self, transaction: TenantTransaction, booking_id: str) -> Row:
        rows = await transaction.rows(bookings, bookings.c.id == booking_id)
        if not rows:
            raise BookingNotFound(f"no booking {booking_id}")
        return rows[0]

    def _minutes(self, service_id: str) -> int | None:
        """Length of a bookable service; None when there is no such service."""
        return next((s.minutes for s in self._tenant.services if s.id == service_id and s.bookable), None)

    def _booking(self, row: Row) -> Booking:
        return Booking(
            id=row["id"],
            tenant_id=row["tenant_id"],
            call_id=row["call_id"],
            service_id=row["service_id"],
            starts_at=self._calendar.local(row["starts_at_s"]),
            minutes=row["minutes"],
            name=row["name"],
            phone=row["phone"],
            email=row["email"],
            notes=row["notes"],
        )


def _but(booking: Row | None, column: sa.ColumnElement[str]) -> list[sa.ColumnElement[bool]]:
    return [] if booking is None else [column != booking["id"]]


def _instant_s(moment: dt.datetime) -> int:
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone: which instant it is cannot be known")
    return int(moment.timestamp())
