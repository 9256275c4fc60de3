"""The REST application with people on a loopback port, for a browser that keeps cookies: `httpx` with its own jar."""

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from litestar import Litestar

from context.security.principal import Role
from server.http_app import HttpListener
from server.rest.api import rest_app
from server.rest.people_pages import pages
from server.rest.services import ServiceDoor
from tests.rest.rest_server import LAKE, PARK, RestServer, rest_server
from tests.users.people_world import PASSWORD, World


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
    door, app = _application()
    async with rest_server(database_url, folder, people=world.people, users=world.users) as rest:
        door.open(rest.services)
        with socket.create_server(("127.0.0.1", 0)) as sock:
            listener = HttpListener(app, sock)
            try:
                yield Site(f"http://127.0.0.1:{sock.getsockname()[1]}", rest, world)
            finally:
                await listener.close()
                door.close()


__all__ = ["LAKE", "PARK", "Browser", "Site", "running_site"]
