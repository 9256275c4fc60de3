"""`parley migrate`, as an operator uses it."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from context.store.migration import head
from server.commands import migrate


@pytest.fixture
def parley() -> typer.Typer:
    app = typer.Typer()
    migrate.register(app)
    return app


def test_it_shows_what_is_missing_then_applies_it(parley: typer.Typer, parley_home: Path) -> None:
    shown = CliRunner().invoke(parley, ["--status"])
    assert "at base" in shown.output
    assert "0002, 0003" in shown.output
    applied = CliRunner().invoke(parley, [])
    assert (applied.exit_code, f"at {head()}" in applied.output) == (0, True)
    assert "up to date" in CliRunner().invoke(parley, ["--status"]).output


def test_going_down_asks_first(parley: typer.Typer, parley_home: Path) -> None:
    CliRunner().invoke(parley, [])
    refused = CliRunner().invoke(parley, ["--to", "0001"], input="n\n")
    assert refused.exit_code == 1
    assert f"at {head()}" in CliRunner().invoke(parley, ["--status"]).output
    assert "at 0001" in CliRunner().invoke(parley, ["--to", "0001", "--yes"]).output


def test_a_revision_that_does_not_exist_is_named_with_those_that_do(parley: typer.Typer, parley_home: Path) -> None:
    answer = CliRunner().invoke(parley, ["--to", "latest"])
    assert answer.exit_code == 1
    assert "no_such_revision" in answer.output
    assert "'latest' does not exist; allowed: base, 0001" in answer.output


def test_it_warns_of_a_postgres_role_that_sees_past_row_security(parley: typer.Typer, empty_postgres_url: str) -> None:
    superuser = empty_postgres_url.replace("parley@", "postgres@")
    assert "past row security" in CliRunner().invoke(parley, ["--status", "--database-url", superuser]).output
    assert "past row" not in CliRunner().invoke(parley, ["--status", "--database-url", empty_postgres_url]).output
