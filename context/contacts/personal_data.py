"""What contacts and their boxes hold of a person: for an export in full, for an erasure until nothing is left.

Two providers, because the box is written about a person and the contact is the person. Added to the registry by the
composition, asked by `context.erasure`.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from context.contacts import contact_rows
from context.contacts.tables import (
    contact_calls,
    contact_merges,
    contact_points,
    contacts,
    context_boxes,
    context_versions,
    tenant_memory,
)
from context.erasure.registry import Subject
from context.store.transaction import TenantTransaction

JSON_COLUMNS = frozenset({"names", "languages", "consents", "before", "box"})


class ContactData:
    """Numbers, addresses, names, consents, calls and merges of the person. Erased after the boxes, which name it."""

    name = "contacts"

    async def export(self, transaction: TenantTransaction, subject: Subject) -> list[dict[str, Any]]:
        """Each row, with the table that it is from."""
        ids = await _ids(transaction, subject)
        return [
            *await _exported(transaction, contacts, contacts.c.id, ids),
            *await _exported(transaction, contact_points, contact_points.c.contact_id, ids),
            *await _exported(transaction, contact_calls, contact_calls.c.contact_id, ids),
            *await _exported(transaction, contact_merges, contact_merges.c.merged_id, ids),
        ]

    async def erase(self, transaction: TenantTransaction, subject: Subject) -> int:
        """Remove them all; how many rows there were."""
        await contact_rows.lock(transaction)
        ids = await _ids(transaction, subject)
        erased = await _remove(transaction, contact_merges, contact_merges.c.merged_id, ids)
        for table in (contact_calls, contact_points):
            erased += await _remove(transaction, table, table.c.contact_id, ids)
        return erased + await _remove(transaction, contacts, contacts.c.id, ids)


class BoxData:
    """The context box, its earlier versions and the facts of the person that the tenant remembers."""

    name = "context boxes"

    async def export(self, transaction: TenantTransaction, subject: Subject) -> list[dict[str, Any]]:
        """Each row, with the table that it is from."""
        ids = await _ids(transaction, subject)
        tables = (context_boxes, context_versions, tenant_memory)
        return [row for table in tables for row in await _exported(transaction, table, table.c.contact_id, ids)]

    async def erase(self, transaction: TenantTransaction, subject: Subject) -> int:
        """Remove them all; how many rows there were."""
        await contact_rows.lock(transaction)
        ids = await _ids(transaction, subject)
        tables = (context_versions, context_boxes, tenant_memory)
        return sum([await _remove(transaction, table, table.c.contact_id, ids) for table in tables])


async def _ids(transaction: TenantTransaction, subject: Subject) -> list[str]:
    """The contact and those that were merged into it."""
    return [subject.contact_id, *await contact_rows.merged_ids(transaction, subject.contact_id)]


async def _exported(
    transaction: TenantTransaction, table: sa.Table, column: sa.ColumnElement[str], ids: Sequence[str]
) -> list[dict[str, Any]]:
    rows = await transaction.rows(table, column.in_(ids), order_by=tuple(table.primary_key.columns))
    return [{"table": table.name} | {name: _plain(name, value) for name, value in row.items()} for row in rows]


def _plain(name: str, value: Any) -> Any:
    return msgspec.json.decode(value) if name in JSON_COLUMNS and isinstance(value, str) else value


async def _remove(
    transaction: TenantTransaction, table: sa.Table, column: sa.ColumnElement[str], ids: Sequence[str]
) -> int:
    return await transaction.delete(table, column.in_(ids))
