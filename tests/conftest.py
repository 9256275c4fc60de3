"""What every test gets: settings that do not depend on the machine, and a home of its own.

Fixtures that only one part needs stand beside its tests.
"""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Laws are checked on busy machines too: slowness of one example is not a failure.
settings.register_profile("parley", deadline=None, print_blob=True)
settings.load_profile("parley")

pytest_plugins = ["tests.postgres_server"]


@pytest.fixture(autouse=True)
def no_personal_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own PARLEY_* settings must not decide whether a test passes."""
    for name in list(os.environ):
        if name.startswith("PARLEY_"):
            monkeypatch.delenv(name)


@pytest.fixture
def parley_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty PARLEY_HOME."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("PARLEY_HOME", str(home))
    return home
