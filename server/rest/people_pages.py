"""The pages about signing in: each a file that loads nothing, with a policy that allows its own script and style only.

`pages` is mounted outside /v1 by the server; `refusal_page` is what a browser sees when a sign-in is refused.
"""

from collections.abc import Sequence
from typing import Any

from litestar import MediaType, Response, get
from litestar.types import ControllerRouterHandler

from server.own_page import SELF, own_page


def refusal_page(words: str, status: int) -> Response[Any]:
    """A page that says why a sign-in was refused. words: for people."""
    page = own_page("refused.html", form=SELF)
    return Response(page.filled({"words": words}), status_code=status, media_type=MediaType.HTML, headers=page.headers)


@get(["/login", "/invitation", "/password-reset"], media_type=MediaType.HTML, include_in_schema=False)
async def login_page() -> Response[Any]:
    """The page to sign in, to accept an invitation and to choose a new password: its address says which."""
    page = own_page("login.html", form=SELF)
    return Response(page.html, media_type=MediaType.HTML, headers=page.headers)


pages: Sequence[ControllerRouterHandler] = (login_page,)
"""For `rest_app`: handlers outside /v1."""
