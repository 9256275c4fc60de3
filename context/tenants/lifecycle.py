"""How tenants come and go: one table of transitions.

A tenant begins on trial, or active when its plan is paid for. Suspension keeps everything and stops everything: no
call is taken and no key opens anything. Removal is a state of its own, because it takes many steps that a killed
process must be able to go on with: a tenant that is `deleting` never comes back. `deleted` is where that ends; the row
is gone then and only a certificate is left. A change that was made already is no fault, so a command may be repeated.
Asked by `context.tenants.store`; a tenant of an operator's file is always active, taking the file away removes it.
"""

from enum import StrEnum

from context.tenants.errors import TenantStateError


class TenantState(StrEnum):
    """Where a tenant is in its life."""

    TRIAL = "trial"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    DELETING = "deleting"
    DELETED = "deleted"


class Change(StrEnum):
    """What may be done to a tenant as a whole."""

    ACTIVATE = "activate"
    SUSPEND = "suspend"
    RESUME = "resume"
    DELETE = "delete"
    FINISH_DELETING = "finish_deleting"


TRANSITIONS: dict[tuple[TenantState, Change], TenantState] = {
    (TenantState.TRIAL, Change.ACTIVATE): TenantState.ACTIVE,
    (TenantState.TRIAL, Change.SUSPEND): TenantState.SUSPENDED,
    (TenantState.TRIAL, Change.DELETE): TenantState.DELETING,
    (TenantState.ACTIVE, Change.ACTIVATE): TenantState.ACTIVE,
    (TenantState.ACTIVE, Change.RESUME): TenantState.ACTIVE,
    (TenantState.ACTIVE, Change.SUSPEND): TenantState.SUSPENDED,
    (TenantState.ACTIVE, Change.DELETE): TenantState.DELETING,
    (TenantState.SUSPENDED, Change.SUSPEND): TenantState.SUSPENDED,
    (TenantState.SUSPENDED, Change.RESUME): TenantState.ACTIVE,
    (TenantState.SUSPENDED, Change.DELETE): TenantState.DELETING,
    (TenantState.DELETING, Change.DELETE): TenantState.DELETING,
    (TenantState.DELETING, Change.FINISH_DELETING): TenantState.DELETED,
}
"""Every change that there is; any other is refused."""

TAKING_CALLS = frozenset({TenantState.TRIAL, TenantState.ACTIVE})
"""States in which calls are taken and keys open something."""


def after(state: TenantState, change: Change) -> TenantState:
    """The state that a change leads to. Raises TenantStateError, which says what is allowed."""
    reached = TRANSITIONS.get((state, change))
    if reached is None:
        allowed = ", ".join(possible for at, possible in TRANSITIONS if at is state) or "nothing"
        raise TenantStateError(f"state: a tenant that is {state} cannot {change}; allowed: {allowed}")
    return reached
