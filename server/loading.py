"""Slow start-up work in threads that do not hold up the exit.

The default executor is waited for at exit, so Ctrl-C while a model loads would seem to hang; a daemon thread is left
behind instead. Each step is announced in plain words with the time it took. Used by `server.composition`.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

import structlog

from server.health import Health

_T = TypeVar("_T")

log = structlog.get_logger(__name__)


class Progress:
    """Tells the operator, the health answers and the log what the start is doing.

    say: prints one line for the operator. clock: monotonic seconds.
    """

    def __init__(self, say: Callable[[str], None], health: Health, clock: Callable[[], float]) -> None:
        self._say = say
        self._health = health
        self._clock = clock

    def note(self, line: str) -> None:
        """One line for the operator."""
        self._say(line)

    async def step(self, what: str, work: Callable[[], _T]) -> _T:
        """Run blocking work in a thread and say how long it took. Raises what the work raises."""
        self._health.starting(what)
        self._say(f"  {what}...")
        began_s = self._clock()
        result = await _in_daemon_thread(work, what)
        took_s = self._clock() - began_s
        self._say(f"  {what}: ready after {took_s:.1f} s")
        log.info("start_step", step=what, took_s=round(took_s, 2))
        return result


async def _in_daemon_thread(work: Callable[[], _T], name: str) -> _T:
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_T] = loop.create_future()

    def finish(result: _T | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # pyright: ignore[reportArgumentType] - None only where _T is None

    def run() -> None:
        result: _T | None = None
        error: BaseException | None = None
        try:
            result = work()
        except BaseException as raised:
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(finish, result, error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await done
