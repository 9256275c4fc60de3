"""Jobs run again and again, each at its own pace, whatever happens to the others."""

import asyncio

from server.housekeeping import Job, keep_house


async def test_a_job_that_fails_is_tried_again_and_does_not_stop_the_others() -> None:
    done: list[str] = []

    async def fail() -> None:
        done.append("failing")
        raise RuntimeError("the disk is full")

    async def work() -> None:
        done.append("working")

    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) > 20:
            await asyncio.Event().wait()
        await asyncio.sleep(0)

    house = asyncio.create_task(keep_house([Job("a", 60, fail), Job("b", 600, work)], sleep, lambda: 0.5))
    while len(waits) <= 20:
        await asyncio.sleep(0)
    house.cancel()
    await asyncio.gather(house, return_exceptions=True)
    assert done.count("failing") >= 9
    assert done.count("working") >= 9
    assert set(waits) == {63.0, 630.0}
