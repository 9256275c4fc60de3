"""People to test with: a store, a clock that tests move, a real provider, cheap password hashes."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from context.store.database import Store
from context.users.connection_providers import ConnectionApp, ConnectionProvider
from context.users.login_providers import LoginProvider, ServerLogin
from context.users.oauth_client import Client, ClientAuth
from context.users.passwords import HashCost, Passwords
from context.users.provider_file import ProviderSettings
from tests.users.oauth_provider import CLIENT_ID, CLIENT_SECRET, Provider, running_provider
from tests.users.people_world import Clock, World, opened_world

CHEAP = HashCost(memory_kib=64, passes=1, lanes=1)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with every table, to be copied: migrating takes half a second."""
    path = tmp_path_factory.mktemp("people") / "parley.db"

    async def migrate() -> None:
        store = await Store.open(f"sqlite+aiosqlite:///{path}")
        await store.checkpoint()
        await store.aclose()

    asyncio.run(migrate())
    return path


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path, migrated_file: Path) -> str:
    """SQLite, and Postgres too for tests marked `both_databases`."""
    if getattr(request, "param", "sqlite") == "sqlite":
        shutil.copy(migrated_file, tmp_path / "parley.db")
        return f"sqlite+aiosqlite:///{tmp_path / 'parley.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    cheap = Passwords(CHEAP)
    yield cheap
    cheap.close()


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    opened = await Store.open(database_url)
    yield opened
    await opened.aclose()


@pytest.fixture
async def world(store: Store, tmp_path: Path, clock: Clock, passwords: Passwords) -> AsyncIterator[World]:
    """People without any provider."""
    async with opened_world(store, tmp_path, clock, passwords, ProviderSettings()) as opened:
        yield opened


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with running_provider() as running:
        yield running


@pytest.fixture
def provider_settings(provider: Provider) -> ProviderSettings:
    """The provider as the operator configures it: to sign in with, and as a calendar that tenants connect."""
    login = LoginProvider("works", "Works", provider.issuer, CLIENT_ID, scopes=("openid", "profile", "email"))
    calendar = ConnectionProvider(
        name="calendar",
        title="Calendar",
        authorize_url=f"{provider.issuer}/authorize",
        token_url=f"{provider.issuer}/token",
        revoke_url=f"{provider.issuer}/revoke",
        scopes=("calendar",),
    )
    app = ConnectionApp(calendar, Client(CLIENT_ID, CLIENT_SECRET, ClientAuth.POST))
    return ProviderSettings((ServerLogin(login, CLIENT_SECRET),), (app,))


@pytest.fixture
async def connected_world(
    store: Store, tmp_path: Path, clock: Clock, passwords: Passwords, provider_settings: ProviderSettings
) -> AsyncIterator[World]:
    """People with the provider."""
    async with opened_world(store, tmp_path, clock, passwords, provider_settings) as opened:
        yield opened
