"""HTTP to identity providers and outside services: bounded in time and size, no redirects, not into our own network.

What a tenant configures must not make this server ask its own neighbours (SSRF): such addresses are resolved here,
checked, and connected to as checked, so a name cannot change its mind in between. Used by `oauth_client` and
`discovery`.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Any, cast

import httpx
import msgspec

from context.users.errors import ProviderDownError

TIMEOUT_S = 10.0
LARGEST_ANSWER_BYTES = 512 * 1024

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""(host, port) -> its IP addresses."""


class Reach(StrEnum):
    """ANYWHERE: what the operator configured. PUBLIC: what a tenant configured: TLS to public addresses only."""

    ANYWHERE = "anywhere"
    PUBLIC = "public"


class Answer(msgspec.Struct, frozen=True):
    """What came back. body: JSON, or None when it is not."""

    status: int
    body: Any


def is_allowed_url(url: str, reach: Reach) -> bool:
    """Whether a URL of this kind may be configured at all: TLS, or a loopback address of the operator's own."""
    if not (url.isascii() and url.isprintable()):
        return False
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    if not parsed.host or parsed.userinfo or parsed.fragment:
        return False
    if parsed.scheme == "https":
        return True
    return parsed.scheme == "http" and reach is Reach.ANYWHERE and parsed.host in ("127.0.0.1", "localhost", "::1")


class Outside:
    """Requests to other servers. Every method raises ProviderDownError."""

    def __init__(self, client: httpx.AsyncClient, resolve: Resolve | None = None) -> None:
        self._client = client
        self._resolve = resolve or _resolve

    async def get(self, url: str, reach: Reach) -> Answer:
        """GET a JSON document."""
        return await self._ask("GET", url, reach, {}, None)

    async def post_form(self, url: str, body: str, headers: Mapping[str, str], reach: Reach) -> Answer:
        """POST a form. body: encoded."""
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return await self._ask("POST", url, reach, {**form, **headers}, body.encode())

    async def _ask(
        self, method: str, url: str, reach: Reach, headers: Mapping[str, str], content: bytes | None
    ) -> Answer:
        if not is_allowed_url(url, reach):
            raise ProviderDownError("the provider names an address that is not TLS, or not allowed here")
        try:
            async with asyncio.timeout(TIMEOUT_S):
                # Not compressed: a small answer must not become a large one in memory.
                plain = {"Accept": "application/json", "Accept-Encoding": "identity", **headers}
                request = self._client.build_request(method, url, headers=plain, content=content)
                if reach is Reach.PUBLIC:
                    await self._pin(request)
                response = await self._client.send(request, stream=True, follow_redirects=False)
                try:
                    body = await _bounded(response)
                finally:
                    await response.aclose()
        except (httpx.HTTPError, TimeoutError, OSError) as error:
            raise ProviderDownError(f"the provider cannot be reached ({type(error).__name__})") from error
        try:
            return Answer(response.status_code, msgspec.json.decode(body))
        except msgspec.DecodeError:
            return Answer(response.status_code, None)

    async def _pin(self, request: httpx.Request) -> None:
        """Send the request to an address that was checked, whatever its name says a moment later."""
        host = request.url.host
        addresses = await self._resolve(host, request.url.port or 443)
        if not addresses or not all(ipaddress.ip_address(address).is_global for address in addresses):
            raise ProviderDownError("the provider's address is not a public one")
        request.extensions = {**request.extensions, "sni_hostname": host}
        request.url = request.url.copy_with(host=addresses[0])


async def _bounded(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > LARGEST_ANSWER_BYTES:
            raise ProviderDownError(f"the provider's answer is longer than {LARGEST_ANSWER_BYTES} bytes")
    return bytes(body)


async def _resolve(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [cast(str, address[0]).partition("%")[0] for *_, address in found]
