"""Contacts inside somebody's transaction: read, found, made, changed, linked to their calls.

The caller holds `lock` before it changes anything, so two calls of one person that end together make one contact on
either database. Called by `context.contacts.store`, by merging and by the subscriber of events.
"""

import secrets
from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from context.contacts.contact import (
    Consent,
    Contact,
    ContactConflictError,
    ContactNotFoundError,
    joined_names,
)
from context.contacts.points import ContactPoint, PointKind
from context.contacts.tables import contact_calls, contact_desks, contact_points, contacts
from context.store.transaction import Row, TenantTransaction

ID_BYTES = 12

MISSING = "no contact has this id"


async def lock(transaction: TenantTransaction) -> None:
    """Be the only one who changes this tenant's contacts and boxes, until the transaction ends."""
    await transaction.lock(contact_desks)


async def load(transaction: TenantTransaction, contact_id: str) -> Contact:
    """The contact, or the one that it was merged into. Raises ContactNotFoundError."""
    row = await transaction.row(contacts, contacts.c.id == contact_id)
    if row is not None and row["merged_into"]:
        row = await transaction.row(contacts, contacts.c.id == row["merged_into"])
    if row is None:
        raise ContactNotFoundError(MISSING)
    return (await with_points(transaction, [row]))[0]


async def with_points(transaction: TenantTransaction, rows: Sequence[Row]) -> list[Contact]:
    """The contacts of these rows, with their numbers and addresses."""
    ids = [row["id"] for row in rows]
    points: dict[str, list[ContactPoint]] = {contact_id: [] for contact_id in ids}
    for row in await transaction.rows(contact_points, contact_points.c.contact_id.in_(ids)) if ids else ():
        points[row["contact_id"]].append(ContactPoint(PointKind(row["kind"]), row["value"]))
    return [_contact(row, points[row["id"]]) for row in rows]


async def owners(transaction: TenantTransaction, points: Sequence[ContactPoint]) -> dict[ContactPoint, str]:
    """Point -> id of the contact that has it; points that nobody has are left out."""
    if not points:
        return {}
    same = [
        sa.and_(contact_points.c.kind == point.kind.value, contact_points.c.value == point.value) for point in points
    ]
    rows = await transaction.rows(contact_points, sa.or_(*same))
    found = {ContactPoint(PointKind(row["kind"]), row["value"]): str(row["contact_id"]) for row in rows}
    return {point: found[point] for point in points if point in found}


async def make(
    transaction: TenantTransaction, *, names: tuple[str, ...] = (), languages: tuple[str, ...] = (), now_ms: int
) -> Contact:
    """A new contact without any point."""
    contact = Contact(
        id=secrets.token_hex(ID_BYTES),
        tenant_id=transaction.tenant_id,
        version=1,
        created_ms=now_ms,
        updated_ms=now_ms,
        names=joined_names(names, ()),
        languages=languages,
    )
    await transaction.insert(contacts, [_row(contact)])
    return contact


async def find_or_make(
    transaction: TenantTransaction,
    points: Sequence[ContactPoint],
    *,
    names: tuple[str, ...] = (),
    languages: tuple[str, ...] = (),
    now_ms: int,
) -> Contact:
    """Who has the first of these points that anybody has, else a new contact; free points and names become theirs.

    points: the surest first. A point of another contact stays there: two records are made one by merging alone.
    """
    owned = await owners(transaction, points)
    known = next((owned[point] for point in points if point in owned), None)
    if known is None:
        contact = await make(transaction, names=names, languages=languages, now_ms=now_ms)
    else:
        contact = await load(transaction, known)
    return await enrich(transaction, contact, points, names=names, languages=languages, now_ms=now_ms)


async def enrich(
    transaction: TenantTransaction,
    contact: Contact,
    points: Sequence[ContactPoint],
    *,
    names: tuple[str, ...] = (),
    languages: tuple[str, ...] = (),
    now_ms: int,
) -> Contact:
    """The contact with what a call told besides: free points, newer names, languages; as stored."""
    owned = await owners(transaction, points)
    free = tuple(point for point in dict.fromkeys(points) if point not in owned)
    # A name that is known keeps its place: the same call told twice changes nothing.
    known = {name.casefold() for name in contact.names}
    unheard = tuple(name for name in joined_names(names, ()) if name.casefold() not in known)
    changed = msgspec.structs.replace(
        contact,
        names=joined_names(unheard, contact.names),
        languages=tuple(dict.fromkeys((*contact.languages, *languages))),
        points=tuple(sorted((*contact.points, *free))),
    )
    return await save(transaction, contact, changed, now_ms)


async def save(transaction: TenantTransaction, before: Contact, after: Contact, now_ms: int) -> Contact:
    """Store `after` as the next version of `before`, as it is now stored; nothing happens when they are equal.

    Raises ContactConflictError when somebody changed it since, or has one of the new points.
    """
    if after == before:
        return before
    stored = msgspec.structs.replace(after, version=before.version + 1, updated_ms=now_ms)
    unchanged = contacts.c.version == before.version
    if await transaction.update(contacts, _row(stored), contacts.c.id == before.id, unchanged) != 1:
        raise ContactConflictError(f"version: {before.version} was changed by somebody else; read the contact again")
    for point in set(before.points) - set(after.points):
        same = (contact_points.c.kind == point.kind.value, contact_points.c.value == point.value)
        await transaction.delete(contact_points, *same, contact_points.c.contact_id == before.id)
    for point in sorted(set(after.points) - set(before.points)):
        row = {"kind": point.kind.value, "value": point.value, "contact_id": before.id, "added_ms": now_ms}
        if not await transaction.insert_once(contact_points, row):
            owner = (await owners(transaction, [point])).get(point, "")
            raise ContactConflictError(f"{point.kind.value}: belongs to contact {owner}; merge the two")
    return stored


async def link_call(transaction: TenantTransaction, call_id: str, contact_id: str, now_ms: int) -> None:
    """Say whose call it is; said anew, the last word counts."""
    await transaction.upsert(contact_calls, {"call_id": call_id, "contact_id": contact_id, "linked_ms": now_ms})


async def contact_of_call(transaction: TenantTransaction, call_id: str) -> str:
    """The contact of a call, "" when nobody has said yet."""
    row = await transaction.row(contact_calls, contact_calls.c.call_id == call_id) if call_id else None
    return str(row["contact_id"]) if row else ""


async def calls_of(transaction: TenantTransaction, contact_ids: Sequence[str]) -> list[str]:
    """Ids of the calls of these contacts."""
    rows = await transaction.rows(contact_calls, contact_calls.c.contact_id.in_(list(contact_ids)))
    return [str(row["call_id"]) for row in rows]


async def merged_ids(transaction: TenantTransaction, contact_id: str) -> list[str]:
    """Ids of the contacts that were merged into this one."""
    rows = await transaction.rows(contacts, contacts.c.merged_into == contact_id, columns=(contacts.c.id,))
    return [str(row["id"]) for row in rows]


def _row(contact: Contact) -> Row:
    return {
        "id": contact.id,
        "version": contact.version,
        "names": msgspec.json.encode(contact.names).decode(),
        "search_text": " ".join(contact.names).casefold(),
        "languages": msgspec.json.encode(contact.languages).decode(),
        "consents": msgspec.json.encode(contact.consents).decode(),
        "created_ms": contact.created_ms,
        "updated_ms": contact.updated_ms,
        "merged_into": contact.merged_into,
    }


def _contact(row: Row, points: Sequence[ContactPoint]) -> Contact:
    return Contact(
        id=row["id"],
        tenant_id=row["tenant_id"],
        version=row["version"],
        created_ms=row["created_ms"],
        updated_ms=row["updated_ms"],
        names=msgspec.json.decode(row["names"], type=tuple[str, ...]),
        points=tuple(sorted(points)),
        languages=msgspec.json.decode(row["languages"], type=tuple[str, ...]),
        consents=msgspec.json.decode(row["consents"], type=tuple[Consent, ...]),
        merged_into=row["merged_into"],
    )
