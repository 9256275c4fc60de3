"""Copies of SQLite files as they all were at one instant, while other processes go on writing.

The events of a database and the work of another that handles them belong together: copies from two moments would do
something twice or never. Writers are held up for the milliseconds it takes to fix the instant, not for the copying.
Used by `context.backup`.
"""

import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TypeVar

from context.errors import StoreError

LOCK_TIMEOUT_S = 2.0
"""How long one attempt waits for a database: a writer that holds one and waits for another would wait for us."""

ATTEMPTS = 5
PAUSE_S = 0.5
BUSY_CODES = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})

T = TypeVar("T")


def snapshot(copies: Mapping[Path, Path], at_the_instant: Callable[[], T]) -> T:
    """Copy each file to its target, which must not exist; what `at_the_instant` returned while nobody could write.

    Blocks; call it in a thread. Raises StoreError when a file is no sound SQLite database or stays locked.
    """
    try:
        with ExitStack() as stack:
            readers, seen = _fix_the_instant(stack, sorted(copies), at_the_instant)
            for source, reader in readers.items():
                _copy(reader, copies[source])
            return seen
    except sqlite3.Error as error:
        raise StoreError(f"the database cannot be copied: {error}") from error


def _fix_the_instant(
    stack: ExitStack, sources: list[Path], at_the_instant: Callable[[], T]
) -> tuple[dict[Path, sqlite3.Connection], T]:
    """A reader on each file, all seeing the same instant."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with ExitStack() as held:
                for source in sources:
                    held.enter_context(closing(_connect(source))).execute("BEGIN IMMEDIATE")
                readers = {source: stack.enter_context(closing(_connect(source))) for source in sources}
                for reader in readers.values():
                    reader.execute("BEGIN")
                    reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
                return readers, at_the_instant()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode not in BUSY_CODES or attempt == ATTEMPTS:
                raise
            time.sleep(PAUSE_S)
    raise AssertionError("unreachable: the last attempt raises")


def _connect(path: Path) -> sqlite3.Connection:
    # As a URI: an ordinary path would make a file that is not there.
    return sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=LOCK_TIMEOUT_S, isolation_level=None)


def _copy(reader: sqlite3.Connection, target: Path) -> None:
    with closing(sqlite3.connect(target, isolation_level=None)) as copy:
        reader.backup(copy)
        # One plain file: readers of the copy need no log beside it.
        copy.execute("PRAGMA journal_mode=DELETE")
        (verdict,) = copy.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise StoreError(f"the database is damaged: {verdict}")
