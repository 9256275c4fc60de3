"""Secrets sealed in Parley's own database (envelope encryption), and the rotation of every key in it.

Each tenant has a data key that seals its secrets; the master key seals data keys alone, so a new master key rewrites a
row a tenant and not every secret. Both rotations go on where they were interrupted. The backend of
`context.security.vault` when no other is configured.
"""

import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TypeVar

from context.security.errors import MasterKeyError, VaultTamperedError
from context.security.master_key import MasterKeys, MasterKeySource
from context.security.sealing import KEY_BYTES, Place, seal, unseal
from context.security.tables import THE_SERVER, vault_data_keys, vault_masters, vault_secrets, vaults
from context.store.database import Store
from context.store.transaction import Row, ServerTransaction, Statements

REMEMBERED_KEYS = 1_000
"""Data keys held open in memory, the least used go first."""

T = TypeVar("T")

BATCH = 100
"""Rows that a rotation changes in one transaction, which keeps other writers waiting for milliseconds."""


class StoredSecrets:
    """Implements `context.security.vault.SecretBackend`. now: seconds since the epoch."""

    def __init__(self, store: Store, masters: MasterKeySource, now: Callable[[], float]) -> None:
        self._store = store
        self._masters = masters
        self._now = now
        self._open: OrderedDict[tuple[str, int, bytes], bytes] = OrderedDict()

    async def aclose(self) -> None:
        """Forget the keys that are open in memory; the store belongs to somebody else."""
        self._open.clear()

    async def get(self, tenant_id: str, name: str) -> str | None:
        """The secret, None when there is none. Raises VaultTamperedError, MasterKeyError."""
        return await _again_after_rotation(lambda: self._get(tenant_id, name))

    async def put(self, tenant_id: str, name: str, secret: str) -> None:
        """Keep the secret, in place of an older one. Raises MasterKeyError."""
        await _again_after_rotation(lambda: self._write(tenant_id, name, secret, replace=True))

    async def add(self, tenant_id: str, name: str, secret: str) -> bool:
        """Keep the secret unless there is one; whether it was kept. Raises MasterKeyError."""
        return await _again_after_rotation(lambda: self._write(tenant_id, name, secret, replace=False))

    async def delete(self, tenant_id: str, name: str) -> bool:
        """Forget the secret; whether there was one."""
        async with self._store.tenant(tenant_id).writing() as transaction:
            await transaction.lock(vaults)
            return bool(await transaction.delete(vault_secrets, vault_secrets.c.name == name))

    async def names(self, tenant_id: str) -> list[str]:
        """Names of the tenant's secrets, in order."""
        column = vault_secrets.c.name
        async with self._store.tenant(tenant_id).reading() as transaction:
            return [row["name"] for row in await transaction.rows(vault_secrets, columns=[column], order_by=[column])]

    async def tenants(self) -> list[str]:
        """Everybody who has secrets here, in order."""
        column = vault_data_keys.c.tenant_id
        async with self._store.reading_every_tenant() as server:
            return sorted({row["tenant_id"] for row in await server.rows(vault_data_keys, columns=[column])})

    async def rotate_data_key(self, tenant_id: str) -> int:
        """Seal every secret of the tenant under a new data key; how many there were. Continues what was interrupted.

        Raises VaultTamperedError, MasterKeyError.
        """
        async with self._store.writing_every_tenant() as server:
            versions = [row["version"] for row in await _data_keys_of(server, tenant_id)]
            if not versions:
                return 0
            # More than one key is a rotation that did not finish: finish it instead of beginning another.
            if len(versions) == 1:
                await self._insert_data_key(server, tenant_id, versions[0] + 1)
        resealed = 0
        while batch := await self._reseal(tenant_id):
            resealed += batch
        return resealed

    async def rotate_master(self) -> int:
        """Seal every data key under the newest master key; how many there were. Continues what was interrupted.

        Afterwards the older master keys open nothing and may be destroyed. Raises VaultTamperedError, MasterKeyError.
        """
        newest = self._masters.load().current_id
        async with self._store.writing_every_tenant() as server:
            fresh = {"id": newest, "tenant_id": THE_SERVER, "created_at_ms": self._now_ms(), "retired_at_ms": None}
            await server.upsert(vault_masters, fresh)
            # Whoever makes a data key holds the row of its master key, so none is made unseen.
            others = (vault_masters.c.id != newest, vault_masters.c.retired_at_ms.is_(None))
            await server.update(vault_masters, {"retired_at_ms": self._now_ms()}, *others)
        rewrapped = 0
        while batch := await self._rewrap(newest):
            rewrapped += batch
        return rewrapped

    async def _get(self, tenant_id: str, name: str) -> str | None:
        async with self._store.tenant(tenant_id).reading() as transaction:
            row = await transaction.row(vault_secrets, vault_secrets.c.name == name)
            if row is None:
                return None
            key = await self._data_key(transaction, tenant_id, row["key_version"])
        return _unsealed_secret(key, row)

    async def _write(self, tenant_id: str, name: str, secret: str, *, replace: bool) -> bool:
        while True:
            async with self._store.tenant(tenant_id).writing() as transaction:
                await transaction.lock(vaults)
                old = await transaction.row(vault_secrets, vault_secrets.c.name == name)
                if old is not None and not replace:
                    return False
                newest = await transaction.rows(vault_data_keys, order_by=[vault_data_keys.c.version.desc()], limit=1)
                if newest:
                    key_version = newest[0]["version"]
                    key = self._opened(newest[0])
                    version = 1 if old is None else old["version"] + 1
                    row = self._sealed_row(key, tenant_id, name, version, key_version, secret.encode())
                    await transaction.upsert(vault_secrets, row)
                    return True
            async with self._store.writing_every_tenant() as server:
                await self._insert_data_key(server, tenant_id, 1)

    async def _reseal(self, tenant_id: str) -> int:
        async with self._store.tenant(tenant_id).writing() as transaction:
            await transaction.lock(vaults)
            keys = await transaction.rows(vault_data_keys, order_by=[vault_data_keys.c.version.desc()])
            newest = keys[0]
            older = vault_secrets.c.key_version != newest["version"]
            rows = await transaction.rows(vault_secrets, older, limit=BATCH)
            for row in rows:
                old_key = await self._data_key(transaction, tenant_id, row["key_version"])
                plain = _unsealed_secret(old_key, row).encode()
                sealed = self._sealed_row(
                    self._opened(newest), tenant_id, row["name"], row["version"], newest["version"], plain
                )
                changed = {column: sealed[column] for column in ("key_version", "sealed")}
                await transaction.update(vault_secrets, changed, vault_secrets.c.name == row["name"])
            if not rows:
                await transaction.delete(vault_data_keys, vault_data_keys.c.version != newest["version"])
        return len(rows)

    async def _rewrap(self, newest: str) -> int:
        masters = self._masters.load()
        async with self._store.writing_every_tenant() as server:
            rows = await server.rows(vault_data_keys, vault_data_keys.c.master_id != newest, limit=BATCH)
            for row in rows:
                tenant_id, version = row["tenant_id"], row["version"]
                plain = _unwrapped(masters, row)
                wrapped = seal(_master(masters, newest), plain, _key_place(tenant_id, version, newest))
                await server.update(
                    vault_data_keys,
                    {"master_id": newest, "wrapped": wrapped},
                    vault_data_keys.c.tenant_id == tenant_id,
                    vault_data_keys.c.version == version,
                )
        return len(rows)

    async def _insert_data_key(self, server: ServerTransaction, tenant_id: str, version: int) -> None:
        masters = self._masters.load()
        master_id = await self._active_master(server, masters)
        wrapped = seal(
            _master(masters, master_id), secrets.token_bytes(KEY_BYTES), _key_place(tenant_id, version, master_id)
        )
        row = {
            "tenant_id": tenant_id,
            "version": version,
            "master_id": master_id,
            "wrapped": wrapped,
            "created_at_ms": self._now_ms(),
        }
        await server.insert_once(vault_data_keys, row)

    async def _active_master(self, server: ServerTransaction, masters: MasterKeys) -> str:
        """Id of the master key that seals now, its row held until the transaction ends."""
        active = vault_masters.c.retired_at_ms.is_(None)
        found = await server.row(vault_masters, active)
        if found is None:
            first = {"tenant_id": THE_SERVER, "id": masters.current_id, "created_at_ms": self._now_ms()}
            await server.insert_once(vault_masters, {**first, "retired_at_ms": None})
            found = first
        held = await server.update(vault_masters, {"retired_at_ms": None}, vault_masters.c.id == found["id"], active)
        if not held:  # retired by a rotation between the two statements
            return await self._active_master(server, masters)
        return str(found["id"])

    async def _data_key(self, transaction: Statements, tenant_id: str, version: int) -> bytes:
        row = await transaction.row(vault_data_keys, vault_data_keys.c.version == version)
        if row is None:
            raise VaultTamperedError(f"data key {version} of tenant {tenant_id!r} is gone from the database")
        return self._opened(row)

    def _opened(self, row: Row) -> bytes:
        # The wrapped key is part of the name: a tenant that was deleted and made again has another key 1.
        name = row["tenant_id"], row["version"], bytes(row["wrapped"])
        if name not in self._open:
            self._open[name] = _unwrapped(self._masters.load(), row)
            while len(self._open) > REMEMBERED_KEYS:
                self._open.popitem(last=False)
        self._open.move_to_end(name)
        return self._open[name]

    def _sealed_row(self, key: bytes, tenant_id: str, name: str, version: int, key_version: int, plain: bytes) -> Row:
        return {
            "name": name,
            "version": version,
            "key_version": key_version,
            "sealed": seal(key, plain, _secret_place(tenant_id, name, version, key_version)),
            "updated_at_ms": self._now_ms(),
        }

    def _now_ms(self) -> int:
        return round(self._now() * 1000)


async def _again_after_rotation(action: Callable[[], Awaitable[T]]) -> T:
    """A rotation may end between reading a data key and reading the master keys: the second try sees its result."""
    try:
        return await action()
    except MasterKeyError:
        return await action()


async def _data_keys_of(server: ServerTransaction, tenant_id: str) -> list[Row]:
    columns = vault_data_keys.c
    return list(await server.rows(vault_data_keys, columns.tenant_id == tenant_id, order_by=[columns.version]))


def _unsealed_secret(key: bytes, row: Row) -> str:
    place = _secret_place(row["tenant_id"], row["name"], row["version"], row["key_version"])
    return unseal(key, bytes(row["sealed"]), place, f"the secret {row['name']!r}").decode()


def _unwrapped(masters: MasterKeys, row: Row) -> bytes:
    tenant_id, version, master_id = row["tenant_id"], row["version"], row["master_id"]
    what = f"data key {version} of tenant {tenant_id!r}"
    return unseal(_master(masters, master_id), bytes(row["wrapped"]), _key_place(tenant_id, version, master_id), what)


def _master(masters: MasterKeys, master_id: str) -> bytes:
    key = masters.key(master_id)
    if key is None:
        raise MasterKeyError(
            f"this database is sealed with master key {master_id}, and only {', '.join(masters.ids)} is here: "
            "bring back the key that belongs to it"
        )
    return key


def _key_place(tenant_id: str, version: int, master_id: str) -> Place:
    return "parley data key", tenant_id, version, master_id


def _secret_place(tenant_id: str, name: str, version: int, key_version: int) -> Place:
    return "parley secret", tenant_id, name, version, key_version
