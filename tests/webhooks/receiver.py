"""A tenant's own server, as small as it can be: takes webhooks on loopback and answers as a test tells it to."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import msgspec
from aiohttp import web

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Received(msgspec.Struct, frozen=True):
    """One request as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes


class Receiver:
    """Answers each request with the next of `answers`, the last one again and again."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answers: list[web.Response | int | float] = [200]
        self.url = ""

    def answer(self, *answers: int | web.Response | float) -> None:
        """What to answer from now on: a status, a response, or seconds (a float) to say nothing."""
        self.answers = list(answers)

    async def take(self, request: web.BaseRequest) -> web.StreamResponse:
        """Take one request."""
        self.received.append(Received(request.path_qs, dict(request.headers), await request.read()))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, float):
            await asyncio.sleep(answer)
            return web.Response()
        if isinstance(answer, int):
            return web.Response(status=answer)
        # A response can be sent once: a fresh one each time.
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)


@asynccontextmanager
async def receiver(instead: Handler | None = None) -> AsyncGenerator[Receiver, None]:
    """A receiver on a free port. instead: takes the requests."""
    made = Receiver()
    runner = web.ServerRunner(web.Server(instead or made.take), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield made
    await runner.cleanup()


@asynccontextmanager
async def raw_receiver(answer: bytes, *, then_hang: bool = False) -> AsyncGenerator[str, None]:
    """A receiver that sends exactly these bytes; its URL. then_hang: keeps the connection open afterwards."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            while then_hang and await reader.read(65536):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    server.close()
