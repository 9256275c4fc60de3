"""`parley user`: accounts of people, for the operator at the machine.

The first administrator of an installation is made here. Passwords come from a prompt, or from standard input when it is
no terminal: never from the command line, which other users of the machine can read.
"""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated

import typer

from context.errors import ContextError
from context.home import Home
from context.security.audit import AuditLog, signing_key
from context.security.principal import Role
from context.security.rate_limit import RateLimiter
from context.security.vault_opening import open_vault
from context.store.database import Store
from context.users.accounts import Account, AccountState, Membership, Standing
from context.users.passwords import SHORTEST_CHARS
from context.users.people import Users
from server.commands.installation import DatabaseOption, HomeOption

ACTOR = "cli"
"""Who did it, in the audit log."""

COLUMNS = ("user", "e-mail", "name", "standing", "state", "tenants")

app = typer.Typer(help="Accounts of people: make, list, disable, new passwords.", no_args_is_help=True)


@app.command("new")
def new_user(
    email: Annotated[str, typer.Argument(help="What they sign in with.")],
    name: Annotated[str, typer.Option(help="How they are shown.")] = "",
    tenant: Annotated[list[str] | None, typer.Option(help="Tenant to work for; may be repeated.")] = None,
    role: Annotated[Role, typer.Option(help="What they are there.")] = Role.ADMIN,
    operator: Annotated[
        bool, typer.Option("--operator", help="May act for every tenant of this installation.")
    ] = False,
    home: HomeOption = None,
    database_url: DatabaseOption = None,
) -> None:
    """Make an account; its password is asked for."""
    if not tenant and not operator:
        raise typer.BadParameter("name a tenant with --tenant, or make an --operator", param_hint="--tenant")
    password = _password()

    async def make(users: Users) -> None:
        account = await users.accounts.create(
            email,
            name or email.partition("@")[0],
            password,
            actor=ACTOR,
            standing=Standing.OPERATOR if operator else Standing.MEMBER,
            roles=dict.fromkeys(tenant or [], role),
        )
        typer.echo(f"Made {account.id}. They sign in at /login.")

    _run(make, home, database_url)


@app.command("list")
def list_users(home: HomeOption = None, database_url: DatabaseOption = None) -> None:
    """Show every account and where it works."""

    async def show(users: Users) -> None:
        rows = [COLUMNS, *(_row(account, works_for) for account, works_for in await users.accounts.every())]
        widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS) - 1)]
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
            typer.echo("  ".join([*cells, row[-1]]).rstrip())

    _run(show, home, database_url)


@app.command("reset-password")
def reset_password(
    email: Annotated[str, typer.Argument(help="Whose password.")],
    link: Annotated[bool, typer.Option("--link", help="Print a one-time link for them instead of asking you.")] = False,
    home: HomeOption = None,
    database_url: DatabaseOption = None,
) -> None:
    """Give somebody another password; they are signed out everywhere."""
    password = "" if link else _password()

    async def reset(users: Users) -> None:
        account = await users.accounts.by_email(email)
        if link:
            made = await users.make_reset(account.id, ACTOR)
            typer.echo(f"/password-reset#{made.token}")
            typer.echo("Put your server's address before it. It works once, for an hour.", err=True)
        else:
            await users.set_password(account.id, password, ACTOR)
            typer.echo("The password is changed.")

    _run(reset, home, database_url)


@app.command("disable")
def disable(
    email: Annotated[str, typer.Argument(help="Whose account.")],
    enable: Annotated[bool, typer.Option("--undo", help="Let them in again.")] = False,
    home: HomeOption = None,
    database_url: DatabaseOption = None,
) -> None:
    """Keep somebody out; they are signed out everywhere at once."""

    async def change(users: Users) -> None:
        state = AccountState.ACTIVE if enable else AccountState.DISABLED
        account = await users.accounts.set_state((await users.accounts.by_email(email)).id, state, ACTOR)
        typer.echo(f"{account.id} is {account.state.value}.")

    _run(change, home, database_url)


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    prompt = f"Password (at least {SHORTEST_CHARS} characters)"
    return str(typer.prompt(prompt, hide_input=True, confirmation_prompt=True))


def _run(work: Callable[[Users], Awaitable[None]], home: str | None, database_url: str | None) -> None:
    async def run() -> None:
        async with _users(home, database_url) as users:
            await work(users)

    try:
        asyncio.run(run())
    except ContextError as error:
        typer.secho(str(error), err=True, fg=typer.colors.RED)
        raise typer.Exit(1) from None


@asynccontextmanager
async def _users(home: str | None, database_url: str | None) -> AsyncGenerator[Users, None]:
    opened = Home.open(home)
    async with AsyncExitStack() as stack:
        store = await Store.open(database_url or opened.database_url)
        stack.push_async_callback(store.aclose)
        vault = open_vault(store, opened.root, os.environ)
        stack.push_async_callback(vault.aclose)
        limiter = RateLimiter(store)
        stack.push_async_callback(limiter.aclose)
        users = Users(store, limiter, AuditLog(store, await signing_key(vault)))
        stack.callback(users.close)
        yield users


def _row(account: Account, works_for: list[Membership]) -> tuple[str, ...]:
    tenants = ", ".join(f"{each.tenant_id} ({each.role.value})" for each in works_for)
    return (account.id, account.email or "-", account.name, account.standing.value, account.state.value, tenants)
