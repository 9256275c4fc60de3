"""Contacts and their boxes as clients of the API meet them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from context.contacts.handoff import verify
from context.contacts.subscriber import BoxBuilder
from context.security.audit import AuditLog
from context.security.principal import Scope
from tests.contacts.conftest import sqlite_url
from tests.contacts.someone import PHONE, SPOKEN_PHONE, call_payload, event
from tests.rest.rest_server import LAKE, PARK, RestServer, rest_server

MARIE = {"names": ["Marie Curie"], "phones": [SPOKEN_PHONE], "emails": ["Marie@Example.com"], "languages": ["fr"]}


@pytest.fixture
async def rest(tmp_path: Path, migrated_file: Path) -> AsyncIterator[RestServer]:
    async with rest_server(sqlite_url(tmp_path, migrated_file), tmp_path) as running:
        yield running


async def added(rest: RestServer, **body: Any) -> dict[str, Any]:
    answer = await rest.ask("POST", "/v1/contacts", json=body or MARIE)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def after_a_call(rest: RestServer) -> str:
    """Marie has called and booked; id of her contact."""
    async with rest.services.store.tenant(PARK).writing() as transaction:
        told = event("call.completed", call_payload(), tenant_id=PARK)
        await BoxBuilder(lambda tenant_id: "FR").handle(told, transaction)
    (contact,) = (await rest.ask("GET", f"/v1/contacts?search={SPOKEN_PHONE.replace(' ', '')}")).json()["items"]
    return contact["id"]


async def key_id(rest: RestServer) -> str:
    """Id of the key that the park's requests are made with."""
    principal = await rest.services.keys.authenticate(rest.keys[PARK], None)
    assert principal
    return principal.id


async def test_a_contact_is_added_found_and_shown(rest: RestServer) -> None:
    made = await added(rest)
    assert (made["phones"], made["emails"], made["names"]) == ([PHONE], ["marie@example.com"], ["Marie Curie"])
    shown = await rest.ask("GET", f"/v1/contacts/{made['id']}")
    assert shown.json() == made
    for query in ("curie", "%2B33612345678", "marie@example.com", ""):
        assert (await rest.ask("GET", f"/v1/contacts?search={query}")).json()["items"] == [made]
    assert (await rest.ask("GET", "/v1/contacts?search=paul")).json()["items"] == []


async def test_pages_hold_every_contact_once(rest: RestServer) -> None:
    made = [(await added(rest, external_ids=[f"crm-{n}"]))["id"] for n in range(5)]
    first = (await rest.ask("GET", "/v1/contacts?limit=3")).json()
    rest_of = (await rest.ask("GET", f"/v1/contacts?limit=3&cursor={first['next_cursor']}")).json()
    assert sorted(contact["id"] for contact in first["items"] + rest_of["items"]) == sorted(made)
    assert rest_of["next_cursor"] is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"phones": ["12"]}, "phones[0]"),
        ({"phones": [PHONE, "withheld"]}, "phones[1]"),
        ({"emails": ["marie"]}, "emails[0]"),
        ({"languages": ["xx"]}, "languages[0]"),
        ({"names": [""]}, "names[0]"),
        ({"name": "Marie"}, "$"),
    ],
)
async def test_a_wrong_field_is_named_and_nothing_is_stored(rest: RestServer, body: dict[str, Any], field: str) -> None:
    answer = await rest.ask("POST", "/v1/contacts", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, field)
    assert (await rest.ask("GET", "/v1/contacts")).json()["items"] == []


async def test_a_number_belongs_to_one_contact(rest: RestServer) -> None:
    marie = await added(rest)
    answer = await rest.ask("POST", "/v1/contacts", json={"phones": [PHONE]})
    assert (answer.status_code, answer.json()["code"]) == (409, "contact_conflict")
    assert marie["id"] in answer.json()["detail"]
    paul = await added(rest, names=["Paul"])
    answer = await rest.ask("PATCH", f"/v1/contacts/{paul['id']}", json={"phones": [PHONE]})
    assert (answer.status_code, answer.json()["code"]) == (409, "contact_conflict")
    assert (await rest.ask("GET", f"/v1/contacts/{paul['id']}")).json() == paul


async def test_a_change_leaves_what_it_does_not_name(rest: RestServer) -> None:
    marie = await added(rest)
    body = {"emails": [], "consents": [{"purpose": "marketing", "state": "refused"}]}
    changed = (await rest.ask("PATCH", f"/v1/contacts/{marie['id']}", json=body)).json()
    assert (changed["names"], changed["phones"], changed["emails"]) == (["Marie Curie"], [PHONE], [])
    assert [(said["purpose"], said["state"]) for said in changed["consents"]] == [("marketing", "refused")]
    assert changed["consents"][0]["source"] == await key_id(rest)
    assert changed["version"] > marie["version"]


async def test_who_read_an_older_version_is_told(rest: RestServer) -> None:
    marie = await added(rest)
    path = f"/v1/contacts/{marie['id']}"
    tag = {"If-Match": (await rest.ask("GET", path)).headers["etag"]}
    assert (await rest.ask("PATCH", path, json={"names": ["Maria"]}, headers=tag)).status_code == 200
    late = await rest.ask("PATCH", path, json={"names": ["Mary"]}, headers=tag)
    assert (late.status_code, late.json()["code"]) == (412, "changed_meanwhile")
    assert (await rest.ask("DELETE", path, headers=tag)).status_code == 412
    assert (await rest.ask("GET", path)).json()["names"] == ["Maria"]


async def test_two_contacts_become_one_and_both_ids_show_it(rest: RestServer) -> None:
    marie, other = await added(rest), await added(rest, external_ids=["crm-7"])
    merged = await rest.ask("POST", f"/v1/contacts/{marie['id']}/merge", json={"other_id": other["id"]})
    assert merged.status_code == 200
    assert (merged.json()["phones"], merged.json()["external_ids"]) == ([PHONE], ["crm-7"])
    assert (await rest.ask("GET", f"/v1/contacts/{other['id']}")).json()["id"] == marie["id"]
    again = await rest.ask("POST", f"/v1/contacts/{marie['id']}/merge", json={"other_id": other["id"]})
    assert (again.status_code, again.json()["code"]) == (409, "contact_conflict")
    unknown = await rest.ask("POST", f"/v1/contacts/{marie['id']}/merge", json={"other_id": "nobody"})
    assert unknown.status_code == 404


async def test_an_export_holds_the_contact_and_its_context(rest: RestServer) -> None:
    marie = await after_a_call(rest)
    exported = (await rest.ask("GET", f"/v1/contacts/{marie}/export")).json()
    assert exported["contact_id"] == marie
    assert {row["table"] for row in exported["data"]["contacts"]} >= {"contacts", "contact_points", "contact_calls"}
    assert exported["data"]["context boxes"][0]["box"]["identity"]["names"] == ["Marie Curie"]


async def test_an_erasure_leaves_nothing_and_certifies_it(rest: RestServer) -> None:
    marie = await after_a_call(rest)
    certificate = await rest.ask("DELETE", f"/v1/contacts/{marie}")
    assert (certificate.status_code, certificate.json()["state"]) == (200, "completed")
    assert certificate.json()["counts"]["contacts"] >= 3
    for path in (f"/v1/contacts/{marie}", f"/v1/contexts/{marie}", f"/v1/contacts/{marie}/export"):
        assert (await rest.ask("GET", path)).status_code == 404
    assert (await rest.ask("GET", "/v1/contacts")).json()["items"] == []
    assert await rest.services.boxes.for_caller(PARK, phone=PHONE) is None


async def test_erasing_needs_a_scope_of_its_own(rest: RestServer) -> None:
    marie = await added(rest)
    writer = await rest.key_with(Scope.CONTACTS_READ, Scope.CONTACTS_WRITE)
    refused = await rest.client.delete(f"/v1/contacts/{marie['id']}", headers=writer)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    reader = await rest.key_with(Scope.CONTACTS_READ)
    assert (await rest.client.get(f"/v1/contexts/{marie['id']}", headers=reader)).status_code == 200
    refused = await rest.client.post(f"/v1/contexts/{marie['id']}/transitions", headers=reader, json={})
    assert refused.status_code == 403


async def test_a_box_tells_its_state_versions_view_and_next_steps(rest: RestServer) -> None:
    marie = await after_a_call(rest)
    box = (await rest.ask("GET", f"/v1/contexts/{marie}")).json()
    assert (box["state"], box["version"], box["intent"]["name"]) == ("booked", 1, "booking")
    versions = (await rest.ask("GET", f"/v1/contexts/{marie}/versions")).json()["items"]
    assert [(version["version"], version["change"]) for version in versions] == [(1, "call.completed")]
    assert (await rest.ask("GET", f"/v1/contexts/{marie}/versions/1")).json() == box
    for version in ("2", "0", "99999999999999999999"):
        assert (await rest.ask("GET", f"/v1/contexts/{marie}/versions/{version}")).status_code == 404
    view = (await rest.ask("GET", f"/v1/contexts/{marie}/view?budget_tokens=150")).json()
    assert 0 < view["tokens"] <= 150
    assert "<data>Marie Curie</data>" in view["text"]
    predicted = (await rest.ask("GET", f"/v1/contexts/{marie}/prediction")).json()
    assert [action["kind"] for action in predicted["actions"]] == ["keep_promise"]


async def test_a_state_changes_one_listed_step_at_a_time(rest: RestServer) -> None:
    marie = await after_a_call(rest)
    path = f"/v1/contexts/{marie}/transitions"
    refused = await rest.ask("POST", path, json={"to": "active", "reason": "wished"})
    assert (refused.status_code, refused.json()["code"]) == (409, "illegal_transition")
    assert "allowed: won" in refused.json()["detail"]
    tag = {"If-Match": (await rest.ask("GET", f"/v1/contexts/{marie}")).headers["etag"]}
    won = await rest.ask("POST", path, json={"to": "won", "reason": "she signed"}, headers=tag)
    assert (won.status_code, won.json()["state"]) == (200, "won")
    assert won.json()["history"][-1]["actor"] == await key_id(rest)
    late = await rest.ask("POST", path, json={"to": "onboarding", "reason": "go on"}, headers=tag)
    assert (late.status_code, late.json()["code"]) == (412, "changed_meanwhile")


async def test_a_handoff_travels_as_bytes_that_prove_themselves(rest: RestServer) -> None:
    marie = await after_a_call(rest)
    body = {"from_agent": "reception", "to_agent": "billing", "reason": "wants a quote"}
    answer = await rest.ask("POST", f"/v1/contexts/{marie}/handoffs", json=body)
    assert answer.status_code == 201
    package = verify(answer.content)
    assert (package.to_agent, package.contact_id, len(package.commitments)) == ("billing", marie, 2)
    path = f"/v1/contexts/{marie}/handoffs/verify"
    found = await rest.ask("POST", path, json={"package": answer.text})
    assert (found.status_code, found.json()["newest"]) == (200, True)
    damaged = await rest.ask("POST", path, json={"package": answer.text.replace("mornings", "evenings")})
    assert (damaged.status_code, damaged.json()["code"]) == (422, "handoff_damaged")
    other = await added(rest, names=["Paul"])
    foreign = await rest.ask("POST", f"/v1/contexts/{other['id']}/handoffs/verify", json={"package": answer.text})
    assert foreign.json()["code"] == "handoff_damaged"


async def test_a_repeated_handoff_is_one_handoff(rest: RestServer) -> None:
    marie = await after_a_call(rest)
    body = {"from_agent": "reception", "to_agent": "billing", "reason": "wants a quote"}
    key = {"Idempotency-Key": "handoff-1"}
    first, again = [await rest.ask("POST", f"/v1/contexts/{marie}/handoffs", json=body, headers=key) for _ in range(2)]
    assert verify(again.content) == verify(first.content)
    assert (await rest.ask("GET", f"/v1/contexts/{marie}")).json()["version"] == 2


async def test_who_did_what_is_in_the_audit_log_and_nobodys_name(rest: RestServer) -> None:
    marie, other = await added(rest), await added(rest, names=["Mme Curie"])
    path = f"/v1/contexts/{marie['id']}"
    await rest.ask("PATCH", f"/v1/contacts/{marie['id']}", json={"names": ["Marie Skłodowska"]})
    await rest.ask("POST", f"/v1/contacts/{marie['id']}/merge", json={"other_id": other["id"]})
    await rest.ask("POST", f"{path}/transitions", json={"to": "engaged", "reason": "Marie spoke"})
    await rest.ask("POST", f"{path}/handoffs", json={"from_agent": "a", "to_agent": "b", "reason": "Marie asks"})
    await rest.ask("POST", f"{path}/transitions", json={"to": "churned", "reason": "refused"})
    audit = AuditLog(rest.services.store)
    entries = [entry for entry in await audit.entries(PARK, newest_first=False) if entry.target == marie["id"]]
    done = ["contact.created", "contact.changed", "contact.merged", "context.state_changed", "context.handed_off"]
    assert [entry.action for entry in entries] == done
    assert {entry.actor for entry in entries} == {await key_id(rest)}
    assert "Marie" not in repr(entries)


async def test_of_another_tenant_nothing_exists(rest: RestServer) -> None:
    marie = await after_a_call(rest)
    handoff = {"from_agent": "a", "to_agent": "b", "reason": "r"}
    requests: list[tuple[str, str, Any]] = [
        ("GET", f"/v1/contacts/{marie}", None),
        ("PATCH", f"/v1/contacts/{marie}", {"names": ["Thief"]}),
        ("DELETE", f"/v1/contacts/{marie}", None),
        ("GET", f"/v1/contacts/{marie}/export", None),
        ("POST", f"/v1/contacts/{marie}/merge", {"other_id": marie}),
        ("GET", f"/v1/contexts/{marie}", None),
        ("GET", f"/v1/contexts/{marie}/versions", None),
        ("GET", f"/v1/contexts/{marie}/versions/1", None),
        ("GET", f"/v1/contexts/{marie}/view", None),
        ("GET", f"/v1/contexts/{marie}/prediction", None),
        ("POST", f"/v1/contexts/{marie}/transitions", {"to": "won", "reason": "r"}),
        ("POST", f"/v1/contexts/{marie}/handoffs", handoff),
        ("POST", f"/v1/contexts/{marie}/handoffs/verify", {"package": "{}"}),
    ]
    before = await rest.services.boxes.get(PARK, marie)
    for method, path, body in requests:
        theirs = await rest.ask(method, path, as_=LAKE, **({"json": body} if body else {}))
        nobodys = await rest.ask(method, path.replace(marie, "nobody"), as_=LAKE, **({"json": body} if body else {}))
        assert (theirs.status_code, theirs.json()) == (404, nobodys.json()), path
    assert await rest.services.boxes.get(PARK, marie) == before
    assert (await rest.services.contacts.get(PARK, marie)).names == ("Marie Curie",)
