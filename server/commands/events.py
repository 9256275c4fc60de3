"""`parley events`: follow what happens, deliver again, look after dead letters. Works beside a running server.

Replayed events and retried dead letters are put back into the database, where the running server finds them within a
second; without a server they wait for the next one. Part of `server.cli`.
"""

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, TypeVar

import msgspec
import typer

from context.errors import ContextError
from context.events.log import EventLog, EventQuery, PlacedEvent
from context.events.patterns import EVERY, checked
from context.events.replay import DeadLetter, dead_letters, drop_dead_letters, replay, retry_dead_letters
from context.home import Home
from context.store.database import Store
from server.commands.installation import DatabaseOption, HomeOption

LETTERS_SHOWN = 100

Tenant = Annotated[str, typer.Option("--tenant", help="Id of the tenant.")]
Types = Annotated[
    list[str] | None, typer.Option("--type", help="Type of event, also 'call.*'; may be repeated [default: all].")
]
EventId = Annotated[str, typer.Option("--event", help="Only of this event.")]
Subscriber = Annotated[str, typer.Option("--subscriber", help="Only of this subscriber.")]

app = typer.Typer(name="events", help="Follow, replay and repair events.", no_args_is_help=True)
letters = typer.Typer(name="dlq", help="Dead letters: deliveries that were given up.", no_args_is_help=True)
app.add_typer(letters)

Result = TypeVar("Result")


@app.command()
def tail(
    tenant: Annotated[str, typer.Option("--tenant", help="Only this tenant [default: all].")] = "",
    types: Types = None,
    after: Annotated[int | None, typer.Option(min=0, help="Begin after this position [default: now].")] = None,
    count: Annotated[int, typer.Option(min=0, help="Stop after as many events; 0 for never.")] = 0,
    home: HomeOption = None,
    database_url: DatabaseOption = None,
) -> None:
    """Show events as they happen, one line of JSON each, until Ctrl-C. Payloads hold what callers said."""

    async def follow(store: Store) -> None:
        log = EventLog(store)
        left = count
        begin = await log.last_position() if after is None else after
        async for placed in log.tail(begin, tenant or None, checked_or_all(types)):
            typer.echo(_line(placed))
            left -= 1
            if left == 0:
                return

    _run(follow, home, database_url)


@app.command(name="replay")
def replay_events(
    tenant: Tenant,
    subscribers: Annotated[list[str], typer.Option("--subscriber", help="Who gets them again; may be repeated.")],
    types: Types = None,
    correlation_id: Annotated[str, typer.Option("--call", help="Only events of this call.")] = "",
    since: Annotated[dt.datetime | None, typer.Option(help="Only what happened then or later, UTC.")] = None,
    until: Annotated[dt.datetime | None, typer.Option(help="Only what happened before then, UTC.")] = None,
    home: HomeOption = None,
    database_url: DatabaseOption = None,
) -> None:
    """Deliver events again, with their own ids, also those that were handled."""
    query = EventQuery(checked_or_all(types), correlation_id, _second(since), _second(until))
    moved = _run(lambda store: replay(store, tenant, subscribers, query), home, database_url)
    typer.echo(f"{moved} deliveries wait to be handled again.")


@letters.command(name="list")
def list_letters(
    tenant: Tenant, subscriber: Subscriber = "", home: HomeOption = None, database_url: DatabaseOption = None
) -> None:
    """Show dead letters, the newest event first, and how to retry each."""
    found = _run(
        lambda store: dead_letters(store, tenant, limit=LETTERS_SHOWN + 1, subscriber=subscriber), home, database_url
    )
    for letter in found[:LETTERS_SHOWN]:
        _show(letter)
    if not found:
        typer.echo("No dead letters.")
    elif len(found) > LETTERS_SHOWN:
        typer.echo(f"More than {LETTERS_SHOWN}: these are the newest.")


@letters.command(name="retry")
def retry_letters(
    tenant: Tenant,
    event: EventId = "",
    subscriber: Subscriber = "",
    home: HomeOption = None,
    database_url: DatabaseOption = None,
) -> None:
    """Deliver dead letters again: all of a tenant, or those of one event or subscriber."""
    moved = _run(lambda store: retry_dead_letters(store, tenant, event, subscriber), home, database_url)
    typer.echo(f"{moved} dead letters wait to be handled again.")


@letters.command(name="drop")
def drop_letters(
    tenant: Tenant,
    event: EventId = "",
    subscriber: Subscriber = "",
    home: HomeOption = None,
    database_url: DatabaseOption = None,
) -> None:
    """Give dead letters up for good. Their events stay and can be replayed."""
    moved = _run(lambda store: drop_dead_letters(store, tenant, event, subscriber), home, database_url)
    typer.echo(f"{moved} dead letters dropped.")


def checked_or_all(types: Sequence[str] | None) -> tuple[str, ...]:
    """The patterns of the command line. Exits with a message when one cannot be read."""
    try:
        return checked(types or (EVERY,))
    except ContextError as error:
        raise typer.BadParameter(str(error), param_hint="--type") from None


def _run(work: Callable[[Store], Awaitable[Result]], home: str | None, database_url: str | None) -> Result:
    async def open_and_work() -> Result:
        store = await Store.open(database_url or Home.open(home).database_url)
        try:
            return await work(store)
        finally:
            await store.aclose()

    try:
        return asyncio.run(open_and_work())
    except ContextError as error:
        typer.secho(f"{error}", err=True, fg=typer.colors.RED)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


def _line(placed: PlacedEvent) -> str:
    return msgspec.json.encode({"position": placed.position, **msgspec.to_builtins(placed.event)}).decode()


def _show(letter: DeadLetter) -> None:
    died_at = dt.datetime.fromtimestamp(letter.died_at, dt.UTC).isoformat(timespec="seconds")
    typer.echo(
        f"{died_at}  {letter.type}  event {letter.event_id}  subscriber {letter.subscriber}  "
        f"{letter.attempts} attempts  {letter.error_class}: {letter.error}"
    )
    typer.echo(
        f"    parley events dlq retry --tenant {letter.tenant_id} "
        f"--event {letter.event_id} --subscriber {letter.subscriber}"
    )


def _second(instant: dt.datetime | None) -> float | None:
    return None if instant is None else instant.replace(tzinfo=instant.tzinfo or dt.UTC).timestamp()
