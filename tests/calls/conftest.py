"""A store on each database for the tests of calls."""

from collections.abc import AsyncIterator

import pytest

from context.store.database import Store


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    opened = await Store.open(database_url)
    yield opened
    await opened.aclose()
