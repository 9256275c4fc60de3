"""Secrets kept in an Infisical project instead of Parley's own database.

Speaks Infisical's HTTP API as a machine identity with universal auth: log in, use the token until it nearly expires,
log in again. Each tenant has a folder of its own below one that the operator names. What was read is remembered for
`REMEMBERED_S`, so that a call does not wait for a network. A backend of `context.security.vault`.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from context.security.errors import VaultError

LOGIN_PATH = "/api/v1/auth/universal-auth/login"
SECRETS_PATH = "/api/v3/secrets/raw"
FOLDERS_PATH = "/api/v1/folders"

TIMEOUT_S = 10.0
ATTEMPTS = 3
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 5.0
RENEWED_BEFORE_S = 60.0
"""A token is renewed this long before its end, or after half of its life when that is shorter."""

REMEMBERED_S = 30.0
REMEMBERED_SECRETS = 1_000
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class InfisicalSettings(msgspec.Struct, frozen=True):
    """Where and as whom. site_url: such as https://app.infisical.com. environment: its slug. folder: path in the
    project that exists or may be made."""

    site_url: str
    client_id: str
    client_secret: str
    project_id: str
    environment: str
    folder: str = "/parley"

    def __repr__(self) -> str:
        return f"InfisicalSettings(site_url={self.site_url!r}, project_id={self.project_id!r})"


class _Login(msgspec.Struct, frozen=True):
    access_token: str = msgspec.field(name="accessToken")
    expires_in: float = msgspec.field(name="expiresIn")


class _Secret(msgspec.Struct, frozen=True):
    key: str = msgspec.field(name="secretKey")
    value: str = msgspec.field(name="secretValue", default="")
    hidden: bool = msgspec.field(name="secretValueHidden", default=False)


class _OneSecret(msgspec.Struct, frozen=True):
    """An answer about one secret; without it, the project wants a person to approve changes."""

    secret: _Secret | None = None


class _ManySecrets(msgspec.Struct, frozen=True):
    secrets: list[_Secret]


class _Refusal(msgspec.Struct, frozen=True):
    error: str = ""


class InfisicalSecrets:
    """Implements `context.security.vault.SecretBackend`; every method raises VaultError when Infisical cannot.

    clock: monotonic seconds. sleep: how retries wait. Close it with `aclose`.
    """

    def __init__(
        self,
        settings: InfisicalSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        address = urlsplit(settings.site_url)
        if address.scheme != "https" and not (address.scheme == "http" and address.hostname in LOOPBACK):
            raise VaultError(f"site_url: {settings.site_url!r} is not allowed; secrets travel over https only")
        self._settings = settings
        self._clock = clock
        self._sleep = sleep
        self._client = httpx.AsyncClient(base_url=settings.site_url, timeout=TIMEOUT_S, follow_redirects=False)
        self._token = ""
        self._token_until = -math.inf
        self._logging_in = asyncio.Lock()
        self._remembered: OrderedDict[tuple[str, str], tuple[str, float]] = OrderedDict()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def get(self, tenant_id: str, name: str) -> str | None:
        """The secret, None when there is none."""
        found = self._remembered.get((tenant_id, name))
        if found is not None and self._clock() < found[1]:
            return found[0]
        query = self._query(tenant_id, viewSecretValue="true")
        answer = await self._send("GET", _secret_path(name), params=query, accept=(404,))
        if answer.status_code == 404:
            self._remembered.pop((tenant_id, name), None)
            return None
        secret = _read(answer, _OneSecret).secret
        if secret is None or secret.hidden:
            raise VaultError(
                "Infisical hides the value: give the machine identity the permission to read secret values"
            )
        self._remember(tenant_id, name, secret.value)
        return secret.value

    async def put(self, tenant_id: str, name: str, secret: str) -> None:
        """Keep the secret, in place of an older one."""
        # Twice: somebody may add or delete it between the two steps.
        for _ in range(2):
            if await self._update(tenant_id, name, secret) or await self.add(tenant_id, name, secret):
                return
        raise VaultError(f"Infisical takes no value for {name!r}: it appears and disappears meanwhile")

    async def add(self, tenant_id: str, name: str, secret: str) -> bool:
        """Keep the secret unless there is one; whether it was kept."""
        body = self._body(tenant_id, secretValue=_as_kept(name, secret), type="shared")
        answer = await self._send("POST", _secret_path(name), json=body, accept=(400, 404))
        if answer.status_code == 404:
            await self._make_folders(tenant_id)
            answer = await self._send("POST", _secret_path(name), json=body, accept=(400,))
        if answer.status_code == 400:
            self._remembered.pop((tenant_id, name), None)
            if await self.get(tenant_id, name) is None:
                raise _refused(answer)
            return False
        _check_applied(answer)
        self._remember(tenant_id, name, secret)
        return True

    async def delete(self, tenant_id: str, name: str) -> bool:
        """Forget the secret; whether there was one."""
        self._remembered.pop((tenant_id, name), None)
        body = self._body(tenant_id, type="shared")
        answer = await self._send("DELETE", _secret_path(name), json=body, accept=(404,))
        if answer.status_code == 404:
            return False
        _check_applied(answer)
        return True

    async def names(self, tenant_id: str) -> list[str]:
        """Names of the tenant's secrets, in order."""
        query = self._query(tenant_id, viewSecretValue="false", recursive="false")
        answer = await self._send("GET", SECRETS_PATH, params=query, accept=(404,))
        if answer.status_code == 404:
            return []
        return sorted(unescaped(secret.key) for secret in _read(answer, _ManySecrets).secrets)

    async def _update(self, tenant_id: str, name: str, secret: str) -> bool:
        body = self._body(tenant_id, secretValue=_as_kept(name, secret), type="shared")
        answer = await self._send("PATCH", _secret_path(name), json=body, accept=(404,))
        if answer.status_code == 404:
            return False
        _check_applied(answer)
        self._remember(tenant_id, name, secret)
        return True

    async def _make_folders(self, tenant_id: str) -> None:
        made = "/"
        for name in self._path(tenant_id).strip("/").split("/"):
            body = {
                "workspaceId": self._settings.project_id,
                "environment": self._settings.environment,
                "name": name,
                "path": made,
            }
            await self._send("POST", FOLDERS_PATH, json=body, accept=(400,))  # 400: it exists already
            made = f"{made.rstrip('/')}/{name}"

    async def _send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Mapping[str, Any] | None = None,
        accept: tuple[int, ...] = (),
    ) -> httpx.Response:
        """One request with a token, repeated when that may help. accept: statuses besides 200 that are an answer."""
        renewed = False
        attempt = 1
        while True:
            token = await self._valid_token()
            answer = await self._try(method, path, token, params, json)
            if answer is not None:
                if answer.status_code == 200 or answer.status_code in accept:
                    return answer
                if _token_refused(answer) and not renewed:
                    renewed = True
                    if self._token == token:
                        self._token_until = -math.inf
                    continue
                if answer.status_code != 429 and answer.status_code < 500:
                    raise _refused(answer)
            if attempt == ATTEMPTS:
                raise _refused(answer) if answer is not None else VaultError("Infisical does not answer")
            await self._sleep(_pause_s(attempt, answer))
            attempt += 1

    async def _try(
        self, method: str, path: str, token: str, params: Mapping[str, str] | None, json: Mapping[str, Any] | None
    ) -> httpx.Response | None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            return await self._client.request(method, path, params=params, json=json, headers=headers)
        except httpx.HTTPError:
            return None

    async def _valid_token(self) -> str:
        async with self._logging_in:
            if self._clock() >= self._token_until:
                await self._log_in()
            return self._token

    async def _log_in(self) -> None:
        credentials = {"clientId": self._settings.client_id, "clientSecret": self._settings.client_secret}
        for attempt in range(1, ATTEMPTS + 1):
            asked_at = self._clock()
            answer = await self._try("POST", LOGIN_PATH, "", None, credentials)
            if answer is not None and answer.status_code == 200:
                login = _read(answer, _Login)
                self._token = login.access_token
                self._token_until = asked_at + max(login.expires_in - RENEWED_BEFORE_S, login.expires_in / 2)
                return
            if answer is not None and answer.status_code != 429 and answer.status_code < 500:
                raise VaultError(
                    f"Infisical does not let this machine identity in (status {answer.status_code}): check its client "
                    "id and client secret"
                )
            if attempt < ATTEMPTS:
                await self._sleep(_pause_s(attempt, answer))
        raise VaultError("Infisical does not answer the log-in")

    def _remember(self, tenant_id: str, name: str, secret: str) -> None:
        self._remembered[tenant_id, name] = secret, self._clock() + REMEMBERED_S
        self._remembered.move_to_end((tenant_id, name))
        while len(self._remembered) > REMEMBERED_SECRETS:
            self._remembered.popitem(last=False)

    def _path(self, tenant_id: str) -> str:
        return f"{self._settings.folder.rstrip('/')}/{escaped(tenant_id)}"

    def _query(self, tenant_id: str, **more: str) -> dict[str, str]:
        return {
            "workspaceId": self._settings.project_id,
            "environment": self._settings.environment,
            "secretPath": self._path(tenant_id),
            "include_imports": "false",
            "expandSecretReferences": "false",
            **more,
        }

    def _body(self, tenant_id: str, **more: str) -> dict[str, str]:
        return {
            "workspaceId": self._settings.project_id,
            "environment": self._settings.environment,
            "secretPath": self._path(tenant_id),
            **more,
        }


def escaped(name: str) -> str:
    """A name as Infisical takes it for folders and secrets: letters, digits, - and, before two hex digits, _."""
    return "".join(
        chr(byte) if chr(byte).isalnum() or byte == ord("-") else f"_{byte:02x}" for byte in name.encode("ascii")
    )


def unescaped(name: str) -> str:
    """The name that was escaped; as it is when it was not made by `escaped`."""
    first, *rest = name.split("_")
    try:
        return first + "".join(chr(int(part[:2], 16)) + part[2:] for part in rest)
    except ValueError:
        return name


def _secret_path(name: str) -> str:
    return f"{SECRETS_PATH}/{quote(escaped(name))}"


def _as_kept(name: str, secret: str) -> str:
    # Infisical trims values, but for one line feed at the end: better refused than changed.
    if secret != (f"{secret.strip()}\n" if secret.endswith("\n") else secret.strip()):
        raise VaultError(f"the secret for {name!r} begins or ends with white space, which Infisical does not keep")
    return secret


def _check_applied(answer: httpx.Response) -> None:
    if _read(answer, _OneSecret).secret is None:
        raise VaultError("the Infisical project wants a person to approve changes: exempt the folder of Parley")


def _token_refused(answer: httpx.Response) -> bool:
    return answer.status_code == 401 or (answer.status_code == 403 and _refusal(answer) == "TokenError")


def _refused(answer: httpx.Response) -> VaultError:
    # Infisical's own words may repeat names and values: its kind of error is enough.
    return VaultError(f"Infisical refused: status {answer.status_code} {_refusal(answer)}".rstrip())


def _refusal(answer: httpx.Response) -> str:
    try:
        error = msgspec.json.decode(answer.content, type=_Refusal).error
    except msgspec.DecodeError:
        return ""
    return error if error.isalnum() else ""


def _pause_s(attempt: int, answer: httpx.Response | None) -> float:
    asked = answer.headers.get("retry-after", "") if answer is not None else ""
    return min(LONGEST_PAUSE_S, float(asked) if asked.isdigit() else FIRST_PAUSE_S * 2 ** (attempt - 1))


def _read(answer: httpx.Response, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(answer.content, type=kind)
    except msgspec.DecodeError as error:
        raise VaultError("Infisical's answer is not what its documentation says") from error
