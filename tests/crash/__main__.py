"""The long run: `python -m tests.crash --kills 200 [--postgres]`.

Prints what was found as JSON and ends with 1 when a promise was broken. `--postgres` starts a Postgres of its own, as
the tests do.
"""

import argparse
import inspect
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import msgspec

from tests.crash.harness import Plan, crash
from tests.postgres_server import PostgresServer, postgres_server


def main() -> int:
    """Run it; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first-edge", type=int, default=0, help="edge of a commit at which the first life ends")
    parser.add_argument("--postgres", action="store_true", help="on a private Postgres instead of SQLite")
    asked = parser.parse_args()
    plan = Plan(asked.kills, asked.workers, asked.seed, first_edge=asked.first_edge)
    with tempfile.TemporaryDirectory(prefix="parley-crash-") as folder, _database(Path(folder), asked.postgres) as url:
        outcome = crash(url, Path(folder), plan)
    print(msgspec.json.format(msgspec.json.encode(outcome)).decode())
    return 1 if outcome.findings.faults else 0


@contextmanager
def _database(folder: Path, postgres: bool) -> Generator[str]:
    if not postgres:
        yield f"sqlite+aiosqlite:///{folder / 'parley.db'}"
        return
    running: Callable[[], AbstractContextManager[PostgresServer]] = contextmanager(inspect.unwrap(postgres_server))
    with running() as server:
        yield server.url(server.create())


if __name__ == "__main__":
    sys.exit(main())
