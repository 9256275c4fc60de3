"""HTTP of the server: health on every port, and the page to talk from on the API port.

Litestar on uvicorn, inside the loop that also carries the calls; REST and the dashboards come on top of this
application. Built by `server.running`.
"""

import asyncio
import contextlib
import socket
from collections.abc import Generator
from typing import Any

import uvicorn
from litestar import Litestar, MediaType, Request, Response, get
from litestar.types import ControllerRouterHandler

from server.health import Health
from server.own_page import SELF, OwnPage
from server.rest.api import rest_app
from server.rest.people_pages import pages as people_pages
from server.rest.services import ServiceDoor
from server.webhooks_page import webhooks_page

SHUTDOWN_S = 3
"""How long uvicorn waits for requests that are being answered."""

KEEP_ALIVE_S = 5
MAX_REQUESTS = 256
"""Requests at the same time; beyond it uvicorn answers 503."""


def health_handler(health: Health) -> ControllerRouterHandler:
    """Answers /healthz and /readyz."""

    @get(["/healthz", "/readyz"], media_type=MediaType.JSON, include_in_schema=False)
    async def report(request: Request[Any, Any, Any]) -> Response[str]:
        status, body = health.answer(request.url.path) or (404, "")
        return Response(body, status_code=int(status), media_type=MediaType.JSON)

    return report


def talk_handler(voice_port: int) -> ControllerRouterHandler:
    """Answers / with the page to talk from."""
    # blob: is the audio worklet, which the page makes from its own text.
    calls = f"ws://*:{voice_port} wss://*:{voice_port}"
    page = OwnPage("talk.html", connect=calls, script="blob:", frame=SELF)
    text = page.filled({"voice_port": str(voice_port)})

    @get("/", media_type=MediaType.HTML, include_in_schema=False)
    async def talk() -> Response[str]:
        return Response(text, media_type=MediaType.HTML, headers=page.headers)

    return talk


def api_app(door: ServiceDoor, health: Health, voice_port: int) -> Litestar:
    """The application of the API port: REST, health and every page. door: where REST's services come from."""
    own = (health_handler(health), talk_handler(voice_port), webhooks_page())
    return rest_app(door, [*own, *people_pages])


def health_app(health: Health) -> Litestar:
    """An application with nothing but /healthz and /readyz."""
    return Litestar([health_handler(health)], openapi_config=None, logging_config=None)


class _Uvicorn(uvicorn.Server):
    """Leaves the signals to the process that it is part of."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Take no signal."""
        yield


class HttpListener:
    """One application on one bound socket."""

    def __init__(self, app: Litestar, sock: socket.socket) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            ws="none",
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=SHUTDOWN_S,
            limit_concurrency=MAX_REQUESTS,
        )
        self._server = _Uvicorn(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[sock]), name="http")

    async def close(self) -> None:
        """Finish what is being answered, then close the socket."""
        self._server.should_exit = True
        await self._serving
