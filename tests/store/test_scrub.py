"""What was deleted is gone from SQLite's file, also the copies that it leaves when it rearranges pages."""

import random
from pathlib import Path

import pytest

from context.calls.tables import calls
from context.errors import StoreError
from context.store import scrub as scrubbing
from context.store.database import Store
from context.store.scrub import scrub

CALLS = 1200


async def churned(store: Store) -> list[str]:
    """Many rows come, grow and go in no order; the callers of those that went."""
    chance = random.Random(7)
    names = [f"CALLER{number:05}X" for number in range(CALLS)]
    order = chance.sample(names, CALLS)
    tenant = store.tenant("clinic")
    async with tenant.writing() as transaction:
        for name in order:
            row = {"call_id": name, "started_at": chance.random(), "duration_s": 0.0, "language": ""}
            text = name + "b" * chance.choice((10, 100, 700, 3000))
            await transaction.insert(calls, [{**row, "outcome": "", "reason": "", "record": text, "caller": name}])
    gone = chance.sample(names, CALLS // 2)
    async with tenant.writing() as transaction:
        for name in gone[: CALLS // 4]:
            await transaction.delete(calls, calls.c.call_id == name)
        for name in gone[CALLS // 4 :]:
            emptied = {"record": "", "caller": "", "call_id": name[6:]}
            await transaction.update(calls, emptied, calls.c.call_id == name)
    return gone


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


async def test_no_deleted_row_can_be_read_in_the_files(tmp_path: Path) -> None:
    store = await Store.open(f"sqlite+aiosqlite:///{tmp_path / 'parley.db'}")
    gone = await churned(store)
    await scrub(store)
    content = everything_in(tmp_path)
    assert [name for name in gone if name.encode() in content] == []
    assert content.count(b"CALLER") >= CALLS  # the others are there: the test looks in the right place
    await store.aclose()


async def test_a_reader_of_an_old_view_is_waited_for_and_then_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scrubbing, "PAUSE_S", 0.0)
    monkeypatch.setattr("context.store.database.SQLITE_PRAGMAS", ("busy_timeout=10", "journal_mode=WAL"))
    url = f"sqlite+aiosqlite:///{tmp_path / 'parley.db'}"
    store, other = await Store.open(url), await Store.open(url)
    async with other.tenant("clinic").reading() as transaction:
        assert await transaction.count(calls) == 0
        async with store.tenant("clinic").writing() as writing:
            row = {"call_id": "c", "started_at": 0.0, "duration_s": 0.0, "language": ""}
            await writing.insert(calls, [{**row, "outcome": "", "reason": "", "record": ""}])
        with pytest.raises(StoreError, match="a reader holds an old view"):
            await scrub(store)
    await scrub(store)
    assert (tmp_path / "parley.db-wal").stat().st_size == 0
    for one in (store, other):
        await one.aclose()
