"""`parley tenant`: make, list, show, suspend, resume, delete tenants, and check a tenant's file.

Works on the database, whether the server runs or not: a running server notices within two seconds. Tenants of the
operator's own files are listed and checked here, and changed in their files.
"""

import asyncio
import datetime as dt
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import typer

from context.errors import ContextError
from context.home import Home
from context.security.audit import AuditLog, signing_key
from context.security.keys import ApiKeys
from context.security.vault import Vault
from context.security.vault_opening import open_vault
from context.store.database import Store
from context.tenants.errors import ManagedByFileError, UnknownTenantError
from context.tenants.folder import TenantFolder
from context.tenants.lifecycle import Change
from context.tenants.removal import CallRecordings, TenantRemoval, VaultSecrets
from context.tenants.store import LIST_LIMIT, StoredTenant, StoredTenants
from context.tenants.tenant_file import load_tenant
from server.commands.installation import DatabaseOption, HomeOption, Installation, JsonOption, actor, run, write_json

T = TypeVar("T")

app = typer.Typer(help="Make, list, suspend and delete tenants.", no_args_is_help=True)

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="Id of the tenant.")]


class _Ground(msgspec.Struct, frozen=True):
    """What the commands work on."""

    home: Home
    store: Store
    tenants: StoredTenants
    folder: TenantFolder
    vault: Vault

    def file_of(self, tenant_id: str) -> Path | None:
        """The operator's file that defines a tenant, None when none does."""
        self.folder.read_all()
        return next((file.path for file in self.folder.tenants if file.config.id == tenant_id), None)


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="Name of the business, as it is said.")],
    sector: Annotated[str, typer.Option(help="Trade, such as dental, restaurant, avocat, hotel or other.")],
    language: Annotated[str, typer.Option(help="en, fr, es, ar or ary.")] = "fr",
    country: Annotated[str, typer.Option(help="Two capital letters (ISO 3166).")] = "FR",
    number: Annotated[str, typer.Option(help="Number that reaches the agent, as +33....")] = "",
    origin: Annotated[str, typer.Option(help="Origin of the page that will hold the widget, as https://....")] = "",
    tenant_id: Annotated[str, typer.Option("--id", help="Id; with one the command may be repeated.")] = "",
    phone: Annotated[str, typer.Option(help="The business's own number, told to callers.")] = "",
    address: Annotated[str, typer.Option(help="The business's address, told to callers.")] = "",
    email: Annotated[str, typer.Option(help="The business's e-mail address.")] = "",
    transfer_number: Annotated[str, typer.Option(help="Where callers who want a person go.")] = "",
    timezone: Annotated[str, typer.Option(help="IANA time zone, instead of the country's.")] = "",
    currency: Annotated[str, typer.Option(help="ISO 4217, instead of the country's.")] = "",
    plan: Annotated[str, typer.Option(help="Plan that the trial is of.")] = "starter",
    url: Annotated[
        str, typer.Option(envvar="PARLEY_PUBLIC_URL", help="Where this server is reached by browsers.")
    ] = "http://127.0.0.1:3004",
    as_json: JsonOption = False,
    home: HomeOption = None,
    database_url: DatabaseOption = None,
) -> None:
    """Make a tenant that answers and books at once, on a trial."""
    # Imported here: what the archetypes need takes longer to import than the other commands take to run.
    from agents.archetypes.starter import NewTenant
    from server.provisioning import Provisioned, Provisioner, file_tenants

    asked = NewTenant(
        name=name,
        sector=sector,
        language=language,
        country=country,
        id=tenant_id,
        number=number,
        origin=origin,
        phone=phone,
        address=address,
        email=email,
        transfer_number=transfer_number,
        timezone=timezone,
        currency=currency,
        plan=plan,
    )

    async def provision(ground: _Ground) -> Provisioned:
        files = await asyncio.to_thread(file_tenants, ground.folder)
        provisioner = Provisioner(ground.tenants, ApiKeys(ground.store, audit=ground.tenants.audit), _now, files)
        return await provisioner.provision(asked, actor=actor(), base_url=url)

    made = _on_ground(provision, home, database_url)
    if as_json:
        write_json(made)
        return
    ends = f", trial until {made.trial_ends_at:%d %B %Y}" if made.trial_ends_at else ""
    typer.secho(f"{name} is ready: {made.persona} answers ({made.archetype}).", bold=True)
    typer.echo(f"  id          {made.tenant_id}")
    typer.echo(f"  plan        {made.plan}{ends}")
    if made.api_key:
        typer.echo(f"  API key     {made.api_key}")
    if made.widget_key:
        typer.echo(f"  widget key  {made.widget_key}")
        typer.echo("Keys are shown this once: keep them now.")
        typer.echo(f"\nTalk to it:  {made.page}\n\nFor the tenant's own pages:\n  {made.snippet}")
    else:
        typer.echo("It was there already, and so were its keys; `parley key` makes others.")
    typer.echo("\nNext:")
    for step in made.next_steps:
        typer.echo(f"  - {step}")


@app.command("list")
def list_tenants(as_json: JsonOption = False, home: HomeOption = None, database_url: DatabaseOption = None) -> None:
    """List every tenant, of the database and of files."""

    async def listed(ground: _Ground) -> list[tuple[str, str, str, str, str]]:
        rows: list[tuple[str, str, str, str, str]] = []
        page = await ground.tenants.page()
        while page:
            rows += [(t.config.id, t.state.value, t.config.plan, t.config.sector, t.config.name) for t in page]
            page = await ground.tenants.page(page[-1].config.id, LIST_LIMIT)
        await asyncio.to_thread(ground.folder.read_all)
        rows += [(f.config.id, "file", f.config.plan, f.config.sector, f.config.name) for f in ground.folder.tenants]
        return rows

    rows = _on_ground(listed, home, database_url)
    names = ("id", "state", "plan", "sector", "name")
    if as_json:
        write_json([dict(zip(names, row, strict=True)) for row in rows])
        return
    if not rows:
        typer.echo("There is no tenant yet: `parley tenant new NAME --sector SECTOR` makes one.")
        return
    widths = [max(len(row[at]) for row in (names, *rows)) for at in range(len(names))]
    for row in (names, *rows):
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@app.command("show")
def show(tenant_id: IdArgument, home: HomeOption = None, database_url: DatabaseOption = None) -> None:
    """Show a tenant's configuration as JSON."""

    async def found(ground: _Ground) -> object:
        file = await asyncio.to_thread(ground.file_of, tenant_id)
        if file is not None:
            return {"file": str(file), "config": msgspec.structs.replace(load_tenant(file), keys=())}
        tenant = await ground.tenants.get(tenant_id)
        if tenant is None:
            raise _unknown(tenant_id)
        return tenant

    write_json(_on_ground(found, home, database_url))


@app.command("suspend")
def suspend(
    tenant_id: IdArgument,
    reason: Annotated[str, typer.Option(help="Why, for whoever looks later.")] = "",
    home: HomeOption = None,
    database_url: DatabaseOption = None,
) -> None:
    """Stop a tenant: it takes no call and its keys open nothing, until it is resumed."""
    _change(tenant_id, Change.SUSPEND, reason, home, database_url)


@app.command("resume")
def resume(tenant_id: IdArgument, home: HomeOption = None, database_url: DatabaseOption = None) -> None:
    """Let a suspended tenant work again."""
    _change(tenant_id, Change.RESUME, "", home, database_url)


@app.command("delete")
def delete(
    tenant_id: IdArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
    home: HomeOption = None,
    database_url: DatabaseOption = None,
) -> None:
    """Remove a tenant with everything that is its own, for good. A removal that was broken off is gone on with."""
    if not yes:
        typer.confirm(f"Remove {tenant_id} with all its calls, recordings, contacts and keys, for good?", abort=True)

    async def removed(ground: _Ground) -> object:
        await _require_stored(ground, tenant_id)
        belongings = (CallRecordings(ground.store, ground.home.recordings), VaultSecrets(ground.vault))
        removal = TenantRemoval(ground.store, ground.tenants, _now, belongings)
        return await removal.remove(tenant_id, actor=actor())

    certificate = _on_ground(removed, home, database_url)
    if as_json:
        write_json(certificate)
    else:
        typer.echo(f"{tenant_id} is removed. Certificate:")
        write_json(certificate)


@app.command("check")
def check(file: Annotated[Path, typer.Argument(metavar="FILE", help="A tenant's YAML file.")]) -> None:
    """Check a tenant's file, and say what is wrong where."""
    from server.provisioning import TENANT_CHECKS

    try:
        tenant = load_tenant(file, *TENANT_CHECKS)
    except ContextError as error:
        typer.secho(f"{error}", err=True, fg=typer.colors.RED)
        raise typer.Exit(1) from None
    typer.echo(f"{file} is fine: {tenant.name} ({tenant.id}), {', '.join(tenant.languages)}.")


def _change(tenant_id: str, change: Change, reason: str, home: str | None, database_url: str | None) -> None:
    async def changed(ground: _Ground) -> StoredTenant:
        await _require_stored(ground, tenant_id)
        return await ground.tenants.change(tenant_id, change, actor=actor(), reason=reason)

    typer.echo(f"{tenant_id} is {_on_ground(changed, home, database_url).state}.")


async def _require_stored(ground: _Ground, tenant_id: str) -> None:
    """Refuse what is done to a tenant of a file."""
    file = await asyncio.to_thread(ground.file_of, tenant_id)
    if file is not None and await ground.tenants.get(tenant_id) is None:
        raise ManagedByFileError(f"the tenant {tenant_id!r} is defined by {file}: change or remove that file")


def _unknown(tenant_id: str) -> UnknownTenantError:
    return UnknownTenantError(f"there is no tenant {tenant_id!r}; `parley tenant list` shows all")


def _on_ground(action: Callable[[_Ground], Awaitable[T]], home: str | None, database_url: str | None) -> T:
    from server.provisioning import TENANT_CHECKS

    async def prepared(installation: Installation) -> T:
        store, opened = installation.store, installation.home
        vault = await asyncio.to_thread(open_vault, store, opened.root, os.environ)
        try:
            audit = AuditLog(store, await signing_key(vault))
            tenants = StoredTenants(store, _now, TENANT_CHECKS, audit=audit)
            return await action(_Ground(opened, store, tenants, TenantFolder(opened.tenants), vault))
        finally:
            await vault.aclose()

    return run(prepared, home, database_url)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
