"""Which processes carry calls, and the end of calls whose process died.

A process that is killed cannot say goodbye: its calls would be live for ever and nothing after them would happen. Each
process says that it lives every few seconds; whichever lives completes the calls of one that fell silent. Run by the
server beside the calls.
"""

import asyncio
from collections.abc import Callable

import structlog

from context.calls.life import OVER, CallState
from context.calls.store import CallStore
from context.calls.tables import calls, nodes
from context.errors import StoreError
from context.store.database import Store
from voice_core.record import CallRecord
from voice_core.responder import Outcome

HEARTBEAT_S = 10.0
SILENT_AFTER_S = 60
"""A process that has not written for so long is dead: a stalled disk delays a heartbeat by seconds, not by a minute."""

REASON = "server_lost"
"""Why such a call ended."""

log = structlog.get_logger(__name__)


class CallNode:
    """This process among those that carry calls. now_s: seconds since the epoch."""

    def __init__(self, store: Store, node_id: str, now_s: Callable[[], float]) -> None:
        self._store = store
        self._id = node_id
        self._now_s = now_s
        self._task: asyncio.Task[None] | None = None

    @property
    def id(self) -> str:
        """The name that calls of this process carry."""
        return self._id

    async def start(self) -> None:
        """Say that this process lives, now and from now on. Raises StoreError."""
        await self.beat()
        self._task = asyncio.create_task(self._run(), name="call node")

    async def stop(self) -> None:
        """Say goodbye: what this process still carried is completed by the next one at once."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        async with self._store.writing_every_tenant() as transaction:
            await transaction.delete(nodes, nodes.c.id == self._id)

    async def beat(self) -> None:
        """Write that this process lives."""
        async with self._store.writing_every_tenant() as transaction:
            await transaction.upsert(nodes, {"id": self._id, "seen_at_s": int(self._now_s())})

    async def complete_lost_calls(self) -> int:
        """Complete the calls of processes that died; how many there were.

        Two processes may do so at the same time: each call is completed once.
        """
        async with self._store.reading_every_tenant() as transaction:
            seen = {row["id"]: row["seen_at_s"] for row in await transaction.rows(nodes)}
            rows = await transaction.rows(calls, calls.c.state.not_in([state.value for state in OVER]))
        silent_before = self._now_s() - SILENT_AFTER_S
        alive = {node for node, seen_at_s in seen.items() if seen_at_s >= silent_before}
        completed = 0
        for row in rows:
            if row["node"] in alive:
                continue
            ended_at = seen.get(row["node"], row["started_at"])
            record = CallRecord(
                call_id=row["call_id"],
                started_at=row["started_at"],
                duration_s=max(0.0, ended_at - row["started_at"]),
                language=row["language"],
                outcome=Outcome.PARTIAL,
                reason=REASON,
                transcript=(),
                tools=(),
                latency=(),
                caller_talk_s=0.0,
                agent_talk_s=0.0,
            )
            completed += await CallStore(self._store).save(row["tenant_id"], record, state=CallState.FAILED)
        dead = seen.keys() - alive
        if dead:
            async with self._store.writing_every_tenant() as transaction:
                await transaction.delete(nodes, nodes.c.id.in_(sorted(dead)), nodes.c.seen_at_s < silent_before)
        if completed:
            log.warning("lost_calls_completed", calls=completed)
        return completed

    async def _run(self) -> None:
        while True:
            try:
                await self.beat()
                await self.complete_lost_calls()
            except StoreError:
                log.exception("call_node_failed")
            await asyncio.sleep(HEARTBEAT_S)
