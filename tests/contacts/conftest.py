"""A store on each database, its contacts and boxes, and a clock that the test moves."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from context.contacts.boxes import ContextBoxes
from context.contacts.store import ContactStore
from context.store.database import Store
from tests.contacts.someone import NOW_MS


class HandClock:
    """Milliseconds since the epoch, as the test says."""

    def __init__(self) -> None:
        self.at_ms = NOW_MS

    def now_ms(self) -> int:
        return self.at_ms


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with every table, made once and copied for each test: migrating takes longer than most tests."""
    path = tmp_path_factory.mktemp("migrated") / "parley.db"

    async def make() -> None:
        await (await Store.open(f"sqlite+aiosqlite:///{path}")).aclose()

    asyncio.run(make())
    return path


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path, migrated_file: Path) -> str:
    """Each database that Parley supports, in turn."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return sqlite_url(tmp_path, migrated_file)


def sqlite_url(folder: Path, migrated_file: Path) -> str:
    """A migrated SQLite database in this folder."""
    shutil.copy(migrated_file, folder / "parley.db")
    return f"sqlite+aiosqlite:///{folder / 'parley.db'}"


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    opened = await Store.open(database_url)
    yield opened
    await opened.aclose()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def contacts(store: Store, clock: HandClock) -> ContactStore:
    return ContactStore(store, lambda tenant_id: "FR", clock.now_ms)


@pytest.fixture
def boxes(store: Store, clock: HandClock) -> ContextBoxes:
    return ContextBoxes(store, lambda tenant_id: "FR", clock.now_ms)
