"""`parley migrate`: which schema the database has, and to bring it to another one.

The server migrates by itself when it starts; this is for whoever wants to look first, to migrate while no server runs,
or to go back to an older Parley.
"""

import asyncio
from typing import Annotated

import typer

from context.errors import ContextError
from context.home import Home
from context.store.database import Store
from context.store.migration import HEAD, SchemaVersion


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(migrate)


def migrate(
    to: Annotated[str, typer.Option(help="Revision to bring the database to, up or down.")] = HEAD,
    status: Annotated[bool, typer.Option("--status", help="Only show where the database stands.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before going down.")] = False,
    home: Annotated[
        str | None, typer.Option(envvar="PARLEY_HOME", help="Folder of all state [default: ~/.parley].")
    ] = None,
    database_url: Annotated[
        str | None, typer.Option(envvar="PARLEY_DATABASE_URL", help="SQLAlchemy URL instead of SQLite in the home.")
    ] = None,
) -> None:
    """Bring the database to the schema of this Parley, or to an older one.

    Going down drops what the newer steps made, with everything in it. Make a backup first, and stop the server.
    """
    try:
        asyncio.run(_run(to, status, yes, home, database_url))
    except ContextError as error:
        typer.secho(f"{error.code}: {error}", err=True, fg=typer.colors.RED)
        raise typer.Exit(1) from None


async def _run(to: str, only_status: bool, sure: bool, home: str | None, database_url: str | None) -> None:
    store = await Store.connect(database_url or (await asyncio.to_thread(Home.open, home)).database_url)
    try:
        before = await store.schema()
        if only_status:
            return _show(before)
        going_down = before.place(before.resolve(to)) < before.place(before.found)
        if going_down and not sure:
            typer.confirm(f"Drop everything that the steps after {to} made?", abort=True)
        _show(await store.migrate(to))
    finally:
        await store.aclose()


def _show(version: SchemaVersion) -> None:
    missing = ", ".join(version.missing)
    typer.echo(f"The database is at {version.found}, this Parley knows up to {version.head}.")
    typer.echo(f"Steps not applied: {missing}." if missing else "It is up to date.")
    if version.bypasses_row_security:
        typer.secho(
            "Warning: this Postgres role sees past row security; connect as one that is no superuser.",
            fg=typer.colors.YELLOW,
        )
