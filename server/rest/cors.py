"""Which pages of other sites may call us: none, except a widget's page for what the widget does.

A handler with `opt=CROSS_ORIGIN` answers a browser's preflight for the origins that some tenant has allowed, and lets
the page read the answer when the key it sent is bound to that origin. Everywhere else no such header is ever sent.
Part of `server.rest.api`.
"""

from collections.abc import Set

from litestar import Litestar
from litestar.routes import HTTPRoute
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from server.rest.services import ServiceDoor

CROSS_ORIGIN = {"cross_origin": True}
"""For `opt` of handlers that a widget calls from a tenant's page."""

PREFLIGHT_KEPT_S = 600
ALLOWED_HEADERS = b"authorization, content-type, idempotency-key, accept"
EXPOSED_HEADERS = b"retry-after, idempotency-replayed"


class CrossOrigin:
    """ASGI middleware, before authentication: a preflight carries no key. paths: see `cross_origin_paths`."""

    def __init__(self, app: ASGIApp, door: ServiceDoor, paths: Set[str]) -> None:
        self._app = app
        self._door = door
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a preflight, or let the page read the answer."""
        origin = _origin(scope)
        if origin is None or not self._allowed(origin, scope):
            await self._app(scope, receive, send)
            return

        async def readable(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message["headers"], *_shared(origin), (b"access-control-expose-headers", EXPOSED_HEADERS)]
                message["headers"] = [pair for pair in headers if pair[0].lower() != b"cross-origin-resource-policy"]
                message["headers"].append((b"cross-origin-resource-policy", b"cross-origin"))
            await send(message)

        if scope["type"] == "http" and scope["method"] == "OPTIONS":
            await _answer_preflight(origin, readable)
        else:
            await self._app(scope, receive, readable)

    def _allowed(self, origin: str, scope: Scope) -> bool:
        """Whether it is a widget's address and some tenant has this origin; what it may do is for its key to say."""
        if scope["type"] != "http" or scope["path"].rstrip("/") not in self._paths:
            return False
        return any(origin in tenant.origins for tenant in self._door.services.tenants.tenants)


def cross_origin_paths(app: Litestar) -> Set[str]:
    """Addresses of the handlers that carry `CROSS_ORIGIN`."""
    return {
        route.path
        for route in app.routes
        if isinstance(route, HTTPRoute) and any("cross_origin" in handler.opt for handler in route.route_handlers)
    }


def _origin(scope: Scope) -> str | None:
    return next((value.decode("latin-1").lower() for name, value in scope["headers"] if name == b"origin"), None)


def _shared(origin: str) -> list[tuple[bytes, bytes]]:
    return [(b"access-control-allow-origin", origin.encode("latin-1")), (b"vary", b"origin")]


async def _answer_preflight(origin: str, send: Send) -> None:
    headers = [
        (b"access-control-allow-methods", b"POST"),
        (b"access-control-allow-headers", ALLOWED_HEADERS),
        (b"access-control-max-age", str(PREFLIGHT_KEPT_S).encode()),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
