"""A real OAuth 2.0 and OpenID provider on loopback: Authlib's own authorization server, with its own opinion on every
request.

It speaks the authorization code grant with PKCE required, ID tokens signed RS256, refresh tokens that rotate and whose
reuse ends the whole grant, and revocation. Tests steer who signs in and what goes wrong through `Provider`'s fields.
"""

import asyncio
import socket
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import msgspec
from authlib.common.security import generate_token
from authlib.oauth2.rfc6749 import (
    AuthorizationServer,
    InvalidGrantError,
    OAuth2Error,
    OAuth2Request,
    grants,
)
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc9207.parameter import IssuerParameter
from authlib.oidc.core import UserInfo
from authlib.oidc.core.grants import OpenIDCode
from joserfc.jwk import KeySet, RSAKey
from litestar import Litestar, Request, Response, get, post

from server.http_app import HttpListener

CLIENT_ID = "parley-test"
CLIENT_SECRET = "a secret that only the two of us know"
SCOPES = ("openid", "profile", "email", "calendar")


@cache
def _rsa_key(number: int) -> RSAKey:
    """Made once for all tests: it takes a third of a second."""
    return RSAKey.generate_key(2048, {"kid": f"key-{number}", "use": "sig"})


class Person(msgspec.Struct):
    """Who is signed in at the provider."""

    subject: str
    name: str = "Ada Lovelace"
    email: str = "ada@example.com"


class _Client:
    """Our client, as the provider registered it."""

    client_id = CLIENT_ID
    client_secret = CLIENT_SECRET
    id_token_signed_response_alg = "RS256"

    def __init__(self, redirect_uris: set[str]) -> None:
        self._redirect_uris = redirect_uris

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> str:
        return ""

    def get_allowed_scope(self, scope: str | None) -> str:
        return " ".join(word for word in (scope or "").split() if word in SCOPES)

    def check_redirect_uri(self, uri: str) -> bool:
        return uri in self._redirect_uris

    def check_client_secret(self, secret: str) -> bool:
        return secret == self.client_secret

    def check_endpoint_auth_method(self, method: str, _endpoint: str) -> bool:
        return method in ("client_secret_basic", "client_secret_post")

    def check_response_type(self, kind: str) -> bool:
        return kind == "code"

    def check_grant_type(self, kind: str) -> bool:
        return kind in ("authorization_code", "refresh_token")


class _Code(msgspec.Struct):
    """An authorization code on its way."""

    code: str
    redirect_uri: str
    scope: str
    person: Person
    nonce: str
    code_challenge: str
    code_challenge_method: str
    issued_at: float

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str:
        return self.nonce

    def get_auth_time(self) -> int:
        return int(self.issued_at)

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None


class _Token(msgspec.Struct):
    """A granted pair. family: every pair that came from the same consent."""

    access_token: str
    refresh_token: str
    scope: str
    person: Person
    family: str
    spent: bool = False

    def check_client(self, client: _Client) -> bool:
        return client.client_id == CLIENT_ID

    def get_scope(self) -> str:
        return self.scope


class _Response:
    """What Authlib answers, before it is sent."""

    def __init__(self, status: int, body: Any, headers: Any) -> None:
        self.status, self.body, self.headers = status, body, dict(headers)

    @property
    def location(self) -> str:
        return self.headers.get("Location", "")

    @location.setter
    def location(self, url: str) -> None:
        self.headers["Location"] = url


class _Form(OAuth2Request):
    """A request with its form at hand."""

    def __init__(self, method: str, path: str, fields: dict[str, str], headers: dict[str, str]) -> None:
        super().__init__(method, f"https://provider.test{path}", headers=headers)
        self.payload = BasicOAuth2Payload(fields)
        self._fields = fields

    @property
    def form(self) -> dict[str, str]:
        return self._fields

    @property
    def args(self) -> dict[str, str]:
        return self._fields


# Authlib brings partial types of its own, which its documented way of subclassing does not fit.
# pyright: reportIncompatibleMethodOverride=false, reportIncompatibleVariableOverride=false


class Provider(AuthorizationServer):
    """The provider. issuer: its address. redirect_uris: what our client registered."""

    def __init__(self, issuer: str) -> None:
        super().__init__(scopes_supported=SCOPES)
        self.issuer = issuer
        self.redirect_uris: set[str] = set()
        self.person: Person | None = Person("person-1")
        self.codes: dict[str, _Code] = {}
        self.tokens: list[_Token] = []
        self.revoked_families: set[str] = set()
        self.refreshes = 0
        self.reuses = 0
        self.revocations = 0
        self.key_fetches = 0
        self.expires_in = 3600
        self.code_life_s = 60.0
        self.claims: dict[str, Any] = {}  # put over the honest ones
        self.says_issuer = issuer
        self.down = False
        self.key_number = 0
        self.keys: KeySet
        self.rotate_keys()
        self.register_grant(_CodeGrant, [CodeChallenge(required=True), _OpenId()])
        self.register_grant(_RefreshGrant)
        self.register_endpoint(_Revocation)
        self.register_extension(lambda server: _Issuer()(server))
        tokens = BearerTokenGenerator(
            lambda **_: generate_token(42), lambda **_: generate_token(48), lambda *_: self.expires_in
        )
        self.register_token_generator("default", tokens)

    def rotate_keys(self) -> None:
        """Sign with a new key from now on, and publish no other."""
        self.key_number += 1
        self.keys = KeySet([_rsa_key(self.key_number)])

    @property
    def signing_key(self) -> RSAKey:
        key = self.keys.keys[0]
        assert isinstance(key, RSAKey)
        return key

    def query_client(self, client_id: str) -> _Client | None:
        return _Client(self.redirect_uris) if client_id == CLIENT_ID else None

    def save_token(self, token: dict[str, Any], request: Any) -> None:
        before = request.refresh_token
        family = before.family if before else generate_token(12)
        self.tokens.append(
            _Token(token["access_token"], token.get("refresh_token", ""), token.get("scope", ""), request.user, family)
        )

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""

    def create_oauth2_request(self, request: Any) -> OAuth2Request:
        return request

    def handle_response(self, status: int, body: Any, headers: Any) -> _Response:
        return _Response(status, body, headers)

    def accepts(self, access_token: str) -> bool:
        """Whether the provider's own API would take this token."""
        return any(
            token.access_token == access_token and token.family not in self.revoked_families for token in self.tokens
        )


class _CodeGrant(grants.AuthorizationCodeGrant):
    server: Provider

    def save_authorization_code(self, code: str, request: Any) -> None:
        data = request.payload.data
        self.server.codes[code] = _Code(
            code,
            data["redirect_uri"],
            request.scope,
            request.user,
            data.get("nonce", ""),
            data.get("code_challenge", ""),
            data.get("code_challenge_method", ""),
            time.time(),
        )

    def query_authorization_code(self, code: str, client: Any) -> _Code | None:
        found = self.server.codes.get(code)
        return found if found and time.time() < found.issued_at + self.server.code_life_s else None

    def delete_authorization_code(self, authorization_code: _Code) -> None:
        del self.server.codes[authorization_code.code]

    def authenticate_user(self, authorization_code: _Code) -> Person:
        return authorization_code.person


class _OpenId(OpenIDCode):
    def __call__(self, grant: Any) -> None:
        self.server: Provider = grant.server
        super().__call__(grant)

    def exists_nonce(self, nonce: str, request: Any) -> bool:
        return any(code.nonce == nonce for code in self.server.codes.values())

    def resolve_client_private_key(self, client: Any) -> RSAKey:
        return self.server.signing_key

    def get_encode_header(self, client: Any) -> dict[str, str]:
        return {"alg": "RS256", "kid": self.server.signing_key.kid or ""}

    def get_client_claims(self, client: Any) -> dict[str, Any]:
        return {"iss": self.server.issuer, "aud": [client.get_client_id()]}

    def generate_user_info(self, user: Person, scope: str) -> UserInfo:
        honest = UserInfo(sub=user.subject, name=user.name)
        if "email" in scope:
            honest.update(email=user.email, email_verified=True)
        return UserInfo({**honest, **self.server.claims})


class _RefreshGrant(grants.RefreshTokenGrant):
    server: Provider
    INCLUDE_NEW_REFRESH_TOKEN = True
    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic", "client_secret_post")

    def authenticate_refresh_token(self, refresh_token: str) -> _Token | None:
        self.server.refreshes += 1
        found = next((token for token in self.server.tokens if token.refresh_token == refresh_token), None)
        if found is None or found.family in self.server.revoked_families:
            return None
        if found.spent:  # RFC 9700, 4.14.2: somebody has stolen it, so the whole grant ends
            self.server.reuses += 1
            self.server.revoked_families.add(found.family)
            raise InvalidGrantError()
        return found

    def authenticate_user(self, refresh_token: _Token) -> Person:
        return refresh_token.person

    def revoke_old_credential(self, refresh_token: _Token) -> None:
        refresh_token.spent = True


class _Revocation(RevocationEndpoint):
    server: Provider
    CLIENT_AUTH_METHODS = ("client_secret_basic", "client_secret_post")

    def query_token(self, token_string: str, token_type_hint: str) -> _Token | None:
        return next((t for t in self.server.tokens if token_string in (t.access_token, t.refresh_token)), None)

    def revoke_token(self, token: _Token, request: Any) -> None:
        self.server.revocations += 1
        self.server.revoked_families.add(token.family)


class _Issuer(IssuerParameter):
    def __call__(self, authorization_server: Any) -> None:
        self._server: Provider = authorization_server
        super().__call__(authorization_server)

    def get_issuer(self) -> str:
        return self._server.says_issuer


def provider_app(provider: Provider) -> Litestar:
    """The provider over HTTP."""

    def sent(answer: Any) -> Response[bytes]:
        body = answer.body if isinstance(answer.body, bytes) else msgspec.json.encode(answer.body or {})
        return Response(body, status_code=answer.status, headers=answer.headers, media_type="application/json")

    async def form_of(request: Request[Any, Any, Any], path: str) -> _Form:
        form = await request.form()
        headers = {name.title(): value for name, value in request.headers.items()}
        return _Form("POST", path, {name: str(value) for name, value in form.items()}, headers)

    def unavailable() -> Response[bytes]:
        return Response(b"down for maintenance", status_code=503)

    @get("/.well-known/openid-configuration")
    async def description() -> Response[bytes]:
        if provider.down:
            return unavailable()
        body = {
            "issuer": provider.issuer,
            "authorization_endpoint": f"{provider.issuer}/authorize",
            "token_endpoint": f"{provider.issuer}/token",
            "jwks_uri": f"{provider.issuer}/jwks",
            "revocation_endpoint": f"{provider.issuer}/revoke",
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            "authorization_response_iss_parameter_supported": True,
        }
        return Response(msgspec.json.encode(body), media_type="application/json")

    @get("/jwks")
    async def keys() -> Response[bytes]:
        provider.key_fetches += 1
        return Response(msgspec.json.encode(provider.keys.as_dict()), media_type="application/json")

    @get("/authorize")
    async def authorize(request: Request[Any, Any, Any]) -> Response[bytes]:
        asked = _Form("GET", "/authorize", dict(request.query_params.items()), {})
        asked.user = provider.person
        try:
            grant = provider.get_consent_grant(asked, end_user=provider.person)
        except OAuth2Error as error:
            return sent(provider.handle_error_response(asked, error))
        return sent(provider.create_authorization_response(asked, grant_user=provider.person, grant=grant))

    @post("/token")
    async def token(request: Request[Any, Any, Any]) -> Response[bytes]:
        if provider.down:
            return unavailable()
        await asyncio.sleep(0)
        return sent(provider.create_token_response(await form_of(request, "/token")))

    @post("/revoke")
    async def revoke(request: Request[Any, Any, Any]) -> Response[bytes]:
        if provider.down:
            return unavailable()
        return sent(provider.create_endpoint_response("revocation", await form_of(request, "/revoke")))

    return Litestar([description, keys, authorize, token, revoke], openapi_config=None, logging_config=None)


@asynccontextmanager
async def running_provider() -> AsyncGenerator[Provider, None]:
    """A provider on a loopback port of its own."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        provider = Provider(f"http://127.0.0.1:{sock.getsockname()[1]}")
        listener = HttpListener(provider_app(provider), sock)
        try:
            yield provider
        finally:
            await listener.close()
