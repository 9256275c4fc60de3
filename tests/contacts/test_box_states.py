"""The state machine of the box: only what product facts list can happen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context.contacts.box import ContextBox, HistoryKind
from context.contacts.changes import advanced, moved
from context.contacts.states import RANK, TRANSITIONS, BoxState, IllegalTransitionError, check, further, road
from tests.contacts.someone import NOW_MS, TENANT

LISTED = """
new engaged
engaged qualified
qualified booked
qualified lost
booked won
lost won
won onboarding
onboarding active
active at_risk
active expanding
at_risk churned
expanding churned
"""
STATES = st.sampled_from(BoxState)


def box_in(state: BoxState) -> ContextBox:
    return ContextBox(tenant_id=TENANT, contact_id="contact-1", state=state)


def test_what_is_listed_is_allowed_and_nothing_else() -> None:
    listed = {tuple(line.split()) for line in LISTED.split("\n") if line}
    for one in BoxState:
        for other in BoxState:
            if (one, other) in listed:
                check(one, other)
            else:
                with pytest.raises(IllegalTransitionError):
                    check(one, other)


@pytest.mark.parametrize(
    ("found", "wanted", "allowed"),
    [
        (BoxState.NEW, BoxState.WON, "allowed: engaged"),
        (BoxState.QUALIFIED, BoxState.QUALIFIED, "allowed: booked, lost"),
        (BoxState.CHURNED, BoxState.ACTIVE, "nothing: it is the last state"),
    ],
)
def test_a_refusal_names_what_is_allowed(found: BoxState, wanted: BoxState, allowed: str) -> None:
    with pytest.raises(IllegalTransitionError, match=allowed):
        check(found, wanted)


def test_a_step_keeps_who_why_and_when() -> None:
    box = moved(box_in(BoxState.NEW), BoxState.ENGAGED, actor="user-1", reason="she called", at_ms=NOW_MS)
    entry = box.history[-1]
    assert (entry.kind, entry.actor, entry.what, entry.at_ms) == (HistoryKind.STATE, "user-1", "she called", NOW_MS)
    assert (entry.from_state, entry.to_state) == (BoxState.NEW, BoxState.ENGAGED)


@pytest.mark.parametrize(("actor", "reason"), [("", "why"), ("user-1", "")])
def test_a_step_without_an_actor_or_a_reason_is_refused(actor: str, reason: str) -> None:
    with pytest.raises(ValueError, match="actor and a reason"):
        moved(box_in(BoxState.NEW), BoxState.ENGAGED, actor=actor, reason=reason, at_ms=NOW_MS)


def test_a_stranger_who_books_passes_through_every_state_on_the_way() -> None:
    box = advanced(box_in(BoxState.NEW), BoxState.BOOKED, actor="a", reason="booked", at_ms=NOW_MS)
    steps = [(entry.from_state, entry.to_state) for entry in box.history]
    assert steps == [("new", "engaged"), ("engaged", "qualified"), ("qualified", "booked")]


def test_nobody_is_lost_on_the_way_to_somewhere_else() -> None:
    assert BoxState.LOST not in road(BoxState.NEW, BoxState.WON)
    assert road(BoxState.LOST, BoxState.WON) == (BoxState.WON,)


@given(STATES, STATES)
def test_going_on_takes_listed_steps_only_and_never_leads_back(start: BoxState, wanted: BoxState) -> None:
    box = advanced(box_in(start), wanted, actor="a", reason="r", at_ms=NOW_MS)
    assert RANK.index(box.state) >= RANK.index(start)
    here = start
    for entry in box.history:
        assert entry.from_state is here
        assert entry.to_state is not None
        assert entry.to_state in TRANSITIONS[here]
        here = entry.to_state
    assert here is box.state
    assert box.state is wanted or box.state is start


@given(STATES, STATES, STATES)
def test_the_further_state_does_not_depend_on_the_order_of_merging(
    one: BoxState, two: BoxState, three: BoxState
) -> None:
    assert further(one, two) is further(two, one)
    assert further(further(one, two), three) is further(one, further(two, three))


def test_a_booking_outweighs_a_refusal_and_a_worry_a_hope() -> None:
    assert further(BoxState.LOST, BoxState.BOOKED) is BoxState.BOOKED
    assert further(BoxState.EXPANDING, BoxState.AT_RISK) is BoxState.AT_RISK
