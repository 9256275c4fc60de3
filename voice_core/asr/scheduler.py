"""Who is decoded next, when many calls share few cores.

A `DecodeScheduler` owns the inference threads of the process. Final transcripts, which a caller is
waiting for, go before the quick decodes of a possible interruption, and those before the partials of
callers who are still speaking; partials are dropped instead of queueing up. Used by
`WhisperRecognizer` and `WhisperSTT` through their engine.
"""

import asyncio
import heapq
import itertools
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from voice_core.errors import EngineError
from voice_core.speech import DecodeDropped, DecodeKind

T = TypeVar("T")

_ORDER = {DecodeKind.FINAL: 0, DecodeKind.INTERRUPTION: 1, DecodeKind.PARTIAL: 2}


class Abandoned(Exception):  # noqa: N818 - a normal outcome, not a fault
    """Nobody waits for this decode any more: raised inside the work to stop it between its steps."""


class Ticket:
    """One decode asked for. The work may call `check` between its steps."""

    __slots__ = ("_given_up", "_loop", "_result", "_work", "kind")

    def __init__(
        self,
        kind: DecodeKind,
        work: Callable[["Ticket"], Any],
        loop: asyncio.AbstractEventLoop,
        result: "asyncio.Future[Any]",
    ) -> None:
        self.kind = kind
        self._work = work
        self._loop = loop
        self._result = result
        self._given_up = False

    @property
    def given_up(self) -> bool:
        """Whether whoever asked was cancelled."""
        return self._given_up

    def give_up(self) -> None:
        """Do not start it; if it runs, stop at its next `check`."""
        self._given_up = True

    def check(self) -> None:
        """Raise Abandoned when nobody waits any more. Called on an inference thread."""
        if self._given_up:
            raise Abandoned

    def run(self) -> Callable[[], None]:
        """Do the work, on an inference thread. Returns what hands its outcome to the event loop."""
        try:
            self.check()
            outcome = self._work(self)
        except Abandoned:
            return lambda: None
        except Exception as failure:  # whatever the engine raises belongs to the caller that asked
            error = failure
            return lambda: self.fail(error)
        return lambda: self._tell(self._settle, outcome)

    def fail(self, error: BaseException) -> None:
        """End it with an error, from any thread."""
        self._tell(self._break, error)

    def _tell(self, deliver: Callable[[Any], None], value: object) -> None:
        # The loop may be closed already when the process stops; then nobody waits.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(deliver, value)

    def _settle(self, outcome: object) -> None:
        if not self._result.done():
            self._result.set_result(outcome)

    def _break(self, error: BaseException) -> None:
        if not self._result.done():
            self._result.set_exception(error)


class DecodeScheduler:
    """A fixed number of inference threads and one queue ordered by urgency, then by age.

    A partial is refused while another job waits, and never takes the last idle thread when there
    are several: a final must not wait for the end of a partial.
    """

    def __init__(self, threads: int) -> None:
        if threads < 1:
            raise ValueError(f"threads must be at least 1, got {threads}")
        self._threads_for_partials = max(1, threads - 1)
        self._waiting: list[tuple[int, int, Ticket]] = []
        self._numbers = itertools.count()
        self._running_partials = 0
        self._closed = False
        self._change = threading.Condition()
        self._workers = [threading.Thread(target=self._serve, name=f"asr-{n}", daemon=True) for n in range(threads)]
        for worker in self._workers:
            worker.start()

    @property
    def waiting(self) -> int:
        """Decodes that are queued and still wanted."""
        with self._change:
            return sum(not ticket.given_up for _, _, ticket in self._waiting)

    async def run(self, kind: DecodeKind, work: Callable[[Ticket], T]) -> T:
        """Run `work` on an inference thread and return what it returns, or raise what it raises.

        Cancelling the caller takes the job out of the queue. Raises DecodeDropped for a PARTIAL that
        would have to wait, EngineError when the engine is closed.
        """
        loop = asyncio.get_running_loop()
        result: asyncio.Future[T] = loop.create_future()
        ticket = Ticket(kind, work, loop, result)
        with self._change:
            if self._closed:
                raise EngineError("the speech recogniser is closed", retryable=False)
            if kind is DecodeKind.PARTIAL and self._busy_for_partials():
                raise DecodeDropped
            heapq.heappush(self._waiting, (_ORDER[kind], next(self._numbers), ticket))
            self._change.notify()
        try:
            return await result
        finally:
            if not result.done() or result.cancelled():
                ticket.give_up()
                self._forget(ticket)

    def _busy_for_partials(self) -> bool:
        wanted = [ticket for _, _, ticket in self._waiting if not ticket.given_up]
        return bool(wanted) or self._running_partials >= self._threads_for_partials

    def _forget(self, ticket: Ticket) -> None:
        with self._change:
            kept = [entry for entry in self._waiting if entry[2] is not ticket]
            if len(kept) != len(self._waiting):
                self._waiting = kept
                heapq.heapify(self._waiting)

    def _next(self) -> Ticket | None:
        with self._change:
            while True:
                if self._closed:
                    return None
                if self._waiting:
                    ticket = self._waiting[0][2]
                    is_partial = ticket.kind is DecodeKind.PARTIAL
                    # Only partials are left when the head is one: with every partial slot taken, wait.
                    if not is_partial or self._running_partials < self._threads_for_partials:
                        heapq.heappop(self._waiting)
                        self._running_partials += is_partial
                        return ticket
                self._change.wait()

    def _serve(self) -> None:
        while (ticket := self._next()) is not None:
            deliver = ticket.run()
            # Free first, told second: whoever hears of it may ask again at once.
            with self._change:
                self._running_partials -= ticket.kind is DecodeKind.PARTIAL
                self._change.notify()
            deliver()

    def close(self) -> None:
        """Fail what is queued, let what runs finish, and stop the threads. Blocks for one decode at most."""
        with self._change:
            self._closed = True
            queued, self._waiting = self._waiting, []
            self._change.notify_all()
        for _, _, ticket in queued:
            ticket.fail(EngineError("the speech recogniser was closed", retryable=False))
        for worker in self._workers:
            worker.join()
