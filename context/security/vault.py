"""The vault: secrets of tenants (keys of outside services, tokens, signing keys) behind one interface.

Where they are kept is the backend's matter: sealed in Parley's own database, or in an Infisical project. Nothing here
logs or shows a secret. Used by connections, webhooks, the audit log and the `parley vault` command.
"""

import re
import secrets as randomness
import time
from collections.abc import Callable
from typing import Protocol

from context.security.errors import VaultError
from context.security.master_key import MasterKeySource
from context.security.tables import THE_SERVER
from context.security.vault_store import StoredSecrets
from context.store.database import Store

LONGEST_SECRET_BYTES = 64_000
LONGEST_NAME = 200
GENERATED_BYTES = 32
_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_.:/@-]{{0,{LONGEST_NAME - 1}}}")


class SecretBackend(Protocol):
    """A place that keeps secrets by tenant and name. Every method raises VaultError or StoreError when it cannot."""

    async def get(self, tenant_id: str, name: str) -> str | None:
        """The secret, None when there is none."""
        ...

    async def put(self, tenant_id: str, name: str, secret: str) -> None:
        """Keep the secret, in place of an older one."""
        ...

    async def add(self, tenant_id: str, name: str, secret: str) -> bool:
        """Keep the secret unless there is one; whether it was kept."""
        ...

    async def delete(self, tenant_id: str, name: str) -> bool:
        """Forget the secret; whether there was one."""
        ...

    async def names(self, tenant_id: str) -> list[str]:
        """Names of the tenant's secrets, in order."""
        ...

    async def aclose(self) -> None:
        """Let go of connections."""
        ...


class Vault:
    """Secrets by tenant and name; tenant_id "" are the installation's own.

    Never call it inside a writing transaction: it has its own. Every method raises VaultError, StoreError besides.
    """

    def __init__(self, backend: SecretBackend) -> None:
        self._backend = backend

    @classmethod
    def in_store(cls, store: Store, masters: MasterKeySource, now: Callable[[], float] = time.time) -> "Vault":
        """A vault in Parley's own database, sealed under these master keys."""
        return cls(StoredSecrets(store, masters, now))

    async def aclose(self) -> None:
        """Let go of connections."""
        await self._backend.aclose()

    async def put(self, tenant_id: str, name: str, secret: str) -> None:
        """Keep a secret, in place of an older one. Raises VaultError when name or secret is not taken."""
        await self._backend.put(tenant_id or THE_SERVER, _checked_name(name), _checked_secret(name, secret))

    async def get(self, tenant_id: str, name: str) -> str | None:
        """The secret, None when there is none. Raises VaultTamperedError when it was changed in the database."""
        return await self._backend.get(tenant_id or THE_SERVER, _checked_name(name))

    async def get_or_make(self, tenant_id: str, name: str) -> str:
        """The secret, made at random (hex) the first time. Of several processes all get the same one."""
        found = await self.get(tenant_id, name)
        if found is not None:
            return found
        await self._backend.add(tenant_id or THE_SERVER, name, randomness.token_hex(GENERATED_BYTES))
        made = await self.get(tenant_id, name)
        if made is None:
            raise VaultError(f"the secret {name!r} was deleted while it was made")
        return made

    async def delete(self, tenant_id: str, name: str) -> bool:
        """Forget a secret; whether there was one."""
        return await self._backend.delete(tenant_id or THE_SERVER, _checked_name(name))

    async def names(self, tenant_id: str) -> list[str]:
        """Names of a tenant's secrets, in order."""
        return await self._backend.names(tenant_id or THE_SERVER)


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise VaultError(
            f"name: {name[:LONGEST_NAME]!r} is not allowed; 1 to {LONGEST_NAME} letters, digits and _.:/@- are, "
            "beginning with a letter or digit"
        )
    return name


def _checked_secret(name: str, secret: str) -> str:
    size = len(secret.encode())
    if not 1 <= size <= LONGEST_SECRET_BYTES or "\0" in secret:
        raise VaultError(f"the secret for {name!r} has {size} bytes; 1 to {LONGEST_SECRET_BYTES} are allowed, none 0")
    return secret
