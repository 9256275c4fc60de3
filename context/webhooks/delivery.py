"""A delivery: one event on its way to one endpoint, and what becomes of it after each attempt.

Pure rules: no clock, no socket. Product facts, section 8: three attempts with growing pauses; an answer that says
"your request is wrong" is final, because the same bytes would be wrong again. Used by `dispatcher` and `deliveries`.
"""

from enum import StrEnum

import msgspec

MOST_ATTEMPTS = 3
FIRST_PAUSE_S = 1
"""1 s after the first attempt, twice as long after each further one."""

LONGEST_RETRY_AFTER_S = 60
"""A receiver may ask for a longer pause with Retry-After, up to this."""

WORTH_RETRYING = frozenset({408, 429})
"""Of the answers 4xx; 5xx always are."""


class DeliveryState(StrEnum):
    """Where a delivery is. FAILED: given up. CANCELLED: its endpoint was paused or disabled meanwhile."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELLED = "cancelled"


TRANSITIONS: dict[DeliveryState, frozenset[DeliveryState]] = {
    DeliveryState.PENDING: frozenset(DeliveryState),
    DeliveryState.DELIVERED: frozenset(),
    DeliveryState.FAILED: frozenset(),
    DeliveryState.CANCELLED: frozenset(),
}
"""State -> the states that may follow an attempt. What is over stays over: a redelivery is a new delivery."""


class Origin(StrEnum):
    """Why something is sent: it happened, somebody asked for it again, or somebody tries the endpoint."""

    EVENT = "event"
    REDELIVERY = "redelivery"
    TEST = "test"


class Failure(StrEnum):
    """Why there is no answer."""

    NONE = ""
    TIMEOUT = "timeout"
    NAME_NOT_FOUND = "name_not_found"
    DESTINATION_REFUSED = "destination_refused"
    CONNECTION_FAILED = "connection_failed"
    TLS_FAILED = "tls_failed"
    NO_HTTP = "no_http"
    EVENT_GONE = "event_gone"


_FINAL_FAILURES = frozenset({Failure.DESTINATION_REFUSED, Failure.EVENT_GONE})


class Answer(msgspec.Struct, frozen=True):
    """What came back. status: of HTTP, None without an answer, and then `failure` says why. response: its beginning,
    redacted. retry_after_s: the pause that the receiver asks for, 0 when it does not."""

    status: int | None
    failure: Failure
    duration_ms: int
    response: str = ""
    retry_after_s: int = 0


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the delivery log. at_ms: since the epoch, UTC."""

    attempt: int
    at_ms: int
    duration_ms: int
    status: int | None
    error: str
    response: str


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery. due_at_ms: when the next attempt is, or the last one was, due. log: attempts, first one first."""

    id: str
    endpoint_id: str
    event_id: str
    event_type: str
    origin: Origin
    state: DeliveryState
    created_at_ms: int
    due_at_ms: int
    log: tuple[Attempt, ...] = ()


class Next(msgspec.Struct, frozen=True):
    """What follows an attempt. due_at_ms counts when `state` is PENDING."""

    state: DeliveryState
    due_at_ms: int


def after(attempts: int, answer: Answer, now_ms: int) -> Next:
    """What follows the `attempts`-th attempt (from 1) that ended at `now_ms`."""
    if answer.status is not None and 200 <= answer.status < 300:
        return Next(DeliveryState.DELIVERED, now_ms)
    if attempts >= MOST_ATTEMPTS or not _may_pass_later(answer):
        return Next(DeliveryState.FAILED, now_ms)
    asked_for_s = min(answer.retry_after_s, LONGEST_RETRY_AFTER_S)
    pause_s = max(FIRST_PAUSE_S * 2 ** (attempts - 1), asked_for_s)
    return Next(DeliveryState.PENDING, now_ms + pause_s * 1000)


def _may_pass_later(answer: Answer) -> bool:
    if answer.status is None:
        return answer.failure not in _FINAL_FAILURES
    return answer.status >= 500 or answer.status in WORTH_RETRYING
