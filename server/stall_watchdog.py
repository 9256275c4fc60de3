"""Names the code that blocks the event loop.

A loop that stands still for 50 ms is heard by every caller at once. A thread posts a beat to the loop and looks at the
loop's stack while the beat is overdue, so that the log shows the culprit, not just the delay. Started by the server.
"""

import asyncio
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import structlog

STALL_MS = 50.0
"""More than a player's jitter buffer hides."""

BEAT_EVERY_MS = 25.0
LOOK_AFTER_MS = 40.0
"""The stack is taken before the stall is certain, while its cause is still on it."""

QUIET_AFTER_REPORT_S = 1.0
"""One report a second: an overloaded machine stalls all the time and must not spend its time on saying so."""

STACK_LINES = 6

STARVED = "no Python code: another thread or process had the processor"

log = structlog.get_logger(__name__)


class StallWatchdog:
    """Watches the loop it is started on. report: called on the watchdog's thread with (stalled ms, stack)."""

    def __init__(self, clock: Callable[[], float], report: Callable[[float, str], None] | None = None) -> None:
        self._clock = clock
        self._report = report or _log_stall
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; call on the loop's thread."""
        loop = asyncio.get_running_loop()
        self._thread = threading.Thread(
            target=self._watch, args=(loop, threading.get_ident()), name="stall watchdog", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End; returns when the thread has."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=1.0)

    def _watch(self, loop: asyncio.AbstractEventLoop, loop_thread: int) -> None:
        beat = threading.Event()
        while not self._stop.wait(BEAT_EVERY_MS / 1000):
            beat.clear()
            posted_s = self._clock()
            try:
                loop.call_soon_threadsafe(beat.set)
            except RuntimeError:
                return  # the loop is closed
            if beat.wait(LOOK_AFTER_MS / 1000):
                continue
            stack = _stack_of(sys._current_frames().get(loop_thread))
            while not beat.wait(0.1):
                if self._stop.is_set():
                    return
            stalled_ms = (self._clock() - posted_s) * 1000
            if stalled_ms > STALL_MS:
                self._report(stalled_ms, stack)
                self._stop.wait(QUIET_AFTER_REPORT_S)


def _stack_of(frame: FrameType | None) -> str:
    """Innermost calls, oldest first: file:line function. STARVED when the loop's thread runs none of our code."""
    calls = traceback.extract_stack(frame)[-STACK_LINES:] if frame is not None else []
    if not calls or Path(calls[-1].filename).parent.name == "asyncio":
        return STARVED
    return " > ".join(f"{call.filename}:{call.lineno} {call.name}" for call in calls)


def _log_stall(stalled_ms: float, stack: str) -> None:
    log.warning("event_loop_stalled", stalled_ms=round(stalled_ms), stack=stack)
