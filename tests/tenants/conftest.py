"""A migrated SQLite file, copied for each test; `store_on_each` for what depends on the database."""

import asyncio
import datetime as dt
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from context.store.database import Store
from context.tenants.store import StoredTenants

NOON = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "parley.db"

    async def migrate() -> None:
        await (await Store.open(f"sqlite+aiosqlite:///{path}")).aclose()

    asyncio.run(migrate())
    return path


@pytest.fixture
async def store(migrated_file: Path, tmp_path: Path) -> AsyncIterator[Store]:
    shutil.copy(migrated_file, tmp_path / "parley.db")
    opened = await Store.open(f"sqlite+aiosqlite:///{tmp_path / 'parley.db'}")
    yield opened
    await opened.aclose()


@pytest.fixture
async def store_on_each(database_url: str, migrated_file: Path, tmp_path: Path) -> AsyncIterator[Store]:
    if database_url.startswith("sqlite"):
        shutil.copy(migrated_file, tmp_path / "parley.db")
    opened = await Store.open(database_url)
    yield opened
    await opened.aclose()


@pytest.fixture
def tenants(store: Store) -> StoredTenants:
    return StoredTenants(store, lambda: NOON)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "tenants"
    path.mkdir()
    return path
