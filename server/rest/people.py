"""What the resources about people share: their services, the status of each refusal, cookies.

Used by `server.rest.login`, `server.rest.users` and `server.rest.connections`.
"""

import math
from typing import Annotated, Any

import msgspec
from litestar import Request, Response
from litestar.datastructures import Cookie

from context.security.principal import Principal, PrincipalKind
from context.users.assembly import People
from context.users.errors import TooManyAttemptsError, UserError
from context.users.people import SignedIn
from context.users.sessions import LIFETIME_S, cookie_name
from context.users.states import STATE_S
from server.rest.auth import own_origin, session_cookie
from server.rest.problems import RETRY_AFTER_S, Problem, problem_response
from server.rest.services import Services

STATUS_OF_REFUSAL: dict[str, int] = {
    "bad_credentials": 401,
    "too_many_attempts": 429,
    "csrf_refused": 403,
    "link_not_valid": 404,
    "user_not_found": 404,
    "not_a_member": 404,
    "provider_not_found": 404,
    "not_connected": 404,
    "account_exists": 409,
    "last_admin": 409,
    "shared_account": 409,
    "needs_reconnect": 409,
    "sign_in_refused": 403,
    "provider_down": 503,
    "grant_refused": 502,
}
"""Status of each error of `context.users`; 422 for the others, which are about what was sent."""

FLOW_COOKIE = "parley-flow"
"""Ties a sign-in at a provider to the browser that began it."""

ProviderName = Annotated[str, msgspec.Meta(min_length=1, max_length=63)]
Token = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Password = Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]
Email = Annotated[str, msgspec.Meta(min_length=1, max_length=254)]
PersonName = Annotated[str, msgspec.Meta(min_length=1, max_length=120)]


def answer_refusal(_: Request[Any, Any, Any], error: UserError) -> Response[bytes]:
    """Handler of the errors of `context.users`, for `exception_handlers` of the resources about people."""
    headers: dict[str, str] = {}
    status = STATUS_OF_REFUSAL.get(error.code, 422)
    if isinstance(error, TooManyAttemptsError):
        headers["Retry-After"] = str(max(1, math.ceil(error.wait_s)))
    elif status == 503:
        headers["Retry-After"] = str(RETRY_AFTER_S)
    elif status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="parley"'
    return problem_response(Problem(status, error.code, str(error), headers=headers))


REFUSALS: dict[int | type[Exception], Any] = {UserError: answer_refusal}
"""For `exception_handlers`."""


def people_of(services: Services) -> People:
    """Everything about people. Raises Problem 503 in a server that was built without."""
    if services.people is None:
        raise Problem(503, "unavailable", "This server has no user accounts.")
    return services.people


def known_tenant(services: Services, tenant_id: str) -> str:
    """The id of a tenant that exists, as a stranger named it; else ""."""
    return tenant_id if services.tenants.by_id(tenant_id) else ""


def person_of(principal: Principal, request: Request[Any, Any, Any]) -> str:
    """The session cookie of the person who asks. Raises Problem 403 for an API key, which is nobody."""
    cookie = session_cookie(request)
    if principal.kind is PrincipalKind.KEY or cookie is None or "authorization" in request.headers:
        raise Problem(403, "session_required", "This is about the person who is signed in: an API key is nobody.")
    return cookie


def address_of(request: Request[Any, Any, Any]) -> str:
    """The client's address, for counting attempts."""
    return request.client.host if request.client else "unknown"


def with_session(response: Response[Any], request: Request[Any, Any, Any], signed_in: SignedIn) -> Response[Any]:
    """The response with the cookie of this session."""
    response.set_cookie(_cookie(request, cookie_name(own_origin(request)), signed_in.cookie, LIFETIME_S))
    return response


def without_session(response: Response[Any], request: Request[Any, Any, Any]) -> Response[Any]:
    """The response that makes the browser forget the session."""
    response.set_cookie(_cookie(request, cookie_name(own_origin(request)), "", 0))
    return response


def with_flow(response: Response[Any], request: Request[Any, Any, Any], browser: str) -> Response[Any]:
    """The response with the cookie of a sign-in or connection that has begun."""
    response.set_cookie(_cookie(request, flow_cookie_name(request), browser, STATE_S))
    return response


def without_flow(response: Response[Any], request: Request[Any, Any, Any]) -> Response[Any]:
    """The response that makes the browser forget that cookie."""
    response.set_cookie(_cookie(request, flow_cookie_name(request), "", 0))
    return response


def flow_cookie_name(request: Request[Any, Any, Any]) -> str:
    """What that cookie is called at this origin."""
    return f"__Host-{FLOW_COOKIE}" if own_origin(request).startswith("https://") else FLOW_COOKIE


def _cookie(request: Request[Any, Any, Any], name: str, value: str, max_age_s: int) -> Cookie:
    return Cookie(
        key=name,
        value=value,
        path="/",
        max_age=max_age_s,
        secure=own_origin(request).startswith("https://"),
        httponly=True,
        samesite="lax",
    )
