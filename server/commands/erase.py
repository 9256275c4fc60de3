"""`parley erase`: a person's data, copied and removed, with a certificate."""

import asyncio
import time
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from context.contacts.contact import ContactNotFoundError
from context.contacts.store import ContactStore
from context.erasure.erase import Certificate, Erasures
from context.erasure.export import export_contact
from context.erasure.providers import all_personal_data
from context.erasure.registry import Subject
from context.errors import ContextError
from context.home import Home
from context.store.database import Store
from server.logs import configure_logs

ACTOR = "command_line"


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(erase)


def erase(
    tenant: Annotated[str, typer.Option(help="Id of the tenant.")],
    contact: Annotated[str, typer.Option(help="Id of the contact.")],
    export: Annotated[
        Path | None, typer.Option(help="First write everything about the person into this archive (.zip).")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home: Annotated[
        str | None, typer.Option(envvar="PARLEY_HOME", help="Folder of all state [default: ~/.parley].")
    ] = None,
    database_url: Annotated[
        str | None, typer.Option(envvar="PARLEY_DATABASE_URL", help="SQLAlchemy URL instead of SQLite in the home.")
    ] = None,
) -> None:
    """Remove everything that the installation knows of a person, and print the certificate as JSON.

    Backups made earlier still hold the person: let them expire, and erase again after restoring one.
    """
    if not yes:
        typer.confirm(f"Erase contact {contact} of tenant {tenant} for ever?", abort=True)
    configure_logs("warning")  # on stderr: what is printed is the certificate alone
    try:
        certificate = asyncio.run(_erase(tenant, contact, export, home, database_url))
    except ContextError as error:
        typer.secho(f"{error.code}: {error}", err=True, fg=typer.colors.RED)
        raise typer.Exit(1) from None
    typer.echo(msgspec.json.format(msgspec.json.encode(certificate)).decode())


async def _erase(
    tenant_id: str, contact_id: str, export: Path | None, home_path: str | None, database_url: str | None
) -> Certificate:
    home = await asyncio.to_thread(Home.open, home_path)
    store = await Store.open(database_url or home.database_url)
    try:
        registry = all_personal_data(time.time)
        erasures = Erasures(store, home.recordings, registry, time.time)
        subject = await _subject(ContactStore(store), erasures, tenant_id, contact_id)
        if export is not None:
            await export_contact(store, home.recordings, registry, tenant_id, subject, export, time.time())
        return await erasures.erase(tenant_id, subject, actor=ACTOR)
    finally:
        await store.aclose()


async def _subject(contacts: ContactStore, erasures: Erasures, tenant_id: str, contact_id: str) -> Subject:
    """Who is meant; of somebody who was erased before, or half, what is left. Raises ContactNotFoundError."""
    try:
        return await contacts.subject(tenant_id, contact_id)
    except ContactNotFoundError:
        if await erasures.certificate(tenant_id, contact_id) is None:
            raise
        return Subject(contact_id)
