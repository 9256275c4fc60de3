"""The tests' own Postgres: each test finds a migrated database without rows, whatever the one before did."""

import psycopg

from context.calls.tables import calls
from context.store.database import Store
from context.store.migration import head
from tests.postgres_server import PostgresServer

CALL = {
    "call_id": "c",
    "started_at": 1.0,
    "duration_s": 2.0,
    "language": "en",
    "outcome": "",
    "reason": "",
    "record": "",
}


async def test_a_database_that_was_given_back_is_found_empty(postgres_server: PostgresServer) -> None:
    name = postgres_server.take()
    store = await Store.open(postgres_server.url(name))
    async with store.tenant("one").writing() as transaction:
        await transaction.insert(calls, [CALL])
    # Still connected: a test that failed has not closed its store.
    postgres_server.give_back(name)
    await store.aclose()
    again = postgres_server.take()
    assert again == name
    store = await Store.open(postgres_server.url(again))
    assert (await store.schema()).found == head()
    async with store.reading_every_tenant() as transaction:
        assert await transaction.count(calls) == 0
    await store.aclose()
    postgres_server.give_back(again)


def test_a_database_that_was_changed_is_not_used_again(postgres_server: PostgresServer) -> None:
    for change in (
        "CREATE SCHEMA left_over",
        "UPDATE alembic_version SET version_num = '0001'",
        "ALTER TABLE calls DISABLE ROW LEVEL SECURITY",
    ):
        name = postgres_server.take()
        with psycopg.connect(postgres_server.plain_url(name)) as connection:
            connection.execute(change.encode())
        postgres_server.give_back(name)
        again = postgres_server.take()
        assert again != name, change
        postgres_server.give_back(again)


def test_databases_that_were_made_beside_it_go_with_it(postgres_server: PostgresServer) -> None:
    name = postgres_server.take()
    with psycopg.connect(postgres_server.plain_url(name), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}_dbos_sys".encode())
    postgres_server.give_back(name)
    with psycopg.connect(postgres_server.plain_url("postgres", "postgres")) as connection:
        query = "SELECT count(*) FROM pg_database WHERE datname LIKE '%dbos_sys'"
        assert connection.execute(query).fetchone() == (0,)
