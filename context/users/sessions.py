"""Sessions: who is signed in with which cookie, and for which tenant.

A session ends `IDLE_S` after its last use and `LIFETIME_S` after sign-in, whatever comes first. Its secret changes with
every change of what it may do, so one that was planted or seen before opens nothing. Used by `context.users.sign_in`.
"""

import hmac
from base64 import urlsafe_b64encode
from hashlib import sha256

import msgspec

from context.store.transaction import Row
from context.users.errors import CsrfError
from context.users.tables import sessions
from context.users.transactions import PeopleTransaction, digest, new_secret

IDLE_S = 12 * 3600
LIFETIME_S = 7 * 24 * 3600
SEEN_EVERY_S = 300
"""How exactly the last use is known: writing it at every request would be a write a request."""

COOKIE = "parley"
TLS_COOKIE = "__Host-parley"
"""With this prefix a browser takes the cookie over TLS only, for this host only, for every path."""

CSRF_HEADER = "Parley-CSRF"
_CSRF_CONTEXT = b"parley csrf 1"


class Session(msgspec.Struct, frozen=True):
    """A session that is open. tenant_id: chosen, "" while none is. only_tenant_id: the tenant whose own provider
    vouched for the person, "" when it may be used for any of the person's tenants."""

    session_hash: str
    user_id: str
    tenant_id: str
    only_tenant_id: str
    created_at_s: int
    seen_at_s: int

    def ends_at_s(self) -> int:
        """When it ends unless it is used again."""
        return min(self.seen_at_s + IDLE_S, self.created_at_s + LIFETIME_S)


async def open_session(
    transaction: PeopleTransaction, user_id: str, now_s: int, *, tenant_id: str = "", only_tenant_id: str = ""
) -> str:
    """Start a session; the cookie's value."""
    cookie = new_secret()
    row = {
        "session_hash": digest(cookie),
        "user_id": user_id,
        "tenant_id": tenant_id,
        "only_tenant_id": only_tenant_id,
        "created_at_s": now_s,
        "seen_at_s": now_s,
    }
    await transaction.insert(sessions, [row])
    return cookie


async def find_session(transaction: PeopleTransaction, cookie: str, now_s: int) -> Session | None:
    """The open session of this cookie."""
    row = await transaction.row(sessions, sessions.c.session_hash == digest(cookie))
    session = _session(row) if row else None
    return session if session and now_s < session.ends_at_s() else None


async def seen(transaction: PeopleTransaction, session: Session, now_s: int) -> None:
    """Remember that it was used."""
    await transaction.update(sessions, {"seen_at_s": now_s}, sessions.c.session_hash == session.session_hash)


async def renew_session(transaction: PeopleTransaction, session: Session, now_s: int, tenant_id: str) -> str | None:
    """Give the session another secret, for this tenant; the new cookie's value. Its lifetime goes on.

    None when it ended, or was renewed, in between.
    """
    cookie = new_secret()
    values = {"session_hash": digest(cookie), "tenant_id": tenant_id, "seen_at_s": now_s}
    changed = await transaction.update(sessions, values, sessions.c.session_hash == session.session_hash)
    return cookie if changed else None


async def end_session(transaction: PeopleTransaction, cookie: str) -> None:
    """Sign out; fine when there is no such session."""
    await transaction.delete(sessions, sessions.c.session_hash == digest(cookie))


async def end_sessions_of(
    transaction: PeopleTransaction, user_id: str, *, tenant_id: str | None = None, but: str = ""
) -> int:
    """Sign a person out everywhere, or where a tenant is chosen. but: session_hash to keep. How many there were."""
    where = [sessions.c.user_id == user_id, sessions.c.session_hash != but]
    if tenant_id is not None:
        where.append(sessions.c.tenant_id == tenant_id)
    return await transaction.delete(sessions, *where)


async def forget_ended_sessions(transaction: PeopleTransaction, now_s: int) -> int:
    """Remove what has ended; how many."""
    ended = (sessions.c.seen_at_s <= now_s - IDLE_S) | (sessions.c.created_at_s <= now_s - LIFETIME_S)
    return await transaction.delete(sessions, ended)


def csrf_token(cookie: str) -> str:
    """The text that our own pages send with every change, in the header `CSRF_HEADER`.

    Bound to the session and derived from its secret, which no script can read: nothing is stored, and it changes when
    the session's secret does.
    """
    mac = hmac.new(cookie.encode("utf-8", "surrogatepass"), _CSRF_CONTEXT, sha256).digest()
    return urlsafe_b64encode(mac).decode().rstrip("=")


def check_csrf(cookie: str, token: str | None, origin: str | None, own_origin: str) -> None:
    """Refuse a change that did not come from our own page.

    token: value of `CSRF_HEADER`. origin: the `Origin` header, which browsers add to every unsafe request; None when
    it is missing. own_origin: scheme, host and port that we are reached at. Raises CsrfError.
    """
    check_origin(origin, own_origin)
    if token is None or not hmac.compare_digest(token.encode("utf-8", "surrogatepass"), csrf_token(cookie).encode()):
        raise CsrfError(f"The header {CSRF_HEADER} is missing or of another session; reload the page.")


def check_origin(origin: str | None, own_origin: str) -> None:
    """Refuse a request that a page of another site sent. Raises CsrfError."""
    if origin is not None and origin.rstrip("/").lower() != own_origin.rstrip("/").lower():
        raise CsrfError("This request came from a page of another site.")


def cookie_name(own_origin: str) -> str:
    """What the session cookie is called at this origin."""
    return TLS_COOKIE if own_origin.startswith("https://") else COOKIE


def _session(row: Row) -> Session:
    return Session(
        session_hash=row["session_hash"],
        user_id=row["user_id"],
        tenant_id=row["tenant_id"],
        only_tenant_id=row["only_tenant_id"],
        created_at_s=row["created_at_s"],
        seen_at_s=row["seen_at_s"],
    )
