"""Connections of a tenant to outside services (its calendar, its CRM): connected once by a person, kept alive by us.

Tokens are in the vault and nowhere else. An access token is renewed before it ends, by one process at a time and once:
providers that rotate refresh tokens take a second use for a theft and end the connection. `Connections.access_token` is
what the rest of Parley asks.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum

import msgspec
import structlog

from context.store.database import Store
from context.store.transaction import Row
from context.users.connection_providers import ConnectionApp
from context.users.connection_tokens import KeptTokens, TokenShelf, kept_tokens
from context.users.errors import (
    GrantRefusedError,
    NeedsReconnectError,
    NotConnectedError,
    ProviderDownError,
    ProviderNotFoundError,
    Refusal,
    SignInRefusedError,
)
from context.users.login_providers import NAME_SHAPE, SecretKeeper
from context.users.oauth_client import OAuthClient, Tokens, authorization_url
from context.users.oidc_login import Callback
from context.users.states import Flow, FlowPurpose, Started, keep_flow, new_flow, take_flow
from context.users.tables import connections
from context.users.transactions import Audited, new_id, new_secret, reading_people, writing_people

RENEW_BEFORE_S = 300
"""An access token is renewed this long before it ends."""

LEAST_LIFE_S = 15
"""A token that lives longer than this may be used while somebody else renews it, or when the provider is down."""

LEASE_MS = 30_000
"""How long one process may take to renew: three times the longest request."""

POLL_S = 0.1
LONGEST_WAIT_S = 35.0

PURPOSES = frozenset({FlowPurpose.CONNECT})

log = structlog.get_logger(__name__)


class ConnectionState(StrEnum):
    """CONNECTED -> NEEDS_RECONNECT when the provider refuses the grant; -> CONNECTED when a person connects again."""

    CONNECTED = "connected"
    NEEDS_RECONNECT = "needs_reconnect"


class Connection(msgspec.Struct, frozen=True):
    """A connection without its tokens. Instants: seconds since the epoch. connected_by: user id."""

    provider: str
    title: str
    state: ConnectionState
    scopes: tuple[str, ...]
    connected_by: str
    connected_at_s: int
    expires_at_s: int


class Removed(msgspec.Struct, frozen=True):
    """A connection that was taken away. revoked: whether the provider confirmed that its tokens have ended."""

    provider: str
    revoked: bool


class Connections:
    """Connections by tenant and service. Every method raises StoreError and VaultError besides.

    now: seconds since the epoch. pause: sleeps so many seconds.
    """

    def __init__(
        self,
        store: Store,
        vault: SecretKeeper,
        apps: Sequence[ConnectionApp],
        oauth: OAuthClient,
        audited: Audited,
        *,
        now: Callable[[], float] = time.time,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._tokens = TokenShelf(vault)
        self._apps = {app.provider.name: app for app in apps}
        self._oauth = oauth
        self._audited = audited
        self._now = now
        self._pause = pause

    @property
    def apps(self) -> tuple[ConnectionApp, ...]:
        """The services that can be connected here."""
        return tuple(self._apps.values())

    async def list(self, tenant_id: str) -> list[Connection]:
        """The tenant's connections, by service."""
        async with self._store.tenant(tenant_id).reading() as transaction:
            rows = await transaction.rows(connections, order_by=[connections.c.provider])
        return [self._view(row) for row in rows]

    async def get(self, tenant_id: str, provider: str) -> Connection:
        """One connection. Raises NotConnectedError."""
        return self._view(await self._row(tenant_id, provider))

    async def start(self, tenant_id: str, provider: str, user_id: str, redirect_uri: str, return_to: str) -> Started:
        """Begin to connect. user_id: who does, and who must finish. Raises ProviderNotFoundError."""
        app = self._app(provider)
        flow = new_flow(FlowPurpose.CONNECT, tenant_id, provider, redirect_uri, return_to, user_id=user_id)
        browser = new_secret()
        async with writing_people(self._store) as transaction:
            state = await keep_flow(transaction, flow, browser, int(self._now()))
        url = authorization_url(
            app.provider.authorize_url,
            app.client,
            redirect_uri=redirect_uri,
            scopes=app.provider.scopes,
            state=state,
            verifier=flow.verifier if app.provider.pkce else "",
            extra=app.provider.extra,
        )
        return Started(url, browser)

    async def finish(self, provider: str, user_id: str, browser: str, callback: Callback) -> tuple[Connection, str]:
        """Connect with what the service sent; the connection and the local path to go on to.

        user_id: who is signed in in this browser. Raises SignInRefusedError.
        """
        tenant_id = ""
        try:
            flow = await take_flow(self._store, callback.state, browser, PURPOSES, provider, int(self._now()))
            tenant_id = flow.tenant_id
            if flow.user_id != user_id:
                raise SignInRefusedError(Refusal.OTHER_BROWSER)
            if callback.error or not callback.code:
                raise SignInRefusedError(Refusal.DENIED)
            tokens = await self._exchange(flow, callback.code)
        except SignInRefusedError as error:
            await self._note_refusal(provider, error, tenant_id)
            raise
        await self._connect(flow, tokens)
        return await self.get(flow.tenant_id, provider), flow.return_to

    async def access_token(self, tenant_id: str, provider: str) -> str:
        """A token that works now, renewed when it is about to end.

        Raises NotConnectedError, NeedsReconnectError, ProviderNotFoundError and ProviderDownError.
        """
        app = self._app(provider)
        waited_s = 0.0
        while True:
            row = await self._row(tenant_id, provider)
            if row["state"] == ConnectionState.NEEDS_RECONNECT.value:
                raise _needs_reconnect(app)
            tokens = await self._tokens.get(tenant_id, provider, row["generation"])
            now = self._now()
            if tokens and tokens.expires_at_s - RENEW_BEFORE_S > now:
                return tokens.access_token
            lease = await self._take_lease(tenant_id, row)
            if lease:
                renewed = await self._renew(tenant_id, app, row, tokens, lease)
                if renewed:
                    return renewed.access_token
            elif tokens and tokens.expires_at_s - LEAST_LIFE_S > now:
                return tokens.access_token
            if waited_s >= LONGEST_WAIT_S:
                raise ProviderDownError(f"the connection to {app.provider.title} is being renewed and that takes long")
            await self._pause(POLL_S)
            waited_s += POLL_S

    async def remove(self, tenant_id: str, provider: str, actor: str) -> Removed:
        """End a connection here and, as far as the service can be reached, there. Raises NotConnectedError."""
        row = await self._row(tenant_id, provider)
        tokens = await self._tokens.get(tenant_id, provider, row["generation"])
        revoked = tokens is not None and await self._revoke(provider, tokens)
        async with writing_people(self._store) as transaction:
            if not await transaction.of(tenant_id).delete(connections, connections.c.provider == provider):
                raise NotConnectedError(f"there is no connection to {provider!r}")
            await self._audited.write(transaction, tenant_id, actor, "connection.removed", provider, revoked=revoked)
        await self._tokens.drop_before(tenant_id, provider, row["generation"] + 2)
        return Removed(provider, revoked)

    async def _exchange(self, flow: Flow, code: str) -> Tokens:
        try:
            app = self._app(flow.provider)
            verifier = flow.verifier if app.provider.pkce else ""
            return await self._oauth.exchange(app.provider.token_url, app.client, code, flow.redirect_uri, verifier)
        except ProviderNotFoundError as error:
            raise SignInRefusedError(Refusal.OTHER_PROVIDER) from error
        except GrantRefusedError as error:
            raise SignInRefusedError(Refusal.CODE_REFUSED) from error
        except ProviderDownError as error:
            raise SignInRefusedError(Refusal.PROVIDER_DOWN) from error

    async def _connect(self, flow: Flow, tokens: Tokens) -> None:
        async with self._store.tenant(flow.tenant_id).reading() as reading:
            before = await reading.row(connections, connections.c.provider == flow.provider)
        now = self._now()
        kept = kept_tokens(tokens, now)
        # Beyond what a renewal that is still under way would write, also one of a connection that was removed.
        generation = max(int(now * 1000), before["generation"] + 2 if before else 0)
        await self._tokens.put(flow.tenant_id, flow.provider, generation, kept)
        row = {
            "provider": flow.provider,
            "state": ConnectionState.CONNECTED.value,
            "scopes": tokens.scope or " ".join(self._app(flow.provider).provider.scopes),
            "connected_by": flow.user_id,
            "connected_at_s": int(now),
            "expires_at_s": kept.expires_at_s,
            "generation": generation,
            "lease": "",
            "lease_until_ms": 0,
        }
        async with writing_people(self._store) as transaction:
            await transaction.of(flow.tenant_id).upsert(connections, row)
            await self._audited.write(transaction, flow.tenant_id, flow.user_id, "connection.made", flow.provider)
        await self._tokens.drop_before(flow.tenant_id, flow.provider, generation)

    async def _take_lease(self, tenant_id: str, row: Row) -> str:
        """The right to renew this generation, for `LEASE_MS`; "" when another has it or has renewed already."""
        lease, now_ms = new_id(), int(self._now() * 1000)
        async with self._store.tenant(tenant_id).writing() as transaction:
            taken = await transaction.update(
                connections,
                {"lease": lease, "lease_until_ms": now_ms + LEASE_MS},
                connections.c.provider == row["provider"],
                connections.c.generation == row["generation"],
                connections.c.state == ConnectionState.CONNECTED.value,
                (connections.c.lease == "") | (connections.c.lease_until_ms <= now_ms),
            )
        return lease if taken else ""

    async def _renew(
        self, tenant_id: str, app: ConnectionApp, row: Row, tokens: KeptTokens | None, lease: str
    ) -> KeptTokens | None:
        """Renew as the holder of the lease; None when the connection was changed meanwhile."""
        provider, generation = app.provider.name, row["generation"] + 1
        # There already when a process died after it was granted new tokens: the old refresh token is used up.
        renewed = await self._tokens.get(tenant_id, provider, generation)
        if renewed is None:
            if tokens is None or not tokens.refresh_token:
                return await self._lose(tenant_id, app, row, lease)
            try:
                granted = await self._oauth.refresh(app.provider.token_url, app.client, tokens.refresh_token)
            except (GrantRefusedError, ProviderDownError) as error:
                if isinstance(error, GrantRefusedError) and error.error == "invalid_grant":
                    return await self._lose(tenant_id, app, row, lease)
                await self._change(tenant_id, row, lease, {"lease": "", "lease_until_ms": 0})
                log.warning("connection_not_renewed", tenant_id=tenant_id, provider_id=provider, code=error.code)
                if tokens.expires_at_s - LEAST_LIFE_S > self._now():
                    return tokens
                raise ProviderDownError(f"{app.provider.title} does not renew the connection now: {error}") from error
            renewed = kept_tokens(granted, self._now())
            await self._tokens.put(tenant_id, provider, generation, renewed)
        values = {
            "generation": generation,
            "expires_at_s": renewed.expires_at_s,
            "lease": "",
            "lease_until_ms": 0,
        }
        if not await self._change(tenant_id, row, lease, values):
            await self._drop_unless_wanted(tenant_id, provider, generation)
            return None
        await self._tokens.drop_before(tenant_id, provider, generation)
        return renewed

    async def _drop_unless_wanted(self, tenant_id: str, provider: str, generation: int) -> None:
        """Forget tokens whose connection was removed or made again meanwhile; who renews it now may want them."""
        async with self._store.tenant(tenant_id).reading() as transaction:
            row = await transaction.row(connections, connections.c.provider == provider)
        if row is None or row["generation"] > generation:
            await self._tokens.drop(tenant_id, provider, generation)

    async def _lose(self, tenant_id: str, app: ConnectionApp, row: Row, lease: str) -> None:
        """Note that the service honours the connection no more. Raises NeedsReconnectError, unless it was changed."""
        values = {"state": ConnectionState.NEEDS_RECONNECT.value, "lease": "", "lease_until_ms": 0}
        if await self._change(tenant_id, row, lease, values, action="connection.lost"):
            log.warning("connection_lost", tenant_id=tenant_id, provider_id=app.provider.name)
            raise _needs_reconnect(app)

    async def _change(self, tenant_id: str, row: Row, lease: str, values: Row, *, action: str = "") -> bool:
        """Change the connection if we still hold its lease; whether we did. action: for the audit log, or ""."""
        async with writing_people(self._store) as transaction:
            changed = await transaction.of(tenant_id).update(
                connections,
                values,
                connections.c.provider == row["provider"],
                connections.c.generation == row["generation"],
                connections.c.lease == lease,
            )
            if changed and action:
                await self._audited.write(transaction, tenant_id, "connections", action, row["provider"])
        return bool(changed)

    async def _revoke(self, provider: str, tokens: KeptTokens) -> bool:
        app = self._apps.get(provider)
        if app is None or not app.provider.revoke_url:
            return False
        token, hint = (tokens.refresh_token, "refresh_token")
        if not token:
            token, hint = tokens.access_token, "access_token"
        try:
            await self._oauth.revoke(app.provider.revoke_url, app.client, token, hint)
        except (GrantRefusedError, ProviderDownError) as error:
            log.warning("connection_not_revoked", provider_id=provider, code=error.code)
            return False
        return True

    async def _row(self, tenant_id: str, provider: str) -> Row:
        async with reading_people(self._store) as transaction:
            row = await transaction.of(tenant_id).row(connections, connections.c.provider == provider)
        if row is None:
            raise NotConnectedError(f"there is no connection to {provider!r}")
        return row

    async def _note_refusal(self, provider: str, error: SignInRefusedError, tenant_id: str) -> None:
        name = provider if NAME_SHAPE.fullmatch(provider) else "unknown"
        async with writing_people(self._store) as transaction:
            await self._audited.write(
                transaction,
                tenant_id or error.tenant_id,
                "connections",
                "connection.refused",
                name,
                reason=error.reason.value,
            )

    def _app(self, provider: str) -> ConnectionApp:
        app = self._apps.get(provider)
        if app is None:
            raise ProviderNotFoundError(f"there is no service {provider!r} that can be connected here")
        return app

    def _view(self, row: Row) -> Connection:
        app = self._apps.get(row["provider"])
        return Connection(
            provider=row["provider"],
            title=app.provider.title if app else row["provider"],
            state=ConnectionState(row["state"]),
            scopes=tuple(row["scopes"].split()),
            connected_by=row["connected_by"],
            connected_at_s=row["connected_at_s"],
            expires_at_s=row["expires_at_s"],
        )


def _needs_reconnect(app: ConnectionApp) -> NeedsReconnectError:
    return NeedsReconnectError(f"{app.provider.title} does not honour the connection any more: connect it again")
