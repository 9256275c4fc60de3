"""A Postgres of the tests' own: one private cluster a test session, one fresh database a test.

Row security, advisory locks and serialisation are Postgres's own behaviour, so what depends on them is tested on the
real thing. The cluster listens on a Unix socket in a private folder and stops when the tests end, also when they are
killed. Registered by `tests/conftest.py`; a missing Postgres fails the tests that need it.
"""

import asyncio
import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from context.store.database import Store

CLUSTER_OWNER = "postgres"
"""Postgres refuses to run as root; the packages make this user."""

ROLE = "parley"
"""What Parley connects as: no superuser, because superusers see past row security."""

TEMPLATE = "parley_template"
"""A database that is migrated already, copied for each test."""

START_LIMIT_S = 60

SETTINGS = {
    "listen_addresses": "''",
    "unix_socket_permissions": "0700",
    "shared_buffers": "32MB",
    "max_connections": "100",
    "max_wal_size": "256MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "jit": "off",
    # Durable like in production: crash tests rely on it.
    "fsync": "on",
    "synchronous_commit": "on",
}

FINGERPRINT = """
SELECT md5(string_agg(concat_ws(' ', n.nspname, c.relname, c.relkind, c.relrowsecurity, a.attname, a.atttypid,
    a.attnotnull, p.polname), ';' ORDER BY n.nspname, c.relname, a.attnum, p.polname))
FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid LEFT JOIN pg_attribute a ON a.attrelid = c.oid
LEFT JOIN pg_policy p ON p.polrelid = c.oid
WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
"""
"""Changes with any table, column, index or policy of a database."""

TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"

SCRIPT = """
set -e
trap '' HUP INT TERM
cd "$FOLDER"
"$BIN/initdb" --pgdata=data --username=postgres --auth=trust --encoding=UTF8 --locale=C --no-sync >initdb.log 2>&1
cat settings >>data/postgresql.conf
"$BIN/pg_ctl" start --wait --silent --pgdata=data --log=server.log --options="-k $FOLDER" >start.log 2>&1
echo ready
read -r _ || true
"$BIN/pg_ctl" stop --silent --pgdata=data --mode=immediate >stop.log 2>&1 || true
rm -rf "$FOLDER"
"""
"""Runs beside the tests and stops the cluster when their end of the pipe closes, however that comes about."""


class PostgresServer:
    """A running cluster. folder: where its socket is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = itertools.count(1)
        self._empty: list[str] = []
        self._fingerprint: tuple[object, ...] = ()

    def url(self, database: str) -> str:
        """SQLAlchemy address of a database, as Parley's role."""
        return f"postgresql+psycopg://{ROLE}@/{database}?host={self.folder}"

    def plain_url(self, database: str, role: str = ROLE) -> str:
        """The same for libpq (psycopg without SQLAlchemy)."""
        return f"postgresql://{role}@/{database}?host={self.folder}"

    def create(self, template: str = "template1") -> str:
        """Make a database that Parley's role owns; its name."""
        name = f"test_{next(self._numbers)}"
        self._execute(f"CREATE DATABASE {name} OWNER {ROLE} TEMPLATE {template}")
        return name

    def drop(self, database: str) -> None:
        """Remove a database, also when a test left connections open."""
        self._execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")

    def take(self) -> str:
        """A migrated database without rows: one that a test gave back, else a new one; its name."""
        return self._empty.pop() if self._empty else self.create(TEMPLATE)

    def give_back(self, database: str) -> None:
        """Empty a database for the next test, which takes a tenth of the time of a new one.

        One whose tables were changed is dropped, and so are databases that are named after it.
        """
        beside = "SELECT datname FROM pg_database WHERE starts_with(datname, %s)"
        for (name,) in self._execute(beside, f"{database}_"):
            self.drop(str(name))
        self._execute(OTHERS, database)
        if self._shape(database) != self._fingerprint:
            return self.drop(database)
        with psycopg.connect(self.plain_url(database, "postgres")) as connection:
            connection.execute("SET session_replication_role = replica")  # rows go in any order
            for (table,) in connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            ).fetchall():
                if table != "alembic_version":
                    connection.execute(f'DELETE FROM "{table}"'.encode())
            connection.execute("SELECT setval(format('%I', sequencename), start_value, false) FROM pg_sequences")
        self._empty.append(database)

    def _shape(self, database: str) -> tuple[object, ...]:
        with psycopg.connect(self.plain_url(database, "postgres"), autocommit=True) as connection:
            tables = connection.execute(FINGERPRINT.encode()).fetchone()
            try:
                return (tables, connection.execute("SELECT version_num FROM alembic_version").fetchone())
            except psycopg.errors.UndefinedTable:
                return (tables, None)

    def prepare(self) -> None:
        """Make the role and the template."""
        self._execute(f"CREATE ROLE {ROLE} LOGIN CREATEDB NOSUPERUSER NOBYPASSRLS")
        self._execute(f"CREATE DATABASE {TEMPLATE} OWNER {ROLE}")
        asyncio.run(_migrate(self.url(TEMPLATE)))
        self._fingerprint = self._shape(TEMPLATE)

    def _execute(self, statement: str, *values: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.plain_url("postgres", "postgres"), autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []


async def _migrate(url: str) -> None:
    await (await Store.open(url)).aclose()


def _binaries() -> Path:
    """Folder of initdb and pg_ctl, the newest version that is installed."""
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    on_path = shutil.which("initdb")
    for folder in [*reversed(packaged), *([Path(on_path).resolve().parent] if on_path else [])]:
        if (folder / "initdb").is_file() and (folder / "pg_ctl").is_file():
            return folder
    pytest.fail("these tests need Postgres: install the package postgresql (initdb and pg_ctl were not found)")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The cluster of this test session."""
    binaries = _binaries()
    # Not pytest's own folder: the cluster's owner may not enter that one. Short: a socket's path has 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="parley-pg-"))
    (folder / "settings").write_text("".join(f"{name} = {value}\n" for name, value in SETTINGS.items()))
    command = ["sh", "-c", SCRIPT]
    if os.geteuid() == 0:
        shutil.chown(folder, CLUSTER_OWNER)
        command = ["runuser", "-u", CLUSTER_OWNER, "--", *command]
    process = subprocess.Popen(
        command,
        env={"PATH": os.environ.get("PATH", os.defpath), "FOLDER": str(folder), "BIN": str(binaries), "LC_ALL": "C"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin
    assert process.stdout
    try:
        if process.stdout.readline() != b"ready\n":
            logs = [path.read_text(errors="replace") for path in sorted(folder.glob("*.log"))]
            pytest.fail("Postgres did not start:\n" + "\n".join(logs))
        server = PostgresServer(folder)
        server.prepare()
        yield server
    finally:
        process.stdin.close()
        process.wait(START_LIMIT_S)
        process.stdout.close()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A migrated Postgres database of this test's own."""
    database = postgres_server.take()
    yield postgres_server.url(database)
    postgres_server.give_back(database)


@pytest.fixture
def empty_postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A Postgres database without any table."""
    database = postgres_server.create()
    yield postgres_server.url(database)
    postgres_server.drop(database)


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Each database that Parley supports, in turn."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'parley.db'}"
    return str(request.getfixturevalue("postgres_url"))
