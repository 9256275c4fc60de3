"""The description of the API: complete, consistent, and good enough that a client made from it works."""

import importlib
import re
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import httpx
import msgspec
import pytest

from scripts.generate_client import PACKAGE, generate
from server.rest.api import resource_examples, rest_app
from server.rest.schema import described
from server.rest.services import ServiceDoor
from tests.rest.rest_server import RestServer

SCHEMA = described(rest_app(ServiceDoor()), resource_examples())


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in SCHEMA["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_everything_that_is_referred_to_is_there() -> None:
    text = msgspec.json.encode(SCHEMA).decode()
    for kind, name in set(re.findall(r'"#/components/(\w+)/([^"]+)"', text)):
        assert name in SCHEMA["components"][kind], name


def test_every_operation_says_what_it_does_and_may_answer() -> None:
    for name, operation in operations():
        assert operation["summary"], name
        assert operation["tags"], name
        assert {"400", "429", "503", "default"} <= set(operation["responses"]), name
    ids = [operation["operationId"] for _, operation in operations()]
    assert len(ids) == len(set(ids))


def test_every_body_that_is_sent_has_an_example() -> None:
    for name, operation in operations():
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
            if media_type == "application/json" and "$ref" in content["schema"]:
                body = SCHEMA["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
                assert body.get("examples"), name


async def test_the_page_and_the_file_load_nothing_from_elsewhere(rest: RestServer) -> None:
    page = await rest.client.get("/schema")
    assert page.status_code == 200
    assert "/v1/respond" in page.text
    assert not re.search(r"""(src|href)=["']https?:""", page.text)
    assert "script" not in page.headers["content-security-policy"]
    file = await rest.client.get("/schema/openapi.json")
    assert file.json()["openapi"].startswith("3.1")


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The client, generated and imported."""
    folder = generate(tmp_path_factory.mktemp("client"))
    sys.path.insert(0, str(folder))
    yield importlib.import_module(PACKAGE)
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


async def test_a_generated_client_lists_calls_and_talks_to_the_agent(rest: RestServer, generated: ModuleType) -> None:
    list_calls = importlib.import_module(f"{PACKAGE}.api.calls.list_calls")
    respond = importlib.import_module(f"{PACKAGE}.api.conversations.respond")
    models = importlib.import_module(f"{PACKAGE}.models")
    client = generated.AuthenticatedClient(base_url="http://parley.local", token=rest.keys["park"])
    client.set_async_httpx_client(
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app=rest.app),  # pyright: ignore[reportArgumentType]
            base_url="http://parley.local",
            headers=rest.bearer(),
        )
    )
    await rest.call_made("call-1")
    page = await list_calls.asyncio(client=client, limit=10)
    assert [call.id for call in page.items] == ["call-1"]
    assert page.items[0].outcome == "booked"
    reply = await respond.asyncio(client=client, body=models.TurnBody(text="What are your opening hours?"))
    assert reply.reply
    again = await respond.asyncio(
        client=client, body=models.TurnBody(text="Thank you, goodbye", conversation_id=reply.conversation_id)
    )
    assert again.ended
    assert {call.id for call in (await list_calls.asyncio(client=client)).items} == {"call-1", reply.conversation_id}
