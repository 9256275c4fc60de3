"""A REST server for each test, on SQLite; what depends on the database says so and gets both."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from context.store.database import Store
from tests.rest.rest_server import RestServer, rest_server


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with every table, copied for each test: migrating takes longer than most tests."""
    path = tmp_path_factory.mktemp("migrated") / "parley.db"

    async def migrate() -> None:
        await (await Store.open(f"sqlite+aiosqlite:///{path}")).aclose()

    asyncio.run(migrate())
    return path


@pytest.fixture
def sqlite_url(migrated: Path, tmp_path: Path) -> str:
    shutil.copy(migrated, tmp_path / "parley.db")
    return f"sqlite+aiosqlite:///{tmp_path / 'parley.db'}"


@pytest.fixture
async def rest(sqlite_url: str, tmp_path: Path) -> AsyncIterator[RestServer]:
    async with rest_server(sqlite_url, tmp_path) as running:
        yield running


@pytest.fixture
async def rest_on_each(database_url: str, tmp_path: Path) -> AsyncIterator[RestServer]:
    async with rest_server(database_url, tmp_path) as running:
        yield running
