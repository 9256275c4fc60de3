"""The client's half of OAuth 2.0 (RFC 6749) with PKCE (RFC 7636): where to send people, and what to ask of a token
endpoint.

Authlib writes the requests and authenticates the client; sending them is `outside`'s. Used by `oidc_login` and
`connections`.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, cast

import msgspec
from authlib.oauth2 import auth, rfc7009, rfc7636
from authlib.oauth2.rfc6749 import parameters

from context.users.errors import GrantRefusedError, ProviderDownError
from context.users.outside import Answer, Outside, Reach


class ClientAuth(StrEnum):
    """How the client proves itself at the token endpoint (OpenID Connect Core, section 9)."""

    BASIC = "client_secret_basic"
    POST = "client_secret_post"
    NONE = "none"


class Client(msgspec.Struct, frozen=True):
    """What a provider knows us as. client_secret: "" for a public client."""

    client_id: str
    client_secret: str
    auth: ClientAuth = ClientAuth.BASIC
    reach: Reach = Reach.ANYWHERE

    def __repr__(self) -> str:
        return f"Client({self.client_id!r})"


class Tokens(msgspec.Struct, frozen=True):
    """What a token endpoint grants. expires_in: seconds, None when it does not say."""

    access_token: str
    token_type: str = "Bearer"
    expires_in: float | None = None
    refresh_token: str | None = None
    scope: str | None = None
    id_token: str | None = None

    def __repr__(self) -> str:
        return "Tokens(...)"


class OAuthClient:
    """Asks token endpoints. Every method raises ProviderDownError, and GrantRefusedError when the answer is no."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    async def exchange(self, token_url: str, client: Client, code: str, redirect_uri: str, verifier: str) -> Tokens:
        """Tokens for an authorization code. verifier: of PKCE, "" without it."""
        extra = {"code_verifier": verifier} if verifier else {}
        body = parameters.prepare_token_request("authorization_code", code=code, redirect_uri=redirect_uri, **extra)
        return await self._tokens(token_url, client, body)

    async def refresh(self, token_url: str, client: Client, refresh_token: str) -> Tokens:
        """New tokens for a refresh token; the old one is kept in the answer when there is no new one."""
        body = parameters.prepare_token_request("refresh_token", refresh_token=refresh_token)
        tokens = await self._tokens(token_url, client, body)
        if tokens.refresh_token:
            return tokens
        return msgspec.structs.replace(tokens, refresh_token=refresh_token)

    async def revoke(self, revoke_url: str, client: Client, token: str, hint: str) -> None:
        """End a token (RFC 7009). hint: "refresh_token" or "access_token"."""
        body, headers = cast(tuple[str, dict[str, str]], rfc7009.prepare_revoke_token_request(token, hint, "", {}))
        answer = await self._post(revoke_url, client, body, headers)
        if answer.status != 200:
            raise GrantRefusedError(_error_of(answer))

    async def _tokens(self, token_url: str, client: Client, body: str) -> Tokens:
        answer = await self._post(token_url, client, body, {})
        if answer.status >= 500 or answer.status == 429:
            raise ProviderDownError(f"the token endpoint answered {answer.status}")
        if answer.status != 200 or "error" in _mapping(answer.body):
            raise GrantRefusedError(_error_of(answer))
        try:
            tokens = msgspec.convert(answer.body, Tokens, strict=False)
        except msgspec.ValidationError as error:
            raise ProviderDownError(f"the token endpoint's answer cannot be used: {error}") from error
        if not tokens.access_token or tokens.token_type.lower() != "bearer":
            raise ProviderDownError("the token endpoint gave no bearer token")
        return tokens

    async def _post(self, url: str, client: Client, body: str, headers: Mapping[str, str]) -> Answer:
        proof = auth.ClientAuth(client.client_id, client.client_secret, client.auth.value)
        url, headers, body = cast(tuple[str, dict[str, str], str], proof.prepare("POST", url, dict(headers), body))
        return await self._outside.post_form(url, body, headers, client.reach)


def authorization_url(
    url: str,
    client: Client,
    *,
    redirect_uri: str,
    scopes: tuple[str, ...],
    state: str,
    verifier: str = "",
    extra: Mapping[str, str] | None = None,
) -> str:
    """Where to send the browser. verifier: of PKCE (S256), "" without it. extra: further parameters."""
    further = dict(extra or {})
    if verifier:
        further["code_challenge"] = cast(str, rfc7636.create_s256_code_challenge(verifier))
        further["code_challenge_method"] = "S256"
    return cast(
        str,
        parameters.prepare_grant_uri(
            url, client.client_id, "code", redirect_uri=redirect_uri, scope=" ".join(scopes), state=state, **further
        ),
    )


def _mapping(body: Any) -> dict[str, Any]:
    return cast(dict[str, Any], body) if isinstance(body, dict) else {}


def _error_of(answer: Answer) -> str:
    """The OAuth error code, when there is one: never the description, which may quote what was sent."""
    error = _mapping(answer.body).get("error")
    known = isinstance(error, str) and error.replace("_", "").isalnum() and len(error) <= 64
    return error if known else f"http_{answer.status}"  # type: ignore[return-value]
