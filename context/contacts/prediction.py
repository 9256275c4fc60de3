"""What should happen next with a person: which agent, and what it should do first.

A few rules over the box, in a fixed order, so that the same box always gives the same advice and everybody can read
why. Shown by REST, carried in handoff packages.
"""

from enum import StrEnum

import msgspec

from context.contacts.box import CommitmentKind, ContextBox
from context.contacts.states import RANK, BoxState

BILLING_SCORE = 70
BOOKING_SCORE = 40
OFFER_SCORE = 50
SUPPORT_INTENTS = frozenset({"support", "complaint"})


class AgentRole(StrEnum):
    """Who may take over. NONE: whoever has the conversation keeps it."""

    NONE = "none"
    SUPPORT = "support"
    BOOKING = "booking"
    BILLING = "billing"
    ONBOARDING = "onboarding"


class NextActionKind(StrEnum):
    """What an agent can do."""

    KEEP_PROMISE = "keep_promise"
    ASK = "ask"
    OFFER_BOOKING = "offer_booking"


class NextAction(msgspec.Struct, frozen=True):
    """One thing to do. subject: the promise or the slot it is about."""

    kind: NextActionKind
    subject: str
    why: str


class Prediction(msgspec.Struct, frozen=True):
    """The advice. actions: the most urgent first."""

    next_agent: AgentRole
    why: str
    actions: tuple[NextAction, ...]


def predicted(box: ContextBox) -> Prediction:
    """What should happen next."""
    agent, why = _next_agent(box)
    return Prediction(agent, why, _next_actions(box))


def _next_agent(box: ContextBox) -> tuple[AgentRole, str]:
    # A customer who was just won, or who is in trouble, is no prospect any more, however high the score was.
    score = box.qualification.score
    if box.state is BoxState.WON:
        return AgentRole.ONBOARDING, "won"
    if box.intent.name in SUPPORT_INTENTS:
        return AgentRole.SUPPORT, f"intent {box.intent.name}"
    if score >= BILLING_SCORE:
        return AgentRole.BILLING, f"score {score} >= {BILLING_SCORE}"
    if score >= BOOKING_SCORE:
        return AgentRole.BOOKING, f"score {score} >= {BOOKING_SCORE}"
    return AgentRole.NONE, f"score {score}"


def _next_actions(box: ContextBox) -> tuple[NextAction, ...]:
    actions = [
        NextAction(
            NextActionKind.KEEP_PROMISE, promise.what, f"promised, due {promise.due}" if promise.due else "promised"
        )
        for promise in box.open_commitments
        if promise.who == "agent" and promise.kind is not CommitmentKind.APPOINTMENT
    ]
    missing = {slot.name: slot.why for slot in box.open_slots}
    if not box.identity.names:
        missing.setdefault("name", "nobody knows who it is")
    if not (box.identity.phones or box.identity.emails):
        missing.setdefault("phone", "they cannot be reached")
    actions += [NextAction(NextActionKind.ASK, name, why) for name, why in missing.items()]
    may_book = RANK.index(box.state) < RANK.index(BoxState.BOOKED)
    if box.qualification.score >= OFFER_SCORE and may_book:
        why = f"score {box.qualification.score} >= {OFFER_SCORE}"
        actions.append(NextAction(NextActionKind.OFFER_BOOKING, box.intent.detail or "appointment", why))
    return tuple(actions)
