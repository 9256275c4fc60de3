"""What the database says when it refuses a row goes to logs: never the row itself."""

import traceback

import pytest
import sqlalchemy as sa

from context.bookings.tables import bookings
from context.errors import StoreError
from context.store.database import Store

ROW = {
    "id": "a",
    "call_id": "c",
    "service_id": "s",
    "starts_at_s": 0,
    "minutes": 30,
    "name": "Marie Curie",
    "phone": "+33612345678",
    "created_at_s": 0,
}


@pytest.mark.parametrize("wrong", [{"phone": None}, {"starts_at_s": 2**70}, {}], ids=["missing", "too big", "twice"])
async def test_a_refused_row_is_not_repeated_in_the_error(database_url: str, wrong: dict[str, object]) -> None:
    store = await Store.open(database_url)
    with pytest.raises((StoreError, OverflowError)) as caught:
        async with store.tenant("one").writing() as transaction:
            await transaction.insert(bookings, [{**ROW, **wrong}, ROW])
    await store.aclose()
    said = "".join(traceback.format_exception(caught.value))
    assert "bookings" in said or "too large" in said or "out of range" in said
    assert "Curie" not in said
    assert "612345678" not in said


async def test_not_even_of_a_table_that_every_tenant_shares(postgres_url: str) -> None:
    """Row security hides refused rows by itself; tables without tenants have none."""
    store = await Store.open(postgres_url)
    async with store.writing_as("") as connection:
        await connection.execute(sa.text("CREATE TABLE people (id INT PRIMARY KEY, name TEXT NOT NULL, born INT)"))
    with pytest.raises(StoreError) as caught:
        async with store.writing_as("") as connection:
            await connection.execute(sa.text("INSERT INTO people VALUES (NULL, 'Marie Curie', 1867)"))
    await store.aclose()
    said = "".join(traceback.format_exception(caught.value))
    assert "null value" in said
    assert "Failing row" not in said
