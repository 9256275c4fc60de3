"""Headers that every answer carries, unless its handler set them itself: what browsers must not do with it.

A hook of the application (`before_send`), so that errors, pages and REST have them alike.
"""

from litestar.types import Message, Scope

SAFE_HEADERS: dict[bytes, bytes] = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    b"cross-origin-resource-policy": b"same-origin",
    b"cache-control": b"private, no-cache",
}
"""no-cache: kept only to be asked for again with If-None-Match."""


async def add_safe_headers(message: Message, _: Scope) -> None:
    """Add what is missing to the start of a response."""
    if message["type"] == "http.response.start":
        headers = list(message["headers"])
        present = {name.lower() for name, _ in headers}
        message["headers"] = [*headers, *((n, v) for n, v in SAFE_HEADERS.items() if n not in present)]
