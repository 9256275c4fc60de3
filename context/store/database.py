"""The database: one engine, transactions that belong to one tenant, durable when they return.

SQLite by default (write-ahead log, synchronous=FULL), Postgres by a SQLAlchemy URL. Opening it brings an older
database up to date. Opened once by the server; every store of `context` works on it.
"""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError, IntegrityError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from context.errors import StoreConflictError, StoreError
from context.store.migration import upgrade
from context.store.row_security import EVERY_TENANT, TENANT_SETTING
from context.store.transaction import INSERTS, ServerTransaction, TenantTransaction

BUSY_TIMEOUT_MS = 10_000
"""How long a writer waits for another process: a write takes milliseconds, a checkpoint tenths of a second."""

_WRITING = "parley_writing"


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
        async with self._store.reading(self.tenant_id) as connection:
            yield TenantTransaction(connection, self.tenant_id)

    @asynccontextmanager
    async def writing(self) -> AsyncGenerator[TenantTransaction, None]:
        """A transaction that is on disk when the block ends, and undone when the block raises.

        Raises StoreError.
        """
        async with self._store.writing(self.tenant_id) as connection:
            yield TenantTransaction(connection, self.tenant_id)


class Store:
    """The database of one installation. Make it with `Store.open`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._reader_engine = engine.execution_options(**{_WRITING: False})
        self._writer_engine = engine.execution_options(**{_WRITING: True})
        # One writer a process: waiting here is fair and free, waiting inside SQLite polls.
        self._writer = asyncio.Lock()

    @classmethod
    async def open(cls, url: str) -> "Store":
        """Connect to a SQLAlchemy async URL and make the tables when there are none.

        Raises StoreVersionError when a newer Parley wrote it, else StoreError.
        """
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
        store = cls(engine)
        try:
            await store._prepare()
        except BaseException:
            await store.aclose()
            raise
        return store

    def tenant(self, tenant_id: str) -> TenantStore:
        """The store as `tenant_id` sees it."""
        return TenantStore(self, tenant_id)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._engine.dispose()

    @asynccontextmanager
    async def reading(self, owner: str = "") -> AsyncGenerator[AsyncConnection, None]:
        """A reading transaction: for `TenantStore`, which scopes it. owner: the tenant whose rows Postgres shows,
        EVERY_TENANT for all, "" for none. Raises StoreError."""
        with _as_store_errors():
            async with self._reader_engine.begin() as connection:
                await _name_owner(connection, owner)
                yield connection

    @asynccontextmanager
    async def writing(self, owner: str = "") -> AsyncGenerator[AsyncConnection, None]:
        """A writing transaction: for `TenantStore`, which scopes it. owner: as of `reading`. Raises StoreError."""
        with _as_store_errors():
            async with self._writer, self._writer_engine.begin() as connection:
                await _name_owner(connection, owner)
                yield connection

    @asynccontextmanager
    async def reading_every_tenant(self) -> AsyncGenerator[ServerTransaction, None]:
        """A consistent view of every tenant, for housekeeping. Raises StoreError."""
        async with self.reading(EVERY_TENANT) as connection:
            yield ServerTransaction(connection)

    @asynccontextmanager
    async def writing_every_tenant(self) -> AsyncGenerator[ServerTransaction, None]:
        """A writing transaction over every tenant, for housekeeping. Raises StoreError."""
        async with self.writing(EVERY_TENANT) as connection:
            yield ServerTransaction(connection)

    async def _prepare(self) -> None:
        async with self.writing(EVERY_TENANT) as connection:
            await connection.run_sync(upgrade)


async def _name_owner(connection: AsyncConnection, owner: str) -> None:
    if connection.dialect.name == "postgresql":
        await connection.execute(sa.select(sa.func.set_config(TENANT_SETTING, owner, True)))


@contextmanager
def _as_store_errors() -> Generator[None, None, None]:
    try:
        yield
    except IntegrityError as error:
        raise StoreConflictError("the row exists already, or what it names does not") from error
    except SQLAlchemyError as error:
        # The driver's own words: `str(error)` adds the statement, which says nothing to an operator.
        raise StoreError(f"the database failed: {getattr(error, 'orig', None) or error}") from error
    except OSError as error:
        raise StoreError(f"the database cannot be reached: {error}") from error


def _sqlite_connect(connection: Any, _record: object) -> None:
    # The driver must not open transactions by itself: `_sqlite_begin` says which kind.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (f"busy_timeout={BUSY_TIMEOUT_MS}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _sqlite_begin(connection: sa.Connection) -> None:
    # IMMEDIATE takes the write lock before the first read, so what was read is still true when writing.
    writing = connection.get_execution_options().get(_WRITING, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
