"""Brings a database to the schema of this Parley, step by step, with Alembic.

The steps are `migrations/versions/*.py`, one a concept. Called by `Store.open` inside one transaction: a database is
upgraded whole or not at all. Databases of Parley 0.1 carried a table `schema_version` instead of Alembic's.
"""

from pathlib import Path

import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError

from context.errors import StoreVersionError

SCRIPTS = Path(__file__).parent / "migrations"
BASE = "0001"
"""The schema of Parley 0.1."""


def upgrade(connection: sa.Connection) -> None:
    """Run every step that this database lacks. Raises StoreVersionError when a newer Parley wrote it."""
    context = MigrationContext.configure(connection, opts={"render_as_batch": True})
    scripts = ScriptDirectory(str(SCRIPTS))
    found = context.get_current_revision()
    if found is None and sa.inspect(connection).has_table("schema_version"):
        context.stamp(scripts, BASE)
        found = BASE
    try:
        steps = list(reversed(list(scripts.iterate_revisions("head", found or "base"))))
    except RevisionError as error:
        raise StoreVersionError(
            f"the database is of version {found} and this Parley knows up to {scripts.get_current_head()}: "
            "install the newer Parley again, or open another database"
        ) from error
    with Operations.context(context):
        for step in steps:
            step.module.upgrade()
            context.stamp(scripts, step.revision)


def head() -> str:
    """The newest schema version that this Parley knows."""
    return ScriptDirectory(str(SCRIPTS)).get_current_head() or ""
