"""The pages about signing in: each a file that loads nothing, with a policy that allows its own script and style only.

`pages` is mounted outside /v1 by the server; `refusal_page` is what a browser sees when a sign-in is refused.
"""

import base64
import hashlib
import html
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec
from litestar import MediaType, Response, get
from litestar.types import ControllerRouterHandler

_INLINE = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)
_WORDS_MARK = "{{words}}"


class OwnPage(msgspec.Struct, frozen=True):
    """A page and its policy."""

    html: str
    policy: str


@cache
def own_page(name: str) -> OwnPage:
    """The page `server/pages/<name>.html`."""
    text = files("server").joinpath(f"pages/{name}.html").read_text(encoding="utf-8")
    hashes: dict[str, list[str]] = {"script": [], "style": []}
    for kind, content in _INLINE.findall(text):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        hashes[kind].append(f"'sha256-{digest}'")
    policy = (
        f"default-src 'none'; script-src {' '.join(hashes['script']) or repr('none')}; "
        f"style-src {' '.join(hashes['style']) or repr('none')}; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
    return OwnPage(text, policy)


def refusal_page(words: str, status: int) -> Response[Any]:
    """A page that says why a sign-in was refused. words: for people."""
    page = own_page("refused")
    return _response(page.html.replace(_WORDS_MARK, html.escape(words)), page.policy, status)


@get(["/login", "/invitation", "/password-reset"], media_type=MediaType.HTML, include_in_schema=False)
async def login_page() -> Response[Any]:
    """The page to sign in, to accept an invitation and to choose a new password: its address says which."""
    page = own_page("login")
    return _response(page.html, page.policy, 200)


def _response(text: str, policy: str, status: int) -> Response[Any]:
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }
    return Response(text, status_code=status, media_type=MediaType.HTML, headers=headers)


pages: Sequence[ControllerRouterHandler] = (login_page,)
"""For `rest_app`: handlers outside /v1."""
