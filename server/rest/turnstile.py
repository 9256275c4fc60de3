"""One at a time, and only a few in the queue: keeps REST's use of the speech engines small beside live calls.

Made once for hearing and once for speaking; who finds the queue full is told to come back. Used by
`server.rest.speech`.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from server.rest.problems import RETRY_AFTER_S, Problem

INSIDE_AT_MOST = 5
"""Requests at an engine: one is served, the others wait."""


class Turnstile:
    """Lets one through at a time and a few wait."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._inside = 0

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None, None]:
        """Wait for one's turn. Raises Problem 503 when too many wait already."""
        if self._inside >= INSIDE_AT_MOST:
            headers = {"Retry-After": str(RETRY_AFTER_S)}
            raise Problem(
                503, "busy", "The speech engines have too much to do; try again in a moment.", headers=headers
            )
        self._inside += 1
        try:
            async with self._lock:
                yield
        finally:
            self._inside -= 1
