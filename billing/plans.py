"""The plans that tenants are on: prices and limits, as data.

Money is whole cents, because sums of fractions do not add up. `plans.yaml` beside this module is what Parley ships
with; an operator may load another file. Read by provisioning, by whoever enforces a limit, and by the checks of a
tenant's configuration.
"""

from collections.abc import Iterator
from functools import lru_cache
from importlib import resources
from pathlib import Path

import msgspec

from context.tenants.checks import CURRENCIES, Finding
from context.tenants.config import TenantConfig

Money = dict[str, int]
"""Currency (ISO 4217) -> cents."""

PERCENT = 100


class PlansError(ValueError):
    """The file of the plans is wrong; the message names the path, the value and what is allowed."""


class Minutes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Telephone minutes of a plan: so many are included, the others cost per_minute, in cents."""

    included: int
    per_minute: Money


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One plan. monthly: cents. calls, sessions: a month, None for unlimited. history_days: how long calls are kept."""

    id: str
    monthly: Money
    calls: int | None
    sessions: int | None
    knowledge_entries: int
    history_days: int
    users: int
    origins: int
    rest_per_minute: int
    minutes: Minutes | None = None


class AddOn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that can be added to any plan. monthly: cents."""

    id: str
    monthly: Money
    description: str


class Plans(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that can be bought. warnings_percent: shares of a limit at which the tenant is warned."""

    trial_days: int
    warnings_percent: tuple[int, ...]
    plans: tuple[Plan, ...]
    add_ons: tuple[AddOn, ...] = ()

    def plan(self, plan_id: str) -> Plan | None:
        """The plan with this id."""
        return next((plan for plan in self.plans if plan.id == plan_id), None)

    def findings(self, tenant: TenantConfig) -> Iterator[Finding]:
        """What a tenant's configuration has that its plan does not allow (a check of `context.tenants`)."""
        plan = self.plan(tenant.plan)
        if plan is None:
            yield ("plan",), f"expected one of {', '.join(plan.id for plan in self.plans)}"
            return
        if len(tenant.origins) > plan.origins:
            yield ("origins",), f"expected {plan.origins} at most on the plan {plan.id}"


@lru_cache(maxsize=1)
def shipped_plans() -> Plans:
    """The plans that Parley ships with."""
    return read_plans("plans.yaml", resources.files(__package__ or "").joinpath("plans.yaml").read_bytes())


def load_plans(path: Path) -> Plans:
    """An operator's own plans. Raises PlansError and OSError."""
    return read_plans(str(path), path.read_bytes())


def read_plans(name: str, content: bytes) -> Plans:
    """The plans in a file. name: of the file, for messages. Raises PlansError."""
    try:
        plans = msgspec.yaml.decode(content, type=Plans)
    except msgspec.DecodeError as error:
        raise PlansError(f"{name}: {error}") from error
    for path, value, allowed in _faults(plans):
        raise PlansError(f"{name}: {path}: expected {allowed}; found {value!r}")
    return plans


def _faults(plans: Plans) -> Iterator[tuple[str, object, str]]:
    if plans.trial_days < 0:
        yield "$.trial_days", plans.trial_days, "0 or more"
    for at, share in enumerate(plans.warnings_percent):
        if not 0 < share < PERCENT:
            yield f"$.warnings_percent[{at}]", share, "1 to 99"
    if not plans.plans:
        yield "$.plans", (), "one plan at least"
    ids = [*(plan.id for plan in plans.plans), *(add_on.id for add_on in plans.add_ons)]
    for one in ids:
        if ids.count(one) > 1:
            yield "$.plans", one, "each id once"
    for at, plan in enumerate(plans.plans):
        path = f"$.plans[{at}]"
        yield from _money(f"{path}.monthly", plan.monthly)
        if plan.minutes is not None:
            yield from _money(f"{path}.minutes.per_minute", plan.minutes.per_minute)
        for field in ("calls", "sessions", "knowledge_entries", "history_days", "users", "origins", "rest_per_minute"):
            limit = getattr(plan, field)
            if limit is not None and limit < 1:
                yield f"{path}.{field}", limit, "1 or more, or null for no limit"
    for at, add_on in enumerate(plans.add_ons):
        yield from _money(f"$.add_ons[{at}].monthly", add_on.monthly)


def _money(path: str, money: Money) -> Iterator[tuple[str, object, str]]:
    if not money:
        yield path, money, "a price in one currency at least"
    for currency, cents in money.items():
        if currency not in CURRENCIES:
            yield path, currency, "a currency of ISO 4217, such as EUR"
        if cents < 0:
            yield f"{path}.{currency}", cents, "0 or more cents"
