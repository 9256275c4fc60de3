"""A REST server for each test, on SQLite; what depends on the database says so and gets both."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.rest.rest_server import RestServer, rest_server


@pytest.fixture
async def rest(tmp_path: Path) -> AsyncIterator[RestServer]:
    async with rest_server(f"sqlite+aiosqlite:///{tmp_path / 'parley.db'}", tmp_path) as running:
        yield running


@pytest.fixture
async def rest_on_each(database_url: str, tmp_path: Path) -> AsyncIterator[RestServer]:
    async with rest_server(database_url, tmp_path) as running:
        yield running
