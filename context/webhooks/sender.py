"""Sends one request of a webhook and says what came back, within ten seconds, whatever the other side does.

Works on httpx's transport and not on its client: no redirect is followed, no cookie of one tenant's receiver meets
another's, no proxy of the environment is used, nothing is logged. Called by `dispatcher` and by the test of an
endpoint.
"""

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping

import httpx

from context.redaction import redact_text
from context.webhooks.delivery import Answer, Failure
from context.webhooks.destination import Destination, Reach, Resolver, parse_url, resolve
from context.webhooks.errors import DestinationRefusedError

TIMEOUT_S = 10.0
"""For the whole attempt: look-up, connection, request, answer."""

CONNECT_TIMEOUT_S = 3.0
"""For one address, so that a second one gets its chance."""

MOST_ADDRESSES = 3
SNIPPET_TIMEOUT_S = 1.0
"""The status decides; its body is only read for the log, and nobody waits for it longer than this."""

READ_LIMIT_BYTES = 4096
SNIPPET_CHARS = 500
LONGEST_RETRY_AFTER_DIGITS = 6


class Sender:
    """Sends webhooks. One for all tenants; `aclose` it. trust: certificates to believe, None for the usual ones."""

    def __init__(
        self,
        resolver: Resolver,
        reach: Reach = Reach.PUBLIC_ONLY,
        trust: ssl.SSLContext | None = None,
        timeout_s: float = TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resolver = resolver
        self._timeout_s = timeout_s
        self._clock = clock
        self.reach = reach
        # A kept connection would be found again by its address alone: another tenant's host may have the same one.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        self._transport = httpx.AsyncHTTPTransport(
            verify=trust or httpx.create_ssl_context(trust_env=False), trust_env=False, limits=limits
        )

    async def check(self, url: str) -> Destination:
        """Look an address up as a delivery would. Raises DestinationRefusedError, and OSError for an unknown name."""
        return await resolve(parse_url(url, self.reach), self.reach, self._resolver)

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """POST `body`. Never raises for anything that the receiver or the network does."""
        started = self._clock()
        status, text, retry_after_s = None, "", 0
        failure = Failure.NONE
        try:
            async with asyncio.timeout(self._timeout_s):
                response = await self._post(await self.check(url), headers, body)
                try:
                    status = response.status_code
                    retry_after_s = _seconds(response.headers.get("retry-after", ""))
                    text = await _beginning(response)
                finally:
                    await response.aclose()
        except TimeoutError:
            failure = Failure.TIMEOUT
        except DestinationRefusedError:
            failure = Failure.DESTINATION_REFUSED
        except OSError:
            failure = Failure.NAME_NOT_FOUND
        except httpx.TransportError as error:
            failure = _failure(error)
        if status is not None:
            failure = Failure.NONE
        return Answer(status, failure, round((self._clock() - started) * 1000), text, retry_after_s)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.aclose()

    async def _post(self, destination: Destination, headers: Mapping[str, str], body: bytes) -> httpx.Response:
        """The answer of the first address that takes a connection. Raises httpx.TransportError."""
        url = destination.url
        urls = destination.pinned_urls[:MOST_ADDRESSES]
        for last, pinned in ((pinned is urls[-1], pinned) for pinned in urls):
            request = httpx.Request(
                "POST",
                pinned,
                headers={**headers, "Host": url.netloc.decode(), "Accept-Encoding": "identity"},
                content=body,
                extensions={
                    "timeout": {
                        "connect": CONNECT_TIMEOUT_S,
                        "read": self._timeout_s,
                        "write": self._timeout_s,
                        "pool": self._timeout_s,
                    },
                    # The certificate is checked against the name although the connection is made to an address.
                    "sni_hostname": destination.host,
                },
            )
            try:
                return await self._transport.handle_async_request(request)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if last:
                    raise
        raise AssertionError("a destination has an address")


async def _beginning(response: httpx.Response) -> str:
    """How the body begins, fit for the log."""
    read = b""
    try:
        async with asyncio.timeout(SNIPPET_TIMEOUT_S):
            async for part in response.aiter_raw():
                read += part
                if len(read) >= READ_LIMIT_BYTES:
                    break
    except (TimeoutError, httpx.TransportError, httpx.StreamError):
        pass  # the status is here: what the receiver says about it is extra
    text = read[:READ_LIMIT_BYTES].decode("utf-8", errors="replace")
    # Redacted before it is cut, or half a number would stay; without control characters, which Postgres may refuse.
    printable = "".join(character if character.isprintable() else " " for character in text)
    return redact_text(printable)[:SNIPPET_CHARS].strip()


def _failure(error: httpx.TransportError) -> Failure:
    if isinstance(error, httpx.TimeoutException):
        return Failure.TIMEOUT
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return Failure.TLS_FAILED
        cause = cause.__cause__ or cause.__context__
    return Failure.NO_HTTP if isinstance(error, httpx.ProtocolError) else Failure.CONNECTION_FAILED


def _seconds(retry_after: str) -> int:
    """Retry-After in seconds; 0 for a date, which nobody sends with a webhook, and for anything else."""
    text = retry_after.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= LONGEST_RETRY_AFTER_DIGITS else 0
