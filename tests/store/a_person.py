"""A made-up person who called a clinic, and everything that the clinic's Parley then knows of them."""

import datetime as dt
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from context.bookings.store import StoredBookingDesk
from context.calls.completed import CallDetails
from context.calls.store import CallStore
from context.contacts.points import ContactPoint, PointKind
from context.contacts.store import ContactStore
from context.contacts.tables import context_boxes, context_versions, tenant_memory
from context.conversations.tables import conversation_turns, conversations
from context.erasure.registry import Subject
from context.idempotency.tables import idempotent_requests
from context.store.database import Store
from context.store.transaction import TenantTransaction
from context.webhooks.tables import webhook_attempts, webhook_deliveries, webhook_endpoints
from tests.context.clinic import CLINIC, NOW, TUESDAY, at
from voice_core.record import CallRecord, ToolUse, Utterance
from voice_core.responder import Outcome

PHONE, EMAIL, NAME = "+33612345678", "zoe.lacombe@example.com", "Zoé Lacombe"
SAID = f"Je m'appelle {NAME}, au 06 12 34 56 78, {EMAIL}"
TRACES = re.compile(
    rb"(?:0|33)[ .-]?6(?:[ .-]?(?:12|34|56|78)){4}"
    rb"|zoe\.lacombe|lacombe|Zo\xc3\xa9|Zo\\u00e9|Z\x00o\x00\xe9",
    re.IGNORECASE,
)
"""Her number as people and machines write it, her address, her name in UTF-8, JSON escapes and UTF-16."""

CALL_S = 95.5


def wall_clock_s() -> float:
    return NOW.timestamp()


def files_with_traces(root: Path) -> set[str]:
    return {
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.is_file() and TRACES.search(path.read_bytes())
    }


def record(call_id: str, said: str, recording: Path) -> CallRecord:
    return CallRecord(
        call_id=call_id,
        started_at=NOW.timestamp() - 600,
        duration_s=CALL_S,
        language="fr",
        outcome=Outcome.BOOKED,
        reason="hangup",
        transcript=(
            Utterance("caller", said, 0.0, 900.0, "fr"),
            Utterance("agent", "C'est noté.", 1500.0, 2100.0, "fr"),
        ),
        tools=(ToolUse("create_booking", {"name": said}, {"ok": True}, ok=True, at_ms=1000.0),),
        latency=({"speech": 640.0},),
        caller_talk_s=30.0,
        agent_talk_s=40.0,
        recording=str(recording),
    )


async def call(store: Store, recordings: Path, call_id: str, said: str, caller: str) -> None:
    """A call with its recording, event log and events."""
    wav = recordings / f"{call_id}.wav"
    wav.write_bytes(b"RIFF" + said.encode() + bytes(3000))
    wav.with_suffix(".events.jsonl").write_text(f'{{"text":"{said}"}}\n')
    details = CallDetails(channel="phone", caller=caller)
    calls = CallStore(store)
    await calls.begin(CLINIC.id, call_id, started_at=NOW.timestamp() - 600, language="fr", details=details)
    await calls.save(CLINIC.id, record(call_id, said, wav))


async def filled(transaction: TenantTransaction, table: sa.Table, values: Mapping[str, Any]) -> None:
    """A row with these values, and anything in the columns that need something."""
    row: dict[str, Any] = {}
    for column in table.columns:
        if column.name not in {*values, "tenant_id"} and not column.nullable and column.server_default is None:
            row[column.name] = {int: 0, float: 0.0, bool: False}.get(column.type.python_type, "")
    await transaction.insert(table, [{**row, **values}])


async def move_in(store: Store, recordings: Path) -> Subject:
    """Zoé calls once from her own number and once from a hidden one, books twice, writes once; others do so too."""
    contacts = ContactStore(store)
    desk = StoredBookingDesk(store, CLINIC, lambda: NOW)
    for number in range(24):
        await call(store, recordings, f"other{number}", f"Ici Paul Durand {number}", f"+3362000{number:04}")
        if number == 8:
            await call(store, recordings, "call1", SAID, PHONE)
        if number == 16:
            await call(store, recordings, "call2", SAID, "")
    person = {"name": NAME, "phone": PHONE, "email": EMAIL}
    await desk.book(call_id="call1", service_id="cleaning", starts_at=at(TUESDAY, 9), **person)
    await desk.book(call_id="call2", service_id="cleaning", starts_at=at(TUESDAY, 14), **person)
    await desk.book(
        call_id="other1", service_id="cleaning", starts_at=at(TUESDAY, 16), name="Paul Durand", phone="+33620000001"
    )
    points = (ContactPoint(PointKind.PHONE, PHONE), ContactPoint(PointKind.EMAIL, EMAIL))
    contact = await contacts.find_or_make(CLINIC.id, points, names=(NAME,), languages=("fr",))
    await contacts.link_call(CLINIC.id, "call1", contact.id)
    async with store.tenant(CLINIC.id).writing() as transaction:
        box = {"contact_id": contact.id, "box": f'{{"name":"{NAME}","said":"{SAID}"}}'}
        await filled(transaction, context_boxes, {**box, "version": 2})
        await filled(transaction, context_versions, {**box, "version": 1})
        await filled(transaction, conversations, {"id": "call1", "memory": SAID, "ended": False})
        await filled(transaction, conversation_turns, {"conversation_id": "call1", "text": SAID, "turn": 1})
        await filled(transaction, tenant_memory, {"contact_id": contact.id, "value": SAID})
        await filled(transaction, webhook_endpoints, {"id": "e1"})
        await filled(transaction, webhook_deliveries, {"id": "d1", "endpoint_id": "e1", "correlation_id": "call1"})
        await filled(transaction, webhook_attempts, {"delivery_id": "d1", "response": f"got {SAID}"})
        await filled(transaction, idempotent_requests, {"key_hash": "k", "state": "answered", "answer": "sealed"})
    return await contacts.subject(CLINIC.id, contact.id)


def later(days: int) -> float:
    return (NOW + dt.timedelta(days=days)).timestamp()
