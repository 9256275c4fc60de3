"""How much one far end may ask of us: connects per minute, audio per second, messages per second.

Every limit is a token bucket with the time passed in, so that a minute passes in a test as fast as it is written.
Used by the transports before and during a call; being over a limit never touches another call.
"""

from collections import OrderedDict

import msgspec


class VoiceSocketLimits(msgspec.Struct, frozen=True):
    """Limits of the voice socket; the defaults are the product's.

    sessions: calls at the same time. waiting: connections that have not started a call yet. connects_per_minute: per
    IP address, this machine itself excepted. start_s: from the handshake to the start message. idle_s: without any
    message. burst_s: audio that may be ahead of real time (a client whose network stalled catches up).
    message_bytes: 64 KiB is 2 s of PCM16 at 16 kHz. messages_per_s: five times what 10 ms frames need.
    backlog_frames: agent audio waiting for a client that does not read, 1 s. not_reading_s: how long that may last.
    """

    sessions: int = 100
    waiting: int = 256
    connects_per_minute: int = 20
    start_s: float = 5.0
    idle_s: float = 60.0
    burst_s: float = 5.0
    message_bytes: int = 64 * 1024
    messages_per_s: float = 500.0
    backlog_frames: int = 50
    not_reading_s: float = 5.0
    goodbye_s: float = 2.0


REAL_TIME_TOLERANCE = 1.02
"""How much faster than ours a sound card's clock may run: far more than any real one (0.1 %)."""


class TokenBucket:
    """Tokens that come back at `rate` a second up to `capacity`. Times in seconds, from any monotonic clock."""

    __slots__ = ("_capacity", "_level", "_rate", "_updated_s")

    def __init__(self, rate: float, capacity: float, now: float) -> None:
        self._rate = rate
        self._capacity = capacity
        self._level = capacity
        self._updated_s = now

    def take(self, amount: float, now: float) -> bool:
        """Take `amount` tokens; False, and nothing taken, when there are not enough."""
        self._refill(now)
        if amount > self._level:
            return False
        self._level -= amount
        return True

    def wait_s(self, amount: float, now: float) -> float:
        """Seconds until `amount` tokens will be there."""
        self._refill(now)
        return max(0.0, (amount - self._level) / self._rate)

    def is_full(self, now: float) -> bool:
        """Whether nothing was taken for so long that it is as good as new."""
        self._refill(now)
        return self._level >= self._capacity

    def _refill(self, now: float) -> None:
        elapsed = max(0.0, now - self._updated_s)
        self._level = min(self._capacity, self._level + elapsed * self._rate)
        self._updated_s = now


class ConnectLimiter:
    """Connects per minute and address, for a bounded number of addresses."""

    MAX_ADDRESSES = 10_000
    """About 2 MB; when full, the address that connected longest ago is forgotten."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def admit(self, address: str, now: float) -> float:
        """0.0 when this connect is within the limit, otherwise the seconds after which to try again."""
        bucket = self._buckets.get(address)
        if bucket is None:
            self._forget(now)
            bucket = self._buckets[address] = TokenBucket(self._per_minute / 60, self._per_minute, now)
        self._buckets.move_to_end(address)
        return 0.0 if bucket.take(1, now) else bucket.wait_s(1, now)

    def _forget(self, now: float) -> None:
        while self._buckets:
            oldest, bucket = next(iter(self._buckets.items()))
            if len(self._buckets) < self.MAX_ADDRESSES and not bucket.is_full(now):
                return
            del self._buckets[oldest]


class Intake:
    """Meters what one call's client sends: audio against real time, messages against a rate."""

    __slots__ = ("_audio", "_messages")

    def __init__(self, limits: VoiceSocketLimits, now: float) -> None:
        self._audio = TokenBucket(REAL_TIME_TOLERANCE, limits.burst_s, now)
        self._messages = TokenBucket(limits.messages_per_s, 2 * limits.messages_per_s, now)

    def message(self, now: float) -> bool:
        """Count one message; False when there are too many."""
        return self._messages.take(1, now)

    def audio(self, seconds: float, now: float) -> bool:
        """Count this much audio; False when it is further ahead of real time than the burst allows."""
        return self._audio.take(seconds, now)
