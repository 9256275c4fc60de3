"""Work with the database that a cancellation does not tear apart.

Whoever is cancelled in the middle of a statement (a client that hung up, a server that stops) would leave the driver
with a transaction that is neither committed nor undone; on SQLite it keeps the write lock until the connection is
thrown away, and every other writer waits ten seconds and fails. So each step is finished first, and the cancellation
is raised after it. Used by `context.store.database` and `transaction`.
"""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

T = TypeVar("T")


async def uninterrupted(work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns. A cancellation that comes meanwhile is raised once it is done, whatever came of it."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await _settled(task)
        raise


@asynccontextmanager
async def in_transaction(engine: AsyncEngine) -> AsyncGenerator[AsyncConnection, None]:
    """A connection in a transaction, committed when the block ends and undone when it raises or is cancelled."""
    begun = asyncio.ensure_future(_begin(engine))
    try:
        connection = await asyncio.shield(begun)
    except asyncio.CancelledError:
        await _settled(begun)
        if not begun.cancelled() and begun.exception() is None:
            await _settled(asyncio.ensure_future(_undo(begun.result())))
        raise
    try:
        yield connection
    except BaseException:
        await uninterrupted(_undo(connection))
        raise
    await uninterrupted(_commit(connection))


async def _begin(engine: AsyncEngine) -> AsyncConnection:
    connection = await engine.connect()
    try:
        await connection.begin()
    except BaseException:
        await connection.close()
        raise
    return connection


async def _commit(connection: AsyncConnection) -> None:
    try:
        await connection.commit()
    finally:
        await connection.close()


async def _undo(connection: AsyncConnection) -> None:
    try:
        await connection.rollback()
    finally:
        await connection.close()


async def _settled(task: asyncio.Future[Any]) -> None:
    """Wait for the task's end, however often one is cancelled, and whatever the end is."""
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError:
            continue
    if not task.cancelled():
        task.exception()  # looked at, so that nobody warns of it
