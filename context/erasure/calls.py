"""The personal data of calls: who called, what was said, what the tools were told.

A bill needs that a call took place, when, how long and with what outcome; that stays. Also used by retention, which
forgets the same when a call is old. Recordings are files: see `recordings`.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from context.calls.tables import calls
from context.erasure.registry import Subject
from context.erasure.subject import in_pieces
from context.store.transaction import Row, TenantTransaction

KEPT_FIELDS = frozenset(
    {
        *("call_id", "tenant_id", "channel", "direction", "persona_id", "language", "outcome", "reason"),
        *("started_at", "answered_at", "ended_at", "duration_s", "caller_talk_s", "agent_talk_s", "latency", "cost"),
    }
)
"""Fields of a record that say nothing about a person. Any other is emptied, also one that a later Parley adds."""


class CallData:
    """Calls (implements `context.erasure.registry.PersonalData`)."""

    name = "calls"

    async def export(self, transaction: TenantTransaction, subject: Subject) -> list[dict[str, Any]]:
        """Each call with its record."""
        return [
            {**row, "record": msgspec.json.decode(row["record"]) if row["record"] else None}
            for condition in in_pieces(calls.c.call_id, subject.call_ids)
            for row in await transaction.rows(calls, condition, order_by=[calls.c.started_at.asc()])
        ]

    async def erase(self, transaction: TenantTransaction, subject: Subject) -> int:
        """Empty what was said and by whom."""
        erased = 0
        for condition in in_pieces(calls.c.call_id, subject.call_ids):
            erased += await forget(transaction, await transaction.rows(calls, condition))
        return erased


async def forget(transaction: TenantTransaction, rows: Sequence[Row]) -> int:
    """Empty these calls' personal fields; how many had any."""
    forgotten = 0
    for row in rows:
        emptied = {"caller": "", "record": without_words(row["record"])}
        if any(row[name] != value for name, value in emptied.items()):
            forgotten += await transaction.update(calls, emptied, calls.c.call_id == row["call_id"])
    return forgotten


def without_words(record: str) -> str:
    """The JSON of a record with every field emptied that is not known to be harmless."""
    if not record:
        return record
    fields: dict[str, Any] = msgspec.json.decode(record)
    kept = {name: value if name in KEPT_FIELDS else _empty(value) for name, value in fields.items()}
    return msgspec.json.encode(kept).decode()


def _empty(value: Any) -> Any:
    """Numbers stay: without words they name nobody, and the record could not be read without them."""
    match value:
        case str():
            return ""
        case list():
            return []
        case dict():
            return {}
        case _:
            return value
