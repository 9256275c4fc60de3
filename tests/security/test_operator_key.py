"""The operator's key and private files: made once, readable by their owner alone."""

import asyncio
import stat
from pathlib import Path

import pytest

from context.errors import HomeError
from context.security.keys import ApiKeys
from context.security.operator_key import ensure_operator_key, read_operator_key, works
from context.security.private_file import replace_private_file, write_private_file_once
from context.store.database import Store


async def test_the_first_start_makes_a_key_that_works_and_the_second_keeps_it(store: Store, tmp_path: Path) -> None:
    keys = ApiKeys(store)
    path = await ensure_operator_key(tmp_path, keys)
    first = read_operator_key(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert first is not None
    assert await works(first, keys)
    await ensure_operator_key(tmp_path, ApiKeys(store))
    assert read_operator_key(tmp_path) == first
    assert len(await keys.list("")) == 1


async def test_a_key_that_the_database_does_not_know_is_replaced(store: Store, tmp_path: Path) -> None:
    (tmp_path / "operator.key").write_text("pk_of_another_database\n")
    keys = ApiKeys(store)
    path = await ensure_operator_key(tmp_path, keys)
    assert await works(path.read_text().strip(), keys)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_processes_that_start_together_share_one_key(
    any_store: Store, second_store: Store, tmp_path: Path
) -> None:
    processes = [ApiKeys(one) for one in (any_store, second_store, any_store, second_store)]
    await asyncio.gather(*(ensure_operator_key(tmp_path, keys) for keys in processes))
    assert sum(key.revoked_at is None for key in await processes[0].list("")) == 1
    key = read_operator_key(tmp_path)
    assert key is not None
    assert all([await works(key, keys) for keys in processes])


async def test_a_home_that_cannot_be_written_is_a_clear_error(store: Store, tmp_path: Path) -> None:
    with pytest.raises(HomeError, match="operator's key"):
        await ensure_operator_key(tmp_path / "nowhere", ApiKeys(store))


def test_a_private_file_is_written_once_and_leaves_no_drafts(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    assert write_private_file_once(path, "one")
    assert not write_private_file_once(path, "two")
    assert path.read_text() == "one"
    replace_private_file(path, "three")
    assert path.read_text() == "three"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]
