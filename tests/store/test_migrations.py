"""A database comes to the schema of this Parley whole or not at all, and back, with its rows."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import TypeVar

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from context.bookings.tables import booked_grains, bookings
from context.calls.store import CallStore
from context.errors import StoreError
from context.store import migration
from context.store.database import Store
from context.store.migration import NoSuchRevisionError
from context.store.schema import whole_schema
from tests.store import parley_0_1

NOTHING_YET = {"alembic_version"}
T = TypeVar("T")


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'parley.db'}"
    return str(request.getfixturevalue("empty_postgres_url"))


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncGenerator[Store, None]:
    store = await Store.connect(url)
    try:
        yield store
    finally:
        await store.aclose()


async def asked(store: Store, question: Callable[[sa.Connection], T]) -> T:
    async with store.reading_as("") as connection:
        return await connection.run_sync(question)


def tables(connection: sa.Connection) -> set[str]:
    return set(sa.inspect(connection).get_table_names())


async def test_the_migrations_make_exactly_the_tables_that_the_code_uses(empty_url: str) -> None:
    def differences(connection: sa.Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), whole_schema()))

    async with connected(empty_url) as store:
        await store.migrate()
        assert await asked(store, differences) == []


async def test_every_step_goes_up_down_and_up_again(empty_url: str) -> None:
    async with connected(empty_url) as store:
        known = (await store.schema()).known
        down = dict(zip(known, ("base", *known), strict=False))
        for revision in known:
            before = await asked(store, tables)
            assert (await store.migrate(revision)).found == revision
            after = await asked(store, tables)
            assert (await store.migrate(down[revision])).found == down[revision]
            assert await asked(store, tables) | NOTHING_YET == before | NOTHING_YET
            await store.migrate(revision)
            assert await asked(store, tables) == after
        assert set(whole_schema().tables) | NOTHING_YET == await asked(store, tables)
        await store.migrate("base")
        assert await asked(store, tables) == NOTHING_YET


async def test_servers_that_start_at_once_on_an_empty_database_migrate_it_once(empty_url: str) -> None:
    stores = await asyncio.gather(*(Store.open(empty_url) for _ in range(4)))
    assert {(await store.schema()).found for store in stores} == {migration.head()}
    for store in stores:
        await store.aclose()


async def test_a_database_of_parley_0_1_keeps_its_rows(empty_url: str) -> None:
    parley_0_1.write(empty_url.replace("+aiosqlite", ""))
    store = await Store.open(empty_url)
    async with store.tenant("clinic").reading() as transaction:
        (booking,) = await transaction.rows(bookings)
        assert (booking["name"], booking["phone"], booking["starts_at_s"]) == ("Zoé", "+33612345678", 1812700800)
        assert await transaction.count(booked_grains) == 2
    record = await CallStore(store).get("clinic", "c1")
    assert record is not None
    assert (record.duration_s, record.outcome.value) == (61.25, "booked")
    assert "schema_version" not in await asked(store, tables)
    await store.aclose()


async def test_downgraded_to_its_first_schema_it_looks_as_parley_0_1_left_it(empty_url: str) -> None:
    def shapes(connection: sa.Connection) -> dict[str, list[str]]:
        inspector = sa.inspect(connection)
        return {name: [column["name"] for column in inspector.get_columns(name)] for name in tables(connection)}

    def rows(connection: sa.Connection) -> list[tuple[object, ...]]:
        chosen = ("SELECT * FROM bookings", "SELECT * FROM calls", "SELECT * FROM booked_grains ORDER BY grain")
        return [tuple(row) for query in chosen for row in connection.exec_driver_sql(query)]

    parley_0_1.write(empty_url.replace("+aiosqlite", ""))
    async with connected(empty_url) as store:
        before = await asked(store, shapes), await asked(store, rows)
        await store.migrate()
        await store.migrate("0001")
        after = await asked(store, shapes), await asked(store, rows)
    assert after[1] == before[1]
    assert {k: v for k, v in after[0].items() if k != "alembic_version"} == {
        k: v for k, v in before[0].items() if k != "schema_version"
    }


@pytest.mark.parametrize("revision", ["0099", "", "heads", "0001:0002"])
async def test_a_revision_that_does_not_exist_is_refused_with_those_that_do(revision: str, database_url: str) -> None:
    store = await Store.open(database_url)
    with pytest.raises(NoSuchRevisionError, match="allowed: base, 0001"):
        await store.migrate(revision)
    assert (await store.schema()).found == migration.head()
    await store.aclose()


STEP = """
import sqlalchemy as sa
from alembic import op
revision = {revision!r}
down_revision = {down!r}
def upgrade():
{body}
def downgrade():
    pass
"""


def write_steps(folder: Path, *bodies: str) -> None:
    """Made-up steps, one a body."""
    (folder / "versions").mkdir(parents=True)
    for number, body in enumerate(bodies, 1):
        indented = "\n".join(f"    {line}" for line in body.splitlines())
        down = f"{number - 1:04}" if number > 1 else None
        text = STEP.format(revision=f"{number:04}", down=down, body=indented)
        (folder / "versions" / f"{number:04}_step.py").write_text(text)


PARENT_AND_CHILD = """
op.create_table("parent", sa.Column("id", sa.Integer, primary_key=True))
op.create_table("child", sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("parent", sa.Integer, sa.ForeignKey("parent.id", ondelete="CASCADE")))
op.execute("INSERT INTO parent VALUES (1)")
op.execute("INSERT INTO child VALUES (7, 1)")
"""


async def test_a_step_that_fails_half_way_leaves_the_database_as_it_was(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_steps(tmp_path / "m", PARENT_AND_CHILD, 'op.execute("DELETE FROM child")\nop.execute("nonsense")')
    monkeypatch.setattr(migration, "SCRIPTS", tmp_path / "m")
    async with connected(empty_url) as store:
        with pytest.raises(StoreError, match="nonsense"):
            await store.migrate()
        assert (await store.schema()).found == "base"
        assert "parent" not in await asked(store, tables)


async def test_a_table_that_others_refer_to_can_be_made_anew_without_losing_what_refers_to_it(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = (
        'with op.batch_alter_table("parent", recreate="{}") as batch:\n    batch.add_column(sa.Column("b", sa.Text))'
    )
    write_steps(tmp_path / "m", PARENT_AND_CHILD, change.format("always" if "sqlite" in empty_url else "auto"))
    monkeypatch.setattr(migration, "SCRIPTS", tmp_path / "m")
    async with connected(empty_url) as store:
        await store.migrate()

        def children(connection: sa.Connection) -> list[tuple[object, ...]]:
            return [tuple(row) for row in connection.exec_driver_sql("SELECT * FROM child")]

        assert await asked(store, children) == [(7, 1)]
        if store.dialect == "sqlite":
            assert await store.outside_transaction("PRAGMA foreign_keys") == [(1,)]


async def test_a_step_that_would_leave_rows_naming_nothing_is_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_steps(tmp_path / "m", PARENT_AND_CHILD, 'op.execute("DELETE FROM parent")')
    monkeypatch.setattr(migration, "SCRIPTS", tmp_path / "m")
    async with connected(f"sqlite+aiosqlite:///{tmp_path / 'parley.db'}") as store:
        with pytest.raises(StoreError, match="1 rows of child that name nothing"):
            await store.migrate()
        assert (await store.schema()).found == "base"


async def test_postgres_guards_every_table_that_has_tenants(postgres_url: str) -> None:
    query = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relrowsecurity AND relforcerowsecurity"
    store = await Store.open(postgres_url)
    guarded = await asked(store, lambda connection: set(connection.exec_driver_sql(query).scalars()))
    await store.aclose()
    with_tenants = {name for name, table in whole_schema().tables.items() if "tenant_id" in table.columns}
    unguarded = {name for name in with_tenants - guarded if not whole_schema().tables[name].info.get("server_wide")}
    assert unguarded == set()
