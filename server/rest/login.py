"""Signing in and out, and what a person does with their own account.

What opens a session is public and refuses pages of other sites; everything else needs the session and its CSRF token.
Part of `server.rest.api`.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, Response, delete, get, post, put
from litestar.params import Parameter
from litestar.types import ControllerRouterHandler

from context.security.principal import Principal, Role
from context.users.login_providers import LoginProvider
from context.users.people import Me, SignedIn
from context.users.sessions import check_origin
from context.users.states import local_path
from server.rest.auth import PUBLIC, own_origin, session_cookie, unauthorized
from server.rest.people import (
    REFUSALS,
    Email,
    Password,
    PersonName,
    ProviderName,
    Token,
    address_of,
    known_tenant,
    people_of,
    person_of,
    with_flow,
    with_session,
    without_session,
)
from server.rest.problems import not_found
from server.rest.services import Services


class Credentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a person signs in with."""

    email: Email
    password: Password

    def __repr__(self) -> str:
        return "Credentials(...)"


class TenantRole(msgspec.Struct, frozen=True):
    """A tenant that the person works for, and as what."""

    tenant_id: str
    role: Role


class MeView(msgspec.Struct, frozen=True):
    """Who is signed in. tenant_id: chosen; null while none is. csrf_token: to be sent in the header Parley-CSRF with
    every change. expires_at: when the session ends unless it is used."""

    user_id: str
    name: str
    email: str
    standing: str
    tenant_id: str | None
    role: Role | None
    tenants: list[TenantRole]
    csrf_token: str
    expires_at: dt.datetime


class ChooseTenant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The tenant to work for from now on."""

    tenant_id: Annotated[str, msgspec.Meta(min_length=1, max_length=63)]


class NewPassword(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person's present password and the one to have instead."""

    present: Password
    new: Password

    def __repr__(self) -> str:
        return "NewPassword(...)"


class AcceptInvitation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An invitation and the account to make for it."""

    token: Token
    email: Email
    name: PersonName
    password: Password

    def __repr__(self) -> str:
        return "AcceptInvitation(...)"


class InvitationToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An invitation to take with one's own account."""

    token: Token

    def __repr__(self) -> str:
        return "InvitationToken(...)"


class ResetPassword(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A link to choose a new password, and the password."""

    token: Token
    password: Password

    def __repr__(self) -> str:
        return "ResetPassword(...)"


class ProviderChoice(msgspec.Struct, frozen=True):
    """An identity provider to sign in with. start: path to send the browser to."""

    name: str
    title: str
    start: str


class ProviderChoices(msgspec.Struct, frozen=True):
    """The identity providers of this server, or of a tenant as well."""

    items: list[ProviderChoice]


class SendTo(msgspec.Struct, frozen=True):
    """Where to send the browser."""

    url: str


class SessionsEnded(msgspec.Struct, frozen=True):
    """How many sessions were ended, this one included."""

    ended: int


class Login(Controller):
    """Opening a session."""

    path = ""
    tags: Sequence[str] = ["sign-in"]  # pyright: ignore[reportIncompatibleVariableOverride]
    exception_handlers = REFUSALS

    @post("/login", opt=PUBLIC, status_code=200, summary="Sign in with a password")
    async def sign_in(self, data: Credentials, request: Request[Any, Any, Any], services: Services) -> Response[MeView]:
        """Opens a session and sets its cookie. After several failures one must wait (429)."""
        check_origin(request.headers.get("origin"), own_origin(request))
        signed_in = await people_of(services).users.sign_in(
            data.email, data.password, address=address_of(request), old_cookie=session_cookie(request) or ""
        )
        return await _opened(request, services, signed_in)

    @get("/login/providers", opt=PUBLIC, summary="List identity providers to sign in with")
    async def list_login_choices(
        self,
        services: Services,
        tenant: Annotated[str, Parameter(description="Id of a tenant that may have its own.", max_length=63)] = "",
    ) -> ProviderChoices:
        """What the sign-in page offers. A tenant that does not exist has none."""
        offered = await people_of(services).login_providers.offered(known_tenant(services, tenant))
        return ProviderChoices([_choice(provider) for provider in offered])

    @post("/invitations/accept", opt=PUBLIC, status_code=200, summary="Accept an invitation with a new account")
    async def accept_invitation(
        self, data: AcceptInvitation, request: Request[Any, Any, Any], services: Services
    ) -> Response[MeView]:
        """Makes an account, opens a session and uses the invitation up."""
        check_origin(request.headers.get("origin"), own_origin(request))
        signed_in = await people_of(services).users.accept_with_password(
            data.token,
            data.email,
            data.name,
            data.password,
            address=address_of(request),
            old_cookie=session_cookie(request) or "",
        )
        return await _opened(request, services, signed_in)

    @post("/password-resets", opt=PUBLIC, status_code=204, summary="Choose a new password with a link")
    async def reset_password(self, data: ResetPassword, request: Request[Any, Any, Any], services: Services) -> None:
        """Uses the link up and ends every session of the person."""
        check_origin(request.headers.get("origin"), own_origin(request))
        await people_of(services).users.reset_password(data.token, data.password, address=address_of(request))


class OwnAccount(Controller):
    """What the person who is signed in may do with their own session and account."""

    path = ""
    tags: Sequence[str] = ["sign-in"]  # pyright: ignore[reportIncompatibleVariableOverride]
    exception_handlers = REFUSALS

    @post("/logout", status_code=204, summary="Sign out")
    async def sign_out(
        self, request: Request[Any, Any, Any], principal: Principal, services: Services
    ) -> Response[None]:
        """Ends this session."""
        await people_of(services).users.sign_out(person_of(principal, request))
        return without_session(Response(None, status_code=204), request)

    @get("/me", summary="Get who is signed in")
    async def get_me(self, request: Request[Any, Any, Any], principal: Principal, services: Services) -> MeView:
        """The person of this session, their tenants and the CSRF token."""
        return await _me(services, person_of(principal, request))

    @get("/me/export", summary="Get everything that is kept about oneself")
    async def export_me(
        self, request: Request[Any, Any, Any], principal: Principal, services: Services
    ) -> dict[str, Any]:
        """Account, memberships, linked identities and open sessions."""
        person_of(principal, request)
        return await people_of(services).users.accounts.export(principal.id)

    @delete("/me", status_code=204, summary="Delete one's own account")
    async def delete_me(
        self, request: Request[Any, Any, Any], principal: Principal, services: Services
    ) -> Response[None]:
        """Removes the account from every table. A tenant's only administrator must name another first (409)."""
        person_of(principal, request)
        await people_of(services).users.accounts.delete(principal.id, principal.id)
        return without_session(Response(None, status_code=204), request)

    @put("/me/tenant", summary="Choose the tenant to work for")
    async def choose_tenant(
        self, data: ChooseTenant, request: Request[Any, Any, Any], principal: Principal, services: Services
    ) -> Response[MeView]:
        """The session goes on for that tenant, with another cookie and CSRF token."""
        cookie = person_of(principal, request)
        if not known_tenant(services, data.tenant_id):
            raise not_found("tenant")
        return await _opened(request, services, await people_of(services).users.choose_tenant(cookie, data.tenant_id))

    @put("/me/password", summary="Change one's own password")
    async def change_password(
        self, data: NewPassword, request: Request[Any, Any, Any], principal: Principal, services: Services
    ) -> Response[MeView]:
        """Ends every other session; this one goes on with another cookie and CSRF token."""
        cookie = person_of(principal, request)
        signed_in = await people_of(services).users.change_password(
            cookie, data.present, data.new, address=address_of(request)
        )
        return await _opened(request, services, signed_in)

    @post("/me/invitations", status_code=200, summary="Accept an invitation with one's own account")
    async def accept_signed_in(
        self, data: InvitationToken, request: Request[Any, Any, Any], principal: Principal, services: Services
    ) -> Response[MeView]:
        """Uses the invitation up; the session goes on for its tenant, with another cookie and CSRF token."""
        cookie = person_of(principal, request)
        signed_in = await people_of(services).users.accept_signed_in(data.token, cookie, address=address_of(request))
        return await _opened(request, services, signed_in)

    @post("/me/identities/{provider:str}", status_code=200, summary="Begin to link an identity provider")
    async def link_identity(
        self, provider: ProviderName, request: Request[Any, Any, Any], principal: Principal, services: Services
    ) -> Response[SendTo]:
        """Where to send the browser; when it comes back, one may sign in with that provider too."""
        cookie = person_of(principal, request)
        started = await people_of(services).oidc.start_link(provider, callback_url(request, provider), cookie)
        return with_flow(Response(SendTo(started.url)), request, started.browser)

    @delete("/me/sessions", status_code=200, summary="Sign out everywhere")
    async def sign_out_everywhere(
        self, request: Request[Any, Any, Any], principal: Principal, services: Services
    ) -> Response[SessionsEnded]:
        """Ends every session of the person, on every device."""
        person_of(principal, request)
        ended = await people_of(services).users.sign_out_everywhere(principal.id, principal.id)
        return without_session(Response(SessionsEnded(ended)), request)


def callback_url(request: Request[Any, Any, Any], provider: str) -> str:
    """Where a provider sends the browser back to: to be registered with it."""
    return f"{own_origin(request)}/v1/login/{provider}/callback"


async def _opened(request: Request[Any, Any, Any], services: Services, signed_in: SignedIn) -> Response[MeView]:
    return with_session(Response(await _me(services, signed_in.cookie)), request, signed_in)


async def _me(services: Services, cookie: str) -> MeView:
    me = await people_of(services).users.me(cookie)
    if me is None:
        raise unauthorized("The session has ended: sign in again.")
    return _view(me)


def _view(me: Me) -> MeView:
    return MeView(
        user_id=me.account.id,
        name=me.account.name,
        email=me.account.email,
        standing=me.account.standing.value,
        tenant_id=me.tenant_id or None,
        role=me.role,
        tenants=[TenantRole(tenant.tenant_id, tenant.role) for tenant in me.tenants],
        csrf_token=me.csrf,
        expires_at=dt.datetime.fromtimestamp(me.ends_at_s, dt.UTC),
    )


def _choice(provider: LoginProvider) -> ProviderChoice:
    tenant = f"?tenant={provider.tenant_id}" if provider.tenant_id else ""
    return ProviderChoice(provider.name, provider.title, local_path(f"/v1/login/{provider.name}/start{tenant}"))


handlers: Sequence[ControllerRouterHandler] = (Login, OwnAccount)

EXAMPLES: Sequence[msgspec.Struct] = (
    Credentials("ada@example.com", "a lamp beside the river"),
    ChooseTenant("park"),
    NewPassword("a lamp beside the river", "nine grey herons at dawn"),
    AcceptInvitation("kT3...", "ada@example.com", "Ada Lovelace", "a lamp beside the river"),
    InvitationToken("kT3..."),
    ResetPassword("kT3...", "nine grey herons at dawn"),
    ProviderChoices([ProviderChoice("google", "Google", "/v1/login/google/start")]),
    SendTo("https://accounts.google.com/o/oauth2/v2/auth?client_id=..."),
    SessionsEnded(3),
    MeView(
        user_id="7c1f0b9a4e2d",
        name="Ada Lovelace",
        email="ada@example.com",
        standing="member",
        tenant_id="park",
        role=Role.ADMIN,
        tenants=[TenantRole("park", Role.ADMIN)],
        csrf_token="m4J...",
        expires_at=dt.datetime(2026, 11, 21, 9, tzinfo=dt.UTC),
    ),
)
