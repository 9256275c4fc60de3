"""The states of a call, from ringing to its end (product facts, section 7).

One table of transitions: whatever is not in it cannot happen to a stored call. Used by `context.calls.store`, which
telephony and server tell what a call does.
"""

from enum import StrEnum

from context.errors import ContextError


class CallState(StrEnum):
    """Where a call is."""

    RINGING = "ringing"
    ANSWERED = "answered"
    ACTIVE = "active"
    ON_HOLD = "on_hold"
    TRANSFERRING = "transferring"
    ENDED = "ended"
    FAILED = "failed"


TRANSITIONS: dict[CallState, frozenset[CallState]] = {
    CallState.RINGING: frozenset({CallState.ANSWERED, CallState.ENDED, CallState.FAILED}),
    CallState.ANSWERED: frozenset({CallState.ACTIVE, CallState.ENDED, CallState.FAILED}),
    CallState.ACTIVE: frozenset({CallState.ON_HOLD, CallState.TRANSFERRING, CallState.ENDED, CallState.FAILED}),
    CallState.ON_HOLD: frozenset({CallState.ACTIVE, CallState.TRANSFERRING, CallState.ENDED, CallState.FAILED}),
    CallState.TRANSFERRING: frozenset({CallState.ACTIVE, CallState.ENDED, CallState.FAILED}),
    CallState.ENDED: frozenset(),
    CallState.FAILED: frozenset(),
}
"""State -> the states that may follow. TRANSFERRING returns to ACTIVE when nobody takes the call."""

OVER = frozenset(state for state, following in TRANSITIONS.items() if not following)
"""States that nothing follows."""


class CallTransitionError(ContextError):
    """A call cannot go from its state to the one asked for."""

    code = "call_transition_refused"


def require_transition(before: CallState, after: CallState) -> None:
    """Raises CallTransitionError, which names what is allowed, unless `after` may follow `before`."""
    if after not in TRANSITIONS[before]:
        allowed = ", ".join(sorted(TRANSITIONS[before])) or "nothing, the call is over"
        raise CallTransitionError(f"state: {after.value!r} cannot follow {before.value!r}; allowed: {allowed}")
