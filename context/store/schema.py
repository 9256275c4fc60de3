"""The whole schema: which modules declare tables. For migrations, backup, erasure and their tests."""

from importlib import import_module

import sqlalchemy as sa

from context.store.metadata import metadata

TABLE_MODULES = (
    "context.bookings.tables",
    "context.calls.tables",
    "context.contacts.tables",
    "context.conversations.tables",
    "context.erasure.tables",
    "context.events.tables",
    "context.idempotency.tables",
    "context.security.tables",
    "context.webhooks.tables",
    "context.tenants.tables",
    "context.users.tables",
)
"""Every module that declares tables."""


def whole_schema() -> sa.MetaData:
    """Every table of every concept."""
    for module in TABLE_MODULES:
        import_module(module)
    return metadata
