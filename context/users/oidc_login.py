"""Signing in through an identity provider: OpenID Connect, authorization code with PKCE.

Whoever the provider vouches for is found by issuer and subject alone: an e-mail address in a token proves nothing here,
and nobody becomes somebody else by it. What is refused is written to the audit log with its reason. Called by REST.
"""

import time
from collections.abc import Callable

import msgspec
import structlog

from context.store.database import Store
from context.store.transaction import Row
from context.users.accounts import AccountState, memberships_of
from context.users.discovery import Discovery
from context.users.errors import (
    BadCredentialsError,
    GrantRefusedError,
    ProviderDownError,
    ProviderNotFoundError,
    Refusal,
    SignInRefusedError,
)
from context.users.id_tokens import Identity, verified_identity
from context.users.links import Purpose, token_digest, use
from context.users.login_providers import NAME_SHAPE, LoginProvider, LoginProviders
from context.users.oauth_client import Client, OAuthClient, authorization_url
from context.users.people import NOBODY, SignedIn, Users
from context.users.states import Flow, FlowPurpose, Started, keep_flow, new_flow, take_flow
from context.users.tables import identities, users
from context.users.transactions import Audited, PeopleTransaction, new_secret, writing_people

PURPOSES = frozenset({FlowPurpose.SIGN_IN, FlowPurpose.LINK})

log = structlog.get_logger(__name__)


class Callback(msgspec.Struct, frozen=True):
    """What the browser brought back from a provider (RFC 6749, 4.1.2, and RFC 9207). "" for what is missing."""

    state: str
    code: str = ""
    error: str = ""
    issuer: str = ""

    def __repr__(self) -> str:
        return f"Callback(error={self.error!r})"


class Finished(msgspec.Struct, frozen=True):
    """A sign-in that went well. return_to: local path to go on to."""

    signed_in: SignedIn
    return_to: str


class OidcLogin:
    """Sign-in with providers. Every method raises StoreError besides. now: seconds since the epoch."""

    def __init__(
        self,
        store: Store,
        users: Users,
        providers: LoginProviders,
        discovery: Discovery,
        oauth: OAuthClient,
        audited: Audited,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._users = users
        self._providers = providers
        self._discovery = discovery
        self._oauth = oauth
        self._audited = audited
        self._now = now

    async def start(
        self, name: str, redirect_uri: str, *, tenant_id: str = "", return_to: str = "/", invitation: str = ""
    ) -> Started:
        """Begin to sign in. tenant_id: to look for its own provider of this name first. invitation: token of one to
        accept. Raises ProviderNotFoundError and ProviderDownError."""
        provider, client = await self._providers.find(tenant_id, name)
        flow = new_flow(
            FlowPurpose.SIGN_IN,
            provider.tenant_id,
            name,
            redirect_uri,
            return_to,
            invitation_hash=token_digest(invitation) if invitation else "",
        )
        return await self._start(flow, provider, client)

    async def start_link(self, name: str, redirect_uri: str, cookie: str, *, return_to: str = "/") -> Started:
        """Begin to link an identity at one of the server's providers to who is signed in.

        Raises ProviderNotFoundError, ProviderDownError, and BadCredentialsError when nobody is signed in.
        """
        me = await self._users.me(cookie)
        if me is None:
            raise BadCredentialsError("Sign in first.")
        provider, client = await self._providers.find("", name)
        flow = new_flow(FlowPurpose.LINK, "", name, redirect_uri, return_to, user_id=me.account.id)
        return await self._start(flow, provider, client)

    async def finish(self, name: str, browser: str, callback: Callback, *, old_cookie: str = "") -> Finished:
        """Sign in with what the provider sent. browser: the cookie given at the start. old_cookie: of the session that
        the new one replaces. Raises SignInRefusedError, and LinkNotValidError for an invitation that was used."""
        tenant_id = ""
        try:
            flow = await take_flow(self._store, callback.state, browser, PURPOSES, name, int(self._now()))
            tenant_id = flow.tenant_id
            tenant_now = await self._still_signed_in(flow, old_cookie)
            provider, identity = await self._identify(flow, callback)
            async with writing_people(self._store) as transaction:
                signed_in = await self._admit(transaction, flow, provider, identity, old_cookie, tenant_now)
        except SignInRefusedError as error:
            await self._note_refusal(name, error, tenant_id)
            raise
        return Finished(signed_in, flow.return_to)

    async def _start(self, flow: Flow, provider: LoginProvider, client: Client) -> Started:
        metadata = await self._discovery.metadata(provider.issuer, provider.reach)
        browser = new_secret()
        async with writing_people(self._store) as transaction:
            state = await keep_flow(transaction, flow, browser, int(self._now()))
        url = authorization_url(
            metadata.authorization_endpoint,
            client,
            redirect_uri=flow.redirect_uri,
            scopes=provider.scopes,
            state=state,
            verifier=flow.verifier,
            extra={"nonce": flow.nonce},
        )
        return Started(url, browser)

    async def _still_signed_in(self, flow: Flow, cookie: str) -> str:
        """The tenant that who links an identity has chosen, "" for none. Raises SignInRefusedError when they are not
        signed in any more."""
        if flow.purpose is not FlowPurpose.LINK:
            return ""
        me = await self._users.me(cookie)
        if me is None or me.account.id != flow.user_id:
            raise SignInRefusedError(Refusal.OTHER_BROWSER)
        return me.tenant_id

    async def _identify(self, flow: Flow, callback: Callback) -> tuple[LoginProvider, Identity]:
        """Who it is, according to the provider. Raises SignInRefusedError."""
        try:
            provider, client = await self._providers.find(flow.tenant_id, flow.provider)
            metadata = await self._discovery.metadata(provider.issuer, provider.reach)
            says_issuer = callback.issuer or metadata.authorization_response_iss_parameter_supported
            if provider.tenant_id != flow.tenant_id or (says_issuer and callback.issuer != provider.issuer):
                raise SignInRefusedError(Refusal.OTHER_PROVIDER)
            if callback.error or not callback.code:
                raise SignInRefusedError(Refusal.DENIED)
            tokens = await self._oauth.exchange(
                metadata.token_endpoint, client, callback.code, flow.redirect_uri, flow.verifier
            )
            if tokens.id_token is None:
                raise SignInRefusedError(Refusal.BAD_TOKEN)
            identity = await verified_identity(
                self._discovery,
                tokens.id_token,
                issuer=provider.issuer,
                reach=provider.reach,
                client_id=client.client_id,
                nonce=flow.nonce,
                access_token=tokens.access_token,
                now=self._now(),
            )
        except ProviderNotFoundError as error:
            raise SignInRefusedError(Refusal.OTHER_PROVIDER) from error
        except GrantRefusedError as error:
            raise SignInRefusedError(Refusal.CODE_REFUSED) from error
        except ProviderDownError as error:
            log.warning("identity_provider_down", provider_id=flow.provider, reason=str(error))
            raise SignInRefusedError(Refusal.PROVIDER_DOWN) from error
        return provider, identity

    async def _admit(
        self,
        transaction: PeopleTransaction,
        flow: Flow,
        provider: LoginProvider,
        identity: Identity,
        old_cookie: str,
        tenant_now: str,
    ) -> SignedIn:
        """Open a session for the identity, or refuse it. tenant_now: chosen in the session that goes on."""
        known = await transaction.row(
            identities,
            identities.c.tenant_id == provider.tenant_id,
            identities.c.issuer == identity.issuer,
            identities.c.subject == identity.subject,
        )
        if flow.purpose is FlowPurpose.LINK:
            user_id = await self._link(transaction, flow, provider, identity, known)
        elif known is not None:
            user_id = known["user_id"]
        else:
            user_id = await self._newcomer(transaction, flow, provider, identity)
        row = await transaction.row(users, users.c.user_id == user_id)
        if row is None or row["state"] != AccountState.ACTIVE.value:
            raise SignInRefusedError(Refusal.DISABLED)
        joined = await self._accept_invitation(transaction, flow, provider, user_id)
        if provider.tenant_id:
            works_for = {each.tenant_id for each in await memberships_of(transaction, user_id)}
            if provider.tenant_id not in works_for:
                raise SignInRefusedError(Refusal.UNKNOWN_IDENTITY)
        return await self._users.open(
            transaction,
            user_id,
            method=f"oidc:{provider.name}",
            tenant_id=provider.tenant_id or joined or tenant_now,
            only_tenant_id=provider.tenant_id,
            old_cookie=old_cookie,
        )

    async def _link(
        self, transaction: PeopleTransaction, flow: Flow, provider: LoginProvider, identity: Identity, known: Row | None
    ) -> str:
        if known is not None and known["user_id"] != flow.user_id:
            raise SignInRefusedError(Refusal.UNKNOWN_IDENTITY)
        if known is None:
            await self._keep_identity(transaction, provider, identity, flow.user_id)
        return flow.user_id

    async def _newcomer(
        self, transaction: PeopleTransaction, flow: Flow, provider: LoginProvider, identity: Identity
    ) -> str:
        """An account for somebody who is invited, or whose provider may bring new people."""
        if not flow.invitation_hash and not (provider.tenant_id and provider.joins_as):
            raise SignInRefusedError(Refusal.UNKNOWN_IDENTITY)
        account = await self._users.accounts.insert(transaction, email=None, name=identity.name, password=None)
        await self._keep_identity(transaction, provider, identity, account.id)
        await self._audited.write(transaction, "", account.id, "user.created", account.id)
        if not flow.invitation_hash and provider.joins_as:
            await self._users.accounts.join(
                transaction, provider.tenant_id, account.id, provider.joins_as, f"login:{provider.name}"
            )
        return account.id

    async def _accept_invitation(
        self, transaction: PeopleTransaction, flow: Flow, provider: LoginProvider, user_id: str
    ) -> str:
        """Use the invitation that the flow brought, if any; its tenant, or ""."""
        if not flow.invitation_hash:
            return ""
        link = await use(transaction, Purpose.INVITATION, flow.invitation_hash, int(self._now()))
        if provider.tenant_id not in ("", link.tenant_id):
            raise SignInRefusedError(Refusal.UNKNOWN_IDENTITY)
        await self._users.join_by(transaction, link, user_id)
        return link.tenant_id

    async def _keep_identity(
        self, transaction: PeopleTransaction, provider: LoginProvider, identity: Identity, user_id: str
    ) -> None:
        row = {
            "tenant_id": provider.tenant_id,
            "issuer": identity.issuer,
            "subject": identity.subject,
            "user_id": user_id,
            "created_at_s": int(self._now()),
        }
        await transaction.insert(identities, [row])
        await self._audited.write(transaction, "", user_id, "identity.linked", user_id, provider=provider.name)

    async def _note_refusal(self, name: str, error: SignInRefusedError, tenant_id: str) -> None:
        async with writing_people(self._store) as transaction:
            await self._audited.write(
                transaction,
                tenant_id or error.tenant_id,
                NOBODY,
                "session.refused",
                "",
                provider=name if NAME_SHAPE.fullmatch(name) else "unknown",
                reason=error.reason.value,
            )
