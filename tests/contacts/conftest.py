"""A store on each database, its contacts and boxes, and a clock that the test moves."""

from collections.abc import AsyncIterator

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
