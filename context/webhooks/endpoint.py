"""An endpoint: where a tenant wants its events, which of them, and whether it gets them now.

Plain data and two rules, without a database: which states may follow each other, and which patterns of event types are
taken. Stored by `endpoints`, read by `dispatcher`.
"""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from context.events.outbox import TYPE_LIMIT_CHARS
from context.events.patterns import PatternError, checked, matches
from context.webhooks.errors import EndpointStateError, UnknownTypeError

MOST_PATTERNS = 50
LONGEST_DESCRIPTION = 200


class EndpointState(StrEnum):
    """Whether events are sent. PAUSED by the tenant; DISABLED by Parley, after days without one that arrived."""

    ACTIVE = "active"
    PAUSED = "paused"
    DISABLED = "disabled"


TRANSITIONS: dict[EndpointState, frozenset[EndpointState]] = {
    EndpointState.ACTIVE: frozenset({EndpointState.PAUSED, EndpointState.DISABLED}),
    EndpointState.PAUSED: frozenset({EndpointState.ACTIVE}),
    EndpointState.DISABLED: frozenset({EndpointState.ACTIVE, EndpointState.PAUSED}),
}
"""State -> the states that may follow."""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint. types: patterns of event types. version: counts changes. secret_id: which secret signs.

    previous_secret_id: the secret before it, which signs too until previous_until_ms. failing_since_ms: the first
    delivery that was lost since one arrived, None while they arrive. Instants are ms since the epoch, UTC.
    """

    id: str
    url: str
    types: tuple[str, ...]
    description: str
    state: EndpointState
    version: int
    secret_id: str
    previous_secret_id: str
    previous_until_ms: int
    failing_since_ms: int | None
    created_at_ms: int

    def wants(self, event_type: str) -> bool:
        """Whether events of this type are sent to it now."""
        return self.state is EndpointState.ACTIVE and matches(self.types, event_type)


def require_transition(before: EndpointState, after: EndpointState) -> None:
    """Raises EndpointStateError unless `after` may follow `before`."""
    if after not in TRANSITIONS[before]:
        allowed = ", ".join(sorted(TRANSITIONS[before]))
        raise EndpointStateError(f"state: {after.value!r} cannot follow {before.value!r}; allowed: {allowed}")


def checked_types(patterns: Sequence[str]) -> tuple[str, ...]:
    """The patterns without repetitions. Raises UnknownTypeError."""
    if not 1 <= len(patterns) <= MOST_PATTERNS:
        raise UnknownTypeError(
            f"types: {len(patterns)} patterns; 1 to {MOST_PATTERNS} are allowed, '*' means every type"
        )
    if any(len(pattern) > TYPE_LIMIT_CHARS for pattern in patterns):
        raise UnknownTypeError(f"types: a pattern has at most {TYPE_LIMIT_CHARS} characters")
    try:
        return checked(patterns)
    except PatternError as error:
        raise UnknownTypeError(f"types: {error}") from None
