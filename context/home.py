"""The folder that holds everything Parley keeps: `PARLEY_HOME`, by default `~/.parley`.

One place decides names and permissions, because recordings and the database hold what callers said.
Opened once by each command of the server.
"""

import os
import stat
from pathlib import Path

import msgspec

from context.errors import HomeError

HOME_VARIABLE = "PARLEY_HOME"
DEFAULT_HOME = Path("~/.parley")
PRIVATE_FOLDER_MODE = 0o700
PRIVATE_FILE_MODE = 0o600


class Home(msgspec.Struct, frozen=True):
    """Where things are. Every folder exists and only its owner may read it."""

    root: Path

    @classmethod
    def open(cls, path: Path | str | None = None) -> "Home":
        """Open the home at `path`, else at `PARLEY_HOME`, else at `~/.parley`, making what is missing.

        Raises HomeError when it cannot be made or written.
        """
        root = Path(path or os.environ.get(HOME_VARIABLE) or DEFAULT_HOME).expanduser().absolute()
        home = cls(root)
        try:
            root.mkdir(mode=PRIVATE_FOLDER_MODE, parents=True, exist_ok=True)
            for folder in (home.recordings, home.models, home.tenants):
                _private_folder(folder)
            # SQLite gives its -wal and -shm files the permissions of the database itself.
            os.close(os.open(home.database, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, PRIVATE_FILE_MODE))
        except OSError as error:
            raise HomeError(
                f"cannot keep state in {root}: {error.strerror}; make it writable or "
                f"set {HOME_VARIABLE} to a folder that is"
            ) from error
        return home

    @property
    def recordings(self) -> Path:
        """Stereo recordings of calls."""
        return self.root / "recordings"

    @property
    def models(self) -> Path:
        """Models that were put together or fetched."""
        return self.root / "models"

    @property
    def tenants(self) -> Path:
        """The operator's tenant files, `*.yaml`."""
        return self.root / "tenants"

    @property
    def database(self) -> Path:
        """The SQLite file used when no other database is configured."""
        return self.root / "parley.db"

    @property
    def database_url(self) -> str:
        """SQLAlchemy address of `database`."""
        return f"sqlite+aiosqlite:///{self.database}"


def _private_folder(folder: Path) -> None:
    """Make `folder`, or close it to others when an earlier umask or copy left it open."""
    folder.mkdir(mode=PRIVATE_FOLDER_MODE, exist_ok=True)
    if stat.S_IMODE(folder.stat().st_mode) != PRIVATE_FOLDER_MODE:
        folder.chmod(PRIVATE_FOLDER_MODE)
