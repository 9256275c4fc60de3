"""What the API port answers."""

import re
from collections.abc import AsyncIterator

import pytest
from litestar.testing import AsyncTestClient

from server.health import Health
from server.http_app import api_app, health_app
from server.rest.services import ServiceDoor


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
async def client(health: Health) -> AsyncIterator[AsyncTestClient]:
    async with AsyncTestClient(api_app(ServiceDoor(), health, voice_port=4711)) as client:
        yield client


async def test_health_is_there_at_once_and_readiness_follows_the_models(
    client: AsyncTestClient, health: Health
) -> None:
    health.starting("voices")
    assert (await client.get("/healthz")).status_code == 200
    waiting = await client.get("/readyz")
    assert (waiting.status_code, waiting.json()) == (503, {"status": "starting", "doing": "voices"})
    health.ready()
    assert (await client.get("/readyz")).status_code == 200
    health.stopping()
    assert (await client.get("/readyz")).status_code == 503


async def test_the_page_calls_the_voice_port_and_only_its_own_scripts_run(client: AsyncTestClient) -> None:
    answer = await client.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert 'data-voice-port="4711"' in answer.text
    policy = answer.headers["content-security-policy"]
    assert "unsafe-inline" not in policy
    assert len(re.findall("sha256-", policy)) == 2
    assert "ws://*:4711" in policy
    assert not re.search(r"""(src|href)=["']?https?:""", answer.text), "the page needs nothing from elsewhere"
    assert " on" not in "".join(re.findall(r"<[a-z]+( on[a-z]+=)", answer.text)), "inline handlers would be blocked"


@pytest.mark.parametrize("path", ["/login", "/invitation", "/webhooks"])
async def test_pages_of_tenants_need_nothing_from_elsewhere(client: AsyncTestClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "unsafe-inline" not in answer.headers["content-security-policy"]
    assert not re.search(r"""(src|href)=["']?https?:""", answer.text)


async def test_rest_asks_to_come_back_while_the_server_starts(client: AsyncTestClient) -> None:
    answer = await client.get("/v1/calls", headers={"Authorization": "Bearer pk_0_0"})
    assert (answer.status_code, answer.json()["code"]) == (503, "starting")
    assert int(answer.headers["retry-after"]) > 0


async def test_other_addresses_are_404(client: AsyncTestClient) -> None:
    assert (await client.get("/nothing")).status_code == 404


async def test_the_telephony_port_has_health_and_no_page(health: Health) -> None:
    async with AsyncTestClient(health_app(health)) as client:
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/")).status_code == 404
