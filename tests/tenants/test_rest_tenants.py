"""Tenants over REST: the operator makes and ends them, an admin sees and changes its own and no other."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from context.security.principal import Scope
from tests.rest.rest_server import LAKE, PARK, RestServer, rest_server

NEW = {"name": "Cabinet Lumière", "sector": "dentiste", "number": "01 86 95 01 50", "origin": "https://lumiere.example"}


@pytest.fixture
async def rest(migrated_file: Path, tmp_path: Path) -> AsyncIterator[RestServer]:
    shutil.copy(migrated_file, tmp_path / "parley.db")
    async with rest_server(f"sqlite+aiosqlite:///{tmp_path / 'parley.db'}", tmp_path) as running:
        yield running


async def made(rest: RestServer, **changes: Any) -> dict[str, Any]:
    answer = await rest.ask("POST", "/v1/tenants", as_="", json={**NEW, **changes})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_the_operator_makes_a_tenant_whose_key_works_at_once(rest: RestServer) -> None:
    tenant = await made(rest)
    assert tenant["tenant_id"] == "cabinet-lumiere"
    assert tenant["archetype"] == "DENTAL"
    assert tenant["widget_key"] in tenant["snippet"]
    rest.keys["new"] = tenant["api_key"]
    own = await rest.ask("GET", "/v1/tenants/cabinet-lumiere", as_="new")
    assert own.json()["config"]["numbers"] == ["+33186950150"]
    assert own.json()["state"] == "trial"
    slots = await rest.ask(
        "GET", "/v1/bookings/slots", as_="new", params={"service_id": "cleaning", "day": "2026-11-24"}
    )
    assert slots.json()["starts"]


async def test_only_the_operator_lists_makes_and_ends_tenants(rest: RestServer) -> None:
    everything = [tenant["id"] for tenant in (await rest.ask("GET", "/v1/tenants", as_="")).json()["items"]]
    assert everything == [LAKE, PARK]
    for method, path, body in (
        ("GET", "/v1/tenants", None),
        ("POST", "/v1/tenants", NEW),
        ("DELETE", f"/v1/tenants/{PARK}", None),
        ("POST", f"/v1/tenants/{PARK}/suspend", {}),
    ):
        assert (await rest.ask(method, path, json=body)).status_code == 403


async def test_pages_of_tenants_follow_one_another(rest: RestServer) -> None:
    first = (await rest.ask("GET", "/v1/tenants", as_="", params={"limit": 1})).json()
    assert [tenant["id"] for tenant in first["items"]] == [LAKE]
    second = (await rest.ask("GET", "/v1/tenants", as_="", params={"cursor": first["next_cursor"]})).json()
    assert ([tenant["id"] for tenant in second["items"]], second["next_cursor"]) == ([PARK], None)


async def test_another_tenant_does_not_exist(rest: RestServer) -> None:
    absent = await rest.ask("GET", "/v1/tenants/nobody")
    for method, body in (("GET", None), ("PATCH", {"name": "Mine now"})):
        answer = await rest.ask(method, f"/v1/tenants/{LAKE}", json=body)
        assert answer.status_code == 404
        assert answer.json() == absent.json()
    assert (await rest.ask("GET", f"/v1/tenants/{LAKE}", as_=LAKE)).json()["config"]["name"] == "Clinique du Parc"


async def test_an_admin_changes_its_own_configuration_and_the_next_call_has_it(rest: RestServer) -> None:
    body = {"address": {"en": "1 Lake Road"}, "languages": ["en"], "terms": []}
    answer = await rest.ask("PATCH", f"/v1/tenants/{PARK}", json=body)
    assert (answer.status_code, answer.json()["version"]) == (200, 2)
    in_use = rest.services.tenants.by_id(PARK)
    assert in_use
    assert in_use.address == {"en": "1 Lake Road"}


async def test_a_wrong_value_is_named_with_what_is_allowed_and_changes_nothing(rest: RestServer) -> None:
    answer = await rest.ask("PATCH", f"/v1/tenants/{PARK}", json={"timezone": "Europe/Pari", "currency": "EURO"})
    assert answer.status_code == 422
    errors = {error["field"]: error for error in answer.json()["errors"]}
    assert "Europe/Paris" in errors["timezone"]["allowed"]
    assert errors["currency"]["value"] == "'EURO'"
    assert (await rest.ask("GET", f"/v1/tenants/{PARK}")).json()["version"] == 1


async def test_a_pasted_engine_key_is_refused_and_not_repeated(rest: RestServer) -> None:
    answer = await rest.ask("PATCH", f"/v1/tenants/{PARK}", json={"engine_keys": {"deepgram": "sk-my-real-key"}})
    assert answer.status_code == 422
    assert "vault:deepgram" in answer.text
    assert "sk-my-real-key" not in answer.text


async def test_two_editors_do_not_overwrite_each_other(rest: RestServer) -> None:
    seen = await rest.ask("GET", f"/v1/tenants/{PARK}")
    first = await rest.ask(
        "PATCH", f"/v1/tenants/{PARK}", json={"email": "a@park.example"}, headers={"If-Match": seen.headers["etag"]}
    )
    second = await rest.ask(
        "PATCH", f"/v1/tenants/{PARK}", json={"email": "b@park.example"}, headers={"If-Match": seen.headers["etag"]}
    )
    assert (first.status_code, second.status_code) == (200, 412)
    assert (await rest.ask("GET", f"/v1/tenants/{PARK}")).json()["config"]["email"] == "a@park.example"


async def test_a_tenant_cannot_give_itself_a_plan(rest: RestServer) -> None:
    assert (await rest.ask("PATCH", f"/v1/tenants/{PARK}", json={"plan": "expert"})).status_code == 403
    by_operator = await rest.ask("PATCH", f"/v1/tenants/{PARK}", as_="", json={"plan": "expert"})
    assert by_operator.json()["config"]["plan"] == "expert"


async def test_a_suspended_tenants_keys_open_nothing_until_it_is_resumed(rest: RestServer) -> None:
    await rest.ask("POST", f"/v1/tenants/{PARK}/suspend", as_="", json={"reason": "invoice overdue"})
    refused = await rest.ask("GET", "/v1/calls")
    assert (refused.status_code, refused.json()["code"]) == (403, "tenant_suspended")
    assert (await rest.ask("GET", "/v1/calls", as_=LAKE)).status_code == 200
    resumed = await rest.ask("POST", f"/v1/tenants/{PARK}/resume", as_="", json={})
    assert resumed.json()["state"] == "active"
    assert (await rest.ask("GET", "/v1/calls")).status_code == 200


async def test_a_change_that_the_state_does_not_allow_says_what_it_allows(rest: RestServer) -> None:
    answer = await rest.ask("POST", f"/v1/tenants/{PARK}/resume", as_="", json={})
    assert (answer.status_code, answer.json()["code"]) == (409, "tenant_state")
    assert "suspend" in answer.json()["detail"]


async def test_a_removed_tenant_leaves_a_certificate_and_nothing_else(rest: RestServer) -> None:
    await rest.call_made("call-1")
    removed = await rest.ask("DELETE", f"/v1/tenants/{PARK}", as_="")
    assert removed.status_code == 200, removed.text
    assert removed.json()["rows"]["calls"] == 1
    assert removed.json()["files"] == 1
    again = await rest.ask("DELETE", f"/v1/tenants/{PARK}", as_="")
    assert again.json() == removed.json()
    assert (await rest.ask("GET", "/v1/calls")).status_code == 401
    assert (await rest.ask("GET", f"/v1/tenants/{PARK}", as_="")).status_code == 404


async def test_numbers_reach_one_tenant_only(rest: RestServer) -> None:
    added = await rest.ask("POST", "/v1/numbers", json={"number": "01 86 95 01 60"})
    assert added.json() == {"number": "+33186950160"}
    clash = await rest.ask("POST", "/v1/numbers", as_=LAKE, json={"number": "+33186950160"})
    assert (clash.status_code, clash.json()["code"]) == (409, "number_taken")
    found = rest.services.tenants.by_number("tel:+33186950160")
    assert found
    assert found.id == PARK
    assert (await rest.ask("DELETE", "/v1/numbers/+33186950160", as_=LAKE)).status_code == 404
    assert (await rest.ask("DELETE", "/v1/numbers/+33186950160")).status_code == 200
    assert rest.services.tenants.by_number("+33186950160") is None
    assert (await rest.ask("POST", "/v1/numbers", as_=LAKE, json={"number": "+33186950160"})).status_code == 201


@pytest.mark.parametrize(
    ("path", "body"),
    [("/v1/numbers", {"number": "reception"}), ("/v1/origins", {"origin": "ftp://park.example"})],
)
async def test_what_is_no_number_or_origin_is_refused(rest: RestServer, path: str, body: dict[str, str]) -> None:
    answer = await rest.ask("POST", path, json=body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, next(iter(body)))


async def test_origins_come_and_go_within_the_plan(rest: RestServer) -> None:
    assert (await rest.ask("POST", "/v1/origins", json={"origin": "https://Park.example:443/x"})).status_code == 201
    await rest.ask("POST", "/v1/origins", json={"origin": "https://www.park.example"})
    listed = [one["origin"] for one in (await rest.ask("GET", "/v1/origins")).json()]
    assert listed == ["https://park.example", "https://www.park.example"]
    await rest.ask("DELETE", "/v1/origins", params={"origin": "https://park.example"})
    assert [one["origin"] for one in (await rest.ask("GET", "/v1/origins")).json()] == ["https://www.park.example"]


async def test_a_persona_of_one_channel_leaves_the_others_alone(rest: RestServer) -> None:
    persona = {"id": "shop", "name": "Lina", "archetype": "UNIVERSAL_ECOMMERCE", "greeting": {"en": "Hello, the shop."}}
    put = await rest.ask("PUT", "/v1/personas/widget_ecom", json=persona)
    assert put.status_code == 200, put.text
    assert put.json()["resolved"]["framework"] == "AIDA"
    listed = {one["place"]: one["resolved"]["archetype"] for one in (await rest.ask("GET", "/v1/personas")).json()}
    assert (listed["phone"], listed["widget_ecom"]) == ("DENTAL", "UNIVERSAL_ECOMMERCE")
    gone = await rest.ask("DELETE", "/v1/personas/widget_ecom")
    assert gone.json()["own"] is None
    assert (await rest.ask("DELETE", "/v1/personas/widget_ecom")).status_code == 404
    assert (await rest.ask("DELETE", "/v1/personas/default")).status_code == 409


async def test_the_operators_own_archetype_is_not_for_tenants(rest: RestServer) -> None:
    persona = {"id": "a", "name": "A", "archetype": "AGENCY", "greeting": {"en": "Hello."}}
    assert (await rest.ask("PUT", "/v1/personas/default", json=persona)).status_code == 403
    wrong = await rest.ask("PUT", "/v1/personas/default", json={**persona, "archetype": "DENTIST"})
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "persona.archetype")


async def test_archetypes_are_shown_with_their_words(rest: RestServer) -> None:
    assert len((await rest.ask("GET", "/v1/archetypes")).json()) == 40
    dental = (await rest.ask("GET", "/v1/archetypes/DENTAL")).json()
    assert dental["escalations"][0]["message"]["fr"].startswith("Je suis désolée")
    assert (await rest.ask("GET", "/v1/archetypes/WIZARD")).status_code == 404


async def test_a_tenant_of_a_file_is_shown_and_not_changed(rest: RestServer, tmp_path: Path) -> None:
    text = (Path(__file__).parent.parent.parent / "agents/demo/clinique_du_parc.yaml").read_text(encoding="utf-8")
    (tmp_path / "tenants").mkdir(exist_ok=True)
    (tmp_path / "tenants" / "demo.yaml").write_text(text, encoding="utf-8")
    await rest.services.tenants.refresh()
    shown = await rest.ask("GET", "/v1/tenants/clinique_du_parc", as_="")
    assert shown.json()["managed_by"] == "file"
    for method, path, body in (
        ("PATCH", "", {"name": "X"}),
        ("POST", "/suspend", {}),
        ("DELETE", "", None),
    ):
        answer = await rest.ask(method, f"/v1/tenants/clinique_du_parc{path}", as_="", json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "managed_by_file")
    clash = await rest.ask("POST", "/v1/tenants", as_="", json={**NEW, "id": "clinique_du_parc"})
    assert (clash.status_code, clash.json()["code"]) == (409, "tenant_exists")


async def test_a_reader_may_look_and_not_touch(rest: RestServer) -> None:
    reader = await rest.key_with(Scope.TENANT_READ)
    assert (await rest.client.get("/v1/numbers", headers=reader)).status_code == 200
    assert (await rest.client.post("/v1/numbers", headers=reader, json={"number": "+33186950160"})).status_code == 403
