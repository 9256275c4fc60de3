"""`parley erase`, as an operator uses it."""

import asyncio
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
import typer
from typer.testing import CliRunner

from context.erasure.registry import Subject
from context.home import Home
from context.store.database import Store
from server.commands import erase
from tests.context.clinic import CLINIC
from tests.store.a_person import files_with_traces, move_in


@pytest.fixture
def parley() -> Iterator[typer.Typer]:
    logging = structlog.get_config()
    app = typer.Typer()
    erase.register(app)
    yield app
    structlog.configure(**logging)


@pytest.fixture
def filled(tmp_path: Path) -> tuple[Home, Subject]:
    async def fill(home: Home) -> Subject:
        store = await Store.open(home.database_url)
        subject = await move_in(store, home.recordings)
        await store.aclose()
        return subject

    home = Home.open(tmp_path / "home")
    return home, asyncio.run(fill(home))


def test_a_person_is_copied_then_erased_and_asking_again_changes_nothing(
    parley: typer.Typer, filled: tuple[Home, Subject], tmp_path: Path
) -> None:
    home, subject = filled
    order = ["--tenant", CLINIC.id, "--contact", subject.contact_id, "--home", str(home.root)]
    refused = CliRunner().invoke(parley, order, input="n\n")
    assert refused.exit_code == 1
    assert files_with_traces(home.root)

    erased = CliRunner().invoke(parley, [*order, "--yes", "--export", str(tmp_path / "her.zip")])
    assert erased.exit_code == 0
    certificate = json.loads(erased.output)
    assert certificate["state"] == "completed"
    assert files_with_traces(home.root) == set()
    with zipfile.ZipFile(tmp_path / "her.zip") as archive:
        assert b"Lacombe" in archive.read("data.json")

    assert json.loads(CliRunner().invoke(parley, [*order, "--yes"]).output) == certificate


def test_somebody_who_was_never_there_is_not_certified(parley: typer.Typer, tmp_path: Path) -> None:
    order = ["--tenant", "clinic", "--contact", "nobody", "--home", str(tmp_path / "h"), "--yes"]
    answer = CliRunner().invoke(parley, order)
    assert (answer.exit_code, "contact_not_found" in answer.output) == (1, True)
