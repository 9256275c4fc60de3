"""A store of its own for each test, on each database, and a clock that the test moves."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from context.store.database import Store


class Clock:
    """Seconds since the epoch, as the test says."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """A store for tests to which the kind of database makes no difference."""
    opened = await Store.open(f"sqlite+aiosqlite:///{tmp_path / 'parley.db'}")
    yield opened
    await opened.aclose()


@pytest.fixture
async def any_store(database_url: str) -> AsyncIterator[Store]:
    """A store on each database."""
    opened = await Store.open(database_url)
    yield opened
    await opened.aclose()


@pytest.fixture
async def second_store(database_url: str, any_store: Store) -> AsyncIterator[Store]:
    """The same database as `any_store`, as another process sees it."""
    opened = await Store.open(database_url)
    yield opened
    await opened.aclose()
