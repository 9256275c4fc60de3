"""A small clinic for the tests of the model's turn: a tenant, a desk in memory and a toolbox."""

import datetime as dt
from zoneinfo import ZoneInfo

from agents.llm.tools import Toolbox
from context.bookings.desk import Booking, SlotTaken
from context.tenants.config import Fact, OpeningHours, Persona, Service, TenantConfig

ZONE = ZoneInfo("Europe/Paris")
NOW = dt.datetime(2026, 11, 20, 14, 30, tzinfo=ZONE)
"""A Friday afternoon."""

OPEN = (OpeningHours(dt.time(9), dt.time(12)),)

PARKING = Fact(
    id="parking",
    questions={"en": ("Where can I park?",), "fr": ("Où se garer ?",)},
    answer={"en": "There is a car park behind the clinic.", "fr": "Il y a un parking derrière la clinique."},
)

CLINIC = TenantConfig(
    id="clinic",
    name="Clinic of the Test",
    sector="dental",
    languages=("en", "fr"),
    default_language="en",
    timezone="Europe/Paris",
    country="FR",
    currency="EUR",
    phone="+33142000000",
    address={"en": "1 rue du Test, Paris"},
    hours={"tuesday": OPEN, "thursday": OPEN},
    services=(
        Service(
            id="cleaning",
            name={"en": "Cleaning", "fr": "Détartrage"},
            words={"en": ("cleaning", "scaling"), "fr": ("détartrage",)},
            price=65,
        ),
        Service(id="implant", name={"en": "Implant"}, words={"en": ("implant",)}, bookable=False),
    ),
    persona=Persona(id="p", name="Léa", archetype="DENTAL", greeting={"en": "Hello, Clinic of the Test."}),
    facts=(PARKING,),
    transfer_number="+33142000001",
)


class MemoryDesk:
    """Bookings in memory: 9, 10 and 11 o'clock on Tuesdays and Thursdays."""

    def __init__(self) -> None:
        self.bookings: list[Booking] = []

    async def free_slots(self, service_id: str, day: dt.date) -> list[dt.datetime]:
        if day.strftime("%A").lower() not in CLINIC.hours:
            return []
        taken = {booking.starts_at for booking in self.bookings}
        starts = [dt.datetime.combine(day, dt.time(hour), tzinfo=ZONE) for hour in (9, 10, 11)]
        return [start for start in starts if start not in taken and start > NOW]

    async def book(
        self, *, call_id: str, service_id: str, starts_at: dt.datetime, name: str, phone: str, email: str = ""
    ) -> Booking:
        if starts_at not in await self.free_slots(service_id, starts_at.date()):
            raise SlotTaken(str(starts_at))
        number = f"b{len(self.bookings) + 1}"
        booking = Booking(number, CLINIC.id, call_id, service_id, starts_at, 60, name, phone, email)
        self.bookings.append(booking)
        return booking

    async def cancel(self, booking_id: str) -> Booking:
        booking = next(b for b in self.bookings if b.id == booking_id)
        self.bookings.remove(booking)
        return booking

    async def move(self, booking_id: str, starts_at: dt.datetime) -> Booking:
        old = await self.cancel(booking_id)
        return await self.book(
            call_id=old.call_id, service_id=old.service_id, starts_at=starts_at, name=old.name, phone=old.phone
        )


def search(query: str, language: str) -> list[Fact]:
    """Finds the car park and nothing else."""
    return [PARKING] if "park" in query.lower() else []


def toolbox(desk: MemoryDesk, tenant: TenantConfig = CLINIC) -> Toolbox:
    """The clinic's tools for one call."""
    return Toolbox(tenant, desk, call_id="call-1", now=lambda: NOW, search=search)
