"""What the payload of each type of event says, as types.

`payload_of` gives the typed view of an event; the event itself keeps its payload as it came, so fields that this
version does not know survive being stored and delivered. Types that are not listed have no view: their payload is what
their maker says. Used by subscribers and by the description of the REST interface.
"""

from typing import Any

import msgspec

from context.errors import ContextError
from context.events.event import Event, EventType


class EventPayloadError(ContextError):
    """An event says less than its type promises."""

    code = "bad_event_payload"


class CallStarted(msgspec.Struct, frozen=True):
    """call.started. channel: phone, browser, websocket or text. direction: inbound or outbound. caller: E.164 or ""."""

    call_id: str
    channel: str = ""
    direction: str = ""
    language: str = ""
    persona_id: str = ""
    caller: str = ""


class TalkTime(msgspec.Struct, frozen=True):
    """How long each side spoke, seconds."""

    caller: float = 0.0
    agent: float = 0.0


class CallCompleted(msgspec.Struct, frozen=True):
    """call.completed (product facts, section 7), once a call.

    Instants: seconds since the epoch, UTC. outcome: booked, callback, transferred, partial, abandoned or completed.
    qualification: null when the call was not scored. transcript, tools, latency: as in the record of the call; empty
    when the person's data was erased. cost: by part. recording: name of the file, "" or null when there is none.
    reason: why the call ended.
    """

    call_id: str
    started_at: float
    ended_at: float
    duration_s: float
    outcome: str
    channel: str = ""
    direction: str = ""
    language: str = ""
    persona_id: str = ""
    caller: str = ""
    answered_at: float | None = None
    talk_time_s: TalkTime = TalkTime()
    qualification: dict[str, Any] | None = None
    bookings: list[dict[str, Any]] = []
    transcript: list[Any] = []
    tools: list[Any] = []
    latency: Any = None
    cost: dict[str, float] = {}
    recording: str | None = None
    reason: str = ""
    erased: bool = False


class BookingEvent(msgspec.Struct, frozen=True):
    """booking.requested, booking.confirmed and booking.cancelled. starts_at: ISO 8601 in the tenant's time zone.
    previous_starts_at: of a booking that was moved."""

    booking_id: str
    call_id: str = ""
    service_id: str = ""
    starts_at: str = ""
    minutes: int = 0
    name: str = ""
    phone: str = ""
    email: str = ""
    previous_starts_at: str = ""
    erased: bool = False


class ContextUpdated(msgspec.Struct, frozen=True):
    """context.updated. version: of the box, from 1. state: of its machine. change: what was done to it."""

    contact_id: str
    version: int
    state: str = ""
    change: str = ""
    promoted_fact_ids: list[str] = []


class ContextHandoff(msgspec.Struct, frozen=True):
    """context.handoff. checksum: of the package."""

    contact_id: str
    version: int
    from_agent: str = ""
    to_agent: str = ""
    checksum: str = ""


class TenantProvisioned(msgspec.Struct, frozen=True):
    """tenant.provisioned."""

    sector: str = ""
    plan: str = ""
    state: str = ""
    country: str = ""


class Quota(msgspec.Struct, frozen=True):
    """quota.warning and quota.exceeded. quota: which one. used, limit: in its unit."""

    quota: str = ""
    used: float = 0.0
    limit: float = 0.0


class SystemAlert(msgspec.Struct, frozen=True):
    """system.alert and system.recovered. alert: a stable word for what is wrong; more fields say where."""

    alert: str = ""


PAYLOADS: dict[str, type[msgspec.Struct]] = {
    EventType.CALL_STARTED: CallStarted,
    EventType.CALL_COMPLETED: CallCompleted,
    EventType.BOOKING_REQUESTED: BookingEvent,
    EventType.BOOKING_CONFIRMED: BookingEvent,
    EventType.BOOKING_CANCELLED: BookingEvent,
    EventType.CONTEXT_UPDATED: ContextUpdated,
    EventType.CONTEXT_HANDOFF: ContextHandoff,
    EventType.TENANT_PROVISIONED: TenantProvisioned,
    EventType.QUOTA_WARNING: Quota,
    EventType.QUOTA_EXCEEDED: Quota,
    EventType.SYSTEM_ALERT: SystemAlert,
    EventType.SYSTEM_RECOVERED: SystemAlert,
}
"""The types whose payload has a view."""


def payload_of(event: Event) -> msgspec.Struct | dict[str, Any]:
    """The typed view of the payload, or the payload itself when its type has none.

    Raises EventPayloadError, whose message names the field.
    """
    kind = PAYLOADS.get(event.type)
    if kind is None:
        return event.payload
    try:
        return msgspec.convert(event.payload, kind)
    except msgspec.ValidationError as error:
        raise EventPayloadError(f"{event.type} {event.id}: {error}") from error
