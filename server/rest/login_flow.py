"""The two addresses that a browser visits when somebody signs in with an identity provider.

They answer with redirections and, when something is refused, with a page that says what and what to do. Part of
`server.rest.api`.
"""

from collections.abc import Sequence
from typing import Annotated, Any

from litestar import Controller, Request, Response, get
from litestar.params import Parameter, QueryParameter
from litestar.types import ControllerRouterHandler

from context.users.errors import ProviderDownError, Refusal, SignInRefusedError, UserError
from context.users.oidc_login import Callback
from server.rest.auth import PUBLIC, session_cookie
from server.rest.login import callback_url
from server.rest.people import (
    STATUS_OF_REFUSAL,
    flow_cookie_name,
    known_tenant,
    people_of,
    with_flow,
    with_session,
    without_flow,
)
from server.rest.people_pages import refusal_page
from server.rest.services import Services

SHORT = 200
LONGEST_CODE = 4000
"""Codes of some providers are themselves signed tokens."""


class LoginFlow(Controller):
    """Signing in elsewhere."""

    path = "/login"
    tags: Sequence[str] = ["sign-in"]  # pyright: ignore[reportIncompatibleVariableOverride]

    @get("/{provider:str}/start", opt=PUBLIC, status_code=303, summary="Begin to sign in with an identity provider")
    async def start_login(
        self,
        provider: str,
        request: Request[Any, Any, Any],
        services: Services,
        tenant: Annotated[str, Parameter(description="Id of the tenant whose provider it is.", max_length=63)] = "",
        return_to: Annotated[str, Parameter(description="Local path to go on to.", max_length=1000)] = "/",
        invitation: Annotated[str, Parameter(description="Invitation to accept.", max_length=SHORT)] = "",
    ) -> Response[Any]:
        """Sends the browser to the provider."""
        try:
            started = await people_of(services).oidc.start(
                provider,
                callback_url(request, provider),
                tenant_id=known_tenant(services, tenant),
                return_to=return_to,
                invitation=invitation,
            )
        except UserError as error:
            return refused(error)
        return with_flow(_redirect(started.url), request, started.browser)

    @get("/{provider:str}/callback", opt=PUBLIC, status_code=303, summary="Finish to sign in with a provider")
    async def finish_login(
        self,
        provider: str,
        request: Request[Any, Any, Any],
        services: Services,
        login_state: Annotated[str, QueryParameter(name="state", max_length=SHORT)] = "",
        code: Annotated[str, Parameter(max_length=LONGEST_CODE)] = "",
        error: Annotated[str, Parameter(max_length=SHORT)] = "",
        iss: Annotated[str, Parameter(max_length=1000)] = "",
    ) -> Response[Any]:
        """Opens a session and sends the browser on. Visited once, by the browser that began."""
        try:
            finished = await people_of(services).oidc.finish(
                provider,
                request.cookies.get(flow_cookie_name(request), ""),
                Callback(login_state, code, error, iss),
                old_cookie=session_cookie(request) or "",
            )
        except UserError as refusal:
            return without_flow(refused(refusal), request)
        return with_session(without_flow(_redirect(finished.return_to), request), request, finished.signed_in)


def refused(error: UserError) -> Response[Any]:
    """The page that says what was refused."""
    if isinstance(error, SignInRefusedError) and error.reason is Refusal.PROVIDER_DOWN:
        return refusal_page(str(error), STATUS_OF_REFUSAL[ProviderDownError.code])
    return refusal_page(str(error), STATUS_OF_REFUSAL.get(error.code, 422))


def _redirect(url: str) -> Response[Any]:
    return Response(None, status_code=303, headers={"Location": url, "Cache-Control": "no-store"})


handlers: Sequence[ControllerRouterHandler] = (LoginFlow,)
