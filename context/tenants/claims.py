"""What one tenant has and no other may have: its id, its numbers, the keys of its file.

Filled while the directory of all tenants is put together; whoever comes second is refused, and the message names both.
Called by `context.tenants.directory`.
"""

from context.located_yaml import Fault
from context.tenants.config import TenantConfig


class Claims:
    """Who has what so far."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}
        self._numbers: dict[str, str] = {}
        self._keys: dict[str, str] = {}

    def take(self, tenant: TenantConfig, owner: str) -> None:
        """Note what a tenant has. owner: how to name it to the operator."""
        self._ids[tenant.id] = owner
        self._numbers.update(dict.fromkeys(tenant.numbers, owner))
        self._keys.update(dict.fromkeys(tenant.keys, owner))

    def clash(self, tenant: TenantConfig) -> Fault | None:
        """What this tenant shares with another one and must not."""
        if tenant.id in self._ids:
            return Fault(0, "$.id", f"$.id: {self._ids[tenant.id]} has this id already")
        for at, number in enumerate(tenant.numbers):
            if number in self._numbers:
                path = f"$.numbers[{at}]"
                return Fault(0, path, f"{path}: {number} reaches {self._numbers[number]} already")
        for key in tenant.keys:
            if key in self._keys:
                return Fault(0, "$.keys", f"$.keys: a key opens {self._keys[key]} already")
        return None
