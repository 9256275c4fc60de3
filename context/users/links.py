"""Links that work once: an invitation to a tenant, a new password.

Parley sends no mail: whoever makes a link hands it over. Only its digest is stored, and using it removes it in the
same transaction as what it allows. Used by `context.users.people`.
"""

from enum import StrEnum

import msgspec

from context.security.principal import Role
from context.store.transaction import Row
from context.users.errors import LinkNotValidError
from context.users.tables import one_time_links
from context.users.transactions import PeopleTransaction, digest, new_secret

RESET_S = 3600
INVITATION_S = 7 * 24 * 3600
LONGEST_NOTE_CHARS = 254
ID_CHARS = 16
"""How much of the digest names an invitation in lists; the link cannot be made from it."""


class Purpose(StrEnum):
    """What a link is for."""

    INVITATION = "invitation"
    RESET = "reset"


class Link(msgspec.Struct, frozen=True):
    """A link that is open. role: of an invitation, None for a reset. note: whom an invitation is meant for.

    Instants: seconds since the epoch.
    """

    id: str
    purpose: Purpose
    tenant_id: str
    user_id: str
    role: Role | None
    note: str
    made_by: str
    created_at_s: int
    expires_at_s: int


class NewLink(msgspec.Struct, frozen=True):
    """A link just made. token: the secret part, shown this once."""

    link: Link
    token: str

    def __repr__(self) -> str:
        return f"NewLink(id={self.link.id!r})"


async def make_invitation(
    transaction: PeopleTransaction, tenant_id: str, role: Role, note: str, made_by: str, now_s: int
) -> NewLink:
    """A link that makes whoever opens it work for the tenant."""
    return await _make(
        transaction,
        Purpose.INVITATION,
        {"tenant_id": tenant_id, "user_id": "", "role": role.value, "note": note[:LONGEST_NOTE_CHARS]},
        made_by,
        now_s,
        INVITATION_S,
    )


async def make_reset(transaction: PeopleTransaction, user_id: str, made_by: str, now_s: int) -> NewLink:
    """A link to choose a new password; earlier ones of the same person stop working."""
    await transaction.delete(one_time_links, one_time_links.c.user_id == user_id)
    values = {"tenant_id": "", "user_id": user_id, "role": "", "note": ""}
    return await _make(transaction, Purpose.RESET, values, made_by, now_s, RESET_S)


async def look_up(transaction: PeopleTransaction, purpose: Purpose, link_hash: str, now_s: int) -> Link:
    """The open link with this digest, which stays open. Raises LinkNotValidError."""
    row = await transaction.row(
        one_time_links,
        one_time_links.c.link_hash == link_hash,
        one_time_links.c.purpose == purpose.value,
        one_time_links.c.expires_at_s > now_s,
    )
    if row is None:
        raise LinkNotValidError("This link was used before, has expired, or is not complete; ask for a new one.")
    return _link(row)


async def use(transaction: PeopleTransaction, purpose: Purpose, link_hash: str, now_s: int) -> Link:
    """Take the link: of two who try at the same time, one gets it. Raises LinkNotValidError."""
    link = await look_up(transaction, purpose, link_hash, now_s)
    if not await transaction.delete(one_time_links, one_time_links.c.link_hash == link_hash):
        raise LinkNotValidError("This link was used a moment ago; ask for a new one.")
    return link


async def open_invitations(transaction: PeopleTransaction, tenant_id: str, now_s: int) -> list[Link]:
    """Invitations to this tenant that nobody has used, newest first."""
    rows = await transaction.rows(
        one_time_links,
        one_time_links.c.tenant_id == tenant_id,
        one_time_links.c.purpose == Purpose.INVITATION.value,
        one_time_links.c.expires_at_s > now_s,
        order_by=[one_time_links.c.created_at_s.desc(), one_time_links.c.link_hash],
    )
    return [_link(row) for row in rows]


async def withdraw_invitation(transaction: PeopleTransaction, tenant_id: str, link_id: str) -> bool:
    """Close an invitation; whether there was one."""
    for row in await transaction.rows(
        one_time_links,
        one_time_links.c.tenant_id == tenant_id,
        one_time_links.c.purpose == Purpose.INVITATION.value,
    ):
        if _link(row).id == link_id:
            return bool(await transaction.delete(one_time_links, one_time_links.c.link_hash == row["link_hash"]))
    return False


async def forget_expired_links(transaction: PeopleTransaction, now_s: int) -> int:
    """Remove what has expired; how many."""
    return await transaction.delete(one_time_links, one_time_links.c.expires_at_s <= now_s)


def token_digest(token: str) -> str:
    """What the rest of this module calls `link_hash`."""
    return digest(token)


async def _make(
    transaction: PeopleTransaction, purpose: Purpose, values: dict[str, str], made_by: str, now_s: int, lasts_s: int
) -> NewLink:
    token = new_secret()
    row = {
        **values,
        "link_hash": token_digest(token),
        "purpose": purpose.value,
        "made_by": made_by,
        "created_at_s": now_s,
        "expires_at_s": now_s + lasts_s,
    }
    await transaction.insert(one_time_links, [row])
    return NewLink(_link(row), token)


def _link(row: Row) -> Link:
    return Link(
        id=row["link_hash"][:ID_CHARS],
        purpose=Purpose(row["purpose"]),
        tenant_id=row["tenant_id"],
        user_id=row["user_id"],
        role=Role(row["role"]) if row["role"] else None,
        note=row["note"],
        made_by=row["made_by"],
        created_at_s=row["created_at_s"],
        expires_at_s=row["expires_at_s"],
    )
