"""Where a webhook may go: to public addresses over HTTPS, and nowhere inside the network that Parley runs in.

A tenant chooses the address and the server opens the connection, so without this a tenant could make the server talk
to its neighbours. The name is looked up here and the connection is made to the very addresses that were checked: a
name that changes its mind between check and use changes nothing. Used when an endpoint is saved and by every delivery.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from functools import partial

import httpx
import msgspec

from context.webhooks.errors import DestinationRefusedError

LONGEST_URL = 2000
RESOLVER_THREADS = 16
"""Look-ups of dead name servers take long: they have threads of their own, not those that everything else uses."""

LAST_PORT = 65535
DEFAULT_PORTS = {"https": 443, "http": 80}

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host name and port -> its addresses, as text. Raises OSError."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
# Not sent to although `is_global` says yes, in some version of Python: protocol assignments and other people's relays.
_NEVER = tuple(
    ipaddress.ip_network(text) for text in ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2001:db8::/32", "3fff::/20")
)
# `inet_aton` reads 2130706433, 0x7f.1 and 0177.1 as addresses: a name's last label is never a number.
_NUMERIC_LABEL = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)\Z", re.IGNORECASE)


class Reach(StrEnum):
    """How far webhooks may go. LOOPBACK_TOO: also to this machine, also without TLS there; for development."""

    PUBLIC_ONLY = "public_only"
    LOOPBACK_TOO = "loopback_too"


class Destination(msgspec.Struct, frozen=True):
    """A checked address of an endpoint. url: as the tenant wrote it, parsed. addresses: all fit to be sent to."""

    url: httpx.URL
    addresses: tuple[IpAddress, ...]

    @property
    def host(self) -> str:
        """The name that the certificate must be for."""
        return ascii_host(self.url).rstrip(".")

    @property
    def pinned_urls(self) -> list[httpx.URL]:
        """The URL with each address in place of the name."""
        return [self.url.copy_with(host=str(address)) for address in self.addresses]


class SystemResolver:
    """Asks the name servers of this machine."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(RESOLVER_THREADS, thread_name_prefix="webhook-names")

    async def __call__(self, host: str, port: int) -> list[str]:
        """The addresses of a name. Raises OSError."""
        look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        except UnicodeError as error:  # a label that is empty or too long
            raise OSError("no host name") from error
        return [str(address[0]) for *_, address in found]

    def close(self) -> None:
        """Give the threads back; a look-up that is under way is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def parse_url(text: str, reach: Reach) -> httpx.URL:
    """The URL of an endpoint. Raises DestinationRefusedError, which says what is allowed."""
    if len(text) > LONGEST_URL:
        raise DestinationRefusedError(f"url: {len(text)} characters; at most {LONGEST_URL} are allowed")
    if not text.isascii() or any(character.isspace() or not character.isprintable() for character in text):
        raise DestinationRefusedError("url: only printable ASCII is allowed; write other characters percent-encoded")
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise DestinationRefusedError(f"url: {error}") from None
    allowed = ("https",) if reach is Reach.PUBLIC_ONLY else ("https", "http")
    if url.scheme not in allowed or not url.host:
        raise DestinationRefusedError(f"url: must begin with https:// and a host name; got {url.scheme or 'no scheme'}")
    if url.userinfo:
        raise DestinationRefusedError("url: a user name or password in it is not allowed; use the signature")
    if url.fragment or "\\" in text:
        raise DestinationRefusedError("url: neither # nor \\ is allowed")
    if url.port is not None and not 1 <= url.port <= LAST_PORT:
        raise DestinationRefusedError(f"url: port {url.port} is not between 1 and {LAST_PORT}")
    host = ascii_host(url)
    if _address(host) is None and _NUMERIC_LABEL.match(host.rstrip(".").rpartition(".")[2]):
        raise DestinationRefusedError(f"url: {host} is neither a host name nor an address in its usual form")
    return url


async def resolve(url: httpx.URL, reach: Reach, resolver: Resolver) -> Destination:
    """Look the name up and check every address behind it.

    Raises DestinationRefusedError when one is not public, and OSError when the name has none.
    """
    host = ascii_host(url)
    literal = _address(host)
    if literal is None:
        found = await resolver(host, url.port or DEFAULT_PORTS[url.scheme])
        addresses = tuple(dict.fromkeys(ipaddress.ip_address(text) for text in found))
    else:
        addresses = (literal,)
    if not addresses:
        raise OSError("the name has no address")
    for address in addresses:
        if is_public(address):
            secure = url.scheme == "https"
        elif reach is Reach.LOOPBACK_TOO and is_loopback(address):
            secure = True
        else:
            # One bad address refuses the name: which of them would be used must not be luck.
            raise DestinationRefusedError(f"url: {host} is at an address that is not public")
        if not secure:
            raise DestinationRefusedError(f"url: {host} is on another machine: only https:// is allowed")
    return Destination(url, addresses)


def ascii_host(url: httpx.URL) -> str:
    """The host as it is looked up: `URL.host` would turn xn-- labels back into letters."""
    return url.raw_host.decode("ascii")


def is_public(address: IpAddress) -> bool:
    """Whether this is an address of the open internet, whatever it is wrapped in."""
    inner = _unwrapped(address)
    if inner.is_multicast or any(inner in network for network in _NEVER if network.version == inner.version):
        return False
    if isinstance(inner, ipaddress.IPv6Address) and inner not in _GLOBAL_UNICAST:
        return False
    return inner.is_global


def is_loopback(address: IpAddress) -> bool:
    """Whether this is the machine itself."""
    return _unwrapped(address).is_loopback


def _unwrapped(address: IpAddress) -> IpAddress:
    """The IPv4 address inside an IPv6 one (mapped, NAT64, 6to4), which is where it would arrive."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF) if address in _NAT64 else address


def _address(host: str) -> IpAddress | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
