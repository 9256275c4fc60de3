"""Where livekit plugins live when no livekit job hosts them.

A plugin takes its HTTP session from a context variable that a livekit worker sets. The host opens
that session once for the process and starts every request of a plugin inside its context, whatever
task it is made from. Opened by `server.composition` for the life of the server.
"""

import asyncio
import contextvars
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, ParamSpec, TypeVar

from livekit.agents.utils import http_context

_P = ParamSpec("_P")
_T = TypeVar("_T")


class PluginHost:
    """Runs plugin code inside the context that holds the HTTP session."""

    def __init__(self, context: contextvars.Context) -> None:
        self._context = context

    def run(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call `function`; tasks that it starts inherit the session."""
        return self._context.copy().run(function, *args, **kwargs)

    def spawn(self, work: Coroutine[Any, Any, _T], name: str) -> asyncio.Task[_T]:
        """Run a coroutine as a task that has the session."""
        return asyncio.get_running_loop().create_task(work, name=name, context=self._context.copy())


@asynccontextmanager
async def plugin_host() -> AsyncGenerator[PluginHost, None]:
    """Open the HTTP session, yield the host, close the session."""
    async with http_context.open():
        yield PluginHost(contextvars.copy_context())
