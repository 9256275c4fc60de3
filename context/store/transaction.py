"""Statements that belong to one tenant, or knowingly to the whole installation.

A query needs a `TenantTransaction`, which adds the tenant to every statement, so no code can read across tenants by
mistake. `ServerTransaction` sees every tenant and is for housekeeping alone (the outbox relay, retention, finding out
whose key a key is). Made by `context.store.database`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from context.store.uninterrupted import uninterrupted

Row = Mapping[str, Any]
"""Column name -> value."""

INSERTS: dict[str, Any] = {"sqlite": sqlite_insert, "postgresql": postgres_insert}
"""Dialects that are supported, each with its insert that can meet a conflict."""


class Statements:
    """What both kinds of transaction can do. `_scope` and `_owned` make the difference."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    @property
    def dialect(self) -> str:
        """ "sqlite" or "postgresql"."""
        return self._connection.dialect.name

    async def rows(
        self,
        table: sa.Table,
        *where: sa.ColumnElement[bool],
        columns: Sequence[sa.ColumnElement[Any]] = (),
        order_by: Sequence[sa.ColumnElement[Any]] = (),
        limit: int | None = None,
    ) -> Sequence[Row]:
        """Rows that meet every condition; all columns of `table` unless some are named."""
        query = sa.select(*(columns or (table,))).select_from(table).where(*self._scope(table), *where)
        query = query.order_by(*order_by).limit(limit)
        return [dict(row) for row in (await self._execute(query)).mappings()]

    async def row(self, table: sa.Table, *where: sa.ColumnElement[bool]) -> Row | None:
        """The first row that meets every condition, None when there is none."""
        found = await self.rows(table, *where, limit=1)
        return found[0] if found else None

    async def distinct(self, table: sa.Table, column: sa.Column[Any], *where: sa.ColumnElement[bool]) -> Sequence[Any]:
        """The different values of a column of `table` in the rows that meet every condition, in order."""
        query = sa.select(column).select_from(table).where(*self._scope(table), *where).distinct().order_by(column)
        return (await self._execute(query)).scalars().all()

    async def count(self, table: sa.Table, *where: sa.ColumnElement[bool]) -> int:
        """How many rows meet every condition."""
        query = sa.select(sa.func.count()).select_from(table).where(*self._scope(table), *where)
        return int((await self._execute(query)).scalar_one())

    async def insert(self, table: sa.Table, rows: Sequence[Row]) -> None:
        """Add rows. Raises StoreConflictError when one exists."""
        if rows:
            await self._execute(sa.insert(table), [self._owned(row) for row in rows])

    async def insert_once(self, table: sa.Table, row: Row) -> bool:
        """Add a row unless its primary key exists already; whether it was added."""
        # RETURNING, because psycopg does not tell how many rows an INSERT has added.
        statement = INSERTS[self.dialect](table).values(self._owned(row)).on_conflict_do_nothing()
        added = await self._execute(statement.returning(*table.primary_key.columns))
        return added.first() is not None

    async def upsert(self, table: sa.Table, row: Row) -> None:
        """Add a row, or give the row with its primary key these values."""
        owned = self._owned(row)
        keys = [column.name for column in table.primary_key.columns]
        statement = INSERTS[self.dialect](table).values(owned)
        changed = {name: value for name, value in owned.items() if name not in keys}
        statement = (
            statement.on_conflict_do_update(index_elements=keys, set_=changed)
            if changed
            else statement.on_conflict_do_nothing()
        )
        await self._execute(statement)

    async def update(self, table: sa.Table, values: Row, *where: sa.ColumnElement[bool]) -> int:
        """Change the rows that meet every condition; how many there were."""
        statement = sa.update(table).where(*self._scope(table), *where).values(dict(values))
        return int((await self._execute(statement)).rowcount)

    async def delete(self, table: sa.Table, *where: sa.ColumnElement[bool]) -> int:
        """Remove the rows that meet every condition; how many there were."""
        statement = sa.delete(table).where(*self._scope(table), *where)
        return int((await self._execute(statement)).rowcount)

    async def _execute(self, statement: sa.Executable, rows: Sequence[Row] | None = None) -> sa.CursorResult[Any]:
        return await uninterrupted(self._connection.execute(statement, rows))

    def _scope(self, table: sa.Table) -> Sequence[sa.ColumnElement[bool]]:
        raise NotImplementedError

    def _owned(self, row: Row) -> dict[str, Any]:
        raise NotImplementedError


class TenantTransaction(Statements):
    """Statements of one tenant inside one transaction. Every table named must have `tenant_id`."""

    def __init__(self, connection: AsyncConnection, tenant_id: str) -> None:
        super().__init__(connection)
        self.tenant_id = tenant_id

    async def lock(self, table: sa.Table) -> None:
        """Hold the tenant's row of `table` until the transaction ends.

        Postgres locks the row; on SQLite the writer holds the whole database already.
        """
        await self.insert_once(table, {})
        await self._execute(sa.select(table).where(*self._scope(table)).with_for_update())

    def _scope(self, table: sa.Table) -> Sequence[sa.ColumnElement[bool]]:
        return (table.c.tenant_id == self.tenant_id,)

    def _owned(self, row: Row) -> dict[str, Any]:
        if row.get("tenant_id", self.tenant_id) != self.tenant_id:
            raise ValueError("a row of another tenant in this tenant's transaction")
        return {**row, "tenant_id": self.tenant_id}


class ServerTransaction(Statements):
    """Statements over every tenant: housekeeping only. Rows that are inserted name their tenant themselves."""

    def _scope(self, table: sa.Table) -> Sequence[sa.ColumnElement[bool]]:
        return ()

    def _owned(self, row: Row) -> dict[str, Any]:
        return dict(row)
