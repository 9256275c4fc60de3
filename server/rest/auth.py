"""Who is asking: resolves the API key or the session cookie of a request into a `Principal`, before anything else runs.

Handlers say what they need with `guards=[requires(Scope.X)]` and read `principal`; those that anybody may call carry
`opt=PUBLIC`. An operator names the tenant it means in the header `Parley-Tenant`. Part of `server.rest.api`.
"""

from typing import Any

import msgspec
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler
from litestar.types import ASGIApp, Guard, Receive, Scope, Send

from context.security.principal import Principal, PrincipalKind
from context.security.principal import Scope as Permission
from context.users.sessions import COOKIE, CSRF_HEADER, TLS_COOKIE, check_csrf
from server.rest.limits import count_principal, count_stranger
from server.rest.problems import Problem, not_found
from server.rest.services import ServiceDoor, Services

TENANT_HEADER = "Parley-Tenant"
SESSION_COOKIES = (TLS_COOKIE, COOKIE)
"""Names of the session cookie with TLS and without."""

UNSAFE_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})

PUBLIC = {"public": True}
"""For `opt` of handlers that anybody may call; `principal` is not available in them."""

STARTING_TOO = {"public": True, "while_starting": True}
"""For `opt` of handlers that answer before the services are there: they must not use them."""

LONGEST_KEY = 200
"""Characters; a longer one is no key of ours and is not looked at."""


class Authentication:
    """ASGI middleware that puts the principal into `scope["user"]`, None for a public handler without credentials."""

    def __init__(self, app: ASGIApp, door: ServiceDoor) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate, then go on. Raises Problem 401, 403, 404, 429 and 503."""
        scope["user"] = None
        options: dict[str, Any] = scope["route_handler"].opt
        if scope["type"] == "http" and scope["method"] != "OPTIONS" and "while_starting" not in options:
            _refuse_null(scope)
            request: Request[Any, Any, Any] = Request(scope)
            scope["user"] = await _principal(request, self._door.services, public="public" in options)
        await self._app(scope, receive, send)


def requires(permission: Permission) -> Guard:
    """A guard that lets only those pass who may do this. The scope is named in the refusal and in the API's schema."""

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        principal = connection.scope["user"]
        if not isinstance(principal, Principal):
            raise unauthorized("This needs an API key or a signed-in user.")
        if not principal.may(permission):
            raise Problem(403, "forbidden", f"This needs the scope {permission.value}, which this key or user lacks.")

    guard.permission = permission  # type: ignore[attr-defined]
    return guard


def tenant_of(principal: Principal) -> str:
    """The tenant that this request is about. Raises Problem 400 when an operator has not named one."""
    if not principal.tenant_id:
        raise Problem(400, "tenant_required", f"Name the tenant that you mean in the header {TENANT_HEADER}.")
    return principal.tenant_id


def unauthorized(detail: str) -> Problem:
    """401 with the challenge that HTTP asks for."""
    return Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": 'Bearer realm="parley"'})


def own_origin(request: Request[Any, Any, Any]) -> str:
    """Scheme, host and port that the client reached us at; a proxy in front must pass Host on."""
    url = request.base_url
    return f"{url.scheme}://{url.netloc}"


def session_cookie(request: Request[Any, Any, Any]) -> str | None:
    """The session cookie as it was sent."""
    return next((request.cookies[name] for name in SESSION_COOKIES if name in request.cookies), None)


async def _principal(request: Request[Any, Any, Any], services: Services, *, public: bool) -> Principal | None:
    key = _bearer(request)
    principal: Principal | None = None
    if key is not None:
        if len(key) <= LONGEST_KEY:
            principal = await services.keys.authenticate(key, request.headers.get("origin"))
    elif not public:
        principal = await _of_session(request, services)
    if principal is not None:
        await count_principal(services, principal)
        return _for_tenant(request, services, principal)
    await count_stranger(request, services)
    if public and key is None:
        return None
    raise unauthorized("This key opens nothing here." if key else "This needs an API key or a signed-in user.")


def _refuse_null(scope: Scope) -> None:
    """Postgres keeps no U+0000 and no lone surrogate, so nothing is named by one. Raises Problem 404 and 400."""
    path = scope["path"]
    if "\0" in path or any("\ud800" <= letter <= "\udfff" for letter in path):
        raise not_found("thing")
    if b"%00" in scope["query_string"]:
        raise Problem(400, "invalid", "The query must not hold the character U+0000.")


def _bearer(request: Request[Any, Any, Any]) -> str | None:
    header = request.headers.get("authorization")
    if header is None:
        return None
    kind, _, key = header.partition(" ")
    if kind.lower() != "bearer" or not key.strip():
        raise unauthorized('The header Authorization must read "Bearer " and then the key.')
    return key.strip()


async def _of_session(request: Request[Any, Any, Any], services: Services) -> Principal | None:
    cookie = session_cookie(request)
    if cookie is None or services.users is None:
        return None
    if request.method in UNSAFE_METHODS:
        check_csrf(cookie, request.headers.get(CSRF_HEADER), request.headers.get("origin"), own_origin(request))
    return await services.users.session_principal(cookie)


def _for_tenant(request: Request[Any, Any, Any], services: Services, principal: Principal) -> Principal:
    named = request.headers.get(TENANT_HEADER, "")
    if principal.kind is PrincipalKind.OPERATOR:
        if named and services.tenants.by_id(named) is None:
            raise not_found("tenant")
        return msgspec.structs.replace(principal, tenant_id=named or principal.tenant_id)
    if named and named != principal.tenant_id:
        raise not_found("tenant")
    if principal.tenant_id:
        services.tenants.serving(principal.tenant_id)
    return principal
