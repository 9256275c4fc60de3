"""The people who work for a tenant, invitations, and the tenant's own identity providers.

A tenant's administrator changes memberships; accounts are changed by the person or the operator. Part of
`server.rest.api`.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from litestar import Controller, Request, delete, get, patch, post, put
from litestar.types import ControllerRouterHandler

from context.security.principal import Principal, Role, Scope
from context.users.accounts import Member
from context.users.links import Link, NewLink
from context.users.login_providers import USUAL_SCOPES, LoginProvider
from context.users.oauth_client import ClientAuth
from server.rest.auth import own_origin, requires, tenant_of
from server.rest.etags import check_if_match
from server.rest.paging import Page, PageQuery
from server.rest.people import REFUSALS, people_of
from server.rest.problems import not_found
from server.rest.services import Services

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class UserView(msgspec.Struct, frozen=True):
    """Somebody who works for the tenant. last_sign_in_at: null for never."""

    id: str
    name: str
    email: str
    role: Role
    state: str
    joined_at: dt.datetime
    last_sign_in_at: dt.datetime | None


class ChangeUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody is to the tenant from now on."""

    role: Role


class NewInvitation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What whoever opens the invitation becomes. note: whom it is meant for, to find it again."""

    role: Role
    note: Annotated[str, msgspec.Meta(max_length=200)] = ""


class InvitationView(msgspec.Struct, frozen=True):
    """An invitation that nobody has used yet."""

    id: str
    role: Role
    note: str
    invited_by: str
    created_at: dt.datetime
    expires_at: dt.datetime


class OneTimeLink(msgspec.Struct, frozen=True):
    """A link that works once. url: to be handed to the person; it is shown this once."""

    id: str
    url: str
    expires_at: dt.datetime

    def __repr__(self) -> str:
        return f"OneTimeLink({self.id!r})"


class LoginProviderView(msgspec.Struct, frozen=True):
    """An identity provider of the tenant, without its secret. callback_url: to be registered with the provider."""

    name: str
    title: str
    issuer: str
    client_id: str
    client_auth: ClientAuth
    scopes: list[str]
    joins_as: Role | None
    callback_url: str


class LoginProviderBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An identity provider (OpenID Connect). client_secret: left out keeps the present one. joins_as: what somebody new
    becomes whom the provider vouches for; null lets nobody new in."""

    title: Text
    issuer: Text
    client_id: Text
    client_secret: Annotated[str, msgspec.Meta(min_length=1, max_length=10_000)] | None = None
    client_auth: ClientAuth = ClientAuth.BASIC
    scopes: Annotated[list[Text], msgspec.Meta(max_length=20)] = msgspec.field(
        default_factory=lambda: list(USUAL_SCOPES)
    )
    joins_as: Literal["pilot", "viewer", "integrator"] | None = None

    def __repr__(self) -> str:
        return "LoginProviderBody(...)"


class UserResource(Controller):
    """People of the tenant."""

    path = "/users"
    tags: Sequence[str] = ["users"]  # pyright: ignore[reportIncompatibleVariableOverride]
    exception_handlers = REFUSALS

    @get("/", guards=[requires(Scope.USERS_READ)], summary="List who works for the tenant")
    async def list_users(self, principal: Principal, services: Services, page: PageQuery) -> Page[UserView]:
        """Everybody with a role in the tenant, in the order of their ids."""
        after = page.key(str)
        members = await people_of(services).users.accounts.members(
            tenant_of(principal), after=str(after[0]) if after else "", limit=page.limit + 1
        )
        return page.page(members, lambda member: (member.account.id,), _view)

    @get("/{user_id:str}", guards=[requires(Scope.USERS_READ)], summary="Get one user")
    async def get_user(self, user_id: str, principal: Principal, services: Services) -> UserView:
        """One person with a role in the tenant."""
        return _view(await people_of(services).users.accounts.member(tenant_of(principal), user_id))

    @patch("/{user_id:str}", guards=[requires(Scope.USERS_WRITE)], summary="Change a user's role")
    async def change_user(
        self, user_id: str, data: ChangeUser, request: Request[Any, Any, Any], principal: Principal, services: Services
    ) -> UserView:
        """Ends the person's sessions in the tenant. The only administrator cannot be made anything else (409)."""
        accounts = people_of(services).users.accounts
        tenant_id = tenant_of(principal)
        check_if_match(request, _view(await accounts.member(tenant_id, user_id)))
        return _view(await accounts.set_role(tenant_id, user_id, data.role, principal.id))

    @delete("/{user_id:str}", guards=[requires(Scope.USERS_WRITE)], summary="Remove a user from the tenant")
    async def remove_user(self, user_id: str, principal: Principal, services: Services) -> None:
        """The account stays, for other tenants; the person's sessions in this one end."""
        await people_of(services).users.accounts.remove_member(tenant_of(principal), user_id, principal.id)

    @post("/{user_id:str}/password-reset", guards=[requires(Scope.USERS_WRITE)], summary="Make a password link")
    async def make_password_reset(
        self, user_id: str, request: Request[Any, Any, Any], principal: Principal, services: Services
    ) -> OneTimeLink:
        """A link, good for an hour, to choose a new password; only for who works for this tenant alone (409)."""
        made = await people_of(services).users.make_reset(user_id, principal.id, tenant_id=tenant_of(principal))
        return _link(made, request, "password-reset")


class InvitationResource(Controller):
    """Invitations to work for the tenant."""

    path = "/invitations"
    tags: Sequence[str] = ["users"]  # pyright: ignore[reportIncompatibleVariableOverride]
    exception_handlers = REFUSALS

    @get("/", guards=[requires(Scope.USERS_READ)], summary="List open invitations")
    async def list_invitations(self, principal: Principal, services: Services, page: PageQuery) -> Page[InvitationView]:
        """Those that nobody has used, in the order of their ids."""
        after = page.key(str)
        links = await people_of(services).users.invitations(tenant_of(principal))
        later = sorted((link for link in links if not after or link.id > str(after[0])), key=lambda link: link.id)
        return page.page(later[: page.limit + 1], lambda link: (link.id,), _invitation)

    @post("/", guards=[requires(Scope.USERS_WRITE)], summary="Invite somebody")
    async def invite(
        self, data: NewInvitation, request: Request[Any, Any, Any], principal: Principal, services: Services
    ) -> OneTimeLink:
        """A link, good for a week and for one person. Parley sends no mail: hand it over yourself."""
        made = await people_of(services).users.invite(tenant_of(principal), data.role, data.note, principal.id)
        return _link(made, request, "invitation")

    @delete("/{invitation_id:str}", guards=[requires(Scope.USERS_WRITE)], summary="Withdraw an invitation")
    async def withdraw_invitation(self, invitation_id: str, principal: Principal, services: Services) -> None:
        """The link stops working."""
        if not await people_of(services).users.withdraw(tenant_of(principal), invitation_id, principal.id):
            raise not_found("invitation")


class LoginProviderResource(Controller):
    """The tenant's own identity providers."""

    path = "/login-providers"
    tags: Sequence[str] = ["users"]  # pyright: ignore[reportIncompatibleVariableOverride]
    exception_handlers = REFUSALS

    @get("/", guards=[requires(Scope.TENANT_READ)], summary="List the tenant's identity providers")
    async def list_login_providers(
        self, request: Request[Any, Any, Any], principal: Principal, services: Services
    ) -> Page[LoginProviderView]:
        """At most twenty, by name, on one page."""
        own = await people_of(services).login_providers.of_tenant(tenant_of(principal))
        return Page([_provider(provider, request) for provider in own])

    @put("/{name:str}", guards=[requires(Scope.TENANT_WRITE)], summary="Add or change an identity provider")
    async def put_login_provider(
        self,
        name: str,
        data: LoginProviderBody,
        request: Request[Any, Any, Any],
        principal: Principal,
        services: Services,
    ) -> LoginProviderView:
        """Its people may sign in for this tenant from now on. The secret is kept in the vault and never shown."""
        provider = LoginProvider(
            name=name,
            title=data.title,
            issuer=data.issuer,
            client_id=data.client_id,
            client_auth=data.client_auth,
            scopes=tuple(data.scopes),
            tenant_id=tenant_of(principal),
            joins_as=Role(data.joins_as) if data.joins_as else None,
        )
        kept = await people_of(services).login_providers.put(provider, data.client_secret, principal.id)
        return _provider(kept, request)

    @delete("/{name:str}", guards=[requires(Scope.TENANT_WRITE)], summary="Remove an identity provider")
    async def remove_login_provider(self, name: str, principal: Principal, services: Services) -> None:
        """Nobody signs in with it any more."""
        await people_of(services).login_providers.remove(tenant_of(principal), name, principal.id)


def _view(member: Member) -> UserView:
    account = member.account
    return UserView(
        id=account.id,
        name=account.name,
        email=account.email,
        role=member.role,
        state=account.state.value,
        joined_at=_instant(member.joined_at_s),
        last_sign_in_at=_instant(account.signed_in_at_s) if account.signed_in_at_s else None,
    )


def _invitation(link: Link) -> InvitationView:
    assert link.role is not None
    return InvitationView(
        link.id, link.role, link.note, link.made_by, _instant(link.created_at_s), _instant(link.expires_at_s)
    )


def _link(made: NewLink, request: Request[Any, Any, Any], page: str) -> OneTimeLink:
    # Behind "#", which browsers keep to themselves: it stands in no log and no Referer.
    url = f"{own_origin(request)}/{page}#{made.token}"
    return OneTimeLink(made.link.id, url, _instant(made.link.expires_at_s))


def _provider(provider: LoginProvider, request: Request[Any, Any, Any]) -> LoginProviderView:
    return LoginProviderView(
        provider.name,
        provider.title,
        provider.issuer,
        provider.client_id,
        provider.client_auth,
        list(provider.scopes),
        provider.joins_as,
        f"{own_origin(request)}/v1/login/{provider.name}/callback",
    )


def _instant(seconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


handlers: Sequence[ControllerRouterHandler] = (UserResource, InvitationResource, LoginProviderResource)

EXAMPLES: Sequence[msgspec.Struct] = (
    UserView(
        id="7c1f0b9a4e2d",
        name="Ada Lovelace",
        email="ada@example.com",
        role=Role.PILOT,
        state="active",
        joined_at=dt.datetime(2026, 11, 2, 9, tzinfo=dt.UTC),
        last_sign_in_at=dt.datetime(2026, 11, 20, 8, 12, tzinfo=dt.UTC),
    ),
    ChangeUser(Role.ADMIN),
    NewInvitation(Role.PILOT, "Grace, front desk"),
    InvitationView(
        "0f3c9d2a7b61e854",
        Role.PILOT,
        "Grace, front desk",
        "7c1f0b9a4e2d",
        dt.datetime(2026, 11, 20, 9, tzinfo=dt.UTC),
        dt.datetime(2026, 11, 27, 9, tzinfo=dt.UTC),
    ),
    OneTimeLink(
        "0f3c9d2a7b61e854",
        "https://parley.example/invitation#kT3...",
        dt.datetime(2026, 11, 27, 9, tzinfo=dt.UTC),
    ),
    LoginProviderBody("Works", "https://login.works.example", "parley", "s3cr3t", joins_as="viewer"),
    LoginProviderView(
        "works",
        "Works",
        "https://login.works.example",
        "parley",
        ClientAuth.BASIC,
        ["openid", "profile"],
        Role.VIEWER,
        "https://parley.example/v1/login/works/callback",
    ),
)
