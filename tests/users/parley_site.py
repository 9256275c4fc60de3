"""The REST application with people on a loopback port, for a browser that keeps cookies: `httpx` with its own jar."""

import socket
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import msgspec
from litestar import Litestar

from context.security.principal import Role
from context.store.database import Store
from server.http_app import HttpListener
from server.rest.api import rest_app
from server.rest.people_pages import pages
from server.rest.services import ServiceDoor
from tests.rest.rest_server import EVERY_SCOPE, LAKE, PARK, PLENTY, Clock, RestServer, _services
from tests.users.people_world import PASSWORD, World
from voice_core.engines.host import plugin_host


class Site:
    """A running server. origin: where it is."""

    def __init__(self, origin: str, rest: RestServer, world: World) -> None:
        self.origin = origin
        self.rest = rest
        self.world = world

    def browser(self) -> "Browser":
        """A browser without any cookie."""
        return Browser(self)


class Browser:
    """Somebody's browser: keeps cookies, sends what our own pages send."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.http = httpx.AsyncClient(base_url=site.origin)
        self.csrf = ""

    async def __aenter__(self) -> "Browser":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """What the page's script sends. headers: replace those it sends; _ stands for -."""
        sent = {"Origin": self._site.origin, **({"Parley-CSRF": self.csrf} if self.csrf else {})}
        sent.update({name.replace("_", "-"): value for name, value in headers.items()})
        answer = await self.http.request(method, path, json=body, headers={k: v for k, v in sent.items() if v})
        if answer.status_code == 200 and answer.headers["content-type"].startswith("application/json"):
            self.csrf = answer.json().get("csrf_token", self.csrf)
        return answer

    async def sign_in(self, email: str = "ada@example.com", password: str = PASSWORD) -> httpx.Response:
        """Fill in the form."""
        return await self.ask("POST", "/v1/login", {"email": email, "password": password})

    @property
    def cookie(self) -> str | None:
        """The session cookie."""
        return self.http.cookies.get("parley")


@cache
def _application() -> tuple[ServiceDoor, Litestar]:
    """The whole application, built once: it takes longer than a test. Each test opens its door to services anew."""
    door = ServiceDoor()
    return door, rest_app(door, pages)


@asynccontextmanager
async def running_site(database_url: str, folder: Path, world: World) -> AsyncGenerator[Site, None]:
    """The site of this world, with the tenants park and lake, and Ada who administers the park."""
    await world.person(roles={PARK: Role.ADMIN})
    clock = Clock()
    door, app = _application()
    async with AsyncExitStack() as stack:
        store = await Store.open(database_url)
        stack.push_async_callback(store.aclose)
        host = await stack.enter_async_context(plugin_host())
        services = await _services(store, host, folder, clock, None, PLENTY)
        stack.push_async_callback(services.limiter.aclose)
        services = msgspec.structs.replace(services, people=world.people, users=world.users)
        door.open(services)
        stack.callback(door.close)
        transport = httpx.ASGITransport(app=app)  # pyright: ignore[reportArgumentType]
        client = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://parley.local"))
        rest = RestServer(app, client, services, clock)
        for tenant_id in (PARK, LAKE):
            rest.keys[tenant_id] = (await services.keys.create(tenant_id, "everything", EVERY_SCOPE)).key
        sock = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        listener = HttpListener(app, sock)
        stack.push_async_callback(listener.close)
        yield Site(f"http://127.0.0.1:{sock.getsockname()[1]}", rest, world)


__all__ = ["LAKE", "PARK", "Browser", "Site", "running_site"]
