"""A copy of everything an installation keeps, in one archive, made while the server runs.

In it: the SQLite databases as they all were at one instant, recordings, tenant files, settings, and the key files when
asked for; at its end a manifest with the SHA-256 of each. Not in it: models, which are made again, and a Postgres
database, which its operator's own tools back up. Written by `parley backup`, read by `context.restore`.
"""

import asyncio
import gzip
import hashlib
import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, cast

import msgspec

from context.errors import ContextError
from context.home import PRIVATE_FILE_MODE, Home
from context.store.database import Store
from context.store.snapshot import snapshot

FORMAT = 1
"""Version of the archive's layout."""

MANIFEST = "manifest.json"
MANIFEST_DIGEST = "manifest.sha256"
ENDINGS = (".tar.gz", ".tgz", ".tar")
"""What a backup's name may end in: with and without compression."""

COMPRESSION_LEVEL = 3
"""Speech shrinks by half; higher levels take thrice the time for a few percent more."""

KEY_FILES = "*.key"
DATABASES = "*.db"
SETTINGS = ("*.yaml", "*.json")
"""Beside the databases: providers of sign-in, anchors of the audit log. No secrets."""

FOLDERS = ("recordings", "tenants")


class BackupError(ContextError):
    """The backup cannot be written."""

    code = "backup_failed"


class BackedUpFile(msgspec.Struct, frozen=True):
    """One file. name: below the home, with slashes. size: bytes. sha256: hex."""

    name: str
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What an archive holds.

    created_at: seconds since the epoch, UTC: the instant the databases show. database: "sqlite", or "postgresql",
    which is not in the archive. schema: its revision. keys: whether the key files are in it.
    """

    format: int
    created_at: float
    database: str
    schema: str
    keys: bool
    files: tuple[BackedUpFile, ...]


async def back_up(home: Home, database_url: str, target: Path, *, with_keys: bool, now_s: float) -> Manifest:
    """Write the archive `target`, whole or not at all; readable by its owner alone.

    Raises BackupError, and StoreError when a database cannot be copied.
    """
    if not target.name.endswith(ENDINGS):
        raise BackupError(f"file: {target.name!r} has none of the endings allowed: {', '.join(ENDINGS)}")
    store = await Store.connect(database_url)
    try:
        dialect, schema = store.dialect, (await store.schema()).found
        database = store.file
    finally:
        await store.aclose()
    plan = _Plan(home, database, target, with_keys)
    try:
        return await asyncio.to_thread(plan.write, Manifest(FORMAT, now_s, dialect, schema, with_keys, ()))
    except FileExistsError as error:
        raise BackupError(f"file: {target} exists; a backup never replaces another") from error
    except OSError as error:
        raise BackupError(f"{target} cannot be written: {error.strerror or error}") from error


class _Plan(msgspec.Struct, frozen=True):
    """What goes where. Its methods block."""

    home: Home
    database: Path | None
    target: Path
    with_keys: bool

    def write(self, manifest: Manifest) -> Manifest:
        if self.target.exists():
            raise FileExistsError  # before the work; the link below is what makes it certain
        draft = self.target.with_name(f".{self.target.name}.{os.getpid()}.part")
        try:
            with (
                tempfile.TemporaryDirectory(prefix=".backup.", dir=self.target.parent) as folder,
                os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE_FILE_MODE), "wb") as file,
            ):
                copies = self._databases(Path(folder))
                sources = {source: copy for _, source, copy in copies}
                others = snapshot(sources, lambda: [*self._small_files(Path(folder)), *self._files()])
                contents = [*((name, copy) for name, _, copy in copies), *others]
                with self._compressed(file) as stream:
                    written = msgspec.structs.replace(manifest, files=_archive(stream, contents, manifest))
                file.flush()
                os.fsync(file.fileno())
            os.link(draft, self.target)  # unlike a rename it never replaces a file
        finally:
            draft.unlink(missing_ok=True)
        return written

    def _compressed(self, file: IO[bytes]) -> AbstractContextManager[IO[bytes]]:
        if self.target.name.endswith(".tar"):
            return nullcontext(file)
        # Not by tarfile itself, which compresses streams at the highest level only.
        return cast(IO[bytes], gzip.GzipFile("", "wb", COMPRESSION_LEVEL, file))

    def _databases(self, folder: Path) -> list[tuple[str, Path, Path]]:
        """Name in the archive, source and copy of each SQLite file."""
        if self.database is None:
            return []
        found = {self.home.database.name: self.database}
        found |= {path.name: path for path in sorted(self.home.root.glob(DATABASES)) if path.name not in found}
        return [(name, source, folder / name) for name, source in found.items()]

    def _small_files(self, folder: Path) -> Iterator[tuple[str, Path]]:
        """Settings and keys, copied at once: an anchor of the audit log must not be newer than the log."""
        for pattern in (*SETTINGS, KEY_FILES) if self.with_keys else SETTINGS:
            for path in sorted(self.home.root.glob(pattern)):
                if path.is_file() and path.name != MANIFEST:
                    yield path.name, Path(shutil.copyfile(path, folder / path.name))

    def _files(self) -> Iterator[tuple[str, Path]]:
        """Files that only come and go, as there are now."""
        for name in FOLDERS:
            for path in sorted((self.home.root / name).rglob("*")):
                if path.is_file() and not path.is_symlink():
                    yield path.relative_to(self.home.root).as_posix(), path


def _archive(stream: IO[bytes], contents: Iterable[tuple[str, Path]], manifest: Manifest) -> tuple[BackedUpFile, ...]:
    """Write the files, then the manifest that lists them; what was written."""
    written: list[BackedUpFile] = []
    with tarfile.open(fileobj=stream, mode="w|") as archive:
        for name, path in contents:
            try:
                with path.open("rb") as source:
                    written.append(_add(archive, name, source, os.fstat(source.fileno()).st_size))
            except FileNotFoundError:
                # Erased or expired since the instant: it must not come back with a restore.
                continue
        listed = msgspec.json.encode(msgspec.structs.replace(manifest, files=tuple(written)))
        _add(archive, MANIFEST, io.BytesIO(listed), len(listed))
        digest = hashlib.sha256(listed).hexdigest().encode()
        _add(archive, MANIFEST_DIGEST, io.BytesIO(digest), len(digest))
    return tuple(written)


def _add(archive: tarfile.TarFile, name: str, source: IO[bytes], size: int) -> BackedUpFile:
    """Add the first `size` bytes of a file, which may be growing: a recording of a live call."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, PRIVATE_FILE_MODE
    hashed = _Hashed(source)
    archive.addfile(entry, cast(IO[bytes], hashed))
    return BackedUpFile(name, size, hashed.sha256.hexdigest())


class _Hashed:
    """A file that is hashed as it is read."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self.sha256 = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        self.sha256.update(data)
        return data
