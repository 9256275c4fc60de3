"""`parley tenant`: what an operator types and reads, on an empty home and beside a running server."""

import asyncio
import datetime as dt
import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from context.home import Home
from context.store.database import Store
from context.tenants.directory import TenantDirectory
from context.tenants.store import StoredTenants
from server.commands.tenant import app

NEW = ("new", "Cabinet Lumière", "--sector", "dentiste", "--number", "01 86 95 01 50")


@pytest.fixture
def home(parley_home: Path, migrated_file: Path) -> Path:
    (parley_home / "parley.db").write_bytes(migrated_file.read_bytes())
    return parley_home


def typed(*words: str) -> str:
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == 0, result.output
    return result.output


def refused(*words: str) -> str:
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == 1, result.output
    return result.output


def test_one_command_makes_a_tenant_and_says_everything_once(home: Path) -> None:
    said = typed(*NEW)
    assert "Camille answers (DENTAL)" in said
    keys = re.findall(r"pk_\w+", said)
    assert len(set(keys)) == 2
    assert f"http://127.0.0.1:3004/#key={keys[1]}" in said
    assert "Parler à Cabinet Lumière</a>" in said
    assert "Tell the address" in said
    listed = typed("list")
    assert re.search(r"cabinet-lumiere +trial +starter +dentiste +Cabinet Lumière", listed)
    shown = typed("show", "cabinet-lumiere")
    assert json.loads(shown)["config"]["numbers"] == ["+33186950150"]
    assert not any(key in listed + shown for key in keys)


def test_a_tenant_is_suspended_resumed_and_deleted(home: Path) -> None:
    typed(*NEW)
    assert "cabinet-lumiere is suspended" in typed("suspend", "cabinet-lumiere", "--reason", "unpaid")
    assert "cabinet-lumiere is active" in typed("resume", "cabinet-lumiere")
    certificate = json.loads(typed("delete", "cabinet-lumiere", "--yes", "--json"))
    assert certificate["rows"]["api_keys"] == 2
    assert typed("list").startswith("There is no tenant yet")
    assert "has been removed" in refused(*NEW)


def test_nothing_is_deleted_without_a_yes(home: Path) -> None:
    typed(*NEW)
    result = CliRunner().invoke(app, ["delete", "cabinet-lumiere"], input="n\n")
    assert result.exit_code == 1
    assert "cabinet-lumiere" in typed("list")


def test_a_tenant_of_a_file_is_shown_and_changed_in_its_file_only(home: Path) -> None:
    demo = Path(__file__).parent.parent.parent / "agents/demo/clinique_du_parc.yaml"
    folder = Home.open(str(home)).tenants
    (folder / "demo.yaml").write_text(demo.read_text(encoding="utf-8"), encoding="utf-8")
    assert re.search(r"clinique_du_parc +file", typed("list"))
    for command in (("suspend", "clinique_du_parc"), ("delete", "clinique_du_parc", "--yes")):
        assert str(folder / "demo.yaml") in refused(*command)
    assert "a tenant file defines" in refused("new", "Clinique", "--sector", "dental", "--id", "clinique_du_parc")


def test_a_file_is_checked_before_it_is_put_into_the_folder(tmp_path: Path) -> None:
    demo = (Path(__file__).parent.parent.parent / "agents/demo/clinique_du_parc.yaml").read_text(encoding="utf-8")
    path = tmp_path / "clinic.yaml"
    path.write_text(demo, encoding="utf-8")
    assert "is fine: Clinique du Parc" in typed("check", str(path))
    path.write_text(demo.replace("sector: dental", "sector: dentl\nplan: gold"), encoding="utf-8")
    said = refused("check", str(path))
    for part in ("line 4, $.sector", "did you mean dental", "line 5, $.plan", "'gold'", "starter"):
        assert part in said


def test_what_does_not_exist_is_said_plainly(home: Path) -> None:
    for command in ("show", "suspend", "resume"):
        assert "there is no tenant 'nobody'" in refused(command, "nobody")


async def test_a_running_server_notices_within_two_seconds(home: Path) -> None:
    store = await Store.open(Home.open(str(home)).database_url)
    directory = TenantDirectory(home / "tenants", (), StoredTenants(store, lambda: dt.datetime.now(dt.UTC)))
    await directory.refresh()
    watching = asyncio.create_task(directory.watch())
    try:
        await asyncio.to_thread(typed, *NEW)
        async with asyncio.timeout(2.0):
            while directory.by_number("+33186950150") is None:
                await asyncio.sleep(0.02)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await store.aclose()
