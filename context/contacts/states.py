"""How far a person and the tenant have come: the state machine of the context box (product facts, section 9).

One table. A box begins `new` and follows the road of a sale: somebody speaks with us (engaged), what they want is known
and fits (qualified), they take an appointment or decline (booked, lost), they buy (won; a lost one may be won back
later), they are brought on board and use what they bought (onboarding, active). Then the account grows or worries us
(expanding, at_risk) before it ends (churned). What is not in the table cannot happen, and nothing leads back: a person
who comes again after all is another opportunity, told by the history.

What the table cannot say: a phone call may cover several stretches at once (a stranger books in his first call), so
`road` names every stop on the way and each is recorded; and two boxes that turn out to be one person may stand apart,
so `further` decides, by the order of `RANK`. Called by `context.contacts.changes` and `merging`.
"""

from collections.abc import Mapping
from enum import StrEnum

from context.errors import ContextError


class BoxState(StrEnum):
    """Where the conversation with one person stands."""

    NEW = "new"
    ENGAGED = "engaged"
    QUALIFIED = "qualified"
    BOOKED = "booked"
    LOST = "lost"
    WON = "won"
    ONBOARDING = "onboarding"
    ACTIVE = "active"
    AT_RISK = "at_risk"
    EXPANDING = "expanding"
    CHURNED = "churned"


TRANSITIONS: Mapping[BoxState, tuple[BoxState, ...]] = {
    BoxState.NEW: (BoxState.ENGAGED,),
    BoxState.ENGAGED: (BoxState.QUALIFIED,),
    BoxState.QUALIFIED: (BoxState.BOOKED, BoxState.LOST),
    BoxState.BOOKED: (BoxState.WON,),
    BoxState.LOST: (BoxState.WON,),
    BoxState.WON: (BoxState.ONBOARDING,),
    BoxState.ONBOARDING: (BoxState.ACTIVE,),
    BoxState.ACTIVE: (BoxState.AT_RISK, BoxState.EXPANDING),
    BoxState.AT_RISK: (BoxState.CHURNED,),
    BoxState.EXPANDING: (BoxState.CHURNED,),
    BoxState.CHURNED: (),
}
"""State -> the states that may follow, the likelier first."""

RANK: tuple[BoxState, ...] = (
    BoxState.NEW,
    BoxState.ENGAGED,
    BoxState.QUALIFIED,
    BoxState.LOST,
    BoxState.BOOKED,
    BoxState.WON,
    BoxState.ONBOARDING,
    BoxState.ACTIVE,
    BoxState.EXPANDING,
    BoxState.AT_RISK,
    BoxState.CHURNED,
)
"""From the beginning to the end of the road, for merging. Where the road forks, the later one outweighs the other: an
appointment is a fact and a refusal a mood; a worry must not be hidden by a hope."""

NEVER_IMPLIED = frozenset({BoxState.LOST, BoxState.AT_RISK, BoxState.CHURNED})
"""No road to somewhere else leads through these: they are said of somebody, never concluded."""


class IllegalTransitionError(ContextError):
    """The table has no such transition. The state is as it was."""

    code = "illegal_transition"

    def __init__(self, found: BoxState, wanted: BoxState) -> None:
        allowed = ", ".join(TRANSITIONS[found]) or "nothing: it is the last state"
        super().__init__(f"state: {found} cannot become {wanted}; allowed: {allowed}")
        self.allowed = TRANSITIONS[found]


def check(found: BoxState, wanted: BoxState) -> None:
    """Nothing when `wanted` may follow `found`. Raises IllegalTransitionError."""
    if wanted not in TRANSITIONS[found]:
        raise IllegalTransitionError(found, wanted)


def road(found: BoxState, wanted: BoxState) -> tuple[BoxState, ...]:
    """The shortest way by listed transitions, `wanted` last; () when there is none, or nowhere to go."""
    ways: list[tuple[BoxState, ...]] = [()]
    while ways:
        way = ways.pop(0)
        here = way[-1] if way else found
        if here is wanted:
            return way
        ways.extend((*way, after) for after in TRANSITIONS[here] if after is wanted or after not in NEVER_IMPLIED)
    return ()


def further(one: BoxState, other: BoxState) -> BoxState:
    """The one that comes later in `RANK`."""
    return max(one, other, key=RANK.index)
