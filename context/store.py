"""The database: one engine, transactions that belong to one tenant, durable when they return.

SQLite by default (write-ahead log, synchronous=FULL), any SQLAlchemy URL otherwise. A query needs a
`TenantTransaction`, which adds the tenant to every statement, so no code can read across tenants.
Opened once by the server; used by the stores of bookings and calls.
"""

import asyncio
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import ArgumentError, IntegrityError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from context.errors import StoreConflictError, StoreError, StoreVersionError
from context.tables import SCHEMA_VERSION, metadata, schema_version

BUSY_TIMEOUT_MS = 10_000
"""How long a writer waits for another process: a write takes milliseconds, a checkpoint tenths of a second."""

Row = Mapping[str, Any]
"""Column name -> value."""

_WRITING = "parley_writing"
_INSERTS: dict[str, Any] = {"sqlite": sqlite_insert, "postgresql": postgres_insert}


class TenantTransaction:
    """Statements of one tenant inside one transaction. Every table named must have `tenant_id`."""

    def __init__(self, connection: AsyncConnection, tenant_id: str) -> None:
        self._connection = connection
        self._tenant_id = tenant_id

    async def rows(
        self,
        table: sa.Table,
        *where: sa.ColumnElement[bool],
        order_by: Sequence[sa.ColumnElement[Any]] = (),
        limit: int | None = None,
    ) -> Sequence[Row]:
        """The tenant's rows that meet every condition."""
        query = sa.select(table).where(self._mine(table), *where).order_by(*order_by).limit(limit)
        return [dict(row) for row in (await self._connection.execute(query)).mappings()]

    async def count(self, table: sa.Table, *where: sa.ColumnElement[bool]) -> int:
        """How many of the tenant's rows meet every condition."""
        query = sa.select(sa.func.count()).select_from(table).where(self._mine(table), *where)
        return int((await self._connection.execute(query)).scalar_one())

    async def insert(self, table: sa.Table, rows: Sequence[Row]) -> None:
        """Add rows. Raises StoreConflictError when one exists."""
        await self._connection.execute(sa.insert(table), [{**row, "tenant_id": self._tenant_id} for row in rows])

    async def insert_once(self, table: sa.Table, row: Row) -> bool:
        """Add a row unless its primary key exists already; whether it was added."""
        statement = _INSERTS[self._connection.dialect.name](table).values({**row, "tenant_id": self._tenant_id})
        return bool((await self._connection.execute(statement.on_conflict_do_nothing())).rowcount)

    async def update(self, table: sa.Table, values: Row, *where: sa.ColumnElement[bool]) -> None:
        """Change the tenant's rows that meet every condition."""
        await self._connection.execute(sa.update(table).where(self._mine(table), *where).values(dict(values)))

    async def delete(self, table: sa.Table, *where: sa.ColumnElement[bool]) -> None:
        """Remove the tenant's rows that meet every condition."""
        await self._connection.execute(sa.delete(table).where(self._mine(table), *where))

    async def lock(self, table: sa.Table) -> None:
        """Hold the tenant's row of `table` until the transaction ends.

        Postgres locks the row; on SQLite the writer holds the whole database already.
        """
        await self.insert_once(table, {})
        await self._connection.execute(sa.select(table).where(self._mine(table)).with_for_update())

    def _mine(self, table: sa.Table) -> sa.ColumnElement[bool]:
        return table.c.tenant_id == self._tenant_id


class TenantStore:
    """The store as one tenant may see it."""

    def __init__(self, store: "Store", tenant_id: str) -> None:
        if not tenant_id:
            raise ValueError("a store without a tenant would see nobody's rows")
        self._store = store
        self.tenant_id = tenant_id

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[TenantTransaction, None]:
        """A consistent view; it never waits for a writer. Raises StoreError."""
        async with self._store.reading() as connection:
            yield TenantTransaction(connection, self.tenant_id)

    @asynccontextmanager
    async def writing(self) -> AsyncGenerator[TenantTransaction, None]:
        """A transaction that is on disk when the block ends, and undone when the block raises.

        Raises StoreError.
        """
        async with self._store.writing() as connection:
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
        if engine.dialect.name not in _INSERTS:
            await engine.dispose()
            raise StoreError(f"the database is {engine.dialect.name}; only {' and '.join(_INSERTS)} are supported")
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
    async def reading(self) -> AsyncGenerator[AsyncConnection, None]:
        """A reading transaction of no tenant: for `TenantStore`, which scopes it. Raises StoreError."""
        with _as_store_errors():
            async with self._reader_engine.begin() as connection:
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncGenerator[AsyncConnection, None]:
        """A writing transaction of no tenant: for `TenantStore`, which scopes it. Raises StoreError."""
        with _as_store_errors():
            async with self._writer, self._writer_engine.begin() as connection:
                yield connection

    async def _prepare(self) -> None:
        async with self.writing() as connection:
            await connection.run_sync(schema_version.create, checkfirst=True)
            found = (await connection.execute(sa.select(sa.func.max(schema_version.c.version)))).scalar()
            if found is not None and found > SCHEMA_VERSION:
                raise StoreVersionError(
                    f"the database is of version {found} and this Parley knows up to {SCHEMA_VERSION}: "
                    "install the newer Parley again, or open another database"
                )
            await connection.run_sync(metadata.create_all)
            if found is None:
                await connection.execute(sa.insert(schema_version).values(version=SCHEMA_VERSION))


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
