"""Whose call it is: the tenant that a key, or a caller on this machine without one, may speak to.

Keys of the database and keys named in a tenant's file open the same way. There is no default tenant: whoever shows a
key that opens nothing is refused. Asked by `server.call_desk` for every call that comes with a key.
"""

import msgspec

from context.security.keys import ApiKeys
from context.security.principal import Scope
from context.tenants.config import TenantConfig
from context.tenants.directory import TenantDirectory
from context.tenants.errors import TenantSuspendedError, UnknownTenantError
from telephony.calls import CallRefused
from telephony.peer import Peer


class Admitted(msgspec.Struct, frozen=True):
    """Whose call it is, and whether its client may say who calls: what is known of that person may then be told."""

    tenant: TenantConfig
    may_name_caller: bool


class Callers:
    """Finds the tenant of a call."""

    def __init__(self, tenants: TenantDirectory, keys: ApiKeys) -> None:
        self._tenants = tenants
        self._keys = keys

    async def admit(self, key: str | None, peer: Peer) -> Admitted:
        """The tenant to answer for. Raises CallRefused: unauthorized, suspended."""
        if key:
            # A key of a file may stand in a web page, where anybody can read it.
            of_file = self._tenants.by_key(key)
            return Admitted(of_file, may_name_caller=False) if of_file else await self._by_stored_key(key, peer)
        tenant = self._tenants.without_key(loopback=peer.local)
        if tenant is None:
            where = "" if peer.local else " Without a key only callers from this machine itself are answered."
            raise CallRefused("unauthorized", f"A key is needed.{where}")
        return Admitted(tenant, may_name_caller=True)

    async def _by_stored_key(self, key: str, peer: Peer) -> Admitted:
        principal = await self._keys.authenticate(key, peer.origin)
        if principal is None:
            raise CallRefused("unauthorized", "This key opens nothing.")
        if not principal.tenant_id or not principal.may(Scope.CALLS_PLACE):
            raise CallRefused("unauthorized", f"This key may not place calls: it needs the scope {Scope.CALLS_PLACE}.")
        try:
            tenant = self._tenants.serving(principal.tenant_id)
        except UnknownTenantError as error:
            raise CallRefused("unauthorized", "This key opens nothing.") from error
        except TenantSuspendedError as error:
            raise CallRefused("suspended", "This account is suspended.") from error
        return Admitted(tenant, may_name_caller=principal.may(Scope.CONTACTS_READ))
