"""ID tokens (OpenID Connect Core, section 3.1.3.7): who the provider says somebody is, once everything is verified.

joserfc checks the signature, Authlib the claims; what is allowed is decided here: asymmetric algorithms only, exactly
this issuer, this client, this nonce, this access token, not expired. Used by `oidc_login`.
"""

from typing import Any, cast

import msgspec
from authlib.oidc.core import CodeIDToken
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry

from context.users.discovery import Discovery
from context.users.errors import Refusal, SignInRefusedError
from context.users.outside import Reach

ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"}
)
"""Signatures that only the provider can make. Never "none", and never HS256, which whoever knows the client secret
(or takes a public key for one) could make."""

LEEWAY_S = 60
LONGEST_SUBJECT_CHARS = 255
"""OpenID Connect Core, section 2."""


class Identity(msgspec.Struct, frozen=True):
    """Somebody, as their provider knows them. name: to show, "" when it is not said."""

    issuer: str
    subject: str
    name: str


async def verified_identity(
    discovery: Discovery,
    id_token: str,
    *,
    issuer: str,
    reach: Reach,
    client_id: str,
    nonce: str,
    access_token: str,
    now: float,
) -> Identity:
    """Who it is. Raises SignInRefusedError (BAD_TOKEN) and ProviderDownError."""
    metadata = await discovery.metadata(issuer, reach)
    allowed = sorted(ALGORITHMS & set(metadata.id_token_signing_alg_values_supported))
    try:
        key_id = jws.extract_compact(id_token.encode()).headers().get("kid")
        keys = await discovery.keys(issuer, reach, key_id if isinstance(key_id, str) else None)
        token = jwt.decode(id_token, keys, registry=JWSRegistry(algorithms=allowed, strict_check_header=False))
        claims = CodeIDToken(
            token.claims,
            token.header,
            {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": client_id}},
            {"nonce": nonce, "client_id": client_id, "access_token": access_token},
        )
        claims.validate(now=int(now), leeway=LEEWAY_S)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise SignInRefusedError(Refusal.BAD_TOKEN) from error
    found = cast(dict[str, Any], claims)
    subject = found["sub"]
    if not 1 <= len(subject) <= LONGEST_SUBJECT_CHARS:
        raise SignInRefusedError(Refusal.BAD_TOKEN)
    name = found.get("name") or found.get("preferred_username") or ""
    return Identity(issuer, subject, name if isinstance(name, str) else "")
