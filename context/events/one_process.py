"""Lets one process at a time do something, with a locked file.

On SQLite the relay runs in one process; the kernel gives the lock back when that process ends, however it ends. Used by
`context.events.bus`.
"""

import fcntl
import os
from pathlib import Path

PRIVATE_FILE_MODE = 0o600


class OneProcess:
    """A lock on a file. Not for use between threads of one process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def take(self) -> bool:
        """Whether this process has the lock now. Raises OSError when the file cannot be made."""
        if self._file is not None:
            return True
        file = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, PRIVATE_FILE_MODE)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(file)
            if isinstance(error, BlockingIOError):
                return False
            raise
        self._file = file
        return True

    def give_back(self) -> None:
        """Let another process have it."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
