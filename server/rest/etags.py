"""Versions of what was read: ETag and If-None-Match on every JSON answer to a GET, If-Match where something changes.

A tag is a digest of the body, so every resource has one without storing it; a resource that keeps a version number
may send its own. The middleware is part of `server.rest.api`; `check_if_match` is for handlers that change something.
"""

import hashlib
from typing import Any

import msgspec
from litestar import Request
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from server.rest.problems import Problem

DIGEST_BYTES = 16


def etag_of(shown: Any) -> str:
    """The tag of what a GET shows: a Struct, or anything that becomes JSON."""
    return _tag(msgspec.json.encode(shown))


def check_if_match(request: Request[Any, Any, Any], shown: Any) -> None:
    """Refuse a change of something that is not what the client saw. shown: as a GET would show it now.

    A request without If-Match is not checked. Raises Problem 412.
    """
    header = request.headers.get("if-match")
    if header is not None and not _names(header, etag_of(shown), weakly=False):
        raise Problem(412, "changed_meanwhile", "It was changed since you read it: read it again, then change it.")


class EntityTags:
    """ASGI middleware: tags JSON answers to GET requests and answers 304 to a client that has the newest."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        wanted = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"if-none-match"), None)
        start: Message | None = None
        body: list[bytes] = []

        async def tagging(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                if message["status"] == 200 and _is_json(message["headers"]):
                    start = message
                else:
                    await send(message)
            elif start is None or message["type"] != "http.response.body":
                await send(message)
            else:
                body.append(message["body"])
                if not message.get("more_body", False):
                    await _send_tagged(start, b"".join(body), wanted, send)

        await self._app(scope, receive, tagging)


async def _send_tagged(start: Any, body: bytes, wanted: str | None, send: Send) -> None:
    headers: list[tuple[bytes, bytes]] = list(start["headers"])
    tag = next((value.decode("latin-1") for name, value in headers if name.lower() == b"etag"), None)
    if tag is None:
        tag = _tag(body)
        headers.append((b"etag", tag.encode()))
    if wanted is not None and _names(wanted, tag, weakly=True):
        kept = [(name, value) for name, value in headers if name.lower() not in (b"content-length", b"content-type")]
        await send({"type": "http.response.start", "status": 304, "headers": kept})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _tag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).digest()[:DIGEST_BYTES].hex()}"'


def _is_json(headers: Any) -> bool:
    return any(name.lower() == b"content-type" and value.startswith(b"application/json") for name, value in headers)


def _names(header: str, tag: str, *, weakly: bool) -> bool:
    """Whether a header's list of tags holds this one (RFC 9110, 8.8.3.2)."""
    tags = [part.strip() for part in header.split(",")]
    if "*" in tags:
        return True
    if weakly:
        return tag.removeprefix("W/") in {part.removeprefix("W/") for part in tags}
    return not tag.startswith("W/") and tag in tags
