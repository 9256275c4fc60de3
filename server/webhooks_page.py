"""The page /webhooks: a tenant's endpoints, a test of each, and the delivery log.

The page asks REST for everything, with the session of whoever is signed in or with a key that is typed in and kept in
the page alone. Mounted by `server.running` beside the other pages.
"""

from typing import Any

from litestar import MediaType, Request, Response, get
from litestar.types import ControllerRouterHandler

from context.users.sessions import csrf_token
from server.own_page import OwnPage
from server.rest.auth import session_cookie

PATH = "/webhooks"


def webhooks_page() -> ControllerRouterHandler:
    """The handler of the page."""
    page = OwnPage("webhooks.html")

    @get(PATH, media_type=MediaType.HTML, include_in_schema=False)
    async def show_webhooks(request: Request[Any, Any, Any]) -> Response[str]:
        cookie = session_cookie(request)
        # Bound to the session, for the changes that the page sends; other sites can neither read it nor make it.
        token = csrf_token(cookie) if cookie else ""
        return Response(page.filled({"csrf": token}), media_type=MediaType.HTML, headers=page.headers)

    return show_webhooks
