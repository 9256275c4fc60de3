"""The vault: secrets come back, nobody else's do, tampering shows, and every key can be rotated and interrupted."""

import asyncio
import base64
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context.security.errors import MasterKeyError, VaultError, VaultTamperedError
from context.security.master_key import MasterKeyFile, MasterKeys, encoded, master_key_source, parsed_keys
from context.security.sealing import seal, unseal
from context.security.tables import THE_SERVER, vault_data_keys, vault_secrets
from context.security.vault import LONGEST_SECRET_BYTES, Vault
from context.security.vault_opening import INFISICAL_VARIABLES, infisical_settings, open_vault
from context.security.vault_store import StoredSecrets
from context.store.database import Store
from tests.security.conftest import Clock

SECRET = "sk-live-4242-do-not-show"
BATCH = 5


@pytest.fixture
def masters() -> MasterKeys:
    return MasterKeys.random()


def stored(store: Store, masters: Any) -> StoredSecrets:
    return StoredSecrets(store, masters, Clock())


async def sealed_rows(store: Store, tenant_id: str) -> list[dict[str, Any]]:
    async with store.tenant(tenant_id).reading() as transaction:
        return [dict(row) for row in await transaction.rows(vault_secrets, order_by=[vault_secrets.c.name])]


async def test_a_secret_comes_back_and_the_newest_counts(any_store: Store, masters: MasterKeys) -> None:
    vault = Vault.in_store(any_store, masters)
    assert await vault.get("clinic", "stripe") is None
    await vault.put("clinic", "stripe", "first")
    await vault.put("clinic", "stripe", "zweite ключ \n")
    assert await vault.get("clinic", "stripe") == "zweite ключ \n"
    assert await vault.names("clinic") == ["stripe"]
    assert await vault.delete("clinic", "stripe")
    assert not await vault.delete("clinic", "stripe")
    assert await vault.get("clinic", "stripe") is None


async def test_tenants_and_the_installation_have_secrets_of_their_own(any_store: Store, masters: MasterKeys) -> None:
    vault = Vault.in_store(any_store, masters)
    for owner in ("clinic", "garage", ""):
        await vault.put(owner, "same", f"of {owner}")
    for owner in ("clinic", "garage", ""):
        assert await vault.get(owner, "same") == f"of {owner}"
    assert await vault.names("hotel") == []


def bytes_on_disk(folder: Path) -> bytes:
    with sqlite3.connect(folder / "parley.db") as plain:
        plain.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return b"".join(path.read_bytes() for path in folder.glob("parley.db*"))


async def test_a_copy_of_the_database_tells_nothing(store: Store, masters: MasterKeys, tmp_path: Path) -> None:
    vault = Vault.in_store(store, masters)
    await vault.put("clinic", "stripe", SECRET)
    data_key = stored(store, masters)
    await data_key.get("clinic", "stripe")
    on_disk = bytes_on_disk(tmp_path)
    assert SECRET.encode() not in on_disk
    for key in (*data_key._open.values(), *(key for key in (masters.key(masters.current_id),) if key)):
        assert key not in on_disk
    with pytest.raises(MasterKeyError, match="sealed with master key"):
        await Vault.in_store(store, MasterKeys.random()).get("clinic", "stripe")


async def test_a_wrong_master_key_neither_reads_nor_writes(store: Store, masters: MasterKeys) -> None:
    await Vault.in_store(store, masters).put("clinic", "stripe", SECRET)
    wrong = Vault.in_store(store, MasterKeys.random())
    for owner in ("clinic", "new tenant"):
        with pytest.raises(MasterKeyError):
            await wrong.put(owner, "other", "x")
    assert await Vault.in_store(store, masters).names("clinic") == ["stripe"]


@pytest.mark.parametrize("changed", ["sealed", "version", "name", "moved", "key_version", "wrapped", "master"])
async def test_whatever_is_changed_in_the_database_does_not_open(
    store: Store, masters: MasterKeys, changed: str
) -> None:
    vault = Vault.in_store(store, masters)
    for owner in ("clinic", "garage"):
        await vault.put(owner, "stripe", f"{SECRET} {owner}")
        await vault.put(owner, "other", "x")
    (other, stripe) = await sealed_rows(store, "clinic")
    flipped = bytes([stripe["sealed"][20] ^ 1])
    async with store.writing_every_tenant() as server:
        mine = (vault_secrets.c.tenant_id == "clinic", vault_secrets.c.name == "stripe")
        match changed:
            case "sealed":
                broken = stripe["sealed"][:20] + flipped + stripe["sealed"][21:]
                await server.update(vault_secrets, {"sealed": broken}, *mine)
            case "version":
                await server.update(vault_secrets, {"version": 2}, *mine)
            case "name":
                await server.update(vault_secrets, {"sealed": other["sealed"]}, *mine)
            case "moved":
                (_, garage) = await sealed_rows(store, "garage")
                await server.update(vault_secrets, {"sealed": garage["sealed"]}, *mine)
            case "key_version":
                await server.update(vault_secrets, {"key_version": 2}, *mine)
            case "wrapped":
                (theirs,) = await server.rows(vault_data_keys, vault_data_keys.c.tenant_id == "garage")
                row = {"wrapped": theirs["wrapped"]}
                await server.update(vault_data_keys, row, vault_data_keys.c.tenant_id == "clinic")
            case _:
                row = {"wrapped": b""}
                await server.update(vault_data_keys, row, vault_data_keys.c.tenant_id == "clinic")
    for reader in (vault, Vault.in_store(store, masters)):
        with pytest.raises(VaultTamperedError) as caught:
            await reader.get("clinic", "stripe")
        assert SECRET not in str(caught.value)
    assert await vault.get("garage", "stripe") == f"{SECRET} garage"


@pytest.mark.parametrize("name", ["", "/x", "a b", "é", "x" * 201, "a\n"])
async def test_a_name_that_is_none_is_refused(store: Store, masters: MasterKeys, name: str) -> None:
    with pytest.raises(VaultError, match="name"):
        await Vault.in_store(store, masters).put("clinic", name, "x")


@pytest.mark.parametrize("secret", ["", "x" * (LONGEST_SECRET_BYTES + 1), "a\0b"])
async def test_a_secret_that_is_none_is_refused_and_not_repeated(
    store: Store, masters: MasterKeys, secret: str
) -> None:
    with pytest.raises(VaultError, match="bytes") as caught:
        await Vault.in_store(store, masters).put("clinic", "name", secret)
    assert len(str(caught.value)) < 200


async def test_what_is_made_once_is_the_same_for_all_who_ask_together(
    any_store: Store, second_store: Store, masters: MasterKeys
) -> None:
    vaults = [Vault.in_store(one, masters) for one in (any_store, second_store)] * 4
    made = await asyncio.gather(*(vault.get_or_make("", "audit/signing-key") for vault in vaults))
    assert len(set(made)) == 1
    assert len(bytes.fromhex(made[0])) == 32


async def test_writers_in_two_processes_lose_nothing_while_the_data_key_is_rotated(
    any_store: Store, second_store: Store, masters: MasterKeys
) -> None:
    one, two = stored(any_store, masters), stored(second_store, masters)
    for number in range(10):
        await one.put("clinic", f"before-{number}", str(number))

    async def keep_writing(backend: StoredSecrets, name: str) -> None:
        for number in range(12):
            await backend.put("clinic", f"{name}-{number}", str(number))

    await asyncio.gather(
        keep_writing(one, "one"), keep_writing(two, "two"), one.rotate_data_key("clinic"), two.rotate_data_key("clinic")
    )
    fresh = stored(any_store, masters)
    names = await fresh.names("clinic")
    assert len(names) == 34
    for name in names:
        assert await fresh.get("clinic", name) == name.rpartition("-")[2]


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("context.security.vault_store.BATCH", BATCH)


@pytest.mark.usefixtures("small_batches")
async def test_rotating_a_data_key_reseals_everything_and_removes_the_old_key(
    store: Store, masters: MasterKeys
) -> None:
    backend = stored(store, masters)
    for number in range(BATCH + 5):
        await backend.put("clinic", f"s{number}", str(number))
    await backend.put("garage", "s", "untouched")
    before = {row["name"]: row["sealed"] for row in await sealed_rows(store, "clinic")}
    assert await backend.rotate_data_key("clinic") == BATCH + 5
    after = await sealed_rows(store, "clinic")
    assert all(row["sealed"] != before[row["name"]] and row["key_version"] == 2 for row in after)
    async with store.tenant("clinic").reading() as transaction:
        assert [row["version"] for row in await transaction.rows(vault_data_keys)] == [2]
    assert await backend.get("clinic", "s9") == "9"
    assert await backend.get("garage", "s") == "untouched"
    assert await backend.rotate_data_key("hotel") == 0


@pytest.mark.usefixtures("small_batches")
async def test_a_data_key_rotation_that_was_interrupted_is_finished_by_the_next(
    store: Store, masters: MasterKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = stored(store, masters)
    for number in range(2 * BATCH):
        await backend.put("clinic", f"s{number}", str(number))
    reseal, done = backend._reseal, 0

    async def reseal_once(tenant_id: str) -> int:
        nonlocal done
        done += 1
        if done > 1:
            raise KeyboardInterrupt
        return await reseal(tenant_id)

    monkeypatch.setattr(backend, "_reseal", reseal_once)
    with pytest.raises(KeyboardInterrupt):
        await backend.rotate_data_key("clinic")
    again = stored(store, masters)
    assert await again.get("clinic", "s0") == "0"
    assert await again.get("clinic", "s9") == "9"
    assert await again.rotate_data_key("clinic") == BATCH
    assert {row["key_version"] for row in await sealed_rows(store, "clinic")} == {2}


async def test_after_a_master_rotation_the_old_key_opens_nothing_and_nothing_is_lost(
    any_store: Store, tmp_path: Path
) -> None:
    file = MasterKeyFile(tmp_path / "master.key").ensure()
    old = file.load()
    running = stored(any_store, file)  # a server that goes on while the command rotates
    for owner in ("clinic", "garage", THE_SERVER):
        await running.put(owner, "s", f"of {owner}")
    file.begin_rotation()
    assert await running.get("clinic", "s") == "of clinic"
    await running.put("new tenant", "s", "of new tenant")
    assert await stored(any_store, file).rotate_master() == 4
    file.finish_rotation()
    await running.put("newer tenant", "s", "of newer tenant")
    fresh = stored(any_store, file)
    for owner in ("clinic", "garage", THE_SERVER, "new tenant", "newer tenant"):
        assert await fresh.get(owner, "s") == f"of {owner}"
        assert await running.get(owner, "s") == f"of {owner}"
        with pytest.raises(MasterKeyError):
            await stored(any_store, old).get(owner, "s")


async def test_a_master_rotation_that_was_interrupted_is_finished_by_the_next(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = MasterKeyFile(tmp_path / "master.key").ensure()
    backend = stored(store, file)
    for number in range(5):
        await backend.put(f"tenant-{number}", "s", str(number))
    monkeypatch.setattr("context.security.vault_store.BATCH", 2)
    begun = file.begin_rotation().current_id
    rewrap, done = backend._rewrap, 0

    async def rewrap_once(newest: str) -> int:
        nonlocal done
        done += 1
        if done > 1:
            raise KeyboardInterrupt
        return await rewrap(newest)

    monkeypatch.setattr(backend, "_rewrap", rewrap_once)
    with pytest.raises(KeyboardInterrupt):
        await backend.rotate_master()
    assert [await stored(store, file).get(f"tenant-{n}", "s") for n in range(5)] == list("01234")
    assert file.begin_rotation().current_id == begun  # it goes on with the same new key
    assert await stored(store, file).rotate_master() == 3
    file.finish_rotation()
    assert [await stored(store, file).get(f"tenant-{n}", "s") for n in range(5)] == list("01234")


async def test_a_tenant_that_was_deleted_and_made_again_has_a_new_vault(store: Store, masters: MasterKeys) -> None:
    vault = Vault.in_store(store, masters)
    await vault.put("clinic", "s", "old")
    assert await vault.get("clinic", "s") == "old"
    async with store.tenant("clinic").writing() as transaction:
        await transaction.delete(vault_secrets)
        await transaction.delete(vault_data_keys)
    elsewhere = Vault.in_store(store, masters)
    await elsewhere.put("clinic", "s", "new")
    assert await vault.get("clinic", "s") == "new"


def test_the_master_key_file_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    first = MasterKeyFile(path).ensure().load()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert MasterKeyFile(path).ensure().load().ids == first.ids
    assert path.read_text().strip() not in repr(first)


def test_a_master_key_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    file = MasterKeyFile(tmp_path / "master.key").ensure()
    file.path.chmod(0o640)
    with pytest.raises(MasterKeyError, match="chmod 600"):
        file.load()


@pytest.mark.parametrize("text", ["", " \n", "short", "é", base64.b64encode(b"x" * 31).decode(), "A" * 44])
def test_a_master_key_that_is_none_is_a_clear_error_that_does_not_repeat_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "master.key").write_text(text)
    (tmp_path / "master.key").chmod(0o600)
    with pytest.raises(MasterKeyError, match=r"master\.key") as caught:
        MasterKeyFile(tmp_path / "master.key").load()
    assert not text.strip() or text not in str(caught.value)


def test_the_environment_comes_before_the_file_and_may_hold_two_keys(tmp_path: Path) -> None:
    new, old = bytes(range(32)), bytes(range(1, 33))
    source = master_key_source(tmp_path, {"PARLEY_MASTER_KEY": f"{encoded(new)}, {encoded(old)}"})
    assert source.load().key(source.load().current_id) == new
    assert len(source.load().ids) == 2
    assert not (tmp_path / "master.key").exists()
    assert isinstance(master_key_source(tmp_path, {}), MasterKeyFile)
    assert parsed_keys(encoded(new), "x") == (new,)


def test_half_of_infisicals_settings_is_an_error_that_names_the_rest(store: Store, tmp_path: Path) -> None:
    assert infisical_settings({}) is None
    with pytest.raises(VaultError, match="PARLEY_INFISICAL_CLIENT_SECRET"):
        infisical_settings({"PARLEY_INFISICAL_URL": "https://x", "PARLEY_INFISICAL_CLIENT_ID": "c"})
    insecure = dict.fromkeys(INFISICAL_VARIABLES.values(), "http://far.example")
    with pytest.raises(VaultError, match="https"):
        open_vault(store, tmp_path, insecure)


places = st.lists(st.text(max_size=5) | st.integers(0, 9), max_size=4)


@given(plain=st.binary(max_size=200), place=places, data=st.data())
def test_no_changed_bit_and_no_other_place_opens(plain: bytes, place: list[str | int], data: st.DataObject) -> None:
    key = bytes(32)
    sealed = seal(key, plain, tuple(place))
    assert unseal(key, sealed, tuple(place), "it") == plain
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    broken = bytearray(sealed)
    broken[bit // 8] ^= 1 << bit % 8
    with pytest.raises(VaultTamperedError):
        unseal(key, bytes(broken), tuple(place), "it")
    with pytest.raises(VaultTamperedError):
        unseal(key, sealed, (*place, ""), "it")
