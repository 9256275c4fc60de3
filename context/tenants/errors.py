"""What can be wrong with a tenant, or with what is asked of it; each error has its own code.

Raised by the rooms of `context.tenants`, shown by the command line and turned into HTTP answers by the API.
"""

from collections.abc import Sequence

import msgspec

from context.errors import ContextError


class WrongValue(msgspec.Struct, frozen=True):
    """One value that cannot be. path: as $.services[0].price. value: as text, "" when it may not be shown."""

    path: str
    value: str
    allowed: str

    def __str__(self) -> str:
        return f"{self.path}: {self.allowed}" + (f"; found {self.value}" if self.value else "")


class TenantInvalidError(ContextError):
    """A configuration has wrong values; nothing was stored. faults: every one of them."""

    code = "invalid_tenant"

    def __init__(self, tenant_id: str, faults: Sequence[WrongValue]) -> None:
        super().__init__("\n".join([f"tenant {tenant_id!r} is not usable:", *(f"  {fault}" for fault in faults)]))
        self.faults = tuple(faults)


class UnknownTenantError(ContextError):
    """There is no tenant with this id."""

    code = "unknown_tenant"


class TenantExistsError(ContextError):
    """The id is another tenant's already, or was one's that has been removed."""

    code = "tenant_exists"


class NumberTakenError(ContextError):
    """A telephone number reaches another tenant already."""

    code = "number_taken"


class ManagedByFileError(ContextError):
    """The tenant is defined by a file of the operator, and is changed there."""

    code = "managed_by_file"


class TenantVersionError(ContextError):
    """Somebody changed the tenant in between. found: the version that it has now."""

    code = "version_mismatch"

    def __init__(self, tenant_id: str, expected: int, found: int) -> None:
        super().__init__(f"tenant {tenant_id!r}: version {expected} was expected and it is at {found}: read it again")
        self.found = found


class TenantStateError(ContextError):
    """The tenant's state does not allow this change."""

    code = "tenant_state"


class TenantSuspendedError(ContextError):
    """The tenant is suspended or being removed: it takes no call and its keys open nothing."""

    code = "tenant_suspended"
