"""Publishes an event in the same transaction as the state change that it tells of.

Both are on disk when that transaction commits, or neither: no event without its change, no change without its event.
Called by whoever changes state; `context.events.bus` picks up what is published.
"""

import re
import time
from collections.abc import Callable
from typing import Any

import msgspec

from context.errors import ContextError
from context.events.event import Event
from context.events.tables import events, unplaced_events
from context.store.transaction import Row, TenantTransaction

ID_LIMIT_CHARS = 200
TYPE_LIMIT_CHARS = 100
PAYLOAD_LIMIT_BYTES = 2**20
"""The transcript of an hour is a fifth of it."""

_TYPE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+")


class EventRefusedError(ContextError):
    """The event cannot be published as it is; nothing was stored."""

    code = "event_refused"


async def publish(transaction: TenantTransaction, event: Event, now: Callable[[], float] = time.time) -> bool:
    """Store `event` with the rest of `transaction`; False when its id was published before, which changes nothing.

    now: seconds since the epoch. An id is remembered as long as its event is (`context.events.retention`).
    Raises EventRefusedError, and StoreError when the database fails. After the commit call `EventBus.wake`, or the
    event is found by the next poll.
    """
    payload = _checked_payload(event)
    if event.tenant_id != transaction.tenant_id:
        raise EventRefusedError(f"tenant_id: the event is of {event.tenant_id!r} and so must its transaction be")
    row: Row = {
        "id": event.id,
        "type": event.type,
        "occurred_at_s": event.occurred_at,
        "source": event.source,
        "correlation_id": event.correlation_id,
        "causation_id": event.causation_id,
        "schema_version": event.schema_version,
        "payload": payload.decode(),
        "published_at_ms": int(now() * 1000),
    }
    if not await transaction.insert_once(events, row):
        return False
    await transaction.insert(unplaced_events, [{"event_id": event.id}])
    return True


def event_of(row: Row) -> Event:
    """The event that a row of `events` holds."""
    return Event(
        id=row["id"],
        type=row["type"],
        tenant_id=row["tenant_id"],
        occurred_at=row["occurred_at_s"],
        source=row["source"],
        correlation_id=row["correlation_id"],
        causation_id=row["causation_id"],
        schema_version=row["schema_version"],
        payload=msgspec.json.decode(row["payload"], type=dict[str, Any]),
    )


def _checked_payload(event: Event) -> bytes:
    for field, value in (
        ("id", event.id),
        ("correlation_id", event.correlation_id),
        ("causation_id", event.causation_id),
        ("source", event.source),
    ):
        if len(value) > ID_LIMIT_CHARS or (field == "id" and not value) or not value.isprintable():
            raise EventRefusedError(f"{field}: {value[:50]!r}... must be up to {ID_LIMIT_CHARS} printable characters")
    if len(event.type) > TYPE_LIMIT_CHARS or not _TYPE.fullmatch(event.type):
        raise EventRefusedError(
            f"type: {event.type[:50]!r} must be words of a-z, 0-9 and _ joined by dots, like 'call.completed', "
            f"up to {TYPE_LIMIT_CHARS} characters"
        )
    try:
        payload = msgspec.json.encode(event.payload)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise EventRefusedError(f"payload: not plain JSON ({type(error).__name__})") from error
    if len(payload) > PAYLOAD_LIMIT_BYTES:
        raise EventRefusedError(f"payload: {len(payload)} bytes of JSON, and {PAYLOAD_LIMIT_BYTES} are allowed")
    return payload
