"""Runs handlers: a batch of deliveries, or one that is tried again.

The mark "handled" is written first and in the same transaction as a transactional handler's effects: two processes that
believe they hold the same delivery meet at its row, and the second finds nothing left to do. Several deliveries share a
commit while all goes well; when one fails they are done again one by one, so that it fails alone. Called by the durable
workflows, in the loop of the bus.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Protocol

import msgspec
import structlog

from context.errors import ContextError, StoreError
from context.events.delivery_states import DeliveryMove, DeliveryState, sources, target
from context.events.event import Event
from context.events.metrics import BusMetrics
from context.events.outbox import event_of
from context.events.relay import new_workflow_id
from context.events.settings import BusSettings
from context.events.subscription import HandlerKind, Subscription
from context.events.tables import event_deliveries, events
from context.redaction import redact_text
from context.store.database import Store
from context.store.transaction import Row, TenantTransaction

ERROR_LIMIT_CHARS = 500

log = structlog.get_logger(__name__)


class Retries(Protocol):
    """Where a delivery that failed is left to be tried again."""

    async def start_retry(self, workflow_id: str, first_attempt: int, pauses_s: Sequence[float]) -> None:
        """Call `run_retry` after each pause, with rising attempts, until it says that it is done."""
        ...


class Held(msgspec.Struct, frozen=True):
    """Deliveries that a workflow holds, in their order: of one subscriber and one tenant."""

    workflow_id: str
    subscriber: str
    tenant_id: str
    rows: Sequence[Row]


class _NotHeldError(Exception):
    """Somebody else handled the delivery, or took it away."""


class Deliverer:
    """Handles deliveries (implements `durable.Work`)."""

    def __init__(
        self,
        store: Store,
        subscriptions: Mapping[str, Subscription],
        settings: BusSettings,
        metrics: BusMetrics,
        now: Callable[[], float],
    ) -> None:
        self._store = store
        self._subscriptions = subscriptions
        self._settings = settings
        self._metrics = metrics
        self._now = now
        # SQLite has one writer: whoever publishes waits for one of our commits, not for one of each batch.
        self._turn: AbstractAsyncContextManager[None] = asyncio.Lock() if store.dialect == "sqlite" else nullcontext()
        self.retries: Retries | None = None
        self.finished: Callable[[str], None] = lambda workflow_id: None
        """Told of each workflow that holds nothing any more."""

    async def run_batch(self, workflow_id: str) -> None:
        """Handle what `workflow_id` holds; what fails is tried again later, and what follows it in its lane waits."""
        held = await self._held(workflow_id, DeliveryState.RUNNING)
        if held is not None:
            subscription = self._subscriptions.get(held.subscriber)
            if subscription is None:
                await self._release(held, [row["event_id"] for row in held.rows])
            elif subscription.kind is HandlerKind.TRANSACTIONAL:
                await self._run_together(subscription, held)
            else:
                await self._run_lanes(subscription, held)
            self._metrics.batches += 1
        self.finished(workflow_id)

    async def run_retry(self, workflow_id: str, attempt: int) -> bool:
        """Try one delivery again; whether it is done with, one way or the other."""
        held = await self._held(workflow_id, DeliveryState.RETRYING)
        if held is None:
            return True
        subscription = self._subscriptions.get(held.subscriber)
        if subscription is None:
            await self._release(held, [row["event_id"] for row in held.rows])
            return True
        (row,) = held.rows
        error = await self._try(subscription, held, row["event_id"], attempt)
        if error is None:
            self.finished(workflow_id)
            return True
        return await self._failed(held, row, attempt, error)

    async def _run_together(self, subscription: Subscription, held: Held) -> None:
        rows, standing = list(held.rows), set[str]()
        while rows:
            some = rows[: self._settings.commit_at_a_time]
            handled = 0
            if len(some) > 1:
                # Whoever fails is found when they are done one by one.
                with contextlib.suppress(Exception):
                    handled = await self._commit(subscription, held, [row["event_id"] for row in some])
            if not handled:
                await self._run_singly(subscription, held, some, standing)
                handled = len(some)
            rows = [row for row in rows[handled:] if row["lane"] not in standing]
        await self._release_lanes(held, standing)

    async def _run_lanes(self, subscription: Subscription, held: Held) -> None:
        lanes: dict[str, list[Row]] = {}
        for row in held.rows:
            lanes.setdefault(row["lane"], []).append(row)
        room = asyncio.Semaphore(self._settings.lanes_at_a_time)
        standing = set[str]()
        handled: list[str] = []

        async def run(lane: list[Row]) -> None:
            async with room:
                for row in lane:
                    attempt = row["attempts"] + 1
                    error = await self._call(subscription, held, row["event_id"], attempt)
                    if error is None:
                        handled.append(row["event_id"])
                        if len(handled) >= self._settings.commit_at_a_time:
                            await self._mark_all(held, handled)
                    elif not await self._failed(held, row, attempt, error):
                        standing.add(row["lane"])
                        return

        async with asyncio.TaskGroup() as group:
            for lane in lanes.values():
                group.create_task(run(lane))
        await self._mark_all(held, handled)
        await self._release_lanes(held, standing)

    async def _run_singly(
        self, subscription: Subscription, held: Held, rows: Sequence[Row], standing: set[str]
    ) -> None:
        for row in rows:
            if row["lane"] in standing:
                continue
            attempt = row["attempts"] + 1
            error = await self._try(subscription, held, row["event_id"], attempt)
            if error is not None and not await self._failed(held, row, attempt, error):
                standing.add(row["lane"])

    async def _try(self, subscription: Subscription, held: Held, event_id: str, attempt: int) -> Exception | None:
        """Handle one delivery; the error when it failed."""
        if subscription.kind is HandlerKind.EXTERNAL:
            error = await self._call(subscription, held, event_id, attempt)
            if error is None:
                await self._mark_all(held, [event_id])
            return error
        try:
            await self._commit(subscription, held, [event_id])
        except _NotHeldError:
            return None
        except Exception as error:
            return error
        return None

    async def _call(self, subscription: Subscription, held: Held, event_id: str, attempt: int) -> Exception | None:
        """Call an external handler; the error when it failed."""
        try:
            (event,) = await self._events(held.tenant_id, [event_id])
            async with asyncio.timeout(self._settings.handler_limit_s):
                await subscription.handle_outside(event, attempt)
        except Exception as error:
            return error
        return None

    async def _mark_all(self, held: Held, event_ids: list[str]) -> None:
        """Mark these as handled, and empty the list: what a killed process has not marked is handled again."""
        marking = event_ids[:]
        event_ids.clear()
        if marking:
            async with self._turn, self._store.tenant(held.tenant_id).writing() as transaction:
                self._metrics.of(held.subscriber).handled += await self._mark(transaction, held, marking)

    async def _commit(self, subscription: Subscription, held: Held, event_ids: Sequence[str]) -> int:
        """Handle as many of these, in order, as the time for one commit allows; how many that were.

        Raises what the handler raises, and then nothing has happened.
        """
        loaded = await self._events(held.tenant_id, event_ids)
        async with self._turn, self._store.tenant(held.tenant_id).writing() as transaction:
            began_s = time.monotonic()
            if await self._mark(transaction, held, event_ids) != len(event_ids):
                raise _NotHeldError
            handled = 0
            for event in loaded:
                async with asyncio.timeout(self._settings.transaction_limit_s):
                    await subscription.handle_in(event, transaction)
                handled += 1
                if time.monotonic() - began_s > self._settings.commit_limit_s:
                    break
            if handled < len(event_ids):
                # Somebody waits to write: the rest gets a transaction of its own.
                await self._unmark(transaction, held, event_ids[handled:])
        self._metrics.of(held.subscriber).handled += handled
        return handled

    async def _mark(self, transaction: TenantTransaction, held: Held, event_ids: Sequence[str]) -> int:
        return await transaction.update(
            event_deliveries,
            {
                "state": target(DeliveryMove.HANDLE),
                "attempts": event_deliveries.c.attempts + 1,
                "changed_at_ms": self._now_ms(),
            },
            event_deliveries.c.subscriber == held.subscriber,
            event_deliveries.c.workflow_id == held.workflow_id,
            event_deliveries.c.state.in_(sources(DeliveryMove.HANDLE)),
            event_deliveries.c.event_id.in_(event_ids),
        )

    async def _unmark(self, transaction: TenantTransaction, held: Held, event_ids: Sequence[str]) -> None:
        """Undo `_mark` in the transaction that made it: nobody ever saw it."""
        await transaction.update(
            event_deliveries,
            {"state": DeliveryState.RUNNING, "attempts": event_deliveries.c.attempts - 1},
            event_deliveries.c.subscriber == held.subscriber,
            event_deliveries.c.workflow_id == held.workflow_id,
            event_deliveries.c.event_id.in_(event_ids),
        )

    async def _failed(self, held: Held, row: Row, attempt: int, error: Exception) -> bool:
        """Write down that an attempt failed; whether it was the last."""
        last = attempt >= self._settings.attempts
        move = DeliveryMove.GIVE_UP if last else DeliveryMove.FAIL
        first = row["state"] == DeliveryState.RUNNING
        retry_id = new_workflow_id(held.subscriber, row["event_id"]) if first and not last else held.workflow_id
        error_class = type(error).__name__
        async with self._store.tenant(held.tenant_id).writing() as transaction:
            changed = await transaction.update(
                event_deliveries,
                {
                    "state": target(move),
                    "attempts": attempt,
                    "workflow_id": retry_id,
                    "error_class": error_class,
                    "error": _told(error),
                    "changed_at_ms": self._now_ms(),
                },
                event_deliveries.c.subscriber == held.subscriber,
                event_deliveries.c.event_id == row["event_id"],
                event_deliveries.c.workflow_id == held.workflow_id,
                event_deliveries.c.state.in_(sources(move)),
            )
        if not changed:
            return True
        numbers = self._metrics.of(held.subscriber)
        numbers.failed += 1
        numbers.dead += last
        say = log.error if last else log.warning
        say(
            "event_dead" if last else "event_failed",
            subscriber=held.subscriber,
            tenant_id=held.tenant_id,
            event_id=row["event_id"],
            attempt=attempt,
            error_class=error_class,
        )
        if last:
            self.finished(held.workflow_id)
        elif first:
            assert self.retries is not None
            # A round that was interrupted goes on with the attempts that it has left.
            await self.retries.start_retry(retry_id, attempt + 1, self._settings.pauses_s()[attempt - 1 :])
        return last

    async def _release_lanes(self, held: Held, standing: set[str]) -> None:
        await self._release(held, [row["event_id"] for row in held.rows if row["lane"] in standing])

    async def _release(self, held: Held, event_ids: Sequence[str]) -> None:
        if not event_ids:
            return
        async with self._store.tenant(held.tenant_id).writing() as transaction:
            await transaction.update(
                event_deliveries,
                {"state": target(DeliveryMove.RELEASE), "changed_at_ms": self._now_ms()},
                event_deliveries.c.subscriber == held.subscriber,
                event_deliveries.c.workflow_id == held.workflow_id,
                event_deliveries.c.state.in_(sources(DeliveryMove.RELEASE)),
                event_deliveries.c.event_id.in_(event_ids),
            )

    async def _held(self, workflow_id: str, state: DeliveryState) -> Held | None:
        async with self._store.reading_every_tenant() as transaction:
            rows = await transaction.rows(
                event_deliveries,
                event_deliveries.c.workflow_id == workflow_id,
                event_deliveries.c.state == state,
                order_by=[event_deliveries.c.position.asc()],
            )
        return Held(workflow_id, rows[0]["subscriber"], rows[0]["tenant_id"], rows) if rows else None

    async def _events(self, tenant_id: str, event_ids: Sequence[str]) -> list[Event]:
        """These events in this order. Raises StoreError when one is gone."""
        async with self._store.tenant(tenant_id).reading() as transaction:
            rows = await transaction.rows(events, events.c.id.in_(event_ids))
        found = {row["id"]: event_of(row) for row in rows}
        if len(found) < len(event_ids):
            raise StoreError("an event is gone while it was being delivered")
        return [found[event_id] for event_id in event_ids]

    def _now_ms(self) -> int:
        return int(self._now() * 1000)


def _told(error: Exception) -> str:
    """What a dead letter says of an error: without what looks like a caller's number or address."""
    text = f"{error.code}: {error}" if isinstance(error, ContextError) else str(error)
    return redact_text(text)[:ERROR_LIMIT_CHARS]
