"""The state of a tenant moves along its table and no other way."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context.tenants.errors import TenantStateError
from context.tenants.lifecycle import TAKING_CALLS, TRANSITIONS, Change, TenantState, after

changes = st.lists(st.sampled_from(Change), max_size=12)


def walked(begin: TenantState, path: Sequence[Change]) -> list[TenantState]:
    """States along a path; a change that is refused leaves the state as it was."""
    states = [begin]
    for change in path:
        try:
            states.append(after(states[-1], change))
        except TenantStateError:
            states.append(states[-1])
    return states


@given(st.sampled_from(TenantState), st.sampled_from(Change))
def test_what_is_not_in_the_table_is_refused_with_what_is(state: TenantState, change: Change) -> None:
    if (state, change) in TRANSITIONS:
        assert after(state, change) is TRANSITIONS[state, change]
        return
    with pytest.raises(TenantStateError) as refused:
        after(state, change)
    for (at, possible), _ in TRANSITIONS.items():
        assert at is not state or possible.value in str(refused.value)


@given(changes)
def test_a_tenant_that_is_being_removed_never_comes_back(path: list[Change]) -> None:
    states = walked(TenantState.TRIAL, path)
    if TenantState.DELETING in states:
        later = states[states.index(TenantState.DELETING) :]
        assert set(later) <= {TenantState.DELETING, TenantState.DELETED}


@given(changes)
def test_nobody_is_back_on_trial(path: list[Change]) -> None:
    states = walked(TenantState.TRIAL, path)
    left = next((at for at, state in enumerate(states) if state is not TenantState.TRIAL), len(states))
    assert TenantState.TRIAL not in states[left:]


@given(changes, st.sampled_from((Change.SUSPEND, Change.DELETE, Change.RESUME)))
def test_a_command_repeated_is_done_once(path: list[Change], change: Change) -> None:
    state = walked(TenantState.TRIAL, path)[-1]
    if (state, change) in TRANSITIONS:
        once = after(state, change)
        assert after(once, change) is once


def test_only_what_is_open_takes_calls() -> None:
    assert {TenantState.TRIAL, TenantState.ACTIVE} == TAKING_CALLS
