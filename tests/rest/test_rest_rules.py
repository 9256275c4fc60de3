"""What holds for every address: who may ask, how often, how errors look, what is not sent twice."""

import ast
import asyncio
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import server.rest
from context.erasure.registry import Subject
from context.idempotency.personal_data import IdempotencyPersonalData
from context.idempotency.store import ABANDONED_S, KEPT_S, Answer, IdempotentRequests, Refused, Sealer, Taken
from context.security.principal import Scope
from context.security.rate_limit import Limit
from context.tenants.lifecycle import Change
from server.rest.api import rest_app
from server.rest.paging import decode_cursor, encode_cursor
from server.rest.problems import CODE_OF_STATUS, Problem
from server.rest.services import RestLimits, ServiceDoor
from tests.rest.rest_server import LAKE, PARK, RestServer, rest_server

CODES = {
    "bad_audio", "bad_json", "bad_request", "body_too_large", "booking_cancelled", "busy", "changed_meanwhile",
    "event_exists", "forbidden", "idempotency_answer_gone", "idempotency_in_progress", "idempotency_key_reused",
    "internal", "invalid", "managed_by_file", "method_not_allowed", "not_found", "number_taken", "persona_needed",
    "plan_limit", "range_not_satisfiable", "rate_limited", "session_required", "slot_taken", "starting",
    "tenant_required", "too_many_streams", "unauthorized", "unavailable", "unsupported_media_type",
}  # fmt: skip
"""Codes that REST itself answers with: programs rely on them, so none is renamed or removed."""


def codes_in_the_source() -> set[str]:
    """The second argument of every `Problem(...)` of the package."""
    found: set[str] = set()
    for path in Path(server.rest.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Problem":
                code = node.args[1] if len(node.args) > 1 else None
                if isinstance(code, ast.Constant):
                    found.add(str(code.value))
    return found


def test_every_error_code_is_known_here() -> None:
    assert codes_in_the_source() | set(CODE_OF_STATUS.values()) == CODES, "programs rely on this list: only add to it"


async def test_before_the_engines_are_loaded_it_says_when_to_come_back() -> None:
    transport = httpx.ASGITransport(app=rest_app(ServiceDoor()))  # pyright: ignore[reportArgumentType]
    async with httpx.AsyncClient(transport=transport, base_url="http://parley.local") as client:
        answer = await client.get("/v1/calls", headers={"Authorization": "Bearer pk_x"})
    assert (answer.status_code, answer.json()["code"]) == (503, "starting")
    assert int(answer.headers["retry-after"]) > 0


async def test_without_a_key_that_opens_something_nothing_is_shown(rest: RestServer) -> None:
    for headers in ({}, {"Authorization": "Bearer pk_wrong"}, {"Authorization": "Basic abc"}, {"Cookie": "parley=x"}):
        answer = await rest.client.get("/v1/calls", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_key_does_what_its_scopes_say_and_no_more(rest: RestServer) -> None:
    key = await rest.key_with(Scope.BOOKINGS_READ)
    assert (await rest.client.get("/v1/bookings", headers=key)).status_code == 200
    refused = await rest.client.get("/v1/calls", headers=key)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert "calls:read" in refused.json()["detail"]


async def test_an_operator_names_the_tenant_it_means(rest: RestServer) -> None:
    await rest.call_made()
    assert (await rest.ask("GET", "/v1/calls", as_="")).json()["code"] == "tenant_required"
    for tenant_id, found in ((PARK, 1), (LAKE, 0)):
        answer = await rest.ask("GET", "/v1/calls", as_="", headers={"Parley-Tenant": tenant_id})
        assert len(answer.json()["items"]) == found
    for key, named in (("", "nobody"), (PARK, LAKE)):
        assert (await rest.ask("GET", "/v1/calls", as_=key, headers={"Parley-Tenant": named})).status_code == 404


async def test_a_suspended_tenants_key_opens_nothing(rest: RestServer) -> None:
    await rest.services.stored_tenants.change(PARK, Change.SUSPEND, actor="test")
    await rest.services.tenants.refresh()
    answer = await rest.ask("GET", "/v1/calls")
    assert (answer.status_code, answer.json()["code"]) == (403, "tenant_suspended")
    assert (await rest.ask("GET", "/v1/calls", as_=LAKE)).status_code == 200


async def test_a_key_has_what_its_plan_allows_and_strangers_what_their_address_has(
    sqlite_url: str, tmp_path: Path
) -> None:
    limits = RestLimits(per_address=Limit(2, 60))
    async with rest_server(sqlite_url, tmp_path, limits=limits, a_minute=3) as rest:
        statuses = [(await rest.ask("GET", "/v1/usage")).status_code for _ in range(5)]
        assert statuses == [200, 200, 200, 429, 429]
        assert (await rest.ask("GET", "/v1/usage", as_=LAKE)).status_code == 200
        guesses = [await rest.client.get("/v1/usage", headers={"Authorization": f"Bearer pk_{n}"}) for n in range(4)]
        assert [answer.status_code for answer in guesses] == [401, 401, 429, 429]
        assert 1 <= int(guesses[-1].headers["retry-after"]) <= 60


async def test_every_answer_tells_browsers_to_be_careful(rest: RestServer) -> None:
    for path in ("/v1/calls", "/v1/nothing", "/nothing", "/schema"):
        answer = await rest.ask("GET", path)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/v1/calls/a%00b", 404, "not_found"),
        ("GET", "/v1/calls?cursor=%00", 400, "invalid"),
        ("GET", "/v1/calls?cursor=nonsense", 400, "invalid"),
        ("GET", "/v1/calls?limit=1000", 400, "invalid"),
        ("DELETE", "/v1/calls", 405, "method_not_allowed"),
    ],
)
async def test_an_odd_request_gets_a_plain_answer(
    rest: RestServer, method: str, path: str, status: int, code: str
) -> None:
    answer = await rest.ask(method, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_body_that_is_too_large_or_no_json_is_refused(rest: RestServer) -> None:
    large = await rest.ask("POST", "/v1/respond", json={"text": "x" * 1_000_001})
    assert (large.status_code, large.json()["code"]) == (413, "body_too_large")
    for content, media_type, status in ((b"{", "application/json", 400), (b"{}", "text/plain", 415)):
        answer = await rest.ask("POST", "/v1/respond", content=content, headers={"Content-Type": media_type})
        assert answer.status_code == status


async def test_what_fails_unforeseen_is_told_without_details(rest: RestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise KeyError("a secret of the house")

    monkeypatch.setattr(rest.services.calls, "page", broken)
    answer = await rest.ask("GET", "/v1/calls")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "secret" not in answer.text


async def test_who_has_the_newest_is_told_so_in_few_bytes(rest: RestServer) -> None:
    first = await rest.ask("GET", "/v1/calls")
    again = await rest.ask("GET", "/v1/calls", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    await rest.call_made()
    newer = await rest.ask("GET", "/v1/calls", headers={"If-None-Match": first.headers["etag"]})
    assert newer.status_code == 200
    assert newer.headers["etag"] != first.headers["etag"]


@given(st.lists(st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()), max_size=4))
def test_a_cursor_brings_back_what_it_was_made_of(key: list[str | int | float]) -> None:
    if any(isinstance(part, str) and "\0" in part for part in key):
        return
    assert decode_cursor(encode_cursor(tuple(key))) == tuple(key)


@given(st.text(max_size=50))
def test_any_text_is_a_cursor_or_a_problem(text: str) -> None:
    try:
        decode_cursor(text)
    except Problem as problem:
        assert_refused(problem)


def assert_refused(problem: Problem) -> None:
    assert problem.status == 400


async def test_of_twenty_alike_requests_at_once_one_is_done(rest_on_each: RestServer) -> None:
    rest = rest_on_each
    body = {"service_id": "cleaning", "starts_at": "2026-11-24T10:00:00+01:00", "name": "Ann", "phone": "0612345678"}
    once = {"Idempotency-Key": "same"}
    answers = await asyncio.gather(*(rest.ask("POST", "/v1/bookings", json=body, headers=once) for _ in range(20)))
    made = {answer.json()["id"] for answer in answers if answer.status_code == 201}
    assert len(made) == 1
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert all(answer.json()["code"] == "idempotency_in_progress" for answer in answers if answer.status_code == 409)


async def test_a_key_of_one_tenant_says_nothing_to_another(rest: RestServer) -> None:
    once = {"Idempotency-Key": "same"}
    for tenant_id in (PARK, LAKE):
        answer = await rest.ask("POST", "/v1/respond", json={"text": "Hello"}, as_=tenant_id, headers=once)
        assert "idempotency-replayed" not in answer.headers


async def test_a_kept_answer_cannot_be_read_without_the_key_and_is_dropped_by_an_erasure(rest: RestServer) -> None:
    requests = rest.services.idempotency
    mine, other = Sealer("credential", "key"), Sealer("another", "key")
    answer = Answer(201, (("a", "b"),), b"a new key pk_secret")
    taken = await requests.take(PARK, mine, b"POST")
    assert isinstance(taken, Taken)
    assert await requests.take(PARK, mine, b"POST") is Refused.STILL_RUNNING
    await requests.keep(PARK, mine, taken, answer)
    assert await requests.take(PARK, mine, b"POST") == answer
    assert await requests.take(PARK, mine, b"POST other") is Refused.OTHER_REQUEST
    assert other.opened(mine.sealed(answer)) is None
    assert b"pk_secret" not in (Path(rest.services.recordings).parent / "parley.db-wal").read_bytes()
    async with rest.services.store.tenant(PARK).writing() as transaction:
        assert await IdempotencyPersonalData().erase(transaction, Subject("c1")) == 1
    assert await requests.take(PARK, mine, b"POST") is Refused.ANSWER_GONE


async def test_a_request_whose_process_died_is_done_again_later_and_forgotten_in_a_day(rest: RestServer) -> None:
    requests: IdempotentRequests = rest.services.idempotency
    sealer = Sealer("credential", "key")
    first = await requests.take(PARK, sealer, b"POST")
    rest.clock.pass_s(ABANDONED_S)
    second = await requests.take(PARK, sealer, b"POST")
    assert isinstance(second, Taken)
    assert isinstance(first, Taken)
    await requests.keep(PARK, sealer, first, Answer(200, (), b"late"))
    assert await requests.take(PARK, sealer, b"POST") is Refused.STILL_RUNNING, "who died must not answer any more"
    await requests.keep(PARK, sealer, second, Answer(200, (), b"done"))
    assert await requests.take(PARK, sealer, b"POST") == Answer(200, (), b"done")
    rest.clock.pass_s(KEPT_S + 1)
    assert isinstance(await requests.take(PARK, sealer, b"other"), Taken)
