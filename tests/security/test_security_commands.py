"""`parley key`, `vault` and `audit`, as an operator types them."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from server.commands import audit, key, vault

runner = CliRunner()

pytestmark = pytest.mark.usefixtures("parley_home")


def parley(app: typer.Typer, *words: str, stdin: str | None = None, code: int = 0) -> Result:
    result = runner.invoke(app, list(words), input=stdin)
    assert result.exit_code == code, result.output
    return result


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_key_is_made_listed_rotated_and_revoked() -> None:
    made = parley(key.app, "new", "booking site", "--tenant", "clinic", "--scope", "calls:read")
    text = made.stdout.strip()
    assert text.startswith("pk_")
    assert "\n" not in text
    key_id = text.split("_")[1]
    (listed,) = json.loads(parley(key.app, "list", "--tenant", "clinic", "--json").stdout)
    assert (listed["id"], listed["scopes"]) == (key_id, ["calls:read"])
    rotated = json.loads(parley(key.app, "rotate", key_id, "--tenant", "clinic", "--json").stdout)
    assert rotated["id"] != key_id
    parley(key.app, "revoke", rotated["id"], "--tenant", "clinic")
    shown = parley(key.app, "list", "--tenant", "clinic").stdout
    assert "revoked" in shown
    assert "works until" in shown
    assert text.rpartition("_")[2] not in shown


def test_an_operators_key_may_do_everything_and_a_widgets_key_one_thing() -> None:
    parley(key.app, "new", "operator")
    (operator,) = json.loads(parley(key.app, "list", "--json").stdout)
    assert "server:admin" in operator["scopes"]
    parley(key.app, "new", "w", "--tenant", "clinic", "--widget", "--origin", "https://clinic.example", "--days", "30")
    (widget,) = json.loads(parley(key.app, "list", "--tenant", "clinic", "--json").stdout)
    assert (widget["kind"], widget["scopes"], widget["origins"]) == (
        "widget",
        ["calls:place"],
        ["https://clinic.example"],
    )


def test_a_mistake_is_told_and_ends_with_1() -> None:
    told = parley(key.app, "revoke", "0000", "--tenant", "clinic", code=1)
    assert "key_not_found" in told.stderr
    parley(key.app, "new", "w", "--tenant", "clinic", "--widget", code=1)


def test_a_secret_comes_from_standard_input_and_never_out(parley_home: Path) -> None:
    told = parley(vault.app, "put", "stripe", "--tenant", "clinic", stdin="sk-live-4242\n")
    told_too = parley(vault.app, "list", "--tenant", "clinic")
    assert told_too.stdout == "stripe\n"
    assert "4242" not in told.output + told_too.output
    on_disk = b"".join(path.read_bytes() for path in parley_home.glob("parley.db*"))
    assert b"sk-live-4242" not in on_disk
    parley(vault.app, "delete", "stripe", "--tenant", "clinic")
    parley(vault.app, "delete", "stripe", "--tenant", "clinic", code=1)


def test_keys_of_the_vault_are_rotated(parley_home: Path) -> None:
    for tenant in ("clinic", "garage"):
        parley(vault.app, "put", "stripe", "--tenant", tenant, stdin="s")
    assert "2 secrets of 2" in parley(vault.app, "rotate").stdout
    before = (parley_home / "master.key").read_text()
    assert "2 data keys" in parley(vault.app, "rotate", "--master").stdout
    after = (parley_home / "master.key").read_text()
    assert after != before
    assert len(after.split()) == 1
    assert "1 secrets of 1" in parley(vault.app, "rotate", "--tenant", "clinic").stdout
    parley(vault.app, "rotate", "--master", "--tenant", "clinic", code=2)


def test_the_audit_log_is_shown_exported_and_checked(parley_home: Path, tmp_path: Path) -> None:
    parley(key.app, "new", "one", "--tenant", "clinic", "--scope", "calls:read")
    parley(vault.app, "put", "stripe", "--tenant", "clinic", stdin="s")
    shown = lines(parley(audit.app, "tail", "--tenant", "clinic", "--json"))
    assert [entry["action"] for entry in shown] == ["key.created", "vault.secret_put"]
    assert lines(parley(audit.app, "export", "--tenant", "clinic")) == shown
    assert "key.created" in parley(audit.app, "tail", "--tenant", "clinic", "-n", "5").stdout
    assert "clinic: 2 entries, whole" in parley(audit.app, "verify").stdout
    anchor = tmp_path / "anchor.json"
    anchor.write_text(parley(audit.app, "anchor", "--tenant", "clinic").stdout)
    parley(audit.app, "verify", "--anchor", str(anchor))
    with sqlite3.connect(parley_home / "parley.db") as plain:
        plain.execute("DELETE FROM audit_entries WHERE tenant_id = 'clinic'")
        plain.execute("DELETE FROM audit_heads WHERE tenant_id = 'clinic'")
    parley(audit.app, "verify", "--tenant", "clinic")
    broken = parley(audit.app, "verify", "--anchor", str(anchor), code=1)
    assert "cut or set back" in broken.stdout


def test_a_log_that_was_set_back_is_broken_until_it_is_accepted(parley_home: Path) -> None:
    parley(key.app, "new", "one", "--tenant", "clinic", "--scope", "calls:read")
    parley(audit.app, "accept", "--tenant", "clinic", "--yes")
    with sqlite3.connect(parley_home / "parley.db") as plain:
        plain.execute("DELETE FROM audit_entries WHERE tenant_id = 'clinic'")
        plain.execute("DELETE FROM audit_heads WHERE tenant_id = 'clinic'")
    assert "BROKEN" in parley(audit.app, "verify", code=1).stdout
    parley(audit.app, "accept", "--tenant", "clinic", stdin="n\n", code=1)
    parley(audit.app, "accept", "--tenant", "clinic", "--yes")
    parley(audit.app, "verify")
