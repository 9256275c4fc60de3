"""Who is at the other end of a connection, and whether it is this machine itself.

The demo tenant answers without a key on loopback only, so "local" is decided here, once, against proxies and foreign
web pages. Called by the transports when a client connects.
"""

import ipaddress
import urllib.parse
from typing import Any

import msgspec
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request


class Peer(msgspec.Struct, frozen=True):
    """Who connects.

    address: IP address, for limits; never logged. local: the connection comes from this machine, through no proxy
    and from no foreign web page, so whoever opened it could read our files anyway. origin: of the web page that
    opened it, None for a program.
    """

    address: str
    local: bool
    origin: str | None = None


def peer_of(connection: ServerConnection, request: Request) -> Peer:
    """Who connects.

    A proxy on this machine makes every caller look local, so a forwarded request never counts as local and its
    address is the one that the nearest proxy saw. A web page from elsewhere can make a local browser connect
    (cross-site WebSocket hijacking), so a foreign Origin does not count as local either.
    """
    remote: Any = connection.remote_address
    address = str(remote[0]) if remote else ""
    origin = request.headers.get("Origin")
    if not _is_loopback(address):
        return Peer(address=address, local=False, origin=origin)
    forwarded = request.headers.get_all("X-Forwarded-For")
    if forwarded or "Forwarded" in request.headers or "Via" in request.headers:
        nearest = forwarded[-1].rsplit(",", 1)[-1].strip() if forwarded else ""
        return Peer(address=nearest or address, local=False, origin=origin)
    local_page = origin is None or _is_loopback(urllib.parse.urlsplit(origin).hostname or "")
    return Peer(address=address, local=local_page, origin=origin)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_loopback
