"""Requests that nobody thought of, made from the schema: no answer is a crash, every error is a well-formed problem.

schemathesis makes them, the same ones each time; they go to one server with everything in it, as the operator acting
for a tenant.
"""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from server.rest.api import resource_examples, rest_app
from server.rest.problems import PROBLEM_MEDIA_TYPE, TYPE_PREFIX, ProblemBody
from server.rest.schema import described
from server.rest.services import ServiceDoor
from tests.rest.rest_server import PARK, RestServer, rest_server

EXAMPLES = 5
"""Requests an operation."""


@schemathesis.serializer("audio/wav", "audio/pcm", "audio/basic")
def sound(_: Any, value: Any) -> bytes:
    """Any bytes may call themselves sound."""
    return value if isinstance(value, bytes) else str(value).encode()


SCHEMA = schemathesis.openapi.from_dict(described(rest_app(ServiceDoor()), resource_examples()))


def _usable(found: Any) -> Any:
    """An operation of the schema. One that schemathesis cannot read fails here."""
    return found.ok()


NEVER_ENDS = {"/v1/events/stream"}
FOR_BROWSERS = {
    "/v1/login/{provider}/start",
    "/v1/login/{provider}/callback",
    "/v1/connections/{provider}/callback",
}
"""A person's browser is sent here by a link or an identity provider: what is wrong is told on a page."""

OPERATIONS = {
    f"{operation.method.upper()} {operation.path}": operation
    for found in SCHEMA.get_all_operations()
    if (operation := _usable(found)).path not in NEVER_ENDS
}

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RestServer, asyncio.Runner]]:
    folder = tmp_path_factory.mktemp("hostile")
    with asyncio.Runner() as loop:
        running = rest_server(f"sqlite+aiosqlite:///{folder / 'parley.db'}", folder)
        rest = loop.run(running.__aenter__())
        try:
            loop.run(rest.call_made())
            yield rest, loop
        finally:
            loop.run(running.__aexit__(None, None, None))


def assert_well_formed(answer: httpx.Response) -> None:
    """Every error is a problem whose status, type and title agree."""
    assert answer.headers["content-type"] == PROBLEM_MEDIA_TYPE, answer.text
    problem = msgspec.json.decode(answer.content, type=ProblemBody)
    assert problem.status == answer.status_code
    assert problem.type == TYPE_PREFIX + problem.code
    assert problem.detail
    if answer.status_code in (429, 503):
        assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize("name", OPERATIONS)
def test_no_request_crashes_the_server(server: tuple[RestServer, asyncio.Runner], name: str) -> None:
    rest, loop = server
    operation = OPERATIONS[name]
    headers = rest.bearer("") | {"Parley-Tenant": PARK}

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        sent = case.as_transport_kwargs(base_url="http://parley.local")
        sent["headers"] = {
            name: value
            for name, value in {**sent.get("headers", {}), **headers}.items()
            if str(value).isascii() and str(value).isprintable()
        }
        sent.pop("cookies", None)
        answer = loop.run(rest.client.request(**_for_httpx(sent)))
        if answer.status_code >= 400 and operation.path not in FOR_BROWSERS:
            assert_well_formed(answer)
        case.validate_response(answer, checks=CHECKS if operation.path not in FOR_BROWSERS else [not_a_server_error])

    ask()


def _for_httpx(sent: dict[str, Any]) -> dict[str, Any]:
    """The request as httpx takes it."""
    data = sent.pop("data", None)
    if data is not None:
        sent["content"] = data if isinstance(data, bytes | str) else msgspec.json.encode(data)
    return {
        name: value for name, value in sent.items() if name in ("method", "url", "headers", "params", "json", "content")
    }
