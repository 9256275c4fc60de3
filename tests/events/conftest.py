"""A store of its own for each test, on each database where that matters, with a table for what handlers do."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from context.store.database import Store
from tests.events.small_bus import make_effects


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    """On SQLite and on Postgres."""
    opened = await Store.open(database_url)
    await make_effects(opened)
    yield opened
    await opened.aclose()


@pytest.fixture
def file_url(tmp_path: Path) -> str:
    """A SQLite database, for what is the same on both."""
    return f"sqlite+aiosqlite:///{tmp_path / 'parley.db'}"


@pytest.fixture
async def file_store(file_url: str) -> AsyncIterator[Store]:
    """On SQLite."""
    opened = await Store.open(file_url)
    await make_effects(opened)
    yield opened
    await opened.aclose()
