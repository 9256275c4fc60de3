"""The tenant that a request reads or changes: one way in for every resource that is a part of its configuration.

A change is checked as a whole, written with the version that it was made from, and in use before it is answered.
Called by the resources of tenants, personas and numbers.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import msgspec

from context.security.principal import Principal
from context.tenants.config import TenantConfig
from context.tenants.lifecycle import TenantState
from server.rest.problems import Problem, not_found
from server.rest.services import Services


class TenantDetail(msgspec.Struct, frozen=True):
    """A tenant. managed_by: "file" when a file of the operator defines it, else "api". version: 0 for a file's.

    config: without the digests of a file's keys.
    """

    id: str
    state: TenantState
    managed_by: str
    version: int
    created_at: dt.datetime | None
    changed_at: dt.datetime | None
    reason: str
    config: TenantConfig


async def detail_of(services: Services, tenant_id: str) -> TenantDetail:
    """The tenant as it is now. Raises Problem 404."""
    stored = await services.stored_tenants.get(tenant_id)
    if stored is not None:
        return TenantDetail(
            id=tenant_id,
            state=stored.state,
            managed_by="api",
            version=stored.version,
            created_at=stored.created_at,
            changed_at=stored.changed_at,
            reason=stored.reason,
            config=stored.config,
        )
    entry = services.tenants.entry(tenant_id)
    if entry is None or entry.path is None:
        raise not_found("tenant")
    config = msgspec.structs.replace(entry.config, keys=())
    return TenantDetail(tenant_id, entry.state, "file", 0, None, None, "", config)


async def change_config(
    services: Services, principal: Principal, before: TenantDetail, changes: Mapping[str, Any]
) -> TenantDetail:
    """Write fields of the configuration, as it was in `before`.

    Raises Problem 409 for a tenant of a file, TenantInvalidError, TenantVersionError when it was changed meanwhile,
    NumberTakenError.
    """
    if before.managed_by == "file":
        raise Problem(409, "managed_by_file", in_words(before.id))
    plain = {**msgspec.to_builtins(before.config), **msgspec.to_builtins(dict(changes))}
    config = msgspec.convert(plain, TenantConfig)
    for number in config.numbers:
        other = services.tenants.by_number(number)
        if other is not None and other.id != before.id:
            at = config.numbers.index(number)
            raise Problem(409, "number_taken", f"$.numbers[{at}]: {number} reaches another tenant already.")
    await services.stored_tenants.put(config, actor=principal.id, expected_version=before.version)
    await services.tenants.refresh()
    return await detail_of(services, before.id)


def in_words(tenant_id: str) -> str:
    """Why a tenant cannot be changed here."""
    return f"The tenant {tenant_id!r} is defined by a file of the operator: it is changed there."
