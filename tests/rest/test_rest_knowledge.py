"""What the agent knows, read and changed over REST, and what was used of the plan."""

import datetime as dt
from typing import Any

import pytest

from tests.rest.rest_server import LAKE, RestServer

PARKING = {
    "questions": {"en": ["Is there parking?"], "fr": ["Y a-t-il un parking ?"]},
    "answer": {"en": "Yes, behind the building.", "fr": "Oui, derrière l'immeuble."},
}


async def test_a_new_fact_is_what_the_agent_answers(rest: RestServer) -> None:
    answer = await rest.ask("PUT", "/v1/knowledge/unicorns", json={
        "questions": {"en": ["Do you treat unicorns?"]}, "answer": {"en": "Unicorns are treated on Fridays only."}
    })  # fmt: skip
    assert answer.status_code == 200, answer.text
    for tenant in rest.services.tenants.tenants:
        await rest.services.runtimes.prepare(tenant)
    reply = (await rest.ask("POST", "/v1/respond", json={"text": "Do you treat unicorns?"})).json()
    assert "Fridays" in reply["reply"]


async def test_facts_are_listed_read_replaced_and_removed(rest: RestServer) -> None:
    before = (await rest.ask("GET", "/v1/knowledge?limit=100")).json()["items"]
    assert (await rest.ask("PUT", "/v1/knowledge/aaa-parking", json=PARKING)).json()["answer"] == PARKING["answer"]
    listed = (await rest.ask("GET", "/v1/knowledge?limit=100")).json()["items"]
    assert [fact["id"] for fact in listed] == ["aaa-parking", *(fact["id"] for fact in before)]
    only_english = {"answer": {"en": "No."}}
    replaced = await rest.ask("PUT", "/v1/knowledge/aaa-parking", json=only_english)
    assert replaced.json() == {"id": "aaa-parking", "questions": {}, "answer": {"en": "No."}}
    french = (await rest.ask("GET", "/v1/knowledge?language=fr&limit=100")).json()["items"]
    assert "aaa-parking" not in [fact["id"] for fact in french]
    assert (await rest.ask("DELETE", "/v1/knowledge/aaa-parking")).status_code == 204
    assert (await rest.ask("GET", "/v1/knowledge/aaa-parking")).status_code == 404
    assert (await rest.ask("DELETE", "/v1/knowledge/aaa-parking")).status_code == 404


async def test_who_saw_an_older_fact_overwrites_nothing(rest: RestServer) -> None:
    await rest.ask("PUT", "/v1/knowledge/dragons", json=PARKING)
    seen = (await rest.ask("GET", "/v1/knowledge/dragons")).headers["etag"]
    newer = {"answer": {"en": "No."}}
    assert (await rest.ask("PUT", "/v1/knowledge/dragons", json=newer, headers={"If-Match": seen})).status_code == 200
    late = await rest.ask("PUT", "/v1/knowledge/dragons", json=PARKING, headers={"If-Match": seen})
    assert (late.status_code, late.json()["code"]) == (412, "changed_meanwhile")
    assert (await rest.ask("DELETE", "/v1/knowledge/dragons", headers={"If-Match": seen})).status_code == 412
    assert (await rest.ask("GET", "/v1/knowledge/dragons")).json()["answer"] == {"en": "No."}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "$"),
        ({"answer": {}}, "answer"),
        ({"answer": {"en": ""}}, "answer[...]"),
        ({"answer": {"de": "Ja."}}, "answer"),
        ({"answer": {"es": "Si."}}, "answer.es"),
        ({"answer": {"en": "Yes."}, "questions": {"en": "Parking?"}}, "questions[...]"),
    ],
)
async def test_what_is_wrong_with_a_fact_is_named(rest: RestServer, body: dict[str, Any], field: str) -> None:
    answer = await rest.ask("PUT", "/v1/knowledge/dragons", json=body)
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert (await rest.ask("GET", "/v1/knowledge/dragons")).status_code == 404


async def test_one_tenant_does_not_teach_the_other(rest: RestServer) -> None:
    await rest.ask("PUT", "/v1/knowledge/dragons", json=PARKING)
    assert (await rest.ask("GET", "/v1/knowledge/dragons", as_=LAKE)).status_code == 404
    assert (await rest.ask("DELETE", "/v1/knowledge/dragons", as_=LAKE)).status_code == 404
    assert (await rest.ask("GET", "/v1/knowledge/dragons")).status_code == 200


async def test_usage_counts_what_was_done_in_the_period(rest: RestServer) -> None:
    noon = dt.datetime(2026, 11, 10, 12, tzinfo=dt.UTC).timestamp()
    await rest.call_made("now", started_at=noon, duration_s=90.0)
    await rest.call_made("last-month", started_at=noon - 30 * 86400, duration_s=600.0)
    await rest.call_made("elsewhere", tenant_id=LAKE, started_at=noon, duration_s=600.0)
    await rest.ask("POST", "/v1/respond", json={"text": "Hello"})
    rest.clock.pass_s(1)
    usage = (await rest.ask("GET", "/v1/usage")).json()
    assert usage["since"] == "2026-11-01T00:00:00+01:00"
    used = {item["name"]: item["used"] for item in usage["items"]}
    assert (used["phone_calls"], used["phone_minutes"], used["sessions"]) == (1, 1.5, 1)
    longer = (await rest.ask("GET", "/v1/usage?since=2026-10-01T00:00:00Z")).json()
    assert next(item["used"] for item in longer["items"] if item["name"] == "phone_calls") == 2


async def test_usage_warns_before_the_plan_is_used_up(rest: RestServer) -> None:
    tenant = rest.services.tenants.by_id("park")
    assert tenant
    usage = (await rest.ask("GET", "/v1/usage")).json()
    entries = next(item for item in usage["items"] if item["name"] == "knowledge_entries")
    assert entries["limit"] == 500
    assert entries["percent"] == round(len(tenant.facts) / 5, 1)
    assert entries["warning"] is None


@pytest.mark.parametrize("query", ["since=2026-12-01T00:00:00Z", "since=2020-01-01T00:00:00Z", "since=soon"])
async def test_a_period_that_is_none_is_refused(rest: RestServer, query: str) -> None:
    answer = await rest.ask("GET", f"/v1/usage?{query}")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "since")
