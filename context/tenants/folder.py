"""The operator's folder of tenant files, read again when one of them changes.

A file whose time, size and inode are as before is not opened, so looking costs a few microseconds a file. A file with
a fault keeps the version that worked. Read by `context.tenants.directory`, in a thread.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from context.errors import TenantFileError
from context.tenants.checks import Check
from context.tenants.config import TenantConfig
from context.tenants.tenant_file import load_tenant

Stamp = tuple[int, int, int]
"""Time of change in ns, size in bytes and inode of a file: other than before when it was written again."""


class FileTenant(msgspec.Struct, frozen=True):
    """A tenant that a file defines."""

    path: Path
    config: TenantConfig


class TenantFolder:
    """Files of tenants. folder: the operator's `*.yaml`. builtin: files that come with Parley."""

    def __init__(self, folder: Path, builtin: Sequence[Path] = (), also: Sequence[Check] = ()) -> None:
        self.folder = folder
        self.builtin = frozenset(builtin)
        self._in_order = tuple(builtin)
        self._also = tuple(also)
        self._stamps: dict[Path, Stamp] = {}
        self._good: dict[Path, TenantConfig] = {}
        self._faults: dict[Path, TenantFileError] = {}

    def read(self) -> bool:
        """Read what is new or changed, forget what is gone; whether anything was."""
        stamps = {path: stamp for path in self._paths() if (stamp := _stamp(path)) is not None}
        if stamps == self._stamps:
            return False
        for path, stamp in stamps.items():
            if self._stamps.get(path) != stamp:
                self._load(path)
        for path in self._stamps.keys() - stamps.keys():
            self._good.pop(path, None)
            self._faults.pop(path, None)
        self._stamps = stamps
        return True

    def read_all(self) -> None:
        """Read every file, changed or not."""
        self._stamps = {}
        self.read()
        known = self._good.keys() | self._faults.keys()
        for path in known - self._stamps.keys():
            self._good.pop(path, None)
            self._faults.pop(path, None)

    @property
    def tenants(self) -> tuple[FileTenant, ...]:
        """The last good version of each file: the operator's by name, then those that come with Parley."""
        return tuple(FileTenant(path, self._good[path]) for path in self._stamps if path in self._good)

    @property
    def faults(self) -> tuple[TenantFileError, ...]:
        """What is wrong with the files that are not usable now."""
        return tuple(self._faults[path] for path in self._stamps if path in self._faults)

    def _paths(self) -> tuple[Path, ...]:
        return (*sorted(self.folder.glob("*.yaml")), *self._in_order)

    def _load(self, path: Path) -> None:
        try:
            self._good[path] = load_tenant(path, *self._also)
            self._faults.pop(path, None)
        except TenantFileError as error:
            self._faults[path] = error


def _stamp(path: Path) -> Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
