"""Finds the calls of a person that the contact's own links do not name.

A call belongs to them when it came from their number, or when an appointment with their number or address was made in
it: its words name them. Asked by `export` and `erase` before they begin, in their transaction.
"""

from collections.abc import Iterator

import msgspec
import sqlalchemy as sa

from context.bookings.tables import bookings
from context.calls.life import OVER
from context.calls.tables import calls
from context.erasure.errors import SubjectInCallError
from context.erasure.registry import Subject
from context.store.transaction import TenantTransaction

IDS_A_STATEMENT = 500
"""SQLite allows a statement a limited number of values."""


def in_pieces(column: sa.ColumnElement[str], values: frozenset[str]) -> Iterator[sa.ColumnElement[bool]]:
    """Conditions that together mean `column` is one of `values`."""
    ordered = sorted(values)
    for first in range(0, len(ordered), IDS_A_STATEMENT):
        yield column.in_(ordered[first : first + IDS_A_STATEMENT])


def about(subject: Subject) -> Iterator[sa.ColumnElement[bool]]:
    """Conditions that together find the person's appointments."""
    yield from in_pieces(bookings.c.phone, subject.phones)
    yield from in_pieces(sa.func.lower(bookings.c.email), frozenset(email.lower() for email in subject.emails))
    yield from in_pieces(bookings.c.call_id, subject.call_ids)


async def with_all_calls(transaction: TenantTransaction, subject: Subject) -> Subject:
    """The subject with every call of theirs."""
    found = set(subject.call_ids)
    for condition in in_pieces(calls.c.caller, subject.phones):
        found |= {row["call_id"] for row in await transaction.rows(calls, condition, columns=[calls.c.call_id])}
    for condition in about(subject):
        rows = await transaction.rows(bookings, condition, columns=[bookings.c.call_id])
        found |= {row["call_id"] for row in rows}
    return msgspec.structs.replace(subject, call_ids=frozenset(found))


async def require_no_live_call(transaction: TenantTransaction, subject: Subject) -> None:
    """Raises SubjectInCallError when one of the subject's calls goes on."""
    live = calls.c.state.not_in([state.value for state in OVER])
    for condition in in_pieces(calls.c.call_id, subject.call_ids):
        row = await transaction.row(calls, condition, live)
        if row is not None:
            raise SubjectInCallError(f"call {row['call_id']} of this person goes on; ask again when it is over")
