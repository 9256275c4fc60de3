"""What commands that work on the installation share: which one is meant, who asks, how errors are told.

They work on the home folder and the database, whether a server runs or not. Used by `parley key`, `vault` and `audit`.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import msgspec
import typer

from context.errors import ContextError
from context.home import Home
from context.store.database import Store

T = TypeVar("T")

HomeOption = Annotated[
    str | None, typer.Option("--home", envvar="PARLEY_HOME", help="Folder of all state [default: ~/.parley].")
]
DatabaseOption = Annotated[
    str | None,
    typer.Option("--database-url", envvar="PARLEY_DATABASE_URL", help="SQLAlchemy URL instead of SQLite in the home."),
]
TenantOption = Annotated[str, typer.Option("--tenant", help="Id of the tenant; without it the installation itself.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON.")]


class Installation(msgspec.Struct, frozen=True):
    """What the commands work on."""

    home: Home
    store: Store


def run(work: Callable[[Installation], Awaitable[T]], home: str | None, database_url: str | None) -> T:
    """Open the installation, do the work, close it. An error that was raised on purpose is told and ends with 1."""
    try:
        return asyncio.run(_run(work, home, database_url))
    except ContextError as error:
        typer.secho(f"{error.code}: {error}", err=True, fg=typer.colors.RED)
        raise typer.Exit(1) from None


def actor() -> str:
    """Who asks, for the audit log: the number of the system's user, which is no name."""
    return f"cli:{os.getuid()}"


def write_json(value: Any) -> None:
    """Write a value for programs."""
    typer.echo(msgspec.json.format(msgspec.json.encode(value)).decode())


async def _run(work: Callable[[Installation], Awaitable[T]], home: str | None, database_url: str | None) -> T:
    opened = await asyncio.to_thread(Home.open, home)
    store = await Store.open(database_url or opened.database_url)
    try:
        return await work(Installation(opened, store))
    finally:
        await store.aclose()
