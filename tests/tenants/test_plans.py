"""Plans are data: the table of the product, in whole cents, and a file with a fault is refused."""

import msgspec
import pytest

from billing.plans import PlansError, read_plans, shipped_plans
from tests.context.clinic import clinic


def test_the_plans_are_those_of_the_product() -> None:
    plans = {plan.id: plan for plan in shipped_plans().plans}
    table = {
        plan.id: (plan.monthly["EUR"], plan.calls, plan.sessions, plan.knowledge_entries, plan.history_days, plan.users,
                  plan.origins, plan.rest_per_minute)
        for plan in plans.values()
    }  # fmt: skip
    assert table == {
        "starter": (4900, 500, 1000, 100, 30, 3, 2, 20),
        "pro": (9900, None, None, 500, 90, 10, 5, 60),
        "ecommerce": (9900, None, None, 500, 90, 10, 5, 60),
        "expert": (14900, 5000, 10000, 2000, 180, 50, 10, 120),
        "telephony": (19900, None, 10000, 1000, 180, 25, 10, 120),
    }
    minutes = plans["telephony"].minutes
    assert minutes
    assert (minutes.included, minutes.per_minute) == (100, {"EUR": 24})
    assert (shipped_plans().trial_days, shipped_plans().warnings_percent) == (14, (80, 95))
    assert [add_on.id for add_on in shipped_plans().add_ons] == ["premium_sla"]


def test_money_is_whole_cents() -> None:
    content = msgspec.yaml.encode(shipped_plans()).replace(b"EUR: 4900", b"EUR: 49.99")
    with pytest.raises(PlansError, match=r"mine\.yaml: .*int.*plans\[0\]\.monthly"):
        read_plans("mine.yaml", content)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"EUR: 4900", b"EURO: 4900", "ISO 4217"),
        (b"EUR: 4900", b"EUR: -1", "0 or more cents"),
        (b"id: pro\n", b"id: starter\n", "each id once"),
        (b"users: 3\n", b"users: 0\n", r"\$\.plans\[0\]\.users: expected 1 or more"),
        (b"- 95", b"- 100", "1 to 99"),
        (b"trial_days: 14", b"trial_days: -1", "0 or more"),
        (b"trial_days: 14", b"trial_weeks: 2", "trial_weeks"),
    ],
)
def test_a_fault_is_named_with_its_place_and_what_is_allowed(old: bytes, new: bytes, said: str) -> None:
    content = msgspec.yaml.encode(shipped_plans())
    assert old in content
    with pytest.raises(PlansError, match=said):
        read_plans("mine.yaml", content.replace(old, new, 1))


def test_a_tenant_stays_within_its_plan() -> None:
    plans = shipped_plans()
    three = ("https://a.example", "https://b.example", "https://c.example")
    assert [path for path, _ in plans.findings(clinic(plan="starter", origins=three))] == [("origins",)]
    assert list(plans.findings(clinic(plan="pro", origins=three))) == []
    [(path, allowed)] = plans.findings(clinic(plan="gold"))
    assert (path, "starter" in allowed) == (("plan",), True)
