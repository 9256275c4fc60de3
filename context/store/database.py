"""The database: one engine, transactions that belong to one tenant, durable when they return.

SQLite by default (write-ahead log, synchronous=FULL), Postgres by a SQLAlchemy URL. Opening it brings an older
database up to date. Opened once by the server; every store of `context` works on it.
"""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError, IntegrityError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from context.errors import StoreConflictError, StoreError
from context.store.migration import HEAD, SchemaVersion, migrate, schema_version
from context.store.row_security import EVERY_TENANT, TENANT_SETTING
from context.store.transaction import INSERTS, ServerTransaction, TenantTransaction
from context.store.uninterrupted import in_transaction, uninterrupted

BUSY_TIMEOUT_MS = 10_000
"""How long a writer waits for another process: a write takes milliseconds, a checkpoint tenths of a second."""

SQLITE_PRAGMAS = (
    f"busy_timeout={BUSY_TIMEOUT_MS}",
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "secure_delete=ON",
)
"""secure_delete: what is deleted is overwritten with zeros, so that an erased person is not left in free pages."""

_WRITING = "parley_writing"
_MIGRATING = "parley_migrating"

log = structlog.get_logger(__name__)


class TenantStore:
    """The store as one tenant may see it."""

    def __init__(self, store: "Store", tenant_id: str) -> None:
        if not tenant_id or tenant_id == EVERY_TENANT:
            raise ValueError(f"{tenant_id!r} names no tenant")
        self._store = store
        self.tenant_id = tenant_id

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[TenantTransaction, None]:
        """A consistent view; it never waits for a writer. Raises StoreError."""
        async with self._store.reading_as(self.tenant_id) as connection:
            yield TenantTransaction(connection, self.tenant_id)

    @asynccontextmanager
    async def writing(self) -> AsyncGenerator[TenantTransaction, None]:
        """A transaction that is on disk when the block ends, and undone when the block raises.

        Raises StoreError.
        """
        async with self._store.writing_as(self.tenant_id) as connection:
            yield TenantTransaction(connection, self.tenant_id)


class Store:
    """The database of one installation. Make it with `Store.open`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._reader_engine = engine.execution_options(**{_WRITING: False})
        self._writer_engine = engine.execution_options(**{_WRITING: True})
        self._migrating_engine = engine.execution_options(**{_WRITING: True, _MIGRATING: True})
        # One writer a process: waiting here is fair and free, waiting inside SQLite polls.
        self._writer = asyncio.Lock()

    @property
    def dialect(self) -> str:
        """ "sqlite" or "postgresql"."""
        return self._engine.dialect.name

    @property
    def file(self) -> Path | None:
        """The database file of SQLite."""
        name = self._engine.url.database
        return Path(name) if self.dialect == "sqlite" and name else None

    @classmethod
    async def open(cls, url: str) -> "Store":
        """Connect to a SQLAlchemy async URL and bring the database to the schema of this Parley.

        Raises StoreVersionError when a newer Parley wrote it, else StoreError.
        """
        store = await cls.connect(url)
        try:
            await store.migrate()
        except BaseException:
            await store.aclose()
            raise
        return store

    @classmethod
    async def connect(cls, url: str) -> "Store":
        """Connect, and leave the schema as it is: for `migrate` and `schema` alone. Raises StoreError."""
        try:
            engine = create_async_engine(url, hide_parameters=True, pool_pre_ping=not url.startswith("sqlite"))
        except (ArgumentError, IntegrityError, NoSuchModuleError, ModuleNotFoundError) as error:
            raise StoreError(f"the database address cannot be used: {error}") from error
        if engine.dialect.name not in INSERTS:
            await engine.dispose()
            raise StoreError(f"the database is {engine.dialect.name}; only {' and '.join(INSERTS)} are supported")
        if engine.dialect.name == "sqlite":
            event.listen(engine.sync_engine, "connect", _sqlite_connect)
            event.listen(engine.sync_engine, "begin", _sqlite_begin)
            try:
                # The asynchronous driver leaves a thread behind when a file cannot be opened.
                await asyncio.to_thread(_touch_sqlite, engine.url.database)
            except sqlite3.Error as error:
                await engine.dispose()
                raise StoreError(f"the database failed: {error}") from error
        return cls(engine)

    def tenant(self, tenant_id: str) -> TenantStore:
        """The store as `tenant_id` sees it."""
        return TenantStore(self, tenant_id)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._engine.dispose()

    @asynccontextmanager
    async def reading_as(self, owner: str) -> AsyncGenerator[AsyncConnection, None]:
        """A reading transaction: for `TenantStore`, which scopes it. owner: the tenant whose rows Postgres shows,
        EVERY_TENANT for all, "" for none. Raises StoreError."""
        with _as_store_errors():
            async with in_transaction(self._reader_engine) as connection:
                await uninterrupted(_name_owner(connection, owner))
                yield connection

    @asynccontextmanager
    async def writing_as(self, owner: str) -> AsyncGenerator[AsyncConnection, None]:
        """A writing transaction: for `TenantStore`, which scopes it. owner: as of `reading_as`. Raises StoreError."""
        with _as_store_errors():
            async with self._writer, in_transaction(self._writer_engine) as connection:
                await uninterrupted(_name_owner(connection, owner))
                yield connection

    @asynccontextmanager
    async def reading_every_tenant(self) -> AsyncGenerator[ServerTransaction, None]:
        """A consistent view of every tenant, for housekeeping. Raises StoreError."""
        async with self.reading_as(EVERY_TENANT) as connection:
            yield ServerTransaction(connection)

    @asynccontextmanager
    async def writing_every_tenant(self) -> AsyncGenerator[ServerTransaction, None]:
        """A writing transaction over every tenant, for housekeeping. Raises StoreError."""
        async with self.writing_as(EVERY_TENANT) as connection:
            yield ServerTransaction(connection)

    async def schema(self) -> SchemaVersion:
        """Which schema the database has. Raises StoreError."""
        async with self.reading_as(EVERY_TENANT) as connection:
            return await connection.run_sync(schema_version)

    async def migrate(self, to: str = HEAD) -> SchemaVersion:
        """Bring the schema to a revision, whole or not at all; processes that do so at once take turns.

        Raises NoSuchRevisionError, StoreVersionError when a newer Parley wrote the database, else StoreError.
        """
        # An up-to-date database needs no write, so that opening it never waits for a writer.
        version = await self.schema()
        if version.found != version.resolve(to):
            with _as_store_errors():
                async with self._writer, self._migrating_engine.connect() as connection:
                    try:
                        async with connection.begin():
                            await _name_owner(connection, EVERY_TENANT)
                            await connection.run_sync(migrate, to)
                    finally:
                        if self.dialect == "sqlite":
                            await _driver(connection, "PRAGMA foreign_keys=ON")
            version = await self.schema()
        if version.bypasses_row_security:
            log.warning("database_role_sees_past_row_security")
        return version

    async def checkpoint(self) -> bool:
        """Move SQLite's write-ahead log into the database file and empty it; whether nothing is left in the log.

        A reader that holds an old view stops it. Postgres: True, it has no such file. Raises StoreError.
        """
        if self.dialect != "sqlite":
            return True
        rows = await self.outside_transaction("PRAGMA wal_checkpoint(TRUNCATE)")
        return rows[0][0] == 0

    async def outside_transaction(self, statement: str) -> Sequence[Sequence[Any]]:
        """Run a statement that no transaction may hold (VACUUM, a checkpoint); its rows. Raises StoreError."""
        with _as_store_errors():
            async with self._writer, self._engine.connect() as connection:
                if self.dialect == "postgresql":
                    connection = await connection.execution_options(isolation_level="AUTOCOMMIT")
                    result = await connection.exec_driver_sql(statement)
                    return [tuple(row) for row in result] if result.returns_rows else []
                return await _driver(connection, statement)


async def _driver(connection: AsyncConnection, statement: str) -> Sequence[Sequence[Any]]:
    """SQLite: run a statement outside any transaction. SQLAlchemy would begin one; the driver does not."""
    driver: Any = (await connection.get_raw_connection()).driver_connection
    try:
        return list(await driver.execute_fetchall(statement))
    except sqlite3.Error as error:
        raise StoreError(f"the database failed: {error}") from error


async def _name_owner(connection: AsyncConnection, owner: str) -> None:
    if connection.dialect.name == "postgresql":
        await connection.execute(sa.select(sa.func.set_config(TENANT_SETTING, owner, True)))


@contextmanager
def _as_store_errors() -> Generator[None, None, None]:
    try:
        yield
    except IntegrityError as error:
        _drop_details(error)
        raise StoreConflictError("the row exists already, or what it names does not") from error
    except SQLAlchemyError as error:
        _drop_details(error)
        # The driver's own words: `str(error)` adds the statement, which says nothing to an operator.
        raise StoreError(f"the database failed: {getattr(error, 'orig', None) or error}") from error
    except OSError as error:
        raise StoreError(f"the database cannot be reached: {error}") from error


def _drop_details(error: SQLAlchemyError) -> None:
    """Postgres repeats the whole row in the lines below the first: names and numbers, on their way to a log."""
    for shown in (error, getattr(error, "orig", None)):
        if shown is not None and shown.args and isinstance(shown.args[0], str):
            shown.args = (shown.args[0].split("\n", 1)[0],)


def _touch_sqlite(path: str | None) -> None:
    """Raises sqlite3.Error when the file cannot be opened or made."""
    if path and path != ":memory:" and not path.startswith("file:"):
        sqlite3.connect(path).close()


def _sqlite_connect(connection: Any, _record: object) -> None:
    # The driver must not open transactions by itself: `_sqlite_begin` says which kind.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in SQLITE_PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _sqlite_begin(connection: sa.Connection) -> None:
    options = connection.get_execution_options()
    if options.get(_MIGRATING, False):
        # Alembic changes a table by making it anew; with keys enforced, dropping the old one would take rows along.
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
    # IMMEDIATE takes the write lock before the first read, so what was read is still true when writing.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get(_WRITING, False) else "BEGIN")
