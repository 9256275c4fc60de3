"""The tokens of a tenant's connections, in the vault: each generation under a name of its own.

A new generation is written before the old one is let go, so a process that dies in between loses neither: whoever
comes next finds the newer one and takes it over. Used by `connections` alone.
"""

import msgspec

from context.users.login_providers import SecretKeeper
from context.users.oauth_client import Tokens

ASSUMED_LIFE_S = 3600
"""Of an access token whose provider does not say."""


class KeptTokens(msgspec.Struct, frozen=True):
    """A generation of tokens. refresh_token: "" when there is none. expires_at_s: of the access token."""

    access_token: str
    refresh_token: str
    expires_at_s: int

    def __repr__(self) -> str:
        return "KeptTokens(...)"


def kept_tokens(tokens: Tokens, now: float) -> KeptTokens:
    """What was granted, as it is kept."""
    life_s = ASSUMED_LIFE_S if tokens.expires_in is None else tokens.expires_in
    return KeptTokens(tokens.access_token, tokens.refresh_token or "", int(now + life_s))


class TokenShelf:
    """Tokens by tenant, provider and generation. Every method raises VaultError and StoreError."""

    def __init__(self, vault: SecretKeeper) -> None:
        self._vault = vault

    async def put(self, tenant_id: str, provider: str, generation: int, tokens: KeptTokens) -> None:
        """Keep a generation."""
        await self._vault.put(tenant_id, _name(provider, generation), msgspec.json.encode(tokens).decode())

    async def get(self, tenant_id: str, provider: str, generation: int) -> KeptTokens | None:
        """A generation, None when it is not there."""
        kept = await self._vault.get(tenant_id, _name(provider, generation))
        return None if kept is None else msgspec.json.decode(kept, type=KeptTokens)

    async def drop_before(self, tenant_id: str, provider: str, generation: int) -> None:
        """Forget every generation before this one."""
        prefix = _name(provider, "")
        for name in await self._vault.names(tenant_id):
            number = name.removeprefix(prefix)
            if name.startswith(prefix) and number.isdigit() and int(number) < generation:
                await self._vault.delete(tenant_id, name)

    async def drop(self, tenant_id: str, provider: str, generation: int) -> None:
        """Forget one generation."""
        await self._vault.delete(tenant_id, _name(provider, generation))


def _name(provider: str, generation: int | str) -> str:
    return f"connection/{provider}/{generation}"
