"""Connections of the tenant to outside services: which there are, making one, ending one.

A person makes a connection, in a browser: the consent is theirs. Tokens never leave the server. Part of
`server.rest.api`.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from litestar import Controller, Request, Response, delete, get, post
from litestar.params import Parameter, QueryParameter
from litestar.types import ControllerRouterHandler

from context.security.principal import Principal, PrincipalKind, Scope
from context.users.connection_providers import ConnectionApp
from context.users.connections import Connection
from context.users.errors import Refusal, SignInRefusedError, UserError
from context.users.oidc_login import Callback
from server.rest.auth import PUBLIC, own_origin, requires, session_cookie, tenant_of
from server.rest.login import SendTo
from server.rest.login_flow import LONGEST_CODE, SHORT, refused
from server.rest.paging import Page
from server.rest.people import (
    REFUSALS,
    flow_cookie_name,
    people_of,
    person_of,
    with_flow,
    without_flow,
)
from server.rest.services import Services


class ConnectionView(msgspec.Struct, frozen=True):
    """A service and whether the tenant has connected it. callback_url: to be registered with the service."""

    provider: str
    title: str
    state: Literal["not_connected", "connected", "needs_reconnect"]
    scopes: list[str]
    connected_by: str | None
    connected_at: dt.datetime | None
    callback_url: str


class BeginConnection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """return_to: local path to go on to when it is connected."""

    return_to: Annotated[str, msgspec.Meta(max_length=1000)] = "/"


class ConnectionRemoved(msgspec.Struct, frozen=True):
    """revoked: whether the service confirmed that its tokens have ended; if not, end them in your account there."""

    provider: str
    revoked: bool


class ConnectionResource(Controller):
    """Outside services of the tenant."""

    path = "/connections"
    tags: Sequence[str] = ["connections"]  # pyright: ignore[reportIncompatibleVariableOverride]
    exception_handlers = REFUSALS

    @get("/", guards=[requires(Scope.TENANT_READ)], summary="List services that can be connected")
    async def list_connections(
        self, request: Request[Any, Any, Any], principal: Principal, services: Services
    ) -> Page[ConnectionView]:
        """Every service of this server with the tenant's connection, on one page."""
        connections = people_of(services).connections
        made = {connection.provider: connection for connection in await connections.list(tenant_of(principal))}
        views = [_view(app, made.get(app.provider.name), request) for app in connections.apps]
        return Page(views)

    @post("/{provider:str}", guards=[requires(Scope.TENANT_WRITE)], status_code=200, summary="Begin to connect")
    async def begin_connection(
        self,
        provider: str,
        data: BeginConnection,
        request: Request[Any, Any, Any],
        principal: Principal,
        services: Services,
    ) -> Response[SendTo]:
        """Where to send the browser of the person who is signed in; an API key cannot consent (403)."""
        person_of(principal, request)
        started = await people_of(services).connections.start(
            tenant_of(principal), provider, principal.id, _callback_url(request, provider), data.return_to
        )
        return with_flow(Response(SendTo(started.url)), request, started.browser)

    @get("/{provider:str}/callback", opt=PUBLIC, status_code=303, summary="Finish to connect")
    async def finish_connection(
        self,
        provider: str,
        request: Request[Any, Any, Any],
        services: Services,
        connection_state: Annotated[str, QueryParameter(name="state", max_length=SHORT)] = "",
        code: Annotated[str, Parameter(max_length=LONGEST_CODE)] = "",
        error: Annotated[str, Parameter(max_length=SHORT)] = "",
    ) -> Response[Any]:
        """Visited once, by the browser that began, with the session of the person who began."""
        people = people_of(services)
        try:
            principal = await people.users.session_principal(session_cookie(request) or "")
            if principal is None or principal.kind is PrincipalKind.KEY:
                raise SignInRefusedError(Refusal.OTHER_BROWSER)
            _, return_to = await people.connections.finish(
                provider,
                principal.id,
                request.cookies.get(flow_cookie_name(request), ""),
                Callback(connection_state, code, error),
            )
        except UserError as refusal:
            return without_flow(refused(refusal), request)
        headers = {"Location": return_to, "Cache-Control": "no-store"}
        return without_flow(Response(None, status_code=303, headers=headers), request)

    @delete("/{provider:str}", guards=[requires(Scope.TENANT_WRITE)], status_code=200, summary="End a connection")
    async def end_connection(self, provider: str, principal: Principal, services: Services) -> ConnectionRemoved:
        """Forgets the tokens and asks the service to end them."""
        removed = await people_of(services).connections.remove(tenant_of(principal), provider, principal.id)
        return ConnectionRemoved(removed.provider, removed.revoked)


def _callback_url(request: Request[Any, Any, Any], provider: str) -> str:
    return f"{own_origin(request)}/v1/connections/{provider}/callback"


def _view(app: ConnectionApp, made: Connection | None, request: Request[Any, Any, Any]) -> ConnectionView:
    return ConnectionView(
        provider=app.provider.name,
        title=app.provider.title,
        state=made.state.value if made else "not_connected",
        scopes=list(made.scopes if made else app.provider.scopes),
        connected_by=made.connected_by if made else None,
        connected_at=dt.datetime.fromtimestamp(made.connected_at_s, dt.UTC) if made else None,
        callback_url=_callback_url(request, app.provider.name),
    )


handlers: Sequence[ControllerRouterHandler] = (ConnectionResource,)

EXAMPLES: Sequence[msgspec.Struct] = (
    ConnectionView(
        provider="google-calendar",
        title="Google Calendar",
        state="connected",
        scopes=["https://www.googleapis.com/auth/calendar.events"],
        connected_by="7c1f0b9a4e2d",
        connected_at=dt.datetime(2026, 11, 20, 9, tzinfo=dt.UTC),
        callback_url="https://parley.example/v1/connections/google-calendar/callback",
    ),
    BeginConnection("/settings"),
    ConnectionRemoved("google-calendar", True),
)
