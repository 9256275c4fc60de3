"""`parley audit`: read the audit log, check that nobody touched it, take it out, keep an anchor elsewhere.

Without `--tenant` the log is the installation's own.
"""

import asyncio
import datetime as dt
import os
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from context.security.audit import AuditLog, Query, signing_key
from context.security.audit_anchors import AnchorFile, AnchorKeeper
from context.security.audit_chain import Anchor, AuditRecord, ChainReport
from context.security.tables import THE_SERVER, audit_heads
from context.security.vault_opening import open_vault
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

app = typer.Typer(help="Read and check the audit log.", no_args_is_help=True)

LOOKED_EVERY_S = 1.0
SHOWN_LINES = 20


@app.command("tail")
def tail(
    tenant: TenantOption = "",
    lines: Annotated[
        int, typer.Option("-n", "--lines", min=1, max=1_000, help="How many of the newest.")
    ] = SHOWN_LINES,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with what is written from now on.")] = False,
    as_json: JsonOption = False,
    home: HomeOption = None,
    database_url: DatabaseOption = None,
) -> None:
    """Show the newest entries, oldest first."""

    async def show(installation: Installation) -> None:
        audit = AuditLog(installation.store)
        newest, last = (await audit.entries(tenant, limit=lines))[::-1], 0
        while True:
            for record in newest:
                _tell(record, as_json)
            if not follow:
                return
            last = newest[-1].seq if newest else last
            await asyncio.sleep(LOOKED_EVERY_S)
            newest = await audit.entries(tenant, Query(after_seq=last), newest_first=False)

    try:
        run(show, home, database_url)
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


@app.command("export")
def export(tenant: TenantOption = "", home: HomeOption = None, database_url: DatabaseOption = None) -> None:
    """Write every entry, oldest first, one JSON object a line."""

    async def write(installation: Installation) -> None:
        async for record in AuditLog(installation.store).export(tenant):
            sys.stdout.write(msgspec.json.encode(record).decode() + "\n")

    run(write, home, database_url)


@app.command("verify")
def verify(
    tenant: Annotated[str, typer.Option("--tenant", help="Only this tenant's log.")] = "",
    anchor: Annotated[
        Path | None, typer.Option(help="File with an anchor that was kept elsewhere, as `audit anchor` writes it.")
    ] = None,
    as_json: JsonOption = False,
    home: HomeOption = None,
    database_url: DatabaseOption = None,
) -> None:
    """Check every log from its first entry on, against the anchors that the server keeps; ends with 1 if broken."""
    given = None if anchor is None else _read_anchor(anchor)

    async def check(installation: Installation) -> list[ChainReport]:
        audit = await _signing_log(installation)
        if given is not None:
            return [await audit.verify(given.tenant_id, given)]
        anchors = await asyncio.to_thread(AnchorFile(installation.home.root).load)
        async with installation.store.reading_every_tenant() as server:
            heads = [row["tenant_id"] for row in await server.rows(audit_heads)]
        chains = [tenant] if tenant else sorted({*heads, *anchors, THE_SERVER})
        return [await audit.verify(one, anchors.get(one)) for one in chains]

    reports = run(check, home, database_url)
    if as_json:
        write_json(reports)
    else:
        for report in reports:
            _tell_report(report)
    if not all(report.sound for report in reports):
        raise typer.Exit(1)


@app.command("anchor")
def anchor_(tenant: TenantOption = "", home: HomeOption = None, database_url: DatabaseOption = None) -> None:
    """Write the signed end of the log, to be kept where whoever runs this machine cannot change it."""

    async def make(installation: Installation) -> Anchor:
        return await (await _signing_log(installation)).anchor(tenant)

    write_json(run(make, home, database_url))


@app.command("accept")
def accept(
    tenant: TenantOption = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home: HomeOption = None,
    database_url: DatabaseOption = None,
) -> None:
    """Take a log as it is now, after restoring a backup. That it was accepted, and by whom, is itself an entry."""
    if not yes:
        typer.confirm("From now on nothing shows what was changed before. Accept the log as it is?", abort=True)

    async def take(installation: Installation) -> Anchor:
        keeper = AnchorKeeper(installation.store, await _signing_log(installation), AnchorFile(installation.home.root))
        return await keeper.accept(tenant, actor=actor())

    typer.echo(f"The log is accepted up to entry {run(take, home, database_url).seq}.")


async def _signing_log(installation: Installation) -> AuditLog:
    vault = await asyncio.to_thread(open_vault, installation.store, installation.home.root, os.environ)
    try:
        return AuditLog(installation.store, await signing_key(vault))
    finally:
        await vault.aclose()


def _read_anchor(path: Path) -> Anchor:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Anchor)
    except (OSError, msgspec.DecodeError) as error:
        raise typer.BadParameter(f"{path} holds no anchor: {error}") from error


def _tell(record: AuditRecord, as_json: bool) -> None:
    if as_json:
        typer.echo(msgspec.json.encode(record).decode())
        return
    at = dt.datetime.fromtimestamp(record.at_ms / 1000, dt.UTC).isoformat(timespec="seconds")
    detail = " ".join(f"{name}={value}" for name, value in record.detail.items())
    typer.echo(f"{record.seq:>6}  {at}  {record.actor:<20}  {record.action} {record.target} {detail}".rstrip())


def _tell_report(report: ChainReport) -> None:
    name = "the installation" if report.tenant_id == THE_SERVER else report.tenant_id
    if report.sound:
        typer.echo(f"{name}: {report.entries} entries, whole; anchored up to {report.anchored}.")
        return
    typer.secho(f"{name}: {report.entries} entries, BROKEN:", fg=typer.colors.RED, bold=True)
    for fault in report.faults:
        typer.secho(f"  {fault.text}", fg=typer.colors.RED)
