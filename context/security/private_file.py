"""Files that only their owner may read, written so that nobody ever sees half of one.

The master key and the operator's key live in such files. Used by `context.security`.
"""

import os
import secrets
from pathlib import Path

PRIVATE_MODE = 0o600


def write_private_file_once(path: Path, text: str) -> bool:
    """Write the file unless it exists; whether it was written. Of several processes exactly one writes.

    Raises OSError.
    """
    if path.exists():
        return False
    draft = _draft(path, text)
    try:
        os.link(draft, path)  # unlike a rename it fails when the name is taken
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    _settle(path.parent)
    return True


def replace_private_file(path: Path, text: str) -> None:
    """Write the file in place of what is there: a reader sees the old text or the new. Raises OSError."""
    draft = _draft(path, text)
    try:
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    _settle(path.parent)


def _draft(path: Path, text: str) -> Path:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_MODE)
    try:
        os.fchmod(descriptor, PRIVATE_MODE)
        os.write(descriptor, text.encode())
        os.fsync(descriptor)
    except OSError:
        draft.unlink()
        raise
    finally:
        os.close(descriptor)
    return draft


def _settle(folder: Path) -> None:
    """Have the new name on disk before anything relies on it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
