"""What the API port answers."""

import re
from collections.abc import AsyncIterator

import pytest
from litestar.testing import AsyncTestClient

from server.health import Health
from server.http_app import TalkPage, health_app


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
async def client(health: Health) -> AsyncIterator[AsyncTestClient]:
    async with AsyncTestClient(health_app(health, TalkPage(voice_port=4711))) as client:
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


async def test_other_addresses_are_404(client: AsyncTestClient) -> None:
    assert (await client.get("/nothing")).status_code == 404


async def test_the_telephony_port_has_health_and_no_page(health: Health) -> None:
    async with AsyncTestClient(health_app(health)) as client:
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/")).status_code == 404
