"""What may go wrong in security, each with the code that callers of the API see."""

from context.errors import ContextError


class KeyRequestError(ContextError):
    """A key cannot be made like this: its scopes, origins, name or times."""

    code = "bad_key_request"


class KeyNotFoundError(ContextError):
    """This tenant has no such key."""

    code = "key_not_found"


class KeyEndedError(ContextError):
    """The key was revoked, rotated or has expired, so it cannot be rotated."""

    code = "key_ended"


class MasterKeyError(ContextError):
    """The master key is missing, malformed, readable by others, or not the one that sealed this database."""

    code = "bad_master_key"


class VaultError(ContextError):
    """The vault cannot do this: a name or secret that it does not take, or a backend that does not answer."""

    code = "vault_failed"


class VaultTamperedError(VaultError):
    """What is stored is not what was sealed: it was changed, moved or cut."""

    code = "vault_tampered"


class AuditEntryError(ContextError):
    """An audit entry holds what it must not: text where an id belongs, or too much."""

    code = "bad_audit_entry"
