"""The errors of the rooms that outlive a call; each has a machine-readable `code`.

Server and the command line catch `ContextError` and show `code` and the message, which says what
to change.
"""


class ContextError(Exception):
    """Base of every error raised on purpose by context."""

    code = "context_error"


class HomeError(ContextError):
    """The folder that holds Parley's state cannot be made or written."""

    code = "home_unusable"


class StoreError(ContextError):
    """The database cannot be opened or used."""

    code = "store_failed"


class StoreConflictError(StoreError):
    """A row that may exist once exists already."""

    code = "store_conflict"


class StoreVersionError(StoreError):
    """The database was written by a newer Parley than this one."""

    code = "store_too_new"


class TenantFileError(ContextError):
    """A tenant's file is not usable; the message lists every fault found in it."""

    code = "bad_tenant_file"
