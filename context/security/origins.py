"""Origins that a widget key is bound to: what browsers send in `Origin`, in one spelling.

An origin is scheme, host and port and nothing else. Used when a key is made and at each request that carries one.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

from context.security.errors import KeyRequestError

DEFAULT_PORTS = {"https": 443, "http": 80}
LONGEST_ORIGIN = 260


def normalised_origin(origin: str) -> str | None:
    """ "https://Shop.example:443" -> "https://shop.example"; None when it is no origin of a web page."""
    if len(origin) > LONGEST_ORIGIN or not origin.isascii() or any(ord(sign) <= 32 for sign in origin):
        return None
    try:
        parts = urlsplit(origin)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in DEFAULT_PORTS or not host or parts.username is not None or "*" in host:
        return None
    if parts.path or parts.query or parts.fragment or origin.endswith(("?", "#", ":")):
        return None
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + ("" if port in (None, DEFAULT_PORTS[parts.scheme]) else f":{port}")


def checked_origins(origins: Iterable[str]) -> tuple[str, ...]:
    """Every origin normalised, in order, once each. Raises KeyRequestError naming the first that is none."""
    checked: dict[str, None] = {}
    for index, origin in enumerate(origins):
        normalised = normalised_origin(origin)
        if normalised is None:
            raise KeyRequestError(
                f"origins[{index}]: {origin!r} is not an origin; write scheme and host and, when it is not the "
                "usual one, the port, such as https://www.example.com (no path, no wildcard)"
            )
        checked[normalised] = None
    return tuple(checked)
