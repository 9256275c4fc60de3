"""Keys and the audit log over REST: the secret once, no more rights than one has, nothing of another tenant."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from context.security.audit_anchors import AnchorFile, AnchorKeeper
from context.security.keys import KeyKind
from context.security.principal import Scope
from context.security.tables import audit_entries
from tests.rest.rest_server import LAKE, PARK, RestServer, rest_server


@pytest.fixture
async def rest(tmp_path: Path) -> AsyncIterator[RestServer]:
    async with rest_server(f"sqlite+aiosqlite:///{tmp_path / 'parley.db'}", tmp_path) as running:
        yield running


async def made(rest: RestServer, **changes: Any) -> dict[str, Any]:
    body = {"name": "site", "scopes": ["calls:read"], **changes}
    answer = await rest.ask("POST", "/v1/keys", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_a_key_made_over_rest_works_and_its_text_is_shown_once(rest: RestServer) -> None:
    new = await made(rest)
    bearer = {"Authorization": f"Bearer {new['key']}"}
    assert (await rest.client.get("/v1/calls", headers=bearer)).status_code == 200
    assert (await rest.client.get("/v1/keys", headers=bearer)).status_code == 403
    shown = await rest.ask("GET", f"/v1/keys/{new['details']['id']}")
    assert shown.json()["scopes"] == ["calls:read"]
    assert new["key"].rpartition("_")[2] not in shown.text


async def test_keys_are_listed_newest_first_page_by_page(rest: RestServer) -> None:
    ids = [(await made(rest, name=f"key {number}"))["details"]["id"] for number in range(5)]
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await rest.ask("GET", f"/v1/keys?limit=2{cursor}")).json()
        seen += [key["id"] for key in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert set(seen) > set(ids)
    assert len(seen) == len(set(seen))


async def test_nobody_gives_away_what_they_may_not_do(rest: RestServer) -> None:
    poor = await rest.key_with(Scope.KEYS_READ, Scope.KEYS_WRITE)
    strong = await made(rest, scopes=["contacts:erase"])
    answer = await rest.client.post("/v1/keys", headers=poor, json={"name": "k", "scopes": ["calls:read"]})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (403, "scopes")
    path = f"/v1/keys/{strong['details']['id']}/rotate"
    assert (await rest.client.post(path, headers=poor, json={})).status_code == 403
    admin = {"name": "k", "scopes": ["server:admin"]}
    assert (await rest.ask("POST", "/v1/keys", json=admin)).status_code == 403


async def test_rotation_and_revocation(rest: RestServer) -> None:
    old = await made(rest)
    path = f"/v1/keys/{old['details']['id']}"
    new = (await rest.ask("POST", f"{path}/rotate", json={"overlap_s": 60})).json()
    again = await rest.ask("POST", f"{path}/rotate", json={})
    assert (again.status_code, again.json()["code"]) == (409, "key_ended")
    revoked = await rest.ask("DELETE", f"/v1/keys/{new['details']['id']}")
    assert revoked.json()["revoked_at"] is not None
    assert await rest.services.keys.authenticate(new["key"], None) is None
    assert await rest.services.keys.authenticate(old["key"], None) is not None


async def test_a_key_that_was_changed_meanwhile_is_not_revoked(rest: RestServer) -> None:
    new = await made(rest)
    path = f"/v1/keys/{new['details']['id']}"
    tag = (await rest.ask("GET", path)).headers["etag"]
    await rest.ask("POST", f"{path}/rotate", json={})
    assert (await rest.ask("DELETE", path, headers={"If-Match": tag})).status_code == 412


async def test_a_repeated_request_makes_one_key(rest: RestServer) -> None:
    body = {"name": "site", "scopes": ["calls:read"]}
    answers = [await rest.ask("POST", "/v1/keys", json=body, headers={"Idempotency-Key": "1"}) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert sum(key.name == "site" for key in await rest.services.keys.list(PARK)) == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "k", "scopes": ["calls:place"], "kind": "widget"}, 422),
        ({"name": "k", "scopes": ["calls:place"], "kind": "widget", "origins": ["not an origin"]}, 422),
        ({"name": "k", "scopes": []}, 400),
        ({"name": "k", "scopes": ["calls:everything"]}, 400),
        ({"name": "k", "scopes": ["calls:read"], "expires_at": "2020-01-01T00:00:00Z"}, 422),
        ({"name": "k", "scopes": ["calls:read"], "more": 1}, 400),
    ],
)
async def test_a_wrong_request_says_what_is_wrong_and_makes_nothing(
    rest: RestServer, body: dict[str, Any], status: int
) -> None:
    before = len(await rest.services.keys.list(PARK))
    answer = await rest.ask("POST", "/v1/keys", json=body)
    assert answer.status_code == status
    assert answer.json()["detail"]
    assert len(await rest.services.keys.list(PARK)) == before


async def test_another_tenants_key_is_not_there(rest: RestServer) -> None:
    mine = (await made(rest))["details"]["id"]
    for method, path in (("GET", mine), ("DELETE", mine), ("POST", f"{mine}/rotate")):
        answer = await rest.ask(method, f"/v1/keys/{path}", as_=LAKE, json={})
        assert (answer.status_code, answer.json()["code"]) == (404, "key_not_found")
    assert (await rest.services.keys.get(PARK, mine)).revoked_at is None


async def test_a_widget_key_opens_no_list(rest: RestServer) -> None:
    key = await rest.key_with(Scope.CALLS_PLACE, kind=KeyKind.WIDGET, origins=("https://park.example",))
    at_home = {**key, "Origin": "https://park.example"}
    assert (await rest.client.get("/v1/keys", headers=at_home)).status_code == 403
    assert (await rest.client.get("/v1/keys", headers={**key, "Origin": "https://evil.example"})).status_code == 401


async def test_the_audit_log_tells_who_did_it_and_whether_it_is_whole(rest: RestServer, tmp_path: Path) -> None:
    new = (await made(rest))["details"]["id"]
    await rest.ask("DELETE", f"/v1/keys/{new}")
    entries = (await rest.ask("GET", f"/v1/audit?target={new}")).json()["items"]
    assert [entry["action"] for entry in entries] == ["key.revoked", "key.created"]
    assert {entry["actor"] for entry in entries} == {rest.keys[PARK].split("_")[1]}
    page = (await rest.ask("GET", "/v1/audit?limit=1")).json()
    older = (await rest.ask("GET", f"/v1/audit?limit=100&cursor={page['next_cursor']}")).json()["items"]
    assert [entry["seq"] for entry in older] == list(range(page["items"][0]["seq"] - 1, 0, -1))
    assert (await rest.ask("GET", f"/v1/audit?target={new}", as_=LAKE)).json()["items"] == []
    assert (await rest.ask("GET", "/v1/audit/verification")).json()["sound"] is True
    async with rest.services.store.tenant(PARK).writing() as transaction:
        await transaction.update(audit_entries, {"actor": "somebody-else"}, audit_entries.c.target == new)
    report = (await rest.ask("GET", "/v1/audit/verification")).json()
    assert (report["sound"], {fault["kind"] for fault in report["faults"]}) == (False, {"changed"})


async def test_the_check_over_rest_uses_the_anchors_of_the_server(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'parley.db'}"
    async with rest_server(url, tmp_path) as before:
        keeper = AnchorKeeper(before.services.store, before.services.keys.audit, AnchorFile(tmp_path))
        assert await keeper.advance() == []
    async with rest_server(f"{url}.other", tmp_path / "..", anchors=keeper) as rest:  # a database of another past
        report = (await rest.ask("GET", "/v1/audit/verification")).json()
        assert "anchor" in {fault["kind"] for fault in report["faults"]}
