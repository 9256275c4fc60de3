"""`parley backup` and `parley restore`: everything the installation keeps, in one file and back."""

import asyncio
import datetime as dt
import os
import time
from pathlib import Path
from typing import Annotated

import typer

from context.backup import Manifest, back_up
from context.errors import ContextError
from context.home import HOME_VARIABLE, Home
from context.restore import restore as restore_archive

BEHIND_CALLS = 15
"""Added to the process's niceness: packing must not take the processor from live calls."""

MEGABYTE = 1_000_000


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command()(backup)
    app.command()(restore)


def backup(
    file: Annotated[Path, typer.Argument(help="Archive to write: .tar.gz, .tgz or .tar.")],
    with_keys: Annotated[
        bool, typer.Option("--with-keys", help="Include the key files: whoever has the archive can read every secret.")
    ] = False,
    home: Annotated[
        str | None, typer.Option(envvar="PARLEY_HOME", help="Folder of all state [default: ~/.parley].")
    ] = None,
    database_url: Annotated[
        str | None, typer.Option(envvar="PARLEY_DATABASE_URL", help="SQLAlchemy URL instead of SQLite in the home.")
    ] = None,
) -> None:
    """Copy databases, recordings and tenant files into one archive, while the server runs.

    A Postgres database is not in it: back that up with your own tools (pg_dump, base backups, snapshots).
    """
    os.nice(BEHIND_CALLS)
    try:
        opened = Home.open(home)
        manifest = asyncio.run(
            back_up(
                opened, database_url or opened.database_url, file.absolute(), with_keys=with_keys, now_s=time.time()
            )
        )
    except ContextError as error:
        raise _failed(error) from None
    _show(manifest, f"Backed up to {file}")
    if manifest.database != "sqlite":
        typer.secho(
            "The database is Postgres and NOT in this archive: back it up with pg_dump or base backups.",
            fg=typer.colors.YELLOW,
        )
    if not with_keys:
        typer.echo(
            "Key files are NOT in it: keep master.key safe elsewhere, without it the secrets in this backup cannot be "
            "opened. (--with-keys puts it in.)"
        )


def restore(
    file: Annotated[Path, typer.Argument(help="Archive that `parley backup` wrote.")],
    home: Annotated[
        str | None, typer.Option(envvar="PARLEY_HOME", help="Folder to make; empty or not there yet.")
    ] = None,
) -> None:
    """Make a new home from a backup, checked whole before anything is put in place."""
    target = home or os.environ.get(HOME_VARIABLE) or "~/.parley"
    try:
        manifest = asyncio.run(restore_archive(file.absolute(), Path(target)))
    except ContextError as error:
        raise _failed(error) from None
    _show(manifest, f"Restored to {target}")
    if not manifest.keys:
        typer.echo("The archive holds no key files: put master.key into the home before the server starts.")
    if manifest.database != "sqlite":
        typer.echo("The archive holds no database: restore Postgres with your own tools.")
    typer.echo("Erase again who was erased after that moment: the certificates are with whoever asked for them.")


def _show(manifest: Manifest, what: str) -> None:
    taken = dt.datetime.fromtimestamp(manifest.created_at, dt.UTC)
    size = sum(file.size for file in manifest.files) / MEGABYTE
    typer.echo(
        f"{what}: {len(manifest.files)} files, {size:.1f} MB before compression, as of {taken:%Y-%m-%d %H:%M:%S} UTC, "
        f"schema {manifest.schema}."
    )


def _failed(error: ContextError) -> typer.Exit:
    typer.secho(f"{error.code}: {error}", err=True, fg=typer.colors.RED)
    return typer.Exit(1)
