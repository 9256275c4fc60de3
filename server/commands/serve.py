"""`parley serve`: start the server and run it until Ctrl-C."""

import asyncio
from typing import Annotated

import typer
import uvloop

from context.errors import ContextError
from server.logs import configure_logs
from server.ports import Ports, PortUnavailable, Service, bind_all
from telephony.admission import VoiceSocketLimits
from voice_core.errors import VoiceError


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(serve)


def serve(
    host: Annotated[
        str, typer.Option(envvar="PARLEY_HOST", help="Address to listen on; 0.0.0.0 for every network.")
    ] = "127.0.0.1",
    api_port: Annotated[
        int, typer.Option(envvar=Service.API.variable, min=0, max=65535, help="Pages and REST; 0 for any free port.")
    ] = Service.API.value,
    voice_port: Annotated[
        int, typer.Option(envvar=Service.VOICE.variable, min=0, max=65535, help="Voice socket.")
    ] = Service.VOICE.value,
    telephony_port: Annotated[
        int, typer.Option(envvar=Service.TELEPHONY.variable, min=0, max=65535, help="Telephony bridge.")
    ] = Service.TELEPHONY.value,
    home: Annotated[
        str | None, typer.Option(envvar="PARLEY_HOME", help="Folder of all state [default: ~/.parley].")
    ] = None,
    database_url: Annotated[
        str | None, typer.Option(envvar="PARLEY_DATABASE_URL", help="SQLAlchemy URL instead of SQLite in the home.")
    ] = None,
    max_calls: Annotated[
        int, typer.Option(envvar="PARLEY_MAX_CALLS", min=1, help="Voice socket calls at the same time.")
    ] = VoiceSocketLimits().sessions,
    connects_per_minute: Annotated[
        int, typer.Option(envvar="PARLEY_CONNECTS_PER_MINUTE", min=1, help="Voice socket connects per IP address.")
    ] = VoiceSocketLimits().connects_per_minute,
    log_level: Annotated[str, typer.Option(envvar="PARLEY_LOG_LEVEL", help="debug, info, warning or error.")] = "info",
) -> None:
    """Answer calls until Ctrl-C."""
    typer.echo("Starting Parley. Ctrl-C stops it.")
    try:
        sockets = bind_all(host, Ports(api=api_port, voice=voice_port, telephony=telephony_port))
    except PortUnavailable as error:
        raise _cannot_start(error) from None
    # Imported here: the engines take seconds to import, and a port in use is known before.
    from server.ground import StateSettings
    from server.running import ServerSettings, run_server

    configure_logs(log_level)
    settings = ServerSettings(
        host=host,
        state=StateSettings(home=home, database_url=database_url),
        limits=VoiceSocketLimits(sessions=max_calls, connects_per_minute=connects_per_minute),
    )
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run_server(settings, sockets, _say))
    except (ContextError, VoiceError) as error:
        raise _cannot_start(error) from None


def _cannot_start(error: Exception) -> typer.Exit:
    typer.secho(f"Parley cannot start: {error}", err=True, fg=typer.colors.RED)
    return typer.Exit(1)


def _say(line: str) -> None:
    typer.echo(line)
