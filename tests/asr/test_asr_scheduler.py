"""Whoever waits longest on the phone is served first, and nobody's abandoned work is done."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from voice_core.asr.scheduler import DecodeScheduler, Ticket
from voice_core.errors import EngineError
from voice_core.speech import DecodeDropped, DecodeKind


class Gate:
    """Work that keeps a thread busy until it is opened."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()

    def __call__(self, ticket: Ticket) -> str:
        self.entered.set()
        assert self.opened.wait(10)
        ticket.check()
        return "passed"


@pytest.fixture
def scheduler() -> Iterator[DecodeScheduler]:
    one_thread = DecodeScheduler(threads=1)
    yield one_thread
    one_thread.close()


async def until(condition: threading.Event) -> None:
    await asyncio.to_thread(condition.wait, 10)
    assert condition.is_set()


async def settle() -> None:
    """Let every task that can run do so."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_the_result_of_the_work_comes_back(scheduler: DecodeScheduler) -> None:
    assert await scheduler.run(DecodeKind.FINAL, lambda _: 41 + 1) == 42


async def test_an_error_of_the_work_reaches_the_caller_and_the_thread_lives_on(scheduler: DecodeScheduler) -> None:
    def broken(_: Ticket) -> None:
        raise RuntimeError("engine")

    with pytest.raises(RuntimeError, match="engine"):
        await scheduler.run(DecodeKind.FINAL, broken)
    assert await scheduler.run(DecodeKind.FINAL, lambda _: 1) == 1


async def test_finals_go_before_interruptions_whatever_came_first(scheduler: DecodeScheduler) -> None:
    gate, order = Gate(), list[str]()
    busy = asyncio.create_task(scheduler.run(DecodeKind.FINAL, gate))
    await until(gate.entered)
    later = [
        asyncio.create_task(scheduler.run(kind, lambda _, name=name: order.append(name)))
        for kind, name in (
            (DecodeKind.INTERRUPTION, "interruption"),
            (DecodeKind.FINAL, "first final"),
            (DecodeKind.FINAL, "second final"),
        )
    ]
    await settle()
    gate.opened.set()
    await asyncio.gather(busy, *later)
    assert order == ["first final", "second final", "interruption"]


async def test_a_partial_is_dropped_when_others_wait_or_run(scheduler: DecodeScheduler) -> None:
    gate = Gate()
    busy = asyncio.create_task(scheduler.run(DecodeKind.FINAL, gate))
    await until(gate.entered)
    waiting = asyncio.create_task(scheduler.run(DecodeKind.FINAL, lambda _: "final"))
    await settle()
    with pytest.raises(DecodeDropped):
        await scheduler.run(DecodeKind.PARTIAL, lambda _: "partial")
    gate.opened.set()
    assert await asyncio.gather(busy, waiting) == ["passed", "final"]
    assert await scheduler.run(DecodeKind.PARTIAL, lambda _: "partial") == "partial"


async def test_a_final_never_waits_for_a_partial_when_there_are_two_threads() -> None:
    scheduler, gate = DecodeScheduler(threads=2), Gate()
    partial = asyncio.create_task(scheduler.run(DecodeKind.PARTIAL, gate))
    await until(gate.entered)
    with pytest.raises(DecodeDropped):
        await scheduler.run(DecodeKind.PARTIAL, lambda _: "second partial")
    assert await asyncio.wait_for(scheduler.run(DecodeKind.FINAL, lambda _: "final"), 5) == "final"
    gate.opened.set()
    assert await partial == "passed"
    scheduler.close()


async def test_cancelling_the_caller_takes_the_job_out_of_the_queue(scheduler: DecodeScheduler) -> None:
    gate, started = Gate(), threading.Event()
    busy = asyncio.create_task(scheduler.run(DecodeKind.FINAL, gate))
    await until(gate.entered)
    queued = asyncio.create_task(scheduler.run(DecodeKind.FINAL, lambda _: started.set()))
    await settle()
    assert scheduler.waiting == 1
    queued.cancel()
    with pytest.raises(asyncio.CancelledError):
        await queued
    assert scheduler.waiting == 0
    gate.opened.set()
    await busy
    assert await scheduler.run(DecodeKind.FINAL, lambda _: "next") == "next"
    assert not started.is_set()


async def test_work_that_runs_stops_at_its_next_step_once_abandoned(scheduler: DecodeScheduler) -> None:
    gate, finished = Gate(), threading.Event()

    def two_steps(ticket: Ticket) -> None:
        gate(ticket)
        finished.set()

    running = asyncio.create_task(scheduler.run(DecodeKind.FINAL, two_steps))
    await until(gate.entered)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    gate.opened.set()
    assert await scheduler.run(DecodeKind.FINAL, lambda _: "next") == "next"
    assert not finished.is_set()


async def test_closing_fails_what_waits_and_refuses_what_comes() -> None:
    scheduler, gate = DecodeScheduler(threads=1), Gate()
    busy = asyncio.create_task(scheduler.run(DecodeKind.FINAL, gate))
    await until(gate.entered)
    queued = asyncio.create_task(scheduler.run(DecodeKind.FINAL, lambda _: "queued"))
    await settle()
    closing = asyncio.create_task(asyncio.to_thread(scheduler.close))
    with pytest.raises(EngineError):
        await queued
    gate.opened.set()
    await closing
    assert await busy == "passed"
    with pytest.raises(EngineError):
        await scheduler.run(DecodeKind.FINAL, lambda _: "late")
