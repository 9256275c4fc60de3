"""`parley user`: accounts from the command line, whose passwords come from standard input."""

import asyncio
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from context.home import Home
from context.security.audit import AuditLog
from context.security.rate_limit import RateLimiter
from context.store.database import Store
from context.users.errors import BadCredentialsError
from context.users.people import Me, Users
from server.commands.user import app
from tests.users.people_world import HERE, OTHER_PASSWORD, PASSWORD


def parley_user(*words: str, typed: str = "") -> Result:
    return CliRunner().invoke(app, list(words), input=typed)


def signed_in_as(email: str, password: str) -> Me | None:
    """Who signs in with this at the server, None when nobody."""

    async def sign_in() -> Me | None:
        store = await Store.open(Home.open().database_url)
        limiter = RateLimiter(store)
        users = Users(store, limiter, AuditLog(store))
        try:
            return await users.me((await users.sign_in(email, password, address=HERE)).cookie)
        except BadCredentialsError:
            return None
        finally:
            users.close()
            await limiter.aclose()
            await store.aclose()

    return asyncio.run(sign_in())


@pytest.mark.usefixtures("parley_home")
def test_the_first_administrator_is_made_and_signs_in() -> None:
    made = parley_user("new", "ada@example.com", "--name", "Ada", "--tenant", "lake", typed=PASSWORD + "\n")
    assert made.exit_code == 0, made.output
    assert PASSWORD not in made.output
    me = signed_in_as("ada@example.com", PASSWORD)
    assert me
    assert (me.account.name, me.tenant_id, me.role) == ("Ada", "lake", "admin")
    listed = parley_user("list").stdout
    assert "ada@example.com" in listed
    assert "lake (admin)" in listed


@pytest.mark.usefixtures("parley_home")
def test_a_password_is_changed_a_link_is_made_and_somebody_is_kept_out() -> None:
    parley_user("new", "op@example.com", "--operator", typed=PASSWORD)
    assert parley_user("reset-password", "op@example.com", typed=OTHER_PASSWORD).exit_code == 0
    assert signed_in_as("op@example.com", PASSWORD) is None
    me = signed_in_as("op@example.com", OTHER_PASSWORD)
    assert me
    assert me.account.standing.value == "operator"
    link = parley_user("reset-password", "op@example.com", "--link")
    assert link.stdout.startswith("/password-reset#")
    assert parley_user("disable", "op@example.com").exit_code == 0
    assert signed_in_as("op@example.com", OTHER_PASSWORD) is None
    parley_user("disable", "op@example.com", "--undo")
    assert signed_in_as("op@example.com", OTHER_PASSWORD)


def test_what_cannot_be_done_is_said_in_one_line(parley_home: Path) -> None:
    assert parley_user("new", "ada@example.com", typed=PASSWORD).exit_code == 2
    for words, typed, said in (
        (("new", "ada@example.com", "--tenant", "lake"), "password1234", "common passwords"),
        (("new", "ada at home", "--tenant", "lake"), PASSWORD, "email: expected"),
        (("reset-password", "nobody@example.com"), PASSWORD, "no account"),
        (("disable", "nobody@example.com"), "", "no account"),
    ):
        refused = parley_user(*words, typed=typed)
        assert refused.exit_code == 1
        assert said in refused.output
        assert "Traceback" not in refused.output
    parley_user("new", "ada@example.com", "--tenant", "lake", typed=PASSWORD)
    again = parley_user("new", "ADA@example.com", "--tenant", "lake", typed=PASSWORD)
    assert (again.exit_code, "already" in again.output) == (1, True)
    assert (parley_home / "master.key").exists()
