"""A store, a tenant with webhooks on it, and a receiver."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from context.store.database import Store
from tests.webhooks.receiver import Receiver, receiver
from tests.webhooks.tenant import Tenant


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file that has its tables, to be copied: making them takes longer than most tests."""
    path = tmp_path_factory.mktemp("webhooks") / "parley.db"

    async def migrate() -> None:
        await (await Store.open(f"sqlite+aiosqlite:///{path}")).aclose()

    asyncio.run(migrate())
    return path


@pytest.fixture
async def store(tmp_path: Path, migrated: Path) -> AsyncIterator[Store]:
    shutil.copy(migrated, tmp_path / "parley.db")
    opened = await Store.open(f"sqlite+aiosqlite:///{tmp_path / 'parley.db'}")
    yield opened
    await opened.aclose()


@pytest.fixture
async def tenant(store: Store) -> AsyncIterator[Tenant]:
    made = Tenant(store)
    yield made
    await made.webhooks.dispatcher.stop()
    await made.sender.aclose()


@pytest.fixture(name="receiver")
async def a_receiver() -> AsyncIterator[Receiver]:
    async with receiver() as made:
        yield made
