"""An Infisical of the tests' own, on the loopback: what its documented API does with secrets, folders and log-ins.

Behaves as `/api/v1/auth/universal-auth/login`, `/api/v3/secrets/raw` and `/api/v1/folders` do: tokens expire, values
are trimmed, folders must exist, identities may lack the right to see values, a project may want approvals. A test says
what goes wrong next.
"""

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import web

CLIENT_ID = "identity-7"
CLIENT_SECRET = "client-secret-7"
PROJECT = "project-7"


class InfisicalServer:
    """State and switches. failures: statuses that the next requests get instead of an answer."""

    def __init__(self) -> None:
        self.url = ""
        self.folders: set[str] = {"/"}
        self.secrets: dict[tuple[str, str], str] = {}
        self.tokens: set[str] = set()
        self.token_life_s = 7200
        self.logins = 0
        self.requests: list[str] = []
        self.failures: list[int] = []
        self.hides_values = False
        self.wants_approval = False

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator["InfisicalServer", None]:
        app = web.Application(middlewares=[self._gate])
        app.router.add_post("/api/v1/auth/universal-auth/login", self._login)
        app.router.add_post("/api/v1/folders", self._add_folder)
        app.router.add_get("/api/v3/secrets/raw", self._list)
        app.router.add_route("*", "/api/v3/secrets/raw/{name}", self._secret)
        runner = web.AppRunner(app)
        await runner.setup()
        sock = socket.create_server(("127.0.0.1", 0))
        await web.SockSite(runner, sock).start()
        self.url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    def expire_tokens(self) -> None:
        self.tokens.clear()

    @web.middleware
    async def _gate(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.path}")
        if self.failures:
            status = self.failures.pop(0)
            return refusal(status, "RateLimitError" if status == 429 else "InternalServerError")
        if not request.path.endswith("/login"):
            token = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if token not in self.tokens:
                return refusal(403, "TokenError")
        return await handler(request)

    async def _login(self, request: web.Request) -> web.Response:
        body = await request.json()
        if (body.get("clientId"), body.get("clientSecret")) != (CLIENT_ID, CLIENT_SECRET):
            return refusal(401, "UnauthorizedError")
        self.logins += 1
        token = f"token-{self.logins}"
        self.tokens.add(token)
        life = {"expiresIn": self.token_life_s, "accessTokenMaxTTL": self.token_life_s}
        return web.json_response({"accessToken": token, "tokenType": "Bearer", **life})

    async def _add_folder(self, request: web.Request) -> web.Response:
        body = await request.json()
        path = f"{body['path'].rstrip('/')}/{body['name']}"
        if body["path"] not in self.folders:
            return refusal(404, "NotFoundError")
        if path in self.folders:
            return refusal(400, "BadRequestError")
        assert all(letter.isalnum() or letter in "-_" for letter in body["name"])
        self.folders.add(path)
        return web.json_response({"folder": {"id": path, "name": body["name"]}})

    async def _list(self, request: web.Request) -> web.Response:
        path = request.query["secretPath"]
        if path not in self.folders or request.query["workspaceId"] != PROJECT:
            return refusal(404, "NotFoundError")
        shown = request.query.get("viewSecretValue", "true") == "true"
        found = [self._shown(name, value, shown=shown) for (at, name), value in self.secrets.items() if at == path]
        return web.json_response({"secrets": found, "imports": []})

    async def _secret(self, request: web.Request) -> web.Response:
        asked = request.query if request.method == "GET" else await request.json()
        name, path = request.match_info["name"], asked["secretPath"]
        assert not set(name) & set(":/ ")
        exists = (path, name) in self.secrets
        if path not in self.folders or asked["workspaceId"] != PROJECT or (not exists and request.method != "POST"):
            return refusal(404, "NotFoundError")
        if request.method == "POST" and exists:
            return refusal(400, "BadRequestError")
        if request.method == "GET":
            return web.json_response({"secret": self._shown(name, self.secrets[path, name], shown=True)})
        if self.wants_approval:
            return web.json_response({"approval": {"id": "approval-1", "slug": "x"}})
        if request.method == "DELETE":
            value = self.secrets.pop((path, name))
        else:
            value = asked["secretValue"]
            value = f"{value.strip()}\n" if value.endswith("\n") else value.strip()
            self.secrets[path, name] = value
        return web.json_response({"secret": self._shown(name, value, shown=True)})

    def _shown(self, name: str, value: str, *, shown: bool) -> dict[str, Any]:
        hidden = self.hides_values or not shown
        return {
            "id": name,
            "secretKey": name,
            "secretValue": "<hidden-by-infisical>" if hidden else value,
            "secretValueHidden": hidden,
            "version": 1,
            "type": "shared",
        }


def refusal(status: int, error: str) -> web.Response:
    body = {"reqId": "req-1", "statusCode": status, "error": error, "message": "words that may repeat a secret"}
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/json")
