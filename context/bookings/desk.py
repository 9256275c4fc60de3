"""Appointments: which slots are free and the promise that none is sold twice.

`BookingDesk` is what the agent's tools see, bound to one tenant; the store behind it is
`context.store.database`. Times are aware datetimes in the tenant's time zone.
"""

import datetime as dt
from typing import Protocol

import msgspec


class SlotTaken(Exception):  # noqa: N818 - names the state the caller meets
    """The slot was sold to somebody else, is outside opening hours or breaks the booking policy."""


class BookingNotFound(Exception):  # noqa: N818 - names the state the caller meets
    """The tenant has no live booking with that id: never made, or cancelled already (for a move)."""


class Booking(msgspec.Struct, frozen=True):
    """A confirmed appointment."""

    id: str
    tenant_id: str
    call_id: str
    service_id: str
    starts_at: dt.datetime
    minutes: int
    name: str
    phone: str
    email: str = ""
    notes: str = ""


class BookingDesk(Protocol):
    """Bookings of one tenant."""

    async def free_slots(self, service_id: str, day: dt.date) -> list[dt.datetime]:
        """Free starts on that day, in order; [] when closed, full or outside the policy."""
        ...

    async def book(
        self, *, call_id: str, service_id: str, starts_at: dt.datetime, name: str, phone: str, email: str = ""
    ) -> Booking:
        """Store the appointment before returning. The same call, service and start again returns the
        same booking. Raises SlotTaken."""
        ...

    async def cancel(self, booking_id: str) -> Booking:
        """Give the slot back and return what was cancelled; cancelling twice is cancelling once.
        Raises BookingNotFound when the tenant never had such a booking."""
        ...

    async def move(self, booking_id: str, starts_at: dt.datetime) -> Booking:
        """Change the start, keeping id, service and length. The old slot is given back only if the
        new one is taken; both happen or neither does. Raises SlotTaken and BookingNotFound."""
        ...
