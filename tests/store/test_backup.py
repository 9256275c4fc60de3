"""A backup made while everything is written holds one instant, comes back whole, and is refused when damaged."""

import asyncio
import io
import itertools
import os
import sqlite3
import stat
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st
from typer.testing import CliRunner

from context.backup import BackupError, Manifest, back_up
from context.bookings.tables import bookings
from context.errors import ContextError, HomeError, StoreVersionError
from context.home import Home
from context.restore import BackupDamagedError, restore
from context.store.database import Store
from context.store.migration import head
from server.commands import backup as backup_command
from tests.postgres_server import TEMPLATE, PostgresServer

NOW_S = 1_812_600_000.0
NAMES = ("b.tar", "b.tar.gz")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    opened = Home.open(tmp_path / "home")
    (opened.recordings / "c1.wav").write_bytes(b"RIFF" + bytes(2000))
    (opened.recordings / "c1.events.jsonl").write_bytes(b'{"language":"fr"}\n')
    (opened.tenants / "clinic.yaml").write_text("id: clinic\n")
    (opened.root / "master.key").write_text("very secret")
    (opened.root / "audit-anchors.json").write_text("{}")
    (opened.models / "voice.onnx").write_bytes(bytes(1000))
    return opened


async def saved(home: Home, target: Path, *, with_keys: bool = False) -> Manifest:
    return await back_up(home, home.database_url, target, with_keys=with_keys, now_s=NOW_S)


def row(number: int) -> dict[str, object]:
    texts = dict.fromkeys(("call_id", "service_id", "name", "phone"), "x")
    return {**texts, "id": str(number), "starts_at_s": number, "minutes": 1, "created_at_s": 0}


async def written(home: Home, count: int) -> None:
    store = await Store.open(home.database_url)
    async with store.tenant("clinic").writing() as transaction:
        await transaction.insert(bookings, [row(number) for number in range(count)])
    await store.aclose()


def files(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


async def test_everything_comes_back_readable_by_its_owner_alone(home: Home, tmp_path: Path) -> None:
    await written(home, 3)
    manifest = await saved(home, tmp_path / "b.tar.gz")
    await restore(tmp_path / "b.tar.gz", tmp_path / "new")
    new = tmp_path / "new"
    assert files(new) == {
        *("parley.db", "audit-anchors.json"),
        *("recordings/c1.wav", "recordings/c1.events.jsonl", "tenants/clinic.yaml"),
    }
    assert {file.name for file in manifest.files} == files(new)
    assert (new / "recordings/c1.wav").read_bytes() == (home.recordings / "c1.wav").read_bytes()
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "b.tar.gz", new, *new.rglob("*"))}
    assert modes == {0o600, 0o700}
    store = await Store.open(Home.open(new).database_url)
    async with store.tenant("clinic").reading() as transaction:
        assert await transaction.count(bookings) == 3
    await store.aclose()


async def test_key_files_are_in_it_only_when_asked_for(home: Home, tmp_path: Path) -> None:
    await written(home, 1)
    assert not (await saved(home, tmp_path / "without.tar.gz")).keys
    assert b"very secret" not in (tmp_path / "without.tar.gz").read_bytes()
    assert (await saved(home, tmp_path / "with.tar", with_keys=True)).keys
    await restore(tmp_path / "with.tar", tmp_path / "new")
    assert (tmp_path / "new/master.key").read_text() == "very secret"


async def test_under_load_the_databases_show_one_instant_with_every_row_acknowledged_before(
    home: Home, tmp_path: Path
) -> None:
    """The writer writes n to one database, then n to the other: at no instant are they two apart."""
    await written(home, 0)
    acknowledged, stopping = [0], threading.Event()
    first, second = home.database, home.root / "events.db"

    def write() -> None:
        with closing(sqlite3.connect(first, timeout=10)) as one, closing(sqlite3.connect(second, timeout=10)) as two:
            for connection in (one, two):
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("CREATE TABLE IF NOT EXISTS load (n INTEGER PRIMARY KEY, filler BLOB)")
            for n in itertools.count(1):
                for connection in (one, two):
                    connection.execute("INSERT INTO load VALUES (?, randomblob(3000))", (n,))
                    connection.commit()
                acknowledged[0] = n
                if stopping.is_set():
                    return

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while acknowledged[0] < 50:
            stopping.wait(0.01)
        before = 0
        for attempt in range(4):
            before = acknowledged[0]
            await saved(home, tmp_path / f"{attempt}.tar")
            await restore(tmp_path / f"{attempt}.tar", tmp_path / f"new{attempt}")
            counts: list[int] = []
            for name in ("parley.db", "events.db"):
                with closing(sqlite3.connect(tmp_path / f"new{attempt}" / name)) as copy:
                    (count, last) = copy.execute("SELECT count(*), max(n) FROM load").fetchone()
                    assert count == last
                    counts.append(count)
            assert counts[1] >= before > 0
            assert counts[0] - counts[1] in (0, 1)
        assert acknowledged[0] > before  # the writer was not held up until the end
    finally:
        stopping.set()
        writer.join()


async def test_a_backup_of_an_older_schema_is_brought_up_to_date(home: Home, tmp_path: Path) -> None:
    store = await Store.connect(home.database_url)
    await store.migrate("0001")
    await store.aclose()
    assert (await saved(home, tmp_path / "b.tar.gz")).schema == "0001"
    await restore(tmp_path / "b.tar.gz", tmp_path / "new")
    restored = await Store.connect(Home.open(tmp_path / "new").database_url)
    assert (await restored.schema()).found == head()
    await restored.aclose()


async def test_a_backup_of_a_newer_parley_is_refused_and_leaves_nothing(home: Home, tmp_path: Path) -> None:
    await written(home, 1)
    with closing(sqlite3.connect(home.database)) as plain, plain:
        plain.execute("UPDATE alembic_version SET version_num = '9999'")
    await saved(home, tmp_path / "b.tar.gz")
    with pytest.raises(StoreVersionError, match="9999"):
        await restore(tmp_path / "b.tar.gz", tmp_path / "there" / "new")
    assert list((tmp_path / "there").iterdir()) == []


async def test_a_home_that_holds_something_is_never_restored_over(home: Home, tmp_path: Path) -> None:
    await written(home, 1)
    await saved(home, tmp_path / "b.tar.gz")
    before = files(home.root)
    with pytest.raises(HomeError, match="not empty"):
        await restore(tmp_path / "b.tar.gz", home.root)
    assert files(home.root) == before
    (tmp_path / "empty").mkdir()
    await restore(tmp_path / "b.tar.gz", tmp_path / "empty")


async def test_a_backup_never_replaces_a_file(home: Home, tmp_path: Path) -> None:
    await written(home, 1)
    (tmp_path / "b.tar.gz").write_text("older")
    with pytest.raises(BackupError, match="never replaces"):
        await saved(home, tmp_path / "b.tar.gz")
    assert (tmp_path / "b.tar.gz").read_text() == "older"
    with pytest.raises(BackupError, match=r"allowed: \.tar\.gz"):
        await saved(home, tmp_path / "b.zip")


async def test_a_recording_that_is_erased_meanwhile_is_left_out(home: Home, tmp_path: Path) -> None:
    await written(home, 1)
    gone = home.recordings / "gone.wav"
    gone.symlink_to(tmp_path / "master.key")
    manifest = await saved(home, tmp_path / "b.tar.gz")
    assert "recordings/gone.wav" not in {file.name for file in manifest.files}


async def test_a_damaged_database_is_no_backup(home: Home, tmp_path: Path) -> None:
    await written(home, 500)
    content = bytearray(home.database.read_bytes())
    content[-3 * 4096 :] = bytes(b ^ 0x55 for b in content[-3 * 4096 :])
    home.database.write_bytes(content)
    with pytest.raises(ContextError, match=r"damaged|malformed"):
        await saved(home, tmp_path / "b.tar.gz")
    assert not (tmp_path / "b.tar.gz").exists()


async def test_of_a_postgres_installation_it_holds_the_files_and_says_so(
    home: Home, tmp_path: Path, postgres_url: str
) -> None:
    manifest = await back_up(home, postgres_url, tmp_path / "b.tar.gz", with_keys=False, now_s=NOW_S)
    assert manifest.database == "postgresql"
    assert not [file.name for file in manifest.files if file.name.endswith(".db")]
    await restore(tmp_path / "b.tar.gz", tmp_path / "new")
    assert (tmp_path / "new/tenants/clinic.yaml").is_file()


@pytest.fixture(scope="module")
def small_archives(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer
) -> Iterator[dict[str, bytes]]:
    """Sound archives, with and without compression, of an installation on Postgres: files alone."""
    folder = tmp_path_factory.mktemp("sound")
    home = Home.open(folder / "home")
    (home.recordings / "c1.wav").write_bytes(bytes(range(256)) * 6)
    (home.tenants / "clinic.yaml").write_text("id: clinic\n")
    database = postgres_server.create(TEMPLATE)
    for name in NAMES:
        url = postgres_server.url(database)
        asyncio.run(back_up(home, url, folder / name, with_keys=False, now_s=NOW_S))
    yield {name: (folder / name).read_bytes() for name in NAMES}
    postgres_server.drop(database)


def contents(archive: bytes, name: str) -> dict[str, bytes]:
    """Files that a restore puts in place."""
    with tempfile.TemporaryDirectory() as folder:
        path, new = Path(folder, name), Path(folder, "new")
        path.write_bytes(archive)
        try:
            asyncio.run(restore(path, new))
        except BackupDamagedError:
            assert list(Path(folder).iterdir()) == [path]
            raise
        return {file: (new / file).read_bytes() for file in files(new)}


@pytest.mark.parametrize("name", NAMES)
@effort(max_examples=60)
@given(data=st.data())
def test_a_changed_byte_anywhere_is_noticed_or_does_not_matter(
    small_archives: dict[str, bytes], name: str, data: st.DataObject
) -> None:
    sound = small_archives[name]
    place = data.draw(st.integers(0, len(sound) - 1))
    flipped = bytearray(sound)
    flipped[place] ^= data.draw(st.integers(1, 255))
    try:
        restored = contents(bytes(flipped), name)
    except BackupDamagedError:
        return
    assert restored == contents(sound, name)


@pytest.mark.parametrize("name", NAMES)
def test_an_archive_that_was_cut_off_is_refused(small_archives: dict[str, bytes], name: str) -> None:
    sound = small_archives[name]
    # Behind that there is only padding, which may be missing.
    end = sound.index(b"manifest.sha256") if name == "b.tar" else len(sound) // 2
    for length in (0, 1, end // 4, end // 2, end - 1, end):
        with pytest.raises(BackupDamagedError):
            contents(sound[:length], name)


@pytest.mark.parametrize("name", ["../outside", "/tmp/outside", "recordings/../../outside", "models/x", "parley.sh"])
async def test_an_archive_cannot_put_a_file_anywhere_else(name: str, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "b.tar", "w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = 1
        archive.addfile(entry, io.BytesIO(b"x"))
    with pytest.raises(BackupDamagedError, match="not a file of a backup"):
        await restore(tmp_path / "b.tar", tmp_path / "a" / "new")
    assert list((tmp_path / "a").iterdir()) == []
    assert not (tmp_path / "outside").exists()


async def test_an_archive_with_links_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "b.tar", "w") as archive:
        entry = tarfile.TarInfo("recordings/c.wav")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(entry)
    with pytest.raises(BackupDamagedError):
        await restore(tmp_path / "b.tar", tmp_path / "new")


def test_an_operator_backs_up_and_restores_by_command(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(written(home, 1))
    made_nicer: list[int] = []
    monkeypatch.setattr(os, "nice", made_nicer.append)
    app = typer.Typer()
    backup_command.register(app)
    archive, new = str(tmp_path / "b.tar.gz"), str(tmp_path / "new")
    made = CliRunner().invoke(app, ["backup", archive, "--home", str(home.root)])
    assert made.exit_code == 0
    assert made_nicer[0] > 0  # live calls come first
    assert "5 files" in made.output
    assert "Key files are NOT in it" in made.output
    again = CliRunner().invoke(app, ["backup", archive, "--home", str(home.root)])
    assert (again.exit_code, "backup_failed" in again.output) == (1, True)
    assert CliRunner().invoke(app, ["restore", archive, "--home", new]).exit_code == 0
    assert (Path(new) / "parley.db").is_file()
