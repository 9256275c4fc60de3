"""A conversation with the dialogue engine, without sound: what is said, heard, interrupted and booked."""

import asyncio
import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

import agents.demo
from agents.dialogue.responder import DialogueResponder
from context.bookings.desk import Booking, BookingDesk, BookingNotFound, SlotTaken
from context.bookings.slots import Calendar
from context.tenants.config import TenantConfig
from context.tenants.tenant_file import load_tenant
from voice_core.responder import (
    Cause,
    Outcome,
    ReplyEnd,
    ReplyExpect,
    ReplyPart,
    ReplyText,
    ReplyTool,
    ReplyTransfer,
    TurnRequest,
)

CLINIC = load_tenant(Path(agents.demo.__path__[0]) / "clinique_du_parc.yaml")
PARIS = ZoneInfo("Europe/Paris")
FRIDAY = dt.datetime(2026, 11, 20, 8, 30, tzinfo=PARIS)
"""When the calls are placed: before opening, the Tuesday after being the 24th."""

NUMBER = "+33612345678"


class MemoryDesk:
    """A desk that sells by the same calendar as the real one and forgets with the test."""

    def __init__(self, tenant: TenantConfig = CLINIC, now: dt.datetime = FRIDAY) -> None:
        self.bookings: dict[str, Booking] = {}
        self.broken = False
        self.snatch = False
        self.gate = asyncio.Event()
        self.gate.set()
        self._tenant = tenant
        self._now = now
        self._calendar = Calendar(PARIS, tenant.hours, tenant.booking)
        self._sold = 0

    async def free_slots(self, service_id: str, day: dt.date) -> list[dt.datetime]:
        minutes = next(s.minutes for s in self._tenant.services if s.id == service_id)
        taken = {
            grain
            for booking in self.bookings.values()
            for grain in self._calendar.grains(int(booking.starts_at.timestamp()), booking.minutes)
        }
        starts = self._calendar.starts(day, minutes, taken=taken, sold_that_day=0, now=self._now)
        return [self._calendar.local(start) for start in starts]

    async def book(
        self, *, call_id: str, service_id: str, starts_at: dt.datetime, name: str, phone: str, email: str = ""
    ) -> Booking:
        await self.gate.wait()
        if self.broken:
            raise OSError("disk full")
        if self.snatch:
            self.snatch = False
            await self.book(call_id="other", service_id=service_id, starts_at=starts_at, name="Other", phone=phone)
        if starts_at not in await self.free_slots(service_id, starts_at.date()):
            raise SlotTaken(starts_at.isoformat())
        self._sold += 1
        minutes = next(s.minutes for s in self._tenant.services if s.id == service_id)
        booking = Booking(
            f"b{self._sold}", self._tenant.id, call_id, service_id, starts_at, minutes, name, phone, email
        )
        self.bookings[booking.id] = booking
        return booking

    async def cancel(self, booking_id: str) -> Booking:
        if booking_id not in self.bookings:
            raise BookingNotFound(booking_id)
        return self.bookings.pop(booking_id)

    async def move(self, booking_id: str, starts_at: dt.datetime) -> Booking:
        old = self.bookings.pop(booking_id)
        if starts_at not in await self.free_slots(old.service_id, starts_at.date()):
            self.bookings[booking_id] = old
            raise SlotTaken(starts_at.isoformat())
        self.bookings[booking_id] = msgspec.structs.replace(old, starts_at=starts_at)
        return self.bookings[booking_id]

    def sold(self) -> list[tuple[str, str, str, str]]:
        """(service, start, name, phone) of every live booking."""
        return [(b.service_id, f"{b.starts_at:%d %H:%M}", b.name, b.phone) for b in self.bookings.values()]


class Reply(msgspec.Struct, frozen=True):
    """What the agent did in one reply."""

    text: str
    language: str
    parts: tuple[ReplyPart, ...]

    @property
    def expects(self) -> str:
        return next((p.slot.kind.value for p in self.parts if isinstance(p, ReplyExpect)), "")

    @property
    def expect(self) -> ReplyExpect:
        return next(p for p in self.parts if isinstance(p, ReplyExpect))

    @property
    def tools(self) -> list[tuple[str, bool]]:
        return [(p.name, p.ok) for p in self.parts if isinstance(p, ReplyTool)]

    @property
    def ended(self) -> Outcome | None:
        return next((p.outcome for p in self.parts if isinstance(p, ReplyEnd)), None)

    @property
    def transfer(self) -> ReplyTransfer | None:
        return next((p for p in self.parts if isinstance(p, ReplyTransfer)), None)


def reply_of(parts: list[ReplyPart]) -> Reply:
    texts = [p for p in parts if isinstance(p, ReplyText)]
    return Reply("".join(t.text for t in texts).strip(), texts[0].language if texts else "", tuple(parts))


class PhoneCall:
    """A caller and the engine. Every turn is confirmed and every reply heard, unless said otherwise."""

    def __init__(
        self,
        language: str = "en",
        *,
        tenant: TenantConfig = CLINIC,
        desk: BookingDesk | None = None,
        now: dt.datetime = FRIDAY,
    ) -> None:
        self.memory = MemoryDesk(tenant, now)
        self.language = language
        self.responder = DialogueResponder(
            tenant, desk or self.memory, call_id="call-1", language=language, now=lambda: now
        )
        self._ids = 0

    def request(self, text: str, cause: Cause = Cause.TURN, language: str = "") -> tuple[TurnRequest, asyncio.Event]:
        self._ids += 1
        confirmed = asyncio.Event()
        return TurnRequest(self._ids, cause, text, language or self.language, confirmed), confirmed

    async def say(self, text: str, *, language: str = "", heard: str | None = None) -> Reply:
        """One caller turn. heard: the words of the reply that reached the caller; all when None."""
        request, confirmed = self.request(text, language=language)
        return await self._finish(request, confirmed, heard)

    async def cause(self, cause: Cause) -> Reply:
        request, confirmed = self.request("", cause)
        return await self._finish(request, confirmed, None)

    async def _finish(self, request: TurnRequest, confirmed: asyncio.Event, heard: str | None) -> Reply:
        confirmed.set()
        self.responder.confirmed(request.reply_id)
        reply = reply_of([part async for part in self.responder.respond(request)])
        self.responder.heard(request.reply_id, reply.text if heard is None else heard, complete=heard is None)
        return reply

    async def speculate(self, text: str, *, language: str = "", steps: int = 20) -> Reply:
        """A turn that the caller takes back by going on: its reply is cancelled before it is confirmed.

        steps: turns of the event loop that the reply gets; 20 are enough to finish or to wait.
        """
        request, _ = self.request(text, language=language)
        parts: list[ReplyPart] = []

        async def listen() -> None:
            async for part in self.responder.respond(request):
                parts.append(part)

        task = asyncio.create_task(listen())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return reply_of(parts)

    async def all(self, *turns: str) -> list[Reply]:
        return [await self.say(turn) for turn in turns]
