"""Postgres hides other tenants' rows from every statement, also from one that forgot to name its tenant."""

from collections.abc import AsyncIterator

import psycopg
import pytest
import sqlalchemy as sa

from context.calls.tables import calls
from context.errors import StoreError
from context.store.database import Store
from context.store.row_security import EVERY_TENANT
from tests.postgres_server import PostgresServer

CALL = {
    "call_id": "c",
    "started_at": 1.0,
    "duration_s": 2.0,
    "language": "en",
    "outcome": "completed",
    "reason": "hangup",
    "record": "{}",
}


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[Store]:
    opened = await Store.open(postgres_url)
    for tenant in ("one", "two"):
        async with opened.tenant(tenant).writing() as transaction:
            await transaction.insert(calls, [CALL])
    yield opened
    await opened.aclose()


async def owners_seen(store: Store, owner: str) -> set[str]:
    async with store.reading_as(owner) as connection:
        return set((await connection.execute(sa.text("SELECT tenant_id FROM calls"))).scalars())


async def test_a_statement_that_forgot_its_tenant_sees_the_rows_of_its_transaction_only(store: Store) -> None:
    assert await owners_seen(store, "one") == {"one"}
    assert await owners_seen(store, "two") == {"two"}


async def test_housekeeping_sees_every_tenant(store: Store) -> None:
    assert await owners_seen(store, EVERY_TENANT) == {"one", "two"}


async def test_a_connection_that_names_nobody_sees_nothing_not_even_after_somebody_used_it(store: Store) -> None:
    for _ in range(3):
        assert await owners_seen(store, "") == set()
        assert await owners_seen(store, "one") == {"one"}


async def test_a_person_with_parleys_password_and_psql_sees_nothing(
    store: Store, postgres_url: str, postgres_server: PostgresServer
) -> None:
    database = sa.make_url(postgres_url).database or ""
    with psycopg.connect(postgres_server.plain_url(database)) as connection:
        assert connection.execute("SELECT * FROM calls").fetchall() == []


async def test_a_row_cannot_be_written_for_or_given_to_another_tenant(store: Store) -> None:
    for statement in (
        "INSERT INTO calls SELECT 'two', 'taken', started_at, duration_s, language, outcome, reason, record FROM calls",
        "UPDATE calls SET tenant_id = 'two', call_id = 'given'",
    ):
        with pytest.raises(StoreError, match="row-level security"):
            async with store.writing_as("one") as connection:
                await connection.execute(sa.text(statement))


async def test_deleting_everything_deletes_ones_own(store: Store) -> None:
    async with store.writing_as("one") as connection:
        assert (await connection.execute(sa.text("DELETE FROM calls"))).rowcount == 1
    assert await owners_seen(store, EVERY_TENANT) == {"two"}


@pytest.mark.parametrize("name", ["", EVERY_TENANT])
async def test_no_tenant_is_called_nobody_or_everybody(store: Store, name: str) -> None:
    with pytest.raises(ValueError, match="names no tenant"):
        store.tenant(name)
