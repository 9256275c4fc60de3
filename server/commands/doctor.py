"""`parley doctor`: what is installed, what works, what is missing and how to mend it.

Nothing is assumed: packages are looked up, ports tried, the database written, a sentence spoken and
heard again. The checks are in `server.diagnosis`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Annotated

import msgspec
import typer

from server.diagnosis.report import Finding, Verdict, closing, fail, lines, summed_up

COLOURS = {Verdict.OK: None, Verdict.WARN: typer.colors.YELLOW, Verdict.FAIL: typer.colors.RED}


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(doctor)


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Write the report as JSON.")] = False,
    home: Annotated[
        str | None, typer.Option(envvar="PARLEY_HOME", help="Folder of all state (~/.parley when not set).")
    ] = None,
    database_url: Annotated[
        str | None, typer.Option(envvar="PARLEY_DATABASE_URL", help="SQLAlchemy URL instead of SQLite in the home.")
    ] = None,
) -> None:
    """Check that everything works, and say how to mend what does not."""
    findings = asyncio.run(_gathered(home, database_url, _quiet if as_json else _tell))
    report = summed_up(findings)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(report)).decode())
    else:
        typer.echo()
        typer.secho(closing(report), fg=COLOURS[report.verdict], bold=True)
    if report.verdict is Verdict.FAIL:
        raise typer.Exit(1)


async def examine(home_path: str | None, database_url: str | None) -> AsyncIterator[Finding]:
    """Every finding, as soon as it is made."""
    # Imported here: engines take a second to import, and `parley --help` needs none of them.
    from server.diagnosis import machine, speech, state

    for one in _made("Python", lambda: [machine.python()]):
        yield one
    for one in _made("packages", machine.packages):
        yield one
    for one in _made("machine", lambda: [machine.processor(), *machine.memory()]):
        yield one
    for one in _made("ports", machine.ports):
        yield one
    home, finding = state.open_home(home_path)
    yield finding
    if home is None:
        return
    for one in _made("disk", lambda: [machine.disk(home.root)]):
        yield one
    yield await state.database(database_url or home.database_url)
    served = state.tenants(home.tenants)
    for one in served.findings:
        yield one
    for one in _made("engines", lambda: state.engines(served.tenants)):
        yield one
    try:
        async for one in speech.examine(served.languages or ("en",), home.models):
            yield one
    except Exception as error:
        yield _broken("speech", error)


async def _gathered(home: str | None, database_url: str | None, tell: Callable[[Finding], None]) -> list[Finding]:
    findings: list[Finding] = []
    async for finding in examine(home, database_url):
        findings.append(finding)
        tell(finding)
    return findings


def _made(name: str, check: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """The findings of one check; a check that breaks is a finding too, for a doctor must not fall ill itself."""
    try:
        return list(check())
    except Exception as error:
        return [_broken(name, error)]


def _broken(name: str, error: Exception) -> Finding:
    fix = "set everything up again with `make run`; if it stays, report it with this line"
    return fail(name, f"the check failed: {type(error).__name__}: {error}", fix)


def _tell(finding: Finding) -> None:
    for line in lines(finding):
        typer.secho(line, fg=COLOURS[finding.verdict])


def _quiet(_finding: Finding) -> None:
    """JSON is written at the end."""
