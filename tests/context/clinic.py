"""A small made-up clinic: the tenant of the tests of context."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from context.tenants.config import BookingPolicy, OpeningHours, Persona, Service, TenantConfig

PARIS = ZoneInfo("Europe/Paris")
NOW = dt.datetime(2027, 6, 7, 8, 0, tzinfo=PARIS)
"""A Monday morning."""

TUESDAY = dt.date(2027, 6, 8)
WEDNESDAY = dt.date(2027, 6, 9)
SUNDAY = dt.date(2027, 6, 13)

CLINIC = TenantConfig(
    id="clinic",
    name="Clinic",
    sector="dental",
    languages=("en", "fr"),
    default_language="en",
    timezone="Europe/Paris",
    country="FR",
    currency="EUR",
    phone="+33142000000",
    address={"en": "1 Park Street"},
    hours={
        day: (OpeningHours(dt.time(9), dt.time(12)), OpeningHours(dt.time(14), dt.time(18)))
        for day in ("monday", "tuesday", "wednesday", "thursday", "friday")
    },
    services=(
        Service(id="cleaning", name={"en": "a cleaning"}, words={}, minutes=45),
        Service(id="surgery", name={"en": "surgery"}, words={}, minutes=120),
        Service(id="quote", name={"en": "a quotation"}, words={}, bookable=False),
    ),
    persona=Persona(id="clara", name="Clara", archetype="DENTAL", greeting={"en": "Hello"}),
    booking=BookingPolicy(slot_minutes=60, buffer_minutes=5, notice_hours=2, per_day=5, days_ahead=14),
)


def clinic(**changes: Any) -> TenantConfig:
    """The clinic with some fields changed."""
    return msgspec.structs.replace(CLINIC, **changes)


def at(day: dt.date, hour: int, minute: int = 0) -> dt.datetime:
    """A time of the clinic's day."""
    return dt.datetime.combine(day, dt.time(hour, minute), PARIS)


def clock_times(starts: list[dt.datetime]) -> list[str]:
    """Starts as a receptionist would read them."""
    return [f"{start:%H:%M}" for start in starts]
