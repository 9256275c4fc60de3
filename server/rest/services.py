"""Everything that a request may need, by name: the stores and objects that the server built once.

`ServiceDoor` is there from the first moment and answers "starting" until the server has built the rest. Filled by
`server.composition`, given to handlers as `services`.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from context.calls.store import CallStore
from context.idempotency.store import IdempotentRequests
from context.store.database import Store
from context.tenants.files import TenantDirectory
from server.responders import ResponderFactory
from server.rest.principals import KeyCheck, RequestLimiter, SessionCheck
from server.rest.problems import RETRY_AFTER_S, Problem
from voice_core.engines.registry import TenantEngines


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """What requests work with; each part of the server adds its own.

    now: aware wall clock. tenants: configurations by id. engines: by tenant id, may grow. recordings: folder.
    """

    store: Store
    now: Callable[[], dt.datetime]
    keys: KeyCheck
    limiter: RequestLimiter
    tenants: TenantDirectory
    calls: CallStore
    recordings: Path
    engines: Mapping[str, TenantEngines]
    responders: ResponderFactory
    idempotency: IdempotentRequests
    users: SessionCheck | None = None


class ServiceDoor:
    """Where requests get the services from: closed until the server has built them."""

    def __init__(self) -> None:
        self._services: Services | None = None

    def open(self, services: Services) -> None:
        """Answer requests from now on."""
        self._services = services

    def close(self) -> None:
        """Answer 503 again: the server is stopping."""
        self._services = None

    @property
    def services(self) -> Services:
        """The services. Raises Problem 503 while there are none."""
        if self._services is None:
            raise Problem(
                503,
                "starting",
                "Parley is starting or stopping; try again in a few seconds.",
                headers={"Retry-After": str(RETRY_AFTER_S)},
            )
        return self._services
