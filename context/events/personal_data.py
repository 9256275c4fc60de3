"""What events know about a person: the payloads of the events of their calls.

The event itself stays, because others count on it (an invoice counts its call); what it says about the person is
blanked in it. Registered with the personal data of the installation.
"""

from collections.abc import Mapping
from typing import Any, cast

import msgspec
import sqlalchemy as sa

from context.erasure.registry import Subject
from context.events.event import EventType
from context.events.outbox import event_of
from context.events.tables import event_deliveries, events
from context.store.transaction import Row, TenantTransaction

KEPT_FIELDS = frozenset(
    {"call_id", "booking_id", "contact_id", "tenant_id", "persona_id", "service_id", "endpoint_id"}
    | {"channel", "direction", "language", "outcome", "reason", "state", "version", "plan", "alert", "quota", "used"}
    | {"started_at", "answered_at", "ended_at", "starts_at", "duration_s", "talk_time_s", "minutes", "limit"}
    | {"cost", "amount", "currency", "score"}
)
"""Fields of Parley's own payloads that say nothing about a person beyond our random ids. Everything else is erased: a
field that somebody adds later is personal until it stands here. Of a tenant's own events everything is erased."""

ERASED = {"erased": True}
"""Added to a payload that lost fields, so that nobody takes it for a call without words."""

_AT_A_TIME = 500


class EventPersonalData:
    """Export and erasure of events (implements `context.erasure.registry.PersonalData`)."""

    name = "events"

    async def export(self, transaction: TenantTransaction, subject: Subject) -> list[dict[str, Any]]:
        """Every event of the person's calls and of their contact."""
        return [msgspec.to_builtins(event_of(row)) for row in await self._rows(transaction, subject)]

    async def erase(self, transaction: TenantTransaction, subject: Subject) -> int:
        """Blank their payloads and what failed deliveries wrote down; how many events were changed."""
        changed = 0
        for row in await self._rows(transaction, subject):
            payload = msgspec.json.decode(row["payload"], type=dict[str, Any])
            kept = _without_person(row["type"], payload)
            if kept != payload:
                text = msgspec.json.encode(kept).decode()
                changed += await transaction.update(events, {"payload": text}, events.c.id == row["id"])
            await transaction.update(
                event_deliveries,
                {"error": ""},
                event_deliveries.c.event_id == row["id"],
                event_deliveries.c.error != "",
            )
        return changed

    async def _rows(self, transaction: TenantTransaction, subject: Subject) -> list[Row]:
        found: dict[str, Row] = {}
        ids = sorted(subject.call_ids)
        for start in range(0, len(ids), _AT_A_TIME):
            some = ids[start : start + _AT_A_TIME]
            for row in await transaction.rows(events, events.c.correlation_id.in_(some)):
                found[row["id"]] = row
        # Events of no call carry the person in their payload: by our own id, or by number or address.
        marks = [subject.contact_id, *sorted(subject.phones), *sorted(subject.emails)]
        for mark in filter(None, marks):
            quoted = msgspec.json.encode(mark).decode()
            for row in await transaction.rows(events, _contains(quoted)):
                found[row["id"]] = row
        return list(found.values())


def _contains(text: str) -> sa.ColumnElement[bool]:
    return events.c.payload.contains(text, autoescape=True)


def _without_person(event_type: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    ours = event_type in frozenset[str](EventType)
    kept = {field: value for field, value in payload.items() if ours and field in KEPT_FIELDS and _plain(value)}
    return kept if len(kept) == len(payload) else kept | ERASED


def _plain(value: Any) -> bool:
    """One value, or a table of numbers: nested data may hold anything."""
    if isinstance(value, Mapping):
        return all(isinstance(one, (int, float)) for one in cast(Mapping[str, Any], value).values())
    return not isinstance(value, list)
