"""A new tenant on a running server: made by one command, called, looked at over REST, told to webhooks, suspended.

Everything goes through what an operator and an integrator have: the command line, the voice socket, HTTP.
"""

import asyncio
import json
import socket
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.live_server import LiveServer
from voice_core.frames import ANALYSIS_HZ, FRAME_MS

pytestmark = pytest.mark.asyncio(loop_scope="session")

WITHIN_S = 20.0
SILENCE = bytes(2 * ANALYSIS_HZ * FRAME_MS // 1000)


async def parley(server: LiveServer, *words: str) -> str:
    """Run a command on the server's home; what it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "server", *words, "--home", str(server.home)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        stdin=asyncio.subprocess.DEVNULL,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


async def eventually(look: Callable[[], Awaitable[Any]]) -> Any:
    """What `look` finds, once it finds something."""
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        if found := await look():
            return found
        await asyncio.sleep(0.2)
    raise AssertionError("not within the time")


class TypedCall:
    """A call in which the caller types, over a line that is silent."""

    def __init__(self, socket: ClientConnection) -> None:
        self.notices: list[dict[str, Any]] = []
        self._socket = socket

    async def hold(self) -> None:
        """Keep the line open and remember what is told, until the server ends the call."""
        sending = asyncio.create_task(self._send_silence())
        async for message in self._socket:
            if isinstance(message, str):
                self.notices.append(json.loads(message))
        sending.cancel()

    async def _send_silence(self) -> None:
        while True:
            await self._socket.send(SILENCE)
            await asyncio.sleep(FRAME_MS / 1000)

    def told(self, kind: str) -> list[dict[str, Any]]:
        return [notice for notice in self.notices if notice["type"] == kind]

    def agent_said(self) -> str:
        return " ".join(notice["text"] for notice in self.told("transcript") if notice["role"] == "agent")

    async def type(self, text: str) -> None:
        await self._socket.send(json.dumps({"type": "text", "text": text}))


@asynccontextmanager
async def typed_call(server: LiveServer, **start: Any) -> AsyncGenerator[TypedCall]:
    async with connect(server.voice_url, proxy=None, compression=None) as socket:
        await socket.send(json.dumps({"type": "start", "sample_rate": ANALYSIS_HZ, **start}))
        call = TypedCall(socket)
        holding = asyncio.create_task(call.hold())
        yield call
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)


async def test_a_tenant_is_made_called_seen_and_suspended_while_the_server_runs(server: LiveServer) -> None:
    made = json.loads(
        await parley(server, "tenant", "new", "Cabinet Lumière", "--sector", "dentiste", "--language", "fr", "--json")
    )
    tenant_id, api_key = made["tenant_id"], made["api_key"]
    headers = {"Authorization": f"Bearer {api_key}"}
    operator = {"Authorization": f"Bearer {(server.home / 'operator.key').read_text().strip()}"}
    async with httpx.AsyncClient(base_url=server.api_url, headers=headers, timeout=30, trust_env=False) as api:

        async def known() -> bool:
            return (await api.get("/v1/calls")).status_code == 200

        await eventually(known)
        caller = "+33612345678"
        async with typed_call(server, key=api_key, language="fr", caller=caller) as call:

            async def greeted() -> bool:
                return "Cabinet Lumière" in call.agent_said()

            await eventually(greeted)
            await call.type("À quelle heure ouvrez-vous mardi ?")

            async def answered() -> bool:
                return "9h" in call.agent_said().replace(" ", "")

            await eventually(answered)
            live = (await api.get("/v1/calls", params={"state": "active"})).json()["items"]
            assert [item["caller"] for item in live] == [caller], "a call is known while it goes on"

            await parley(server, "tenant", "suspend", tenant_id)

            async def over() -> list[dict[str, Any]]:
                return call.told("ended")

            (ended,) = await eventually(over)
            assert ended["reason"] == "tenant_closed", "who is in a call is told goodbye"

        refused = await api.get("/v1/calls")
        assert (refused.status_code, refused.json()["code"]) == (403, "tenant_suspended")
        await parley(server, "tenant", "resume", tenant_id)
        await eventually(known)

        (stored,) = (await api.get("/v1/calls")).json()["items"]
        assert (stored["id"], stored["state"], stored["caller"]) == (ended["call_id"], "ended", caller)

        async def contact() -> list[dict[str, Any]]:
            return (await api.get("/v1/contacts", params={"search": caller})).json()["items"]

        (person,) = await eventually(contact)
        box = (await api.get(f"/v1/contexts/{person['id']}")).json()
        assert ended["call_id"] in json.dumps(box), "the box of who called knows of the call"

        types = [event["type"] for event in (await api.get("/v1/events")).json()["items"]]
        assert {"tenant.provisioned", "call.started", "call.completed", "context.updated"} <= set(types)
        assert (await api.get("/v1/audit/verification")).json()["sound"], "nobody has touched the audit log"
        other = await api.get(
            f"/v1/calls/{ended['call_id']}", headers={**operator, "Parley-Tenant": "clinique_du_parc"}
        )
        assert other.status_code == 404, "another tenant has no such call"


async def test_a_key_without_the_right_to_call_opens_no_call(server: LiveServer) -> None:
    made = json.loads(await parley(server, "tenant", "new", "Other", "--sector", "other", "--language", "en", "--json"))
    key = json.loads(
        await parley(server, "key", "new", "reports", "--tenant", made["tenant_id"], "--scope", "calls:read", "--json")
    )["key"]

    async def refused() -> list[dict[str, Any]]:
        async with typed_call(server, key=key) as call:
            await asyncio.sleep(0.5)
            return [notice for notice in call.told("error") if "calls:place" in notice["message"]]

    assert await eventually(refused)


async def test_webhooks_do_not_reach_into_the_servers_own_machine(server: LiveServer) -> None:
    made = json.loads(await parley(server, "tenant", "new", "Hook", "--sector", "other", "--language", "en", "--json"))
    headers = {"Authorization": f"Bearer {made['api_key']}"}
    with socket.create_server(("127.0.0.1", 0)) as receiver:
        url = f"https://127.0.0.1:{receiver.getsockname()[1]}/hook"
        async with httpx.AsyncClient(base_url=server.api_url, headers=headers, timeout=30, trust_env=False) as api:

            async def known() -> bool:
                return (await api.get("/v1/webhooks")).status_code == 200

            await eventually(known)
            refused = await api.post("/v1/webhooks", json={"url": url, "types": ["call.*"]})
    assert 400 <= refused.status_code < 500
    assert "url" in json.dumps(refused.json())
