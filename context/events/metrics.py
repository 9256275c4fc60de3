"""What the bus counts about itself, as plain numbers for a dashboard to read.

Counters start at 0 with the process; gauges are as of the last look. Filled by `relay` and `delivery`, read through
`EventBus.metrics`.
"""

import msgspec


class SubscriberMetrics(msgspec.Struct):
    """One subscriber. handled, failed, dead: deliveries (failed counts every attempt that raised). waiting: not
    handled yet. lag_s: age of the oldest of them, seconds."""

    handled: int = 0
    failed: int = 0
    dead: int = 0
    waiting: int = 0
    lag_s: float = 0.0


class BusMetrics(msgspec.Struct):
    """The bus of this process. placed: events that it put in order. taken_over: workflows of processes that died."""

    placed: int = 0
    batches: int = 0
    taken_over: int = 0
    subscribers: dict[str, SubscriberMetrics] = msgspec.field(default_factory=dict[str, SubscriberMetrics])

    def of(self, subscriber: str) -> SubscriberMetrics:
        """The numbers of one subscriber."""
        return self.subscribers.setdefault(subscriber, SubscriberMetrics())
