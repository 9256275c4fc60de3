"""Brings a database to the schema of this Parley, step by step, with Alembic; and back, for an older Parley.

The steps are `migrations/versions/*.py`, one a concept. Run by `Store.migrate` inside one transaction: a database is
changed whole or not at all. Databases of Parley 0.1 carried a table `schema_version` instead of Alembic's.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import msgspec
import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import RevisionError

from context.errors import StoreError, StoreVersionError

SCRIPTS = Path(__file__).parent / "migrations"
BASE = "base"
"""An empty database."""

HEAD = "head"
"""The newest schema that this Parley knows."""

OLDEST = "0001"
"""The schema of Parley 0.1."""

OLD_VERSION_TABLE = "schema_version"

ADVISORY_LOCK = 0x5041524C4559
"""Postgres's lock that one migration holds at a time: "PARLEY" in ASCII."""


class NoSuchRevisionError(StoreError):
    """A schema was asked for that this Parley does not know."""

    code = "no_such_revision"


class SchemaVersion(msgspec.Struct, frozen=True):
    """Where a database stands.

    found: its revision, "base" for an empty database. known: the revisions of this Parley, oldest first.
    bypasses_row_security: Postgres will show the connected role the rows of every tenant.
    """

    found: str
    known: tuple[str, ...]
    bypasses_row_security: bool = False

    @property
    def head(self) -> str:
        """The newest revision that this Parley knows."""
        return self.known[-1]

    @property
    def missing(self) -> tuple[str, ...]:
        """Steps that this database lacks, oldest first. Raises StoreVersionError when it is newer than this Parley."""
        return self.known[self.place(self.found) :]

    def resolve(self, revision: str) -> str:
        """The revision itself for "head"."""
        return self.head if revision == HEAD else revision

    def place(self, revision: str) -> int:
        """How many steps lead to a revision.

        Raises NoSuchRevisionError, and StoreVersionError when it is the database's own: a newer Parley wrote it.
        """
        if revision == BASE:
            return 0
        if revision in self.known:
            return self.known.index(revision) + 1
        if revision == self.found:
            raise StoreVersionError(
                f"the database is of version {revision} and this Parley knows up to {self.head}: "
                "install the newer Parley again, or open another database"
            )
        raise NoSuchRevisionError(
            f"revision: {revision!r} does not exist; allowed: base, {', '.join(self.known)}, head"
        )


def schema_version(connection: sa.Connection) -> SchemaVersion:
    """What schema the database has; of Parley 0.1 too."""
    found = MigrationContext.configure(connection).get_current_revision()
    if found is None:
        found = OLDEST if sa.inspect(connection).has_table(OLD_VERSION_TABLE) else BASE
    known = tuple(step.revision for step in _steps(_scripts(SCRIPTS)))
    return SchemaVersion(found, known, _bypasses_row_security(connection))


def migrate(connection: sa.Connection, to: str = HEAD) -> None:
    """Run the steps between the database's revision and `to`, up or down. Down drops what those steps made.

    Raises NoSuchRevisionError, StoreVersionError when a newer Parley wrote the database, and StoreError when a step
    left rows that name rows which are gone.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(ADVISORY_LOCK)))
    # Read again behind the lock: another process may have done the work meanwhile.
    version = schema_version(connection)
    first, last = version.place(version.found), version.place(version.resolve(to))
    scripts = _scripts(SCRIPTS)
    context = MigrationContext.configure(connection, opts={"render_as_batch": True})
    if sa.inspect(connection).has_table(OLD_VERSION_TABLE):
        context.stamp(scripts, OLDEST)
        connection.execute(sa.text(f"DROP TABLE {OLD_VERSION_TABLE}"))
    steps = _steps(scripts)
    with Operations.context(context):
        for step in steps[first:last]:
            step.module.upgrade()
            context.stamp(scripts, step.revision)
        for step in reversed(steps[last:first]):
            step.module.downgrade()
            context.stamp(scripts, str(step.down_revision or BASE))
    if connection.dialect.name == "sqlite":
        orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        if orphans:
            raise StoreError(f"the migration would leave {len(orphans)} rows of {orphans[0][0]} that name nothing")


def head() -> str:
    """The newest schema version that this Parley knows."""
    return _steps(_scripts(SCRIPTS))[-1].revision


@cache
def _scripts(folder: Path) -> ScriptDirectory:
    return ScriptDirectory(str(folder))


def _steps(scripts: ScriptDirectory) -> Sequence[Script]:
    """Every step, oldest first. Raises StoreError when this installation's own steps are damaged."""
    try:
        return list(reversed(list(scripts.walk_revisions(BASE, "heads"))))
    except RevisionError as error:
        raise StoreError(f"the migrations of this Parley are damaged: {error}") from error


def _bypasses_row_security(connection: sa.Connection) -> bool:
    if connection.dialect.name != "postgresql":
        return False
    query = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
    return bool(connection.execute(sa.text(query)).scalar())
