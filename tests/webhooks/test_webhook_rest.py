"""Webhooks as a tenant's own program sees them: over REST, with a key."""

import base64
import hashlib
import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from aiohttp import web
from litestar import Litestar

from context.security.principal import Scope
from context.security.vault_opening import open_vault
from context.store.database import Store
from context.users.sessions import COOKIE, csrf_token
from context.webhooks.signature import verify
from server.webhooks_page import webhooks_page
from tests.rest.rest_server import LAKE, PARK, RestServer, rest_server
from tests.webhooks.receiver import Receiver
from tests.webhooks.tenant import Tenant


@pytest.fixture
async def park(store: Store, tmp_path: Path) -> AsyncIterator[Tenant]:
    made = Tenant(store, PARK, vault=open_vault(store, tmp_path, {}))  # as the server opens it
    yield made
    await made.sender.aclose()


@pytest.fixture
async def rest(store: Store, tmp_path: Path, park: Tenant) -> AsyncIterator[RestServer]:
    url = f"sqlite+aiosqlite:///{tmp_path / 'parley.db'}"
    async with rest_server(url, tmp_path, webhooks=park.webhooks) as running:
        yield running


async def made(rest: RestServer, url: str, types: tuple[str, ...] = ("*",)) -> dict[str, str]:
    """A webhook over REST."""
    answer = await rest.ask("POST", "/v1/webhooks", json={"url": url, "types": list(types)})
    assert answer.status_code == 201
    return answer.json()["webhook"]


async def test_a_webhook_is_made_receives_and_its_secret_is_shown_once(
    rest: RestServer, park: Tenant, receiver: Receiver
) -> None:
    body = {"url": receiver.url, "types": ["call.*"], "description": "CRM"}
    answer = await rest.ask("POST", "/v1/webhooks", json=body)
    assert answer.status_code == 201, answer.text
    secret, webhook = answer.json()["secret"], answer.json()["webhook"]
    assert {name: webhook[name] for name in body} == body
    assert (webhook["state"], webhook["failing_since"], webhook["previous_secret_until"]) == ("active", None, None)
    await park.happens("call.completed")
    await park.send()
    (request,) = receiver.received
    verify(secret, request.headers, request.body, park.clock.now_s)
    for path in ("/v1/webhooks", f"/v1/webhooks/{webhook['id']}", "/v1/webhooks/deliveries"):
        shown = await rest.ask("GET", path)
        assert shown.status_code == 200
        assert secret not in shown.text
    assert (await rest.ask("GET", "/v1/webhooks")).json() == {"items": [webhook], "next_cursor": None}


async def test_a_webhook_that_is_made_twice_with_one_idempotency_key_is_made_once(
    rest: RestServer, receiver: Receiver
) -> None:
    body, once = {"url": receiver.url, "types": ["*"]}, {"Idempotency-Key": "once"}
    first, second = [await rest.ask("POST", "/v1/webhooks", json=body, headers=once) for _ in range(2)]
    assert first.json() == second.json()
    assert len((await rest.ask("GET", "/v1/webhooks")).json()["items"]) == 1


REFUSED: list[tuple[dict[str, object], int, str]] = [
    ({"url": "http://hooks.example/", "types": ["*"]}, 422, "url"),
    ({"url": "https://10.0.0.1/", "types": ["*"]}, 422, "url"),
    ({"url": "https://169.254.169.254/latest/meta-data", "types": ["*"]}, 422, "url"),
    ({"url": "https://nobody.example/", "types": ["*"]}, 422, "url"),
    ({"url": "https://[2606:2800:220:1::1]/", "types": ["no pattern"]}, 422, "types"),
    ({"url": "", "types": ["*"]}, 400, "url"),
    ({"url": "https://hooks.example/", "types": []}, 400, "types"),
    ({"url": "https://hooks.example/", "types": [""]}, 400, "types[0]"),
    ({"url": "https://hooks.example/", "types": ["*"], "descriptoin": "x"}, 400, "$"),
    ({"url": "https://hooks.example/"}, 400, "$"),
]


async def test_what_cannot_be_a_webhook_is_refused_with_the_field_that_is_wrong(rest: RestServer) -> None:
    for body, status, field in REFUSED:
        answer = await rest.ask("POST", "/v1/webhooks", json=body)
        assert answer.status_code == status, body
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert (await rest.ask("GET", "/v1/webhooks")).json()["items"] == []


async def test_a_webhook_is_changed_paused_and_made_active_by_whoever_saw_it_last(
    rest: RestServer, receiver: Receiver
) -> None:
    path = f"/v1/webhooks/{(await made(rest, receiver.url))['id']}"
    tag = (await rest.ask("GET", path)).headers["ETag"]
    changed = await rest.ask("PATCH", path, json={"types": ["lead.*"], "state": "paused"}, headers={"If-Match": tag})
    assert (changed.json()["types"], changed.json()["state"]) == (["lead.*"], "paused")
    late = await rest.ask("PATCH", path, json={"state": "active"}, headers={"If-Match": tag})
    assert late.status_code == 412
    assert (await rest.ask("PATCH", path, json={"state": "active"})).json()["state"] == "active"
    assert (await rest.ask("PATCH", path, json={"state": "disabled"})).status_code == 400
    assert (await rest.ask("DELETE", path, headers={"If-Match": tag})).status_code == 412
    assert (await rest.ask("DELETE", path)).status_code == 204
    assert (await rest.ask("DELETE", path)).status_code == 404


async def test_a_secret_is_replaced_over_rest(rest: RestServer, park: Tenant, receiver: Receiver) -> None:
    created = (await rest.ask("POST", "/v1/webhooks", json={"url": receiver.url, "types": ["*"]})).json()
    path = f"/v1/webhooks/{created['webhook']['id']}/rotate"
    rotated = (await rest.ask("POST", path, json={"overlap_s": 60})).json()
    assert rotated["webhook"]["previous_secret_until"] is not None
    assert (await rest.ask("POST", path, json={"overlap_s": -1})).status_code == 400
    await park.happens()
    await park.send()
    for secret in (created["secret"], rotated["secret"]):
        verify(secret, receiver.received[0].headers, receiver.received[0].body, park.clock.now_s)


async def test_a_test_shows_what_came_back_and_the_log_is_paged_filtered_and_sent_again(
    rest: RestServer, park: Tenant, receiver: Receiver
) -> None:
    webhook = await made(rest, receiver.url)
    receiver.answer(web.Response(status=403, text="who are you?"), 200)
    tested = (await rest.ask("POST", f"/v1/webhooks/{webhook['id']}/test")).json()
    assert (tested["origin"], tested["state"], tested["next_attempt_at"]) == ("test", "failed", None)
    assert (tested["attempts"][0]["status"], tested["attempts"][0]["response"]) == (403, "who are you?")
    for number in range(4):
        park.clock.now_s += 1
        await park.happens(number=number)
    await park.send()
    first = (await rest.ask("GET", "/v1/webhooks/deliveries?limit=3")).json()
    second = (await rest.ask("GET", f"/v1/webhooks/deliveries?limit=3&cursor={first['next_cursor']}")).json()
    assert [each["event_id"] for each in first["items"]] == [f"call.completed-{number}" for number in (3, 2, 1)]
    assert [each["id"] for each in second["items"]][-1] == tested["id"]
    assert second["next_cursor"] is None
    failed = (await rest.ask("GET", f"/v1/webhooks/deliveries?state=failed&webhook_id={webhook['id']}")).json()
    assert [each["id"] for each in failed["items"]] == [tested["id"]]

    again = await rest.ask("POST", f"/v1/webhooks/deliveries/{first['items'][0]['id']}/redeliver")
    assert (again.status_code, again.json()["origin"], again.json()["state"]) == (201, "redelivery", "pending")
    await park.send()
    one = (await rest.ask("GET", f"/v1/webhooks/deliveries/{again.json()['id']}")).json()
    assert (one["state"], len(one["attempts"]), one["event_id"]) == ("delivered", 1, "call.completed-3")


async def test_what_cannot_be_sent_again_says_why(rest: RestServer, park: Tenant, receiver: Receiver) -> None:
    webhook = await made(rest, receiver.url)
    await park.happens()
    await park.send()
    (delivery,) = await park.log()
    await rest.ask("PATCH", f"/v1/webhooks/{webhook['id']}", json={"state": "paused"})
    refused = await rest.ask("POST", f"/v1/webhooks/deliveries/{delivery.id}/redeliver")
    assert (refused.status_code, refused.json()["code"]) == (409, "webhook_state")


async def test_a_tenant_that_has_every_endpoint_it_may_have_gets_409(rest: RestServer, receiver: Receiver) -> None:
    for _ in range(10):
        await made(rest, receiver.url)
    answer = await rest.ask("POST", "/v1/webhooks", json={"url": receiver.url, "types": ["*"]})
    assert (answer.status_code, answer.json()["code"]) == (409, "webhook_limit")


async def test_another_tenants_webhooks_are_not_there(rest: RestServer, park: Tenant, receiver: Receiver) -> None:
    webhook = await made(rest, receiver.url)
    await park.happens()
    await park.send()
    (delivery,) = await park.log()
    one, log = f"/v1/webhooks/{webhook['id']}", f"/v1/webhooks/deliveries/{delivery.id}"
    attempts = [
        ("GET", one, None),
        ("PATCH", one, {"state": "paused"}),
        ("POST", f"{one}/rotate", {}),
        ("POST", f"{one}/test", None),
        ("DELETE", one, None),
        ("GET", log, None),
        ("POST", f"{log}/redeliver", None),
    ]
    for method, path, body in attempts:
        answer = await rest.ask(method, path, as_=LAKE, json=body)
        unknown = await rest.ask(method, path.replace(webhook["id"], "we_0").replace(delivery.id, "wd_0"), json=body)
        assert answer.status_code == unknown.status_code == 404, (method, path)
        assert answer.json()["code"] == unknown.json()["code"]
    for path in ("/v1/webhooks", f"/v1/webhooks/deliveries?webhook_id={webhook['id']}"):
        assert (await rest.ask("GET", path, as_=LAKE)).json()["items"] == []
    assert (await rest.ask("GET", one)).json() == webhook
    assert len(receiver.received) == 1


async def test_reading_needs_one_scope_and_changing_another(rest: RestServer, receiver: Receiver) -> None:
    webhook = await made(rest, receiver.url)
    reader = await rest.key_with(Scope.WEBHOOKS_READ)
    stranger = await rest.key_with(Scope.CALLS_READ)
    path = f"/v1/webhooks/{webhook['id']}"
    assert (await rest.client.get(path, headers=reader)).status_code == 200
    assert (await rest.client.post(f"{path}/test", headers=reader)).status_code == 403
    assert (await rest.client.get(path, headers=stranger)).status_code == 403
    assert (await rest.client.get(path)).status_code == 401


class Labelled(HTMLParser):
    """What a page lets in and says to those who cannot see it."""

    def __init__(self) -> None:
        super().__init__()
        self.outside: list[str] = []
        self.handlers: list[str] = []
        self.language = ""
        self.inputs = self.labels = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("src", "href", "action") and not (value or "").startswith("data:"):
                self.outside.append(f"{tag} {value}")
            if name.startswith("on") or name == "style":
                self.handlers.append(f"{tag} {name}")
            if (tag, name) == ("html", "lang"):
                self.language = value or ""
        self.inputs += tag in ("input", "select")
        self.labels += tag == "label"


async def test_the_page_holds_all_it_needs_and_its_policy_allows_that_and_nothing_else() -> None:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(Litestar([webhooks_page()], openapi_config=None)),  # pyright: ignore[reportArgumentType]
        base_url="http://parley.local",
    ) as client:
        answer = await client.get("/webhooks")
        signed_in = await client.get("/webhooks", headers={"Cookie": f"{COOKIE}=session"})
    assert answer.headers["Content-Type"].startswith("text/html")
    policy = answer.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    for kind in ("script", "style"):
        (content,) = re.findall(rf"<{kind}>(.*?)</{kind}>", answer.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    page = Labelled()
    page.feed(answer.text)
    assert (page.outside, page.handlers, page.language) == ([], [], "en")
    assert page.inputs == page.labels > 0
    assert "innerHTML" not in answer.text
    assert 'data-csrf=""' in answer.text
    assert f'data-csrf="{csrf_token("session")}"' in signed_in.text
    assert signed_in.headers["Cache-Control"] == "no-store"
