"""The tools a model may call, and the checks that decide whether it may.

Whatever the model asks: arguments are validated against the declared types, the tenant's own data
decides what exists, and work that writes waits until the caller's turn is confirmed. Called by
`agents.llm.responder`; names and parameters are those of the product facts, section 5.
"""

import datetime as dt
import zoneinfo
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum
from typing import Annotated, Any

import msgspec
from livekit.agents.llm import Tool, function_tool
from msgspec import Meta

from agents.understanding.phones import valid_e164
from context.bookings.desk import BookingDesk, SlotTaken
from context.tenants.config import Fact, Localised, Service, TenantConfig
from voice_core.responder import Confirmation, Outcome, ReplyEnd, ReplyTransfer

KnowledgeSearch = Callable[[str, str], Sequence[Fact]]
"""(query, language) -> the facts that answer it, best first; [] when none does."""

DAYS_SEARCHED = 7
"""How far a full or closed day is looked past for the next free slots."""


class ToolArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of the arguments; the docstring of each is what the model reads about the tool."""


class GetAvailableSlots(ToolArguments, frozen=True):
    """Free appointment times on a day. Call it before offering or booking a time."""

    date: Annotated[dt.date, Meta(description="The day, YYYY-MM-DD.")]
    service_id: Annotated[str, Meta(description="Id of the service, when known.")] | None = None
    service_name: Annotated[str, Meta(description="Name of the service in the caller's words.")] | None = None
    provider_id: str | None = None


class CreateBooking(ToolArguments, frozen=True):
    """Book an appointment. Only after the caller has chosen the service, the day and the time, and has given
    a name and a telephone number. The booking exists only if the result says so."""

    name: Annotated[str, Meta(min_length=2, max_length=120, description="The caller's full name, as given.")]
    slot: Annotated[str, Meta(max_length=40, description="Start, YYYY-MM-DDTHH:MM, local time of the business.")]
    service: Annotated[str, Meta(description="Id or name of the service.")]
    phone: Annotated[str, Meta(max_length=40, description="The caller's telephone number, as given.")]
    email: Annotated[str, Meta(max_length=254)] | None = None


class SearchKnowledgeBase(ToolArguments, frozen=True):
    """Look up a fact about the business. Say that you do not know when nothing is found."""

    query: Annotated[str, Meta(min_length=1, max_length=300)]
    category: str | None = None


class TransferCall(ToolArguments, frozen=True):
    """Pass the caller to a human: when asked to, in an emergency, or for a complaint that you cannot solve."""

    reason: Annotated[str, Meta(max_length=300)]
    phone_number: Annotated[str, Meta(description="Leave it out: the business decides where calls go.")] | None = None


class EndCall(ToolArguments, frozen=True):
    """End the call, after the caller has said goodbye."""

    reason: Annotated[str, Meta(max_length=300)] | None = None


class Writes(Enum):
    """What a tool does to the world."""

    NOTHING = "nothing"
    WAITS_FOR_CONFIRMATION = "waits_for_confirmation"


class ToolResult(msgspec.Struct, frozen=True):
    """A tool that ran. output: for the model and the record. booked: the start of a new appointment.

    effect: what happens to the call once this reply has been heard.
    """

    name: str
    arguments: dict[str, Any]
    output: dict[str, Any]
    ok: bool
    booked: dt.datetime | None = None
    effect: ReplyEnd | ReplyTransfer | None = None


class ToolRefused(Exception):  # noqa: N818 - an answer for the model, not a fault
    """The tool may not or cannot do this; the message tells the model what to do instead."""


class Toolbox:
    """The tools of one call.

    now: aware current time. search: the tenant's knowledge. Every argument comes from a model that a
    caller may have talked into anything, so nothing in it is trusted.
    """

    def __init__(
        self,
        tenant: TenantConfig,
        desk: BookingDesk,
        *,
        call_id: str,
        now: Callable[[], dt.datetime],
        search: KnowledgeSearch,
    ) -> None:
        self._tenant = tenant
        self._desk = desk
        self._call_id = call_id
        self._now = now
        self._search = search
        self._zone = zoneinfo.ZoneInfo(tenant.timezone)
        self._bookable = {service.id: service for service in tenant.services if service.bookable}
        self._tools = self._permitted()

    @property
    def definitions(self) -> list[Tool]:
        """The permitted tools as livekit passes them to a model."""
        return [_definition(name, arguments) for name, (arguments, _, _) in self._tools.items()]

    async def run(self, name: str, arguments: str, language: str, confirmed: Confirmation) -> ToolResult:
        """Run one call of the model. arguments: JSON text. Never raises for what the model asked."""
        tool = self._tools.get(name)
        if tool is None:
            allowed = ", ".join(self._tools)
            return ToolResult(name, {}, {"error": f"there is no tool {name}; the tools are: {allowed}"}, ok=False)
        argument_type, writes, work = tool
        try:
            parsed = msgspec.json.decode(arguments or "{}", type=argument_type)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            return ToolResult(name, {}, {"error": f"wrong arguments: {error}"}, ok=False)
        given: dict[str, Any] = {k: v for k, v in msgspec.to_builtins(parsed).items() if v is not None}
        if writes is Writes.WAITS_FOR_CONFIRMATION:
            await confirmed.wait()
        try:
            result = await work(parsed, language)
        except ToolRefused as refusal:
            return ToolResult(name, given, {"error": str(refusal)}, ok=False)
        return msgspec.structs.replace(result, name=name, arguments=given)

    def _permitted(self) -> dict[str, tuple[type[ToolArguments], Writes, "_Work"]]:
        """What this tenant's own data allows: no booking without services, no transfer without a number."""
        tools: dict[str, tuple[type[ToolArguments], Writes, _Work]] = {}
        if self._bookable:
            tools["get_available_slots"] = (GetAvailableSlots, Writes.NOTHING, self._get_available_slots)
            tools["create_booking"] = (CreateBooking, Writes.WAITS_FOR_CONFIRMATION, self._create_booking)
        if self._tenant.facts:
            tools["search_knowledge_base"] = (SearchKnowledgeBase, Writes.NOTHING, self._search_knowledge_base)
        if self._tenant.transfer_number:
            tools["transfer_call"] = (TransferCall, Writes.WAITS_FOR_CONFIRMATION, self._transfer_call)
        tools["end_call"] = (EndCall, Writes.WAITS_FOR_CONFIRMATION, self._end_call)
        return tools

    async def _get_available_slots(self, asked: Any, language: str) -> ToolResult:
        service = self._service(asked.service_id or asked.service_name or "")
        today = self._now().astimezone(self._zone).date()
        if asked.date < today:
            raise ToolRefused(f"{asked.date} is past; today is {today}")
        slots = await self._desk.free_slots(service.id, asked.date)
        output: dict[str, Any] = {"service_id": service.id, "date": str(asked.date), "slots": _times(slots)}
        if not slots:
            output["next"] = await self._next_free(service.id, asked.date)
        return ToolResult("", {}, output, ok=True)

    async def _create_booking(self, asked: Any, language: str) -> ToolResult:
        service = self._service(asked.service)
        phone = self._phone(asked.phone)
        if not phone:
            raise ToolRefused("the phone number is not valid: ask the caller to say it again, digit by digit")
        starts_at = self._local_time(asked.slot)
        try:
            booking = await self._desk.book(
                call_id=self._call_id,
                service_id=service.id,
                starts_at=starts_at,
                name=" ".join(asked.name.split()),
                phone=phone,
                email=asked.email or "",
            )
        except SlotTaken:
            free = await self._desk.free_slots(service.id, starts_at.date())
            output: dict[str, Any] = {"error": "not booked: this slot is not free", "slots": _times(free)}
            if not free:
                output["next"] = await self._next_free(service.id, starts_at.date())
            return ToolResult("", {}, output, ok=False)
        starts = booking.starts_at.astimezone(self._zone)
        output = {
            "booked": True,
            "booking_id": booking.id,
            "service_id": booking.service_id,
            "starts_at": f"{starts:%Y-%m-%dT%H:%M}",
            "weekday": f"{starts:%A}",
            "name": booking.name,
        }
        return ToolResult("", {}, output, ok=True, booked=starts)

    async def _search_knowledge_base(self, asked: Any, language: str) -> ToolResult:
        facts = self._search(asked.query, language)
        found = [{"source": fact.id, "answer": self._in(fact.answer, language)} for fact in facts]
        return ToolResult("", {}, {"found": bool(found), "facts": found}, ok=True)

    async def _transfer_call(self, asked: Any, language: str) -> ToolResult:
        # Where calls go is the tenant's decision; a number that a caller talked the model into is a toll fraud.
        destination = self._tenant.transfer_number
        if asked.phone_number and self._phone(asked.phone_number) != self._phone(destination):
            raise ToolRefused("calls are only passed to the business's own number: call again without phone_number")
        return ToolResult("", {}, {"transferring": True}, ok=True, effect=ReplyTransfer(asked.reason, destination))

    async def _end_call(self, asked: Any, language: str) -> ToolResult:
        return ToolResult("", {}, {"ending": True}, ok=True, effect=ReplyEnd(Outcome.COMPLETED))

    def _service(self, named: str) -> Service:
        """The bookable service of that id, name or word. Raises ToolRefused."""
        wanted = named.strip().casefold()
        for service in self._bookable.values():
            spellings = {service.id, *service.name.values(), *(w for words in service.words.values() for w in words)}
            if wanted in {spelling.casefold() for spelling in spellings}:
                return service
        raise ToolRefused(f"no such service; the services are: {', '.join(self._bookable)}")

    def _phone(self, written: str) -> str:
        """E.164 form, or "" when there is no such number."""
        sign = "+" if written.strip().startswith("+") else ""
        return valid_e164(sign + "".join(c for c in written if c.isdigit()), self._tenant.country)

    def _local_time(self, written: str) -> dt.datetime:
        """Raises ToolRefused."""
        try:
            given = dt.datetime.fromisoformat(written.strip())
        except ValueError as error:
            raise ToolRefused("slot must be written YYYY-MM-DDTHH:MM") from error
        return given.astimezone(self._zone) if given.tzinfo else given.replace(tzinfo=self._zone)

    async def _next_free(self, service_id: str, day: dt.date) -> list[str]:
        """The first free slots after a day that has none."""
        for ahead in range(1, DAYS_SEARCHED + 1):
            slots = await self._desk.free_slots(service_id, day + dt.timedelta(days=ahead))
            if slots:
                return [f"{slot:%Y-%m-%dT%H:%M}" for slot in slots[:3]]
        return []

    def _in(self, text: Localised, language: str) -> str:
        return text.get(language) or text.get(self._tenant.default_language, "")


_Work = Callable[[Any, str], Awaitable[ToolResult]]


def _times(slots: Sequence[dt.datetime]) -> list[str]:
    return [f"{slot:%H:%M}" for slot in slots]


def _definition(name: str, arguments: type[ToolArguments]) -> Tool:
    schema = msgspec.json.schema(arguments)
    parameters = schema["$defs"][arguments.__name__]
    description = " ".join(parameters.pop("description", "").split())
    parameters.pop("title", None)

    async def unused(raw_arguments: dict[str, object]) -> None:
        """Required by livekit; `Toolbox.run` runs the tools."""

    return function_tool(unused, raw_schema={"name": name, "description": description, "parameters": parameters})
