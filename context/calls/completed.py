"""What the rest of Parley is told about a call: the payloads of call.started and call.completed.

Everything after a call hangs on call.completed (product facts, section 7), so it is made here once, from the stored
details and the record of the voice. Published by `context.calls.store`.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from context.events.event import Event, EventType
from voice_core.record import CallRecord

SOURCE = "calls"


class CallDetails(msgspec.Struct, frozen=True):
    """What is known of a call besides what was said.

    channel: phone, browser, websocket or text. direction: inbound or outbound. caller: the far end's number in
    E.164, "" when it was not told.
    """

    channel: str = "websocket"
    direction: str = "inbound"
    persona_id: str = ""
    caller: str = ""


def started(tenant_id: str, call_id: str, started_at: float, language: str, details: CallDetails) -> Event:
    """call.started: the same call is started once, however often this is published."""
    return Event(
        id=f"{call_id}.started",
        type=EventType.CALL_STARTED,
        tenant_id=tenant_id,
        occurred_at=started_at,
        source=SOURCE,
        correlation_id=call_id,
        payload={"call_id": call_id, "language": language, **msgspec.to_builtins(details)},
    )


def completed(
    tenant_id: str, record: CallRecord, details: CallDetails, bookings: Sequence[dict[str, Any]], ended_at: float
) -> Event:
    """call.completed. bookings: those of the call, as plain data. ended_at: seconds since the epoch, UTC."""
    heard: dict[str, Any] = msgspec.to_builtins(record)
    return Event(
        id=f"{record.call_id}.completed",
        type=EventType.CALL_COMPLETED,
        tenant_id=tenant_id,
        occurred_at=ended_at,
        source=SOURCE,
        correlation_id=record.call_id,
        causation_id=f"{record.call_id}.started",
        payload={
            "call_id": record.call_id,
            "tenant_id": tenant_id,
            **msgspec.to_builtins(details),
            "language": record.language,
            "started_at": record.started_at,
            "answered_at": record.started_at,
            "ended_at": ended_at,
            "duration_s": record.duration_s,
            "talk_time_s": {"caller": record.caller_talk_s, "agent": record.agent_talk_s},
            "outcome": record.outcome.value,
            "qualification": None,
            "bookings": list(bookings),
            "transcript": heard["transcript"],
            "tools": heard["tools"],
            "latency": heard["latency"],
            "cost": {},
            "recording": record.recording,
            "reason": record.reason,
        },
    )
