"""The files of calls: recordings and event logs, which bear the ids of the calls.

Used by export, which copies them, and by erasure and retention, which remove them. Every method blocks.
"""

import glob
import os
from collections.abc import Iterable
from pathlib import Path


class RecordingFiles:
    """The folder of recordings."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of_calls(self, call_ids: Iterable[str]) -> list[str]:
        """Names of the files that these calls left, in order."""
        return sorted(path.name for call_id in call_ids for path in self._of_call(call_id))

    def path(self, name: str) -> Path:
        """Where a file is."""
        return self._folder / name

    def remove(self, names: Iterable[str]) -> None:
        """Remove files, on disk before it returns; those that are gone already do not matter. Raises OSError."""
        for name in names:
            (self._folder / name).unlink(missing_ok=True)
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def older_than(self, before_s: float) -> list[str]:
        """Names of the files last written before an instant (seconds since the epoch)."""
        return sorted(
            path.name for path in self._folder.iterdir() if path.is_file() and path.stat().st_mtime < before_s
        )

    def _of_call(self, call_id: str) -> list[Path]:
        if not call_id or Path(call_id).name != call_id:
            return []  # no call of ours: an id from outside must not reach other folders
        found = self._folder.glob(f"{glob.escape(call_id)}.*")
        return [path for path in found if path.is_file()]
