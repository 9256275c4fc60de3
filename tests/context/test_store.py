"""The database: versions, addresses, tenants kept apart, nothing personal in its errors."""

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from context.bookings.tables import booked_grains, bookings
from context.calls.tables import calls
from context.errors import StoreConflictError, StoreError, StoreVersionError
from context.store.database import Store
from context.store.migration import head
from context.store.schema import whole_schema


def call_row(call_id: str) -> dict[str, object]:
    return {
        "call_id": call_id,
        "started_at": 1.0,
        "duration_s": 2.0,
        "language": "en",
        "outcome": "completed",
        "reason": "hangup",
        "record": "{}",
    }


def booking_row(booking_id: str, name: str = "N") -> dict[str, object]:
    return {
        "id": booking_id,
        "call_id": "c",
        "service_id": "s",
        "starts_at_s": 0,
        "minutes": 30,
        "name": name,
        "phone": "P",
        "created_at_s": 0,
    }


async def test_a_new_database_says_which_version_it_is(store: Store, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "parley.db") as plain:
        assert plain.execute("SELECT version_num FROM alembic_version").fetchall() == [(head(),)]


async def test_a_database_of_a_newer_parley_is_refused_and_left_alone(tmp_path: Path, database_url: str) -> None:
    await (await Store.open(database_url)).aclose()
    with sqlite3.connect(tmp_path / "parley.db") as plain:
        plain.execute("UPDATE alembic_version SET version_num = '9999'")
        plain.execute("DROP TABLE calls")
    with pytest.raises(StoreVersionError, match="version 9999"):
        await Store.open(database_url)
    with sqlite3.connect(tmp_path / "parley.db") as plain:
        assert not plain.execute("SELECT 1 FROM sqlite_master WHERE name = 'calls'").fetchall()


@pytest.mark.parametrize(
    "url", ["nonsense", "oracle+nothing://x", "sqlite+aiosqlite:////nowhere/at/all/parley.db", "mysql+aiosqlite://x"]
)
async def test_an_address_that_cannot_be_used_is_a_store_error(url: str) -> None:
    with pytest.raises(StoreError):
        await Store.open(url)


async def test_every_commit_is_flushed_to_the_disk(store: Store) -> None:
    async with store.reading_as("") as connection:
        assert (await connection.execute(sa.text("PRAGMA journal_mode"))).scalar() == "wal"
        assert (await connection.execute(sa.text("PRAGMA synchronous"))).scalar() == 2  # FULL
        assert (await connection.execute(sa.text("PRAGMA foreign_keys"))).scalar() == 1


def test_every_table_with_customer_data_belongs_to_a_tenant() -> None:
    for table in whole_schema().tables.values():
        if not table.info.get("server_wide"):
            assert next(iter(table.primary_key.columns)).name == "tenant_id", table.name


async def test_a_tenant_reads_changes_and_deletes_only_its_own_rows(store: Store) -> None:
    for tenant in ("one", "two"):
        async with store.tenant(tenant).writing() as transaction:
            await transaction.insert(calls, [call_row("same-id")])
    async with store.tenant("two").writing() as transaction:
        await transaction.update(calls, {"language": "fr"})
    async with store.tenant("one").writing() as transaction:
        assert [row["language"] for row in await transaction.rows(calls)] == ["en"]
        await transaction.delete(calls)
    async with store.tenant("two").reading() as transaction:
        assert await transaction.count(calls) == 1


async def test_a_row_that_names_another_tenant_is_refused(store: Store) -> None:
    async with store.tenant("one").writing() as transaction:
        with pytest.raises(ValueError, match="another tenant"):
            await transaction.insert(calls, [{**call_row("c"), "tenant_id": "two"}])
    async with store.tenant("two").reading() as transaction:
        assert await transaction.count(calls) == 0


def test_there_is_no_store_without_a_tenant(store: Store) -> None:
    with pytest.raises(ValueError, match="tenant"):
        store.tenant("")


async def test_a_block_that_raises_leaves_nothing_behind(store: Store) -> None:
    async def fail_half_way() -> None:
        async with store.tenant("one").writing() as transaction:
            await transaction.insert(calls, [call_row("c")])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail_half_way()
    async with store.tenant("one").reading() as transaction:
        assert await transaction.count(calls) == 0


async def test_the_database_itself_refuses_to_sell_five_minutes_twice(store: Store) -> None:
    async with store.tenant("one").writing() as transaction:
        await transaction.insert(bookings, [booking_row("a"), booking_row("b")])
        await transaction.insert(booked_grains, [{"grain": 7, "booking_id": "a"}])
    with pytest.raises(StoreConflictError):
        async with store.tenant("one").writing() as transaction:
            await transaction.insert(booked_grains, [{"grain": 7, "booking_id": "b"}])


async def test_an_error_of_the_database_does_not_repeat_the_callers_name(store: Store) -> None:
    with pytest.raises(StoreError) as caught:
        async with store.tenant("one").writing() as transaction:
            await transaction.insert(bookings, [{**booking_row("a", name="Marie Curie"), "phone": None}])
    said: list[str] = []
    error: BaseException | None = caught.value
    while error:
        said.append(str(error))
        error = error.__cause__ or error.__context__
    assert len(said) > 1
    assert "Curie" not in " ".join(said)
