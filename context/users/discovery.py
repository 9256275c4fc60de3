"""What an OpenID provider says about itself: its endpoints and the keys that it signs with, remembered for an hour.

A token signed with a key that is not known yet makes the keys be fetched again, at most every half minute, so that a
provider may rotate them at any time. Used by `oidc_login`.
"""

import time
from collections.abc import Callable
from typing import Any

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from context.users.errors import ProviderDownError
from context.users.outside import Outside, Reach, is_allowed_url

REMEMBERED_S = 3600.0
KEYS_AGAIN_S = 30.0
WELL_KNOWN = "/.well-known/openid-configuration"
MOST_REMEMBERED = 1000


class Metadata(msgspec.Struct, frozen=True):
    """The part of the discovery document that we use (OpenID Connect Discovery, section 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    id_token_signing_alg_values_supported: tuple[str, ...] = ("RS256",)
    authorization_response_iss_parameter_supported: bool = False


class _Keys(msgspec.Struct, frozen=True):
    keys: KeySet
    fetched_at: float


class Discovery:
    """Metadata and keys by issuer. Every method raises ProviderDownError. clock: monotonic seconds."""

    def __init__(self, outside: Outside, clock: Callable[[], float] = time.monotonic) -> None:
        self._outside = outside
        self._clock = clock
        self._metadata: dict[tuple[str, Reach], tuple[Metadata, float]] = {}
        self._keys: dict[tuple[str, Reach], _Keys] = {}

    async def metadata(self, issuer: str, reach: Reach) -> Metadata:
        """The provider's own description, which must be of exactly this issuer."""
        known = self._metadata.get((issuer, reach))
        if known and self._clock() < known[1] + REMEMBERED_S:
            return known[0]
        answer = await self._outside.get(issuer.rstrip("/") + WELL_KNOWN, reach)
        try:
            found = msgspec.convert(answer.body, Metadata)
        except msgspec.ValidationError as error:
            raise ProviderDownError(f"the provider's description cannot be used: {error}") from error
        if found.issuer != issuer:
            raise ProviderDownError("the provider's description is of another issuer")
        for url in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri):
            if not is_allowed_url(url, reach):
                raise ProviderDownError("the provider's description names an address that is not TLS")
        self._remember(self._metadata, (issuer, reach), (found, self._clock()))
        return found

    async def keys(self, issuer: str, reach: Reach, key_id: str | None) -> KeySet:
        """The provider's public keys, fetched again when `key_id` is not among those known."""
        known = self._keys.get((issuer, reach))
        age_s = self._clock() - known.fetched_at if known else REMEMBERED_S
        if known and age_s < REMEMBERED_S and (_has(known.keys, key_id) or age_s < KEYS_AGAIN_S):
            return known.keys
        answer = await self._outside.get((await self.metadata(issuer, reach)).jwks_uri, reach)
        try:
            keys = KeySet.import_key_set(answer.body)
        except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise ProviderDownError("the provider's keys cannot be read") from error
        self._remember(self._keys, (issuer, reach), _Keys(keys, self._clock()))
        return keys

    def _remember(self, known: dict[Any, Any], key: tuple[str, Reach], value: object) -> None:
        known.pop(key, None)
        while len(known) >= MOST_REMEMBERED:
            del known[next(iter(known))]
        known[key] = value


def _has(keys: KeySet, key_id: str | None) -> bool:
    return key_id is None or any(key.kid == key_id for key in keys)
