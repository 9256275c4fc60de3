"""`parley key`: make, list, rotate and revoke API keys.

Without `--tenant` the keys are the operator's, who may do everything for every tenant. The text of a new key is
written once, alone on standard output, so that it can be piped into a file.
"""

import datetime as dt
import time
from typing import Annotated

import typer

from context.security.keys import DEFAULT_OVERLAP_S, TENANT_SCOPES, ApiKey, ApiKeys, KeyKind, NewKey
from context.security.principal import Scope
from server.commands.installation import (
    DatabaseOption,
    HomeOption,
    Installation,
    JsonOption,
    TenantOption,
    actor,
    run,
    write_json,
)

app = typer.Typer(help="Make, list, rotate and revoke API keys.", no_args_is_help=True)

KeyArgument = Annotated[str, typer.Argument(metavar="ID", help="Id of the key: the part after pk_.")]
DAY_S = 86_400.0


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    tenant: TenantOption = "",
    scope: Annotated[
        list[Scope] | None, typer.Option(help="May be given several times. Without: everything there is to allow.")
    ] = None,
    widget: Annotated[bool, typer.Option("--widget", help="For a web page; needs --origin.")] = False,
    origin: Annotated[list[str] | None, typer.Option(help="Origin of the page, as https://....")] = None,
    days: Annotated[float | None, typer.Option(help="After how many days it ends; without: never.", min=0)] = None,
    as_json: JsonOption = False,
    home: HomeOption = None,
    database_url: DatabaseOption = None,
) -> None:
    """Make a key and write its text, this once."""
    kind = KeyKind.WIDGET if widget else KeyKind.SECRET
    everything = [Scope.CALLS_PLACE] if widget else sorted(TENANT_SCOPES if tenant else Scope)

    async def make(installation: Installation) -> NewKey:
        return await ApiKeys(installation.store).create(
            tenant,
            name,
            scope or everything,
            origins=origin or (),
            expires_at=None if days is None else time.time() + days * DAY_S,
            kind=kind,
            actor=actor(),
        )

    _tell_new(run(make, home, database_url), as_json)


@app.command("list")
def list_(
    tenant: TenantOption = "", as_json: JsonOption = False, home: HomeOption = None, database_url: DatabaseOption = None
) -> None:
    """List keys, ended ones too, oldest first."""

    async def find(installation: Installation) -> list[ApiKey]:
        return await ApiKeys(installation.store).list(tenant)

    keys = run(find, home, database_url)
    if as_json:
        write_json(keys)
        return
    for key in keys:
        typer.echo(f"{key.id}  {key.kind.value:<6}  {_state(key):<24}  {key.name}")
        typer.echo(f"{'':18}{' '.join((*key.scopes, *key.origins))}")


@app.command("rotate")
def rotate(
    key_id: KeyArgument,
    tenant: TenantOption = "",
    overlap_s: Annotated[float, typer.Option(help="How long the old key works on, in seconds.")] = DEFAULT_OVERLAP_S,
    as_json: JsonOption = False,
    home: HomeOption = None,
    database_url: DatabaseOption = None,
) -> None:
    """Make a key that may do the same, and write its text, this once."""

    async def change(installation: Installation) -> NewKey:
        return await ApiKeys(installation.store).rotate(tenant, key_id, overlap_s=overlap_s, actor=actor())

    _tell_new(run(change, home, database_url), as_json)


@app.command("revoke")
def revoke(
    key_id: KeyArgument, tenant: TenantOption = "", home: HomeOption = None, database_url: DatabaseOption = None
) -> None:
    """End a key: a running server stops taking it within two seconds."""

    async def end(installation: Installation) -> ApiKey:
        return await ApiKeys(installation.store).revoke(tenant, key_id, actor=actor())

    typer.echo(f"{run(end, home, database_url).id} is revoked.")


def _tell_new(made: NewKey, as_json: bool) -> None:
    if as_json:
        write_json(made)
        return
    typer.echo(made.key)
    typer.secho("Keep it safe: it is not shown again.", err=True, bold=True)


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return f"revoked {_day(key.revoked_at)}"
    if key.expires_at is None:
        return "works"
    return f"{'works until' if key.works_at(time.time()) else 'ended'} {_day(key.expires_at)}"


def _day(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).date().isoformat()
