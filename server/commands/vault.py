"""`parley vault`: keep, list and forget secrets, and rotate the keys that seal them.

A secret is read from standard input, never from the command line, where every process could see it, and is never
written. Without `--tenant` the secrets are the installation's own.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated

import typer

from context.security.audit import AuditLog, Entry
from context.security.errors import VaultError
from context.security.master_key import MASTER_KEY_VARIABLE, MasterKeyFile, master_key_source
from context.security.tables import THE_SERVER
from context.security.vault import Vault
from context.security.vault_opening import infisical_settings, open_vault
from context.security.vault_store import StoredSecrets
from server.commands.installation import DatabaseOption, HomeOption, Installation, TenantOption, actor, run

app = typer.Typer(help="Keep secrets, and rotate the keys that seal them.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="Name of the secret, such as stripe/api-key.")]


@app.command("put")
def put(
    name: NameArgument, tenant: TenantOption = "", home: HomeOption = None, database_url: DatabaseOption = None
) -> None:
    """Keep a secret that is read from standard input; one line feed at its end is not part of it."""
    if sys.stdin.isatty():
        typer.echo("Type or paste the secret, then Ctrl-D:", err=True)
    secret = sys.stdin.read().removesuffix("\n")

    async def keep(installation: Installation) -> None:
        async with _vault(installation) as vault:
            await vault.put(tenant, name, secret)
        await _note(installation, tenant, "vault.secret_put", name)

    run(keep, home, database_url)
    typer.echo(f"{name} is kept.")


@app.command("list")
def list_(tenant: TenantOption = "", home: HomeOption = None, database_url: DatabaseOption = None) -> None:
    """List the names of secrets."""

    async def find(installation: Installation) -> list[str]:
        async with _vault(installation) as vault:
            return await vault.names(tenant)

    for name in run(find, home, database_url):
        typer.echo(name)


@app.command("delete")
def delete(
    name: NameArgument, tenant: TenantOption = "", home: HomeOption = None, database_url: DatabaseOption = None
) -> None:
    """Forget a secret."""

    async def forget(installation: Installation) -> bool:
        async with _vault(installation) as vault:
            deleted = await vault.delete(tenant, name)
        if deleted:
            await _note(installation, tenant, "vault.secret_deleted", name)
        return deleted

    if not run(forget, home, database_url):
        typer.secho(f"There is no secret {name!r}.", err=True, fg=typer.colors.RED)
        raise typer.Exit(1)
    typer.echo(f"{name} is forgotten.")


@app.command("rotate")
def rotate(
    master: Annotated[bool, typer.Option("--master", help="Rotate the master key instead of data keys.")] = False,
    tenant: Annotated[str, typer.Option("--tenant", help="Only this tenant's data key.")] = "",
    home: HomeOption = None,
    database_url: DatabaseOption = None,
) -> None:
    """Seal every secret under a new data key, or every data key under a new master key.

    May be interrupted and run again, and run while the server works. A master key in the environment is rotated by
    writing the new key before the old one there, restarting the servers, running this, and taking the old key away.
    """
    if master and tenant:
        raise typer.BadParameter("the master key is everybody's: leave --tenant out")

    async def change(installation: Installation) -> str:
        if infisical_settings(os.environ) is not None:
            raise VaultError("the secrets are in Infisical: rotate its keys there")
        source = await asyncio.to_thread(master_key_source, installation.home.root, os.environ)
        secrets = StoredSecrets(installation.store, source, time.time)
        if master:
            return await _rotate_master(installation, source, secrets)
        tenants = [tenant] if tenant else await secrets.tenants()
        resealed = 0
        for one in tenants:
            resealed += await secrets.rotate_data_key(one)
            await _note(installation, one, "vault.data_key_rotated", "")
        return f"{resealed} secrets of {len(tenants)} are sealed under new data keys."

    typer.echo(run(change, home, database_url))


async def _rotate_master(installation: Installation, source: object, secrets: StoredSecrets) -> str:
    if isinstance(source, MasterKeyFile):
        await asyncio.to_thread(source.begin_rotation)
    rewrapped = await secrets.rotate_master()
    if isinstance(source, MasterKeyFile):
        await asyncio.to_thread(source.finish_rotation)
        after = f"{source.path} holds the new key alone: back it up."
    else:
        after = f"Only the first key in {MASTER_KEY_VARIABLE} is needed from now on."
    await _note(installation, "", "vault.master_key_rotated", "")
    return f"{rewrapped} data keys are sealed under the new master key. {after}"


@asynccontextmanager
async def _vault(installation: Installation) -> AsyncGenerator[Vault]:
    vault = await asyncio.to_thread(open_vault, installation.store, installation.home.root, os.environ)
    try:
        yield vault
    finally:
        await vault.aclose()


async def _note(installation: Installation, tenant_id: str, action: str, name: str) -> None:
    async with installation.store.tenant(tenant_id or THE_SERVER).writing() as transaction:
        await AuditLog(installation.store).write(transaction, Entry(actor(), action, name))
