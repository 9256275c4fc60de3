"""What a subscriber is: a name, the types it wants and the function that handles them.

There are two kinds of handlers, because only what happens in our own database can happen exactly once. Made by whoever
subscribes, given to `EventBus.subscribe`.
"""

import inspect
import re
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import cast

import msgspec

from context.errors import ContextError
from context.events.event import Event
from context.events.patterns import checked, matches
from context.store.transaction import TenantTransaction

TransactionalHandler = Callable[[Event, TenantTransaction], Awaitable[None]]
"""Changes the database in the transaction given, and nothing else."""

ExternalHandler = Callable[[Event, int], Awaitable[None]]
"""Talks to the outside; the second argument is the attempt, from 1."""

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,59}")


class SubscriptionError(ContextError):
    """The subscription cannot be used."""

    code = "bad_subscription"


class HandlerKind(StrEnum):
    """TRANSACTIONAL: effects and the mark "handled" commit together, so each event counts exactly once; the function
    may be called again after its effects were undone. EXTERNAL: at least once; the event's id is the idempotency key.
    """

    TRANSACTIONAL = "transactional"
    EXTERNAL = "external"


class Subscription(msgspec.Struct, frozen=True):
    """A subscriber.

    name: kept with every delivery, so it must not change once used. types: patterns, see `context.events.patterns`.
    A handler that raises is tried again; one that takes longer than `BusSettings` allows counts as having raised.
    """

    name: str
    types: tuple[str, ...]
    handler: TransactionalHandler | ExternalHandler
    kind: HandlerKind = HandlerKind.TRANSACTIONAL

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise SubscriptionError(f"name: {self.name[:60]!r} must be up to 60 of a-z, 0-9, - and _, a letter first")
        if not self.types:
            raise SubscriptionError(f"types: {self.name} subscribes to nothing; '*' means everything")
        checked(self.types)
        second = list(inspect.signature(self.handler).parameters)[1:2]
        expected = "transaction" if self.kind is HandlerKind.TRANSACTIONAL else "attempt"
        if second != [expected]:
            raise SubscriptionError(
                f"handler: {self.name} is {self.kind.value}, so its second parameter is called {expected!r}, "
                f"not {''.join(second)!r}"
            )

    def wants(self, event_type: str) -> bool:
        """Whether events of this type are delivered to it."""
        return matches(self.types, event_type)

    async def handle_in(self, event: Event, transaction: TenantTransaction) -> None:
        """Call a transactional handler."""
        await cast(TransactionalHandler, self.handler)(event, transaction)

    async def handle_outside(self, event: Event, attempt: int) -> None:
        """Call an external handler."""
        await cast(ExternalHandler, self.handler)(event, attempt)
