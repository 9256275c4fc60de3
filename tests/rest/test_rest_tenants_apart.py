"""Every address of the API, asked with the other tenant's key for the first tenant's things.

Made from the schema: a new resource is in here by itself, and fails until somebody says how one of its ids is made. The
answer is 404, or the asker's own, and not a byte of the first tenant's data changes.
"""

import asyncio
import re
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import httpx
import msgspec
import pytest

from context.security.principal import Role, Scope
from context.store.schema import whole_schema
from server.rest.api import resource_examples, rest_app
from server.rest.schema import described
from server.rest.services import ServiceDoor
from tests.rest.rest_server import LAKE, PARK, RestServer, rest_server

SCHEMA = described(rest_app(ServiceDoor()), resource_examples())
SECRET = "XQZ7"
"""Stands in everything that the first tenant has: no answer to the other one may hold it."""


class Operation(msgspec.Struct, frozen=True):
    """One address and method."""

    method: str
    path: str
    parameters: tuple[str, ...]
    body: Any
    media_type: str
    public: bool
    scopes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def operations() -> list[Operation]:
    """All of them, in a stable order."""
    found: list[Operation] = []
    for path, methods in sorted(SCHEMA["paths"].items()):
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {})
            media_type = next(iter(content), "")
            found.append(
                Operation(
                    method.upper(),
                    path,
                    tuple(re.findall(r"{(\w+)}", path)),
                    example(content[media_type]["schema"]) if media_type == "application/json" else None,
                    media_type,
                    operation.get("security") == [],
                    tuple(operation.get("x-scopes", ())),
                )
            )
    return found


def example(schema: dict[str, Any]) -> Any:
    """The example of a body. A body without one fails here."""
    if "anyOf" in schema:
        return example(schema["anyOf"][0])
    name = schema["$ref"].rpartition("/")[2]
    return SCHEMA["components"]["schemas"][name]["examples"][0]


OPERATIONS = operations()
COLLECTIONS = [
    operation
    for operation in OPERATIONS
    if not operation.parameters and not operation.public and operation.path != "/v1/events/stream"
]
"""Without the stream, which does not end: see `test_rest_events_stream_is_apart`."""

NAMES_OF_EVERYBODY = {"archetype_id"}
"""Ids of what all tenants share."""

OWN_NAMES = {"place", "version"}
"""Names that mean something else for each tenant: they are no secret and lead to the asker's own things."""

MAY_MAKE_ITS_OWN = {
    "PUT /v1/knowledge/{fact_id}",
    "PUT /v1/login-providers/{name}",
    "POST /v1/connections/{provider}",
    "POST /v1/me/identities/{provider}",
}
"""What is named by the asker, who so makes something of its own beside the first tenant's."""

WITH_IDS = sorted(
    (operation for operation in OPERATIONS if operation.parameters and not operation.public),
    key=lambda operation: str(operation) in MAY_MAKE_ITS_OWN,
)
"""What the asker makes of its own comes last: until then it has nothing of these names."""


class Both(msgspec.Struct):
    """The server with both tenants. ids: (resource, parameter) -> the first tenant's. loop: that it lives in."""

    rest: RestServer
    ids: dict[tuple[str, str], str]
    loop: asyncio.Runner

    def ask(
        self, operation: Operation, as_: str = LAKE, ids: dict[tuple[str, str], str] | None = None
    ) -> httpx.Response:
        """Send it. ids: the first tenant's unless given."""
        url = url_of(operation, ids or self.ids)
        return self.loop.run(self.rest.ask(operation.method, url, as_=as_, **request_of(operation)))

    def nothing(self) -> dict[tuple[str, str], str]:
        """Ids that nobody has."""
        return {place: id_ if place[1] in OWN_NAMES else "nothing-of-that-name" for place, id_ in self.ids.items()}

    def everything(self) -> dict[str, list[str]]:
        """All rows of the first tenant."""
        return self.loop.run(everything_of(self.rest, PARK))


Maker = Callable[[RestServer], Coroutine[Any, Any, str]]


async def made(rest: RestServer, path: str, body: Any, field: str = "id", method: str = "POST") -> str:
    answer = await rest.ask(method, path, json=body)
    assert answer.status_code in (200, 201, 202), answer.text
    return str(answer.json()[field])


async def call(rest: RestServer) -> str:
    record = await rest.call_made(f"call-{SECRET}")
    return record.call_id


async def booking(rest: RestServer) -> str:
    wish = {"service_id": "cleaning", "starts_at": "2026-11-24T10:00:00+01:00", "name": SECRET, "phone": "0612345678"}
    return await made(rest, "/v1/bookings", wish)


async def contact(rest: RestServer) -> str:
    return await made(rest, "/v1/contacts", {"names": [SECRET]})


async def context(rest: RestServer) -> str:
    contact_id = await contact(rest)
    path = f"/v1/contexts/{contact_id}/transitions"
    answer = await rest.ask("POST", path, json={"to": "engaged", "reason": SECRET})
    assert answer.status_code == 200, answer.text
    return contact_id


async def conversation(rest: RestServer) -> str:
    return await made(rest, "/v1/respond", {"text": f"Hello {SECRET}"}, "conversation_id")


async def event(rest: RestServer) -> str:
    return await made(rest, "/v1/events", {"type": f"shop.{SECRET.lower()}", "payload": {"note": SECRET}})


async def fact(rest: RestServer) -> str:
    return await made(rest, "/v1/knowledge/of-the-park", {"answer": {"en": SECRET}}, method="PUT")


async def key(rest: RestServer) -> str:
    answer = await rest.ask("POST", "/v1/keys", json={"name": SECRET, "scopes": ["calls:read"]})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["details"]["id"])


async def invitation(rest: RestServer) -> str:
    answer = await rest.ask("POST", "/v1/invitations", json={"role": "viewer", "note": SECRET})
    assert answer.status_code == 201, answer.text
    return str((await rest.ask("GET", "/v1/invitations")).json()["items"][0]["id"])


async def user(rest: RestServer) -> str:
    assert rest.services.people
    account = await rest.services.people.users.accounts.create(
        f"{SECRET}@people.example", SECRET, "a long enough pass phrase", actor="test", roles={PARK: Role.VIEWER}
    )
    return account.id


async def login_provider(rest: RestServer) -> str:
    body = {"title": SECRET, "issuer": f"https://{SECRET.lower()}.example", "client_id": "c", "client_secret": "s3cr3t"}
    return await made(rest, "/v1/login-providers/works", body, "name", "PUT")


async def connection(rest: RestServer) -> str:
    from context.users.tables import connections

    row = {
        "provider": "google-calendar", "state": "connected", "scopes": SECRET, "connected_by": SECRET,
        "connected_at_s": 1, "expires_at_s": 1, "generation": 1, "lease": "", "lease_until_ms": 0,
    }  # fmt: skip
    async with rest.services.store.tenant(PARK).writing() as transaction:
        await transaction.upsert(connections, row)
    return "google-calendar"


async def number(rest: RestServer) -> str:
    answer = await rest.ask("POST", "/v1/numbers", json={"number": "+33186950199"})
    assert answer.status_code in (200, 201), answer.text
    return "+33186950199"


async def webhook(rest: RestServer) -> str:
    body = {"url": f"https://hooks.example/{SECRET}", "types": ["*"], "description": SECRET}
    answer = await rest.ask("POST", "/v1/webhooks", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json().get("webhook", answer.json())["id"])


async def delivery(rest: RestServer) -> str:
    return await made(rest, f"/v1/webhooks/{await webhook(rest)}/test", None)


async def park(_: RestServer) -> str:
    return PARK


async def persona_place(_: RestServer) -> str:
    return "phone"


async def archetype(_: RestServer) -> str:
    return "DENTAL"


async def first(_: RestServer) -> str:
    return "1"


MAKERS: dict[tuple[str, str], Maker] = {
    ("archetypes", "archetype_id"): archetype,
    ("bookings", "booking_id"): booking,
    ("calls", "call_id"): call,
    ("connections", "provider"): connection,
    ("contacts", "contact_id"): contact,
    ("contexts", "contact_id"): context,
    ("contexts", "version"): first,
    ("conversations", "conversation_id"): conversation,
    ("events", "event_id"): event,
    ("invitations", "invitation_id"): invitation,
    ("keys", "key_id"): key,
    ("knowledge", "fact_id"): fact,
    ("login-providers", "name"): login_provider,
    ("me", "provider"): login_provider,
    ("numbers", "number"): number,
    ("personas", "place"): persona_place,
    ("tenants", "tenant_id"): park,
    ("users", "user_id"): user,
    ("webhooks", "webhook_id"): webhook,
    ("webhooks", "delivery_id"): delivery,
}
"""(first part of the address after /v1, parameter) -> makes one of the first tenant's. A new resource adds its own."""


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """One server for the module, with one of everything that the park may have, and its ids."""
    folder = tmp_path_factory.mktemp("apart")
    with asyncio.Runner() as loop:
        server = rest_server(f"sqlite+aiosqlite:///{folder / 'parley.db'}", folder)
        rest = loop.run(server.__aenter__())
        try:
            ids = {place: loop.run(make(rest)) for place, make in MAKERS.items()}
            yield Both(rest, ids, loop)
        finally:
            loop.run(server.__aexit__(None, None, None))


async def everything_of(rest: RestServer, tenant_id: str) -> dict[str, list[str]]:
    """Every row of a tenant, table by table, as text."""
    rows: dict[str, list[str]] = {}
    async with rest.services.store.tenant(tenant_id).reading() as transaction:
        for table in whole_schema().sorted_tables:
            if "tenant_id" in table.c:
                rows[table.name] = sorted(repr(sorted(row.items())) for row in await transaction.rows(table))
    return rows


def url_of(operation: Operation, ids: dict[tuple[str, str], str]) -> str:
    resource = operation.path.split("/")[2]
    return re.sub(r"{(\w+)}", lambda match: ids[resource, match[1]], operation.path)


def request_of(operation: Operation) -> dict[str, Any]:
    if operation.media_type == "application/json":
        return {"json": operation.body}
    return {"content": b"", "headers": {"Content-Type": operation.media_type}} if operation.media_type else {}


def test_every_id_of_the_api_has_somebody_who_makes_one() -> None:
    wanted = {(operation.path.split("/")[2], name) for operation in WITH_IDS for name in operation.parameters}
    assert wanted - set(MAKERS) == set(), "say in MAKERS how the first tenant gets one of these"
    assert set(MAKERS) - wanted == set(), "nothing needs these any more"


def test_a_resource_without_a_maker_fails() -> None:
    unknown = Operation("GET", "/v1/spaceships/{ship_id}", ("ship_id",), None, "", False)
    with pytest.raises(KeyError):
        url_of(unknown, dict.fromkeys(MAKERS, "x"))


@pytest.mark.parametrize("operation", WITH_IDS, ids=str)
def test_what_is_another_tenants_does_not_exist(both: Both, operation: Operation) -> None:
    before = both.everything()
    answer = both.ask(operation)
    named = url_of(operation, both.ids).lower()
    assert SECRET.lower() not in answer.text.lower().replace(named, "")
    if set(operation.parameters) <= NAMES_OF_EVERYBODY | OWN_NAMES or str(operation) in MAY_MAKE_ITS_OWN:
        assert answer.status_code < 500, answer.text
    elif operation.scopes == (Scope.SERVER_ADMIN,):
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), answer.text
    else:
        nothing = both.ask(operation, ids=both.nothing())
        assert (answer.status_code, answer.json()["code"]) == (404, nothing.json()["code"]), answer.text
        assert nothing.status_code == 404
    assert both.everything() == before


@pytest.mark.parametrize("operation", COLLECTIONS, ids=str)
def test_a_list_shows_ones_own_and_a_change_changes_ones_own(both: Both, operation: Operation) -> None:
    before = both.everything()
    answer = both.ask(operation)
    assert answer.status_code < 500, answer.text
    assert SECRET.lower() not in answer.text.lower()
    assert both.everything() == before


def test_the_first_tenant_finds_all_of_it_where_the_other_found_nothing(both: Both) -> None:
    for operation in WITH_IDS:
        if operation.method == "GET":
            answer = both.ask(operation, as_=PARK)
            assert answer.status_code in (200, 409), f"{operation}: {answer.text}"
