"""The `parley` command. Each subcommand is a module of `server.commands` that registers itself here."""

import typer

from server.commands import audit, backup, call, doctor, erase, events, key, migrate, serve, tenant, user, vault, voices

GROUPS = {"tenant": tenant, "key": key, "user": user, "vault": vault, "audit": audit, "events": events}


def build_app() -> typer.Typer:
    """The program with all its commands."""
    app = typer.Typer(
        name="parley",
        help="A voice agent server: answers calls, understands, speaks, books.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    for command in (serve, call, doctor, voices, migrate, backup, erase):
        command.register(app)
    for name, group in GROUPS.items():
        app.add_typer(group.app, name=name)
    return app


def main() -> None:
    """Run the program."""
    build_app()()
