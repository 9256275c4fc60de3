"""Flows through another provider that were started and not finished: state, nonce and PKCE verifier, kept by us.

The browser carries the state only. It is good once, for ten minutes, in the browser that started it and for the
provider that was asked; anything else is refused and says why. Used by `oidc_login` and `connections`.
"""

from enum import StrEnum

import msgspec

from context.store.database import Store
from context.store.transaction import Row
from context.users.errors import Refusal, SignInRefusedError
from context.users.tables import oauth_states
from context.users.transactions import PeopleTransaction, digest, new_secret, writing_people

STATE_S = 600
USED_KEPT_S = 24 * 3600
"""How long a finished flow is remembered, to tell a replay from a state that never was."""


class FlowPurpose(StrEnum):
    """What the flow is for."""

    SIGN_IN = "sign_in"
    LINK = "link"
    CONNECT = "connect"


class Flow(msgspec.Struct, frozen=True):
    """A flow on its way. tenant_id: whose provider, "" for the server's. user_id: who started it, "" for nobody known.

    return_to: local path to go on to.
    """

    purpose: FlowPurpose
    tenant_id: str
    provider: str
    redirect_uri: str
    return_to: str
    user_id: str = ""
    invitation_hash: str = ""
    nonce: str = ""
    verifier: str = ""


class Started(msgspec.Struct, frozen=True):
    """Where to send the browser, and the cookie to give it."""

    url: str
    browser: str


def new_flow(
    purpose: FlowPurpose,
    tenant_id: str,
    provider: str,
    redirect_uri: str,
    return_to: str,
    *,
    user_id: str = "",
    invitation_hash: str = "",
) -> Flow:
    """A flow with a nonce and a PKCE verifier of its own. return_to that leads elsewhere becomes "/"."""
    return Flow(
        purpose,
        tenant_id,
        provider,
        redirect_uri,
        local_path(return_to),
        user_id,
        invitation_hash,
        nonce=new_secret(),
        verifier=new_secret(),
    )


def local_path(path: str) -> str:
    """The path when it stays on this host, else "/": a link must not send people who sign in elsewhere."""
    plain = path.isascii() and path.isprintable() and "\\" not in path
    safe = plain and path.startswith("/") and not path.startswith("//")
    return path if safe else "/"


async def keep_flow(transaction: PeopleTransaction, flow: Flow, browser: str, now_s: int) -> str:
    """Remember the flow; its state parameter. browser: the cookie of the browser that starts it."""
    state = new_secret()
    row = {
        **msgspec.structs.asdict(flow),
        "purpose": flow.purpose.value,
        "state_hash": digest(state),
        "browser_hash": digest(browser),
        "expires_at_s": now_s + STATE_S,
        "used_at_s": None,
    }
    await transaction.insert(oauth_states, [row])
    return state


async def take_flow(
    store: Store, state: str, browser: str, purposes: frozenset[FlowPurpose], provider: str, now_s: int
) -> Flow:
    """The flow of this state, which is then used up, also when it is refused. Raises SignInRefusedError."""
    async with writing_people(store) as transaction:
        row = await transaction.row(oauth_states, oauth_states.c.state_hash == digest(state))
        refusal = _refusal(row, browser, purposes, provider, now_s)
        if row is not None and row["used_at_s"] is None:
            values = {"used_at_s": now_s, "verifier": "", "nonce": ""}
            unused = (oauth_states.c.state_hash == row["state_hash"], oauth_states.c.used_at_s.is_(None))
            if not await transaction.update(oauth_states, values, *unused):
                refusal = Refusal.REPLAYED
    if refusal or row is None:
        raise SignInRefusedError(refusal or Refusal.UNKNOWN_STATE, row["tenant_id"] if row else "")
    return Flow(
        purpose=FlowPurpose(row["purpose"]),
        tenant_id=row["tenant_id"],
        provider=row["provider"],
        redirect_uri=row["redirect_uri"],
        return_to=row["return_to"],
        user_id=row["user_id"],
        invitation_hash=row["invitation_hash"],
        nonce=row["nonce"],
        verifier=row["verifier"],
    )


async def forget_expired_states(transaction: PeopleTransaction, now_s: int) -> int:
    """Remove flows that nobody can finish any more; how many."""
    return await transaction.delete(oauth_states, oauth_states.c.expires_at_s <= now_s - USED_KEPT_S)


def _refusal(
    row: Row | None, browser: str, purposes: frozenset[FlowPurpose], provider: str, now_s: int
) -> Refusal | None:
    if row is None or row["purpose"] not in purposes:
        return Refusal.UNKNOWN_STATE
    if row["used_at_s"] is not None:
        return Refusal.REPLAYED
    if row["expires_at_s"] <= now_s:
        return Refusal.EXPIRED
    if row["browser_hash"] != digest(browser):
        return Refusal.OTHER_BROWSER
    if row["provider"] != provider:
        return Refusal.OTHER_PROVIDER
    return None
