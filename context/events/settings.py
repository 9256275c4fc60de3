"""How the bus behaves: pauses, limits and how much it does at a time.

The defaults are the promises of product facts, section 8, and what was measured not to disturb calls
(`benchmarks/events.py`). Tests pass shorter pauses. Read by the whole package.
"""

import random
from collections.abc import Callable

import msgspec

HOUR_S = 3600


class BusSettings(msgspec.Struct, frozen=True):
    """Settings of one bus.

    retries, first_pause_s: after the first attempt; each pause is twice the one before, and up to half as long again
    by chance, so that what failed together does not return together. poll_s: how often events of other processes are
    looked for. round_s: rest between two rounds of the relay. place_at_a_time: events put in order in one
    transaction. batch: deliveries a durable workflow handles. commit_at_a_time, commit_limit_s: how many of them
    share a commit, and how long it may be open. batches_a_subscriber: at the same time, each of another tenant.
    retries_a_tenant: a tenant with more deliveries being retried, of one subscriber, waits. transaction_limit_s,
    handler_limit_s: a transactional and an external handler that takes longer has failed. lanes_at_a_time: external
    handlers of one batch running at once. worker_lease_s: a process not seen for as long is dead. housekeeping_s: how
    often that is looked at. orphan_s: deliveries without a workflow wait again after it. retention_s: of events;
    hard_retention_s: of events that were not handled; retention_every_s: how often that is looked at. stop_s: how
    long `stop` waits for what is running.
    """

    retries: int = 3
    first_pause_s: float = 1.0
    poll_s: float = 0.5
    round_s: float = 0.1
    place_at_a_time: int = 100
    batch: int = 50
    commit_at_a_time: int = 10
    commit_limit_s: float = 0.005
    batches_a_subscriber: int = 4
    retries_a_tenant: int = 20
    transaction_limit_s: float = 5.0
    handler_limit_s: float = 30.0
    lanes_at_a_time: int = 8
    worker_lease_s: float = 20.0
    housekeeping_s: float = 5.0
    orphan_s: float = 60.0
    retention_s: float = 72 * HOUR_S
    hard_retention_s: float = 30 * 24 * HOUR_S
    retention_every_s: float = 600.0
    stop_s: float = 5.0

    def pauses_s(self, chance: Callable[[], float] = random.random) -> list[float]:
        """The pause before each retry. chance: gives numbers from 0 to 1."""
        return [self.first_pause_s * 2**retry * (1 + chance() / 2) for retry in range(self.retries)]

    @property
    def attempts(self) -> int:
        """How often a delivery is tried in all."""
        return 1 + self.retries
