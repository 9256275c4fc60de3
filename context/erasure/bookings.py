"""The personal data of appointments. What is over stays as a time and a service; what is to come is given back.

An appointment that nobody can be called about would only keep the slot from others.
"""

from collections.abc import Callable
from typing import Any

from context.bookings.tables import booked_grains, bookings, calendars
from context.erasure.registry import Subject
from context.erasure.subject import about
from context.store.transaction import Row, TenantTransaction

EMPTIED = {"name": "", "phone": "", "email": "", "notes": ""}


class BookingData:
    """Appointments (implements `context.erasure.registry.PersonalData`). now_s: seconds since the epoch."""

    name = "bookings"

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s

    async def export(self, transaction: TenantTransaction, subject: Subject) -> list[dict[str, Any]]:
        """Each appointment, by start."""
        found = await self._rows(transaction, subject)
        return [dict(row) for row in sorted(found, key=lambda row: row["starts_at_s"])]

    async def erase(self, transaction: TenantTransaction, subject: Subject) -> int:
        """Empty who they were for, and cancel those to come."""
        await transaction.lock(calendars)
        now_s, erased = int(self._now_s()), 0
        for row in await self._rows(transaction, subject):
            values: dict[str, Any] = dict(EMPTIED)
            if row["cancelled_at_s"] is None and row["starts_at_s"] > now_s:
                await transaction.delete(booked_grains, booked_grains.c.booking_id == row["id"])
                values["cancelled_at_s"] = now_s
            if any(row[name] != value for name, value in values.items()):
                erased += await transaction.update(bookings, values, bookings.c.id == row["id"])
        return erased

    async def _rows(self, transaction: TenantTransaction, subject: Subject) -> list[Row]:
        found: dict[str, Row] = {}
        for condition in about(subject):
            found |= {row["id"]: row for row in await transaction.rows(bookings, condition)}
        return list(found.values())
