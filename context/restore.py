"""An installation from a backup: checked whole before anything is put in place, then there at once or not at all.

Everything is unpacked beside the new home, compared with the manifest, brought to the schema of this Parley and only
then renamed. Called by `parley restore`.
"""

import asyncio
import hashlib
import os
import shutil
import tarfile
import tempfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO

import msgspec

from context.backup import DATABASES, FOLDERS, FORMAT, KEY_FILES, MANIFEST, MANIFEST_DIGEST, SETTINGS, Manifest
from context.errors import ContextError, HomeError
from context.home import PRIVATE_FILE_MODE, PRIVATE_FOLDER_MODE
from context.store.database import Store

PIECE_BYTES = 1 << 20
DAMAGE = (tarfile.TarError, EOFError, zlib.error, UnicodeError, ValueError)
"""What reading a damaged archive raises, besides OSError."""


class BackupDamagedError(ContextError):
    """The archive is not what `parley backup` wrote."""

    code = "backup_damaged"


async def restore(archive: Path, home: Path) -> Manifest:
    """Make `home`, which must be empty or not exist, from an archive.

    Raises BackupDamagedError, HomeError, and StoreVersionError when a newer Parley made the backup. Whatever is
    raised, `home` is as it was.
    """
    home, draft = await asyncio.to_thread(_draft_beside, home)
    try:
        manifest = await asyncio.to_thread(_unpack, archive, draft)
        if manifest.database == "sqlite":
            store = await Store.open(f"sqlite+aiosqlite:///{draft / 'parley.db'}")
            await store.aclose()
        await asyncio.to_thread(_put_in_place, draft, home)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return manifest


def _draft_beside(home: Path) -> tuple[Path, Path]:
    """The home as an absolute path, and a new private folder beside it. Raises HomeError."""
    home = home.expanduser().absolute()
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise HomeError(f"{home} is not empty: restore into a new folder, or move the old one away first")
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{home.name}.restoring.", dir=home.parent))
    except OSError as error:
        raise HomeError(f"cannot make {home}: {error.strerror}") from error
    return home, draft


def _unpack(archive: Path, folder: Path) -> Manifest:
    """Write the files of a sound archive below `folder`. Raises BackupDamagedError."""
    found: dict[str, str] = {}
    listed = digest = b""
    try:
        with archive.open("rb") as file, tarfile.open(fileobj=file, mode="r|*") as entries:
            for entry in entries:
                content = entries.extractfile(entry) if entry.isreg() else None
                if content is None or entry.name in found:
                    raise BackupDamagedError(f"{archive}: {entry.name!r} is not a file of a backup")
                if entry.name == MANIFEST:
                    listed = content.read()
                elif entry.name == MANIFEST_DIGEST:
                    digest = content.read()
                else:
                    found[entry.name] = _write(content, folder / _safe(archive, entry.name))
            while file.read(PIECE_BYTES):
                pass  # to the end, so that a checksum of the compression is seen
    except OSError as error:
        if error.errno is not None:
            raise BackupDamagedError(f"{archive} cannot be read: {error.strerror}") from error
        raise BackupDamagedError(f"{archive} is damaged: {error}") from error
    except DAMAGE as error:
        raise BackupDamagedError(f"{archive} is damaged: {error}") from error
    return _checked(archive, found, listed, digest)


def _checked(archive: Path, found: dict[str, str], listed: bytes, digest: bytes) -> Manifest:
    """The manifest, when it says what was found. Raises BackupDamagedError."""
    if not listed:
        raise BackupDamagedError(f"{archive} has no manifest: it was cut off, or is no backup")
    if hashlib.sha256(listed).hexdigest().encode() != digest:
        raise BackupDamagedError(f"{archive}: the manifest does not match its checksum")
    try:
        manifest = msgspec.json.decode(listed, type=Manifest)
    except msgspec.DecodeError as error:
        raise BackupDamagedError(f"{archive}: the manifest cannot be read: {error}") from error
    if manifest.format != FORMAT:
        raise BackupDamagedError(f"{archive}: format {manifest.format} is not known; allowed: {FORMAT}")
    promised = {file.name: file.sha256 for file in manifest.files}
    wrong = sorted(name for name in promised.keys() | found.keys() if promised.get(name) != found.get(name))
    if wrong:
        raise BackupDamagedError(f"{archive}: {len(wrong)} file(s) differ from the manifest, first {wrong[0]!r}")
    return manifest


def _safe(archive: Path, name: str) -> PurePosixPath:
    """The name, when a backup may have such a file. Raises BackupDamagedError."""
    path = PurePosixPath(name)
    at_the_top = len(path.parts) == 1 and any(path.match(known) for known in (DATABASES, KEY_FILES, *SETTINGS))
    in_a_folder = len(path.parts) > 1 and path.parts[0] in FOLDERS and ".." not in path.parts
    if not (at_the_top or in_a_folder):
        raise BackupDamagedError(f"{archive}: {name!r} is not a file of a backup")
    return path


def _write(content: IO[bytes], path: Path) -> str:
    """Write a file to the disk; its SHA-256."""
    path.parent.mkdir(mode=PRIVATE_FOLDER_MODE, parents=True, exist_ok=True)
    sha256 = hashlib.sha256()
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE_FILE_MODE), "wb") as file:
        while piece := content.read(PIECE_BYTES):
            sha256.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return sha256.hexdigest()


def _put_in_place(draft: Path, home: Path) -> None:
    for folder in (draft, *(path for path in draft.rglob("*") if path.is_dir())):
        _sync(folder)
    try:
        draft.rename(home)  # fails when somebody put something there meanwhile
    except OSError as error:
        raise HomeError(f"cannot make {home}: {error.strerror}") from error
    _sync(home.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
