"""One 20 ms tick for all calls.

A timer per call would wake the loop at random moments and drift apart; one absolute schedule wakes it
once per frame time and every call sends its frame then. `VoiceCall` registers its tick; the lateness it
keeps is the figure that density is judged by.
"""

import asyncio
import contextvars
from collections.abc import Callable
from functools import partial

import structlog

from voice_core.frames import FRAME_MS

_log = structlog.get_logger(__name__)

_SKIP_AFTER_S = 0.2
"""A stall longer than this is skipped, not made up for: a burst of late frames helps nobody."""


class Pacer:
    """Calls every registered tick each 20 ms on the loop it was started on.

    lateness_ms: how late the newest tick was; worst_ms: the worst since `start`. A tick that raises is
    logged and does not stop the others.
    """

    def __init__(self) -> None:
        self._ticks: dict[int, Callable[[], None]] = {}
        self._next_id = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handle: asyncio.TimerHandle | None = None
        self._due_s = 0.0
        self.lateness_ms = 0.0
        self.worst_ms = 0.0

    async def start(self) -> None:
        """Begin ticking."""
        self._loop = asyncio.get_running_loop()
        self._due_s = self._loop.time() + FRAME_MS / 1000
        self._handle = self._loop.call_at(self._due_s, self._tick)

    async def close(self) -> None:
        """Stop ticking."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def add(self, tick: Callable[[], None]) -> int:
        """Register a tick; the number returned removes it.

        It runs in the context it was registered in, so that what it logs names its call.
        """
        self._next_id += 1
        self._ticks[self._next_id] = partial(contextvars.copy_context().run, tick)
        return self._next_id

    def remove(self, registration: int) -> None:
        """Forget a tick; unknown numbers are ignored."""
        self._ticks.pop(registration, None)

    def _tick(self) -> None:
        loop = self._loop
        assert loop is not None, "the pacer was started"
        late_s = loop.time() - self._due_s
        self.lateness_ms = late_s * 1000
        self.worst_ms = max(self.worst_ms, self.lateness_ms)
        self._due_s += FRAME_MS / 1000
        if late_s > _SKIP_AFTER_S:
            self._due_s = loop.time() + FRAME_MS / 1000
        self._handle = loop.call_at(self._due_s, self._tick)
        for tick in tuple(self._ticks.values()):
            try:
                tick()
            except Exception:
                _log.exception("tick_failed")
