"""Who is asking, and what they may do: the same for API keys, signed-in users and the operator.

Made by whoever checked a key or a session, carried through a request, asked by every guarded action.
"""

from enum import StrEnum

import msgspec


class Scope(StrEnum):
    """One thing that may be allowed. read never changes anything."""

    CALLS_READ = "calls:read"
    CALLS_PLACE = "calls:place"
    BOOKINGS_READ = "bookings:read"
    BOOKINGS_WRITE = "bookings:write"
    CONTACTS_READ = "contacts:read"
    CONTACTS_WRITE = "contacts:write"
    CONTACTS_ERASE = "contacts:erase"
    KNOWLEDGE_READ = "knowledge:read"
    KNOWLEDGE_WRITE = "knowledge:write"
    EVENTS_READ = "events:read"
    EVENTS_WRITE = "events:write"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"
    TENANT_READ = "tenant:read"
    TENANT_WRITE = "tenant:write"
    KEYS_READ = "keys:read"
    KEYS_WRITE = "keys:write"
    USERS_READ = "users:read"
    USERS_WRITE = "users:write"
    USAGE_READ = "usage:read"
    AUDIT_READ = "audit:read"
    SPEECH_USE = "speech:use"
    SERVER_ADMIN = "server:admin"


class Role(StrEnum):
    """What a user is to a tenant (product facts, section 1)."""

    ADMIN = "admin"
    PILOT = "pilot"
    VIEWER = "viewer"
    INTEGRATOR = "integrator"


_READS = frozenset(scope for scope in Scope if scope.value.endswith(":read"))
_OF_NO_TENANT = frozenset({Scope.SERVER_ADMIN})

SCOPES_OF_ROLE: dict[Role, frozenset[Scope]] = {
    Role.ADMIN: frozenset(Scope) - _OF_NO_TENANT,
    Role.PILOT: (_READS - {Scope.KEYS_READ, Scope.USERS_READ, Scope.AUDIT_READ})
    | {Scope.BOOKINGS_WRITE, Scope.CONTACTS_WRITE, Scope.KNOWLEDGE_WRITE, Scope.CALLS_PLACE, Scope.SPEECH_USE},
    Role.VIEWER: _READS - {Scope.KEYS_READ, Scope.USERS_READ, Scope.AUDIT_READ},
    Role.INTEGRATOR: (_READS - {Scope.USERS_READ, Scope.AUDIT_READ})
    | {Scope.CALLS_PLACE, Scope.BOOKINGS_WRITE, Scope.EVENTS_WRITE, Scope.WEBHOOKS_WRITE, Scope.SPEECH_USE},
}


class PrincipalKind(StrEnum):
    """How they proved who they are. OPERATOR: the owner of the installation, who may act for any tenant."""

    KEY = "key"
    USER = "user"
    OPERATOR = "operator"


class Principal(msgspec.Struct, frozen=True):
    """Who is asking. id: of the key or user, for the audit log. tenant_id: whose data; "" for an operator who has not
    said which tenant is meant."""

    kind: PrincipalKind
    id: str
    tenant_id: str
    scopes: frozenset[Scope]

    def may(self, scope: Scope) -> bool:
        """Whether this is allowed."""
        return scope in self.scopes
