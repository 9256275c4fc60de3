"""What the rest of Parley is told about an appointment: booking.confirmed and booking.cancelled.

Published by `context.bookings.store` in the transaction that sells the slot or gives it back.
"""

import datetime as dt
from typing import Any

from context.bookings.desk import Booking
from context.events.event import Event, EventType, new_event_id

SOURCE = "bookings"


def confirmed(booking: Booking, now: dt.datetime, instead_of: Booking | None = None) -> Event:
    """booking.confirmed, for a new appointment or one that was moved (`instead_of`: as it was before)."""
    moved = {} if instead_of is None else {"previous_starts_at": instead_of.starts_at.isoformat()}
    return _event(EventType.BOOKING_CONFIRMED, booking, now, moved)


def cancelled(booking: Booking, now: dt.datetime) -> Event:
    """booking.cancelled."""
    return _event(EventType.BOOKING_CANCELLED, booking, now, {})


def _event(kind: EventType, booking: Booking, now: dt.datetime, more: dict[str, Any]) -> Event:
    return Event(
        id=new_event_id(),
        type=kind,
        tenant_id=booking.tenant_id,
        occurred_at=now.timestamp(),
        source=SOURCE,
        correlation_id=booking.call_id,
        payload={
            "booking_id": booking.id,
            "call_id": booking.call_id,
            "service_id": booking.service_id,
            "starts_at": booking.starts_at.isoformat(),
            "minutes": booking.minutes,
            "name": booking.name,
            "phone": booking.phone,
            "email": booking.email,
            **more,
        },
    )
