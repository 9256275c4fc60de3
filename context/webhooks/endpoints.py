"""Endpoints on the store, with their secrets in the vault.

A secret is made here, shown once to whoever asked for it, and after that only used for signing; while it is being
replaced the old one signs too, so that the receiver may change over at any moment of the overlap. Called by
`context.webhooks.service` (people) and `dispatcher` (deliveries).
"""

import secrets
from collections.abc import Sequence
from typing import Protocol

import msgspec

from context.store.transaction import Row, TenantTransaction
from context.webhooks.endpoint import Endpoint, EndpointState
from context.webhooks.errors import EndpointLimitError, EndpointNotFoundError, EndpointStateError, WebhookError
from context.webhooks.signature import new_secret
from context.webhooks.tables import webhook_attempts, webhook_deliveries, webhook_endpoints

MOST_ENDPOINTS = 10
"""A tenant. Each may have requests under way, so this also bounds what one tenant can keep busy."""

ID_BYTES = 12
SECRET_ID_BYTES = 6


class SecretKeeper(Protocol):
    """What endpoints need of `context.security.vault.Vault`."""

    async def put(self, tenant_id: str, name: str, secret: str) -> object:
        """Keep a secret under this name, in place of one that was there."""
        ...

    async def get(self, tenant_id: str, name: str) -> str | None:
        """The secret, None when there is none."""
        ...

    async def delete(self, tenant_id: str, name: str) -> object:
        """Forget it; nothing happens when there is none."""
        ...


class KeptSecret(msgspec.Struct, frozen=True):
    """A secret that is in the vault. secret: its text, to be shown once."""

    id: str
    secret: str


class EndpointStore:
    """Endpoints by tenant. Statements run in the caller's transaction, so that audit entries commit with them.

    The vault may be another service: it is never asked inside a transaction.
    """

    def __init__(self, vault: SecretKeeper) -> None:
        self._vault = vault

    async def keep_secret(self, tenant_id: str, endpoint_id: str) -> KeptSecret:
        """Make a secret and keep it. Before the endpoint names it: one that nobody names harms nobody."""
        kept = KeptSecret(secrets.token_hex(SECRET_ID_BYTES), new_secret())
        await self._vault.put(tenant_id, secret_name(endpoint_id, kept.id), kept.secret)
        return kept

    async def forget_secret(self, tenant_id: str, endpoint_id: str, secret_id: str) -> None:
        """Remove a secret that nothing signs with any more; "" is none."""
        if secret_id:
            await self._vault.delete(tenant_id, secret_name(endpoint_id, secret_id))

    async def secrets(self, tenant_id: str, endpoint: Endpoint, now_ms: int) -> Sequence[str]:
        """What signs now: the secret, and the one before it during the overlap.

        Raises WebhookError when the vault has lost it: nothing is sent unsigned.
        """
        ids = [endpoint.secret_id]
        if endpoint.previous_secret_id and now_ms < endpoint.previous_until_ms:
            ids.append(endpoint.previous_secret_id)
        found = [await self._vault.get(tenant_id, secret_name(endpoint.id, secret_id)) for secret_id in ids]
        if found[0] is None:
            raise WebhookError(f"the vault has no secret of webhook endpoint {endpoint.id}: rotate it")
        return [secret for secret in found if secret is not None]

    async def list(self, transaction: TenantTransaction) -> Sequence[Endpoint]:
        """Every endpoint of the tenant, oldest first."""
        order = [webhook_endpoints.c.created_at_ms.asc(), webhook_endpoints.c.id.asc()]
        return [endpoint_of(row) for row in await transaction.rows(webhook_endpoints, order_by=order)]

    async def get(self, transaction: TenantTransaction, endpoint_id: str) -> Endpoint:
        """One endpoint. Raises EndpointNotFoundError."""
        row = await transaction.row(webhook_endpoints, webhook_endpoints.c.id == endpoint_id)
        if row is None:
            raise EndpointNotFoundError(f"no webhook endpoint {endpoint_id!r}")
        return endpoint_of(row)

    async def add(self, transaction: TenantTransaction, endpoint: Endpoint) -> None:
        """Store a new endpoint. Raises EndpointLimitError."""
        if await transaction.count(webhook_endpoints) >= MOST_ENDPOINTS:
            raise EndpointLimitError(f"there are {MOST_ENDPOINTS} webhook endpoints already, and no more are allowed")
        await transaction.insert(webhook_endpoints, [_row_of(endpoint)])

    async def change(self, transaction: TenantTransaction, before: Endpoint, after: Endpoint) -> Endpoint:
        """Store `after` with the next version. Raises EndpointStateError when somebody else changed it meanwhile."""
        stored = msgspec.structs.replace(after, version=before.version + 1)
        changed = await transaction.update(
            webhook_endpoints,
            _row_of(stored),
            webhook_endpoints.c.id == before.id,
            webhook_endpoints.c.version == before.version,
        )
        if not changed:
            raise EndpointStateError(f"endpoint {before.id} was changed at the same time: read it again")
        return stored

    async def remove(self, transaction: TenantTransaction, endpoint_id: str) -> None:
        """Remove an endpoint with its deliveries."""
        of_endpoint = webhook_deliveries.c.endpoint_id == endpoint_id
        ids = await transaction.rows(webhook_deliveries, of_endpoint, columns=[webhook_deliveries.c.id])
        await remove_deliveries(transaction, [row["id"] for row in ids])
        await transaction.delete(webhook_endpoints, webhook_endpoints.c.id == endpoint_id)

    async def arrived(self, transaction: TenantTransaction, endpoint: Endpoint) -> None:
        """Something arrived there: it is not failing any more."""
        if endpoint.failing_since_ms is not None:
            await transaction.update(
                webhook_endpoints, {"failing_since_ms": None}, webhook_endpoints.c.id == endpoint.id
            )

    async def lost(self, transaction: TenantTransaction, endpoint_id: str, now_ms: int, patience_ms: int) -> bool:
        """A delivery was given up; whether that made the endpoint DISABLED, which happens after `patience_ms`."""
        endpoint = await self.get(transaction, endpoint_id)
        if endpoint.failing_since_ms is None:
            await transaction.update(
                webhook_endpoints, {"failing_since_ms": now_ms}, webhook_endpoints.c.id == endpoint_id
            )
            return False
        if endpoint.state is not EndpointState.ACTIVE or now_ms - endpoint.failing_since_ms < patience_ms:
            return False
        changed = await transaction.update(
            webhook_endpoints,
            {"state": EndpointState.DISABLED.value, "version": endpoint.version + 1},
            webhook_endpoints.c.id == endpoint_id,
            webhook_endpoints.c.version == endpoint.version,
        )
        return changed > 0


def new_endpoint_id() -> str:
    """A random id."""
    return "we_" + secrets.token_hex(ID_BYTES)


def secret_name(endpoint_id: str, secret_id: str) -> str:
    """The secret's name in the vault."""
    return f"webhook.{endpoint_id}.{secret_id}"


def endpoint_of(row: Row) -> Endpoint:
    """The endpoint that a row holds."""
    fields = {name: row[name] for name in Endpoint.__struct_fields__}
    return msgspec.convert({**fields, "types": msgspec.json.decode(row["types"])}, Endpoint)


async def remove_deliveries(transaction: TenantTransaction, ids: Sequence[str]) -> int:
    """Remove deliveries with their log; how many there were."""
    removed = 0
    for first in range(0, len(ids), _IDS_A_STATEMENT):
        some = ids[first : first + _IDS_A_STATEMENT]
        await transaction.delete(webhook_attempts, webhook_attempts.c.delivery_id.in_(some))
        removed += await transaction.delete(webhook_deliveries, webhook_deliveries.c.id.in_(some))
    return removed


_IDS_A_STATEMENT = 500
"""SQLite takes a limited number of parameters."""


def _row_of(endpoint: Endpoint) -> Row:
    types = msgspec.json.encode(endpoint.types).decode()
    return {**msgspec.structs.asdict(endpoint), "types": types, "state": endpoint.state.value}
