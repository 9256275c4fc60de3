"""The folder of everything Parley keeps."""

import stat
from pathlib import Path

import pytest

from context.errors import HomeError
from context.home import Home
from context.store.database import Store


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_home_is_where_the_environment_says(parley_home: Path) -> None:
    assert Home.open().root == parley_home


def test_a_path_given_on_the_command_line_goes_before_the_environment(parley_home: Path, tmp_path: Path) -> None:
    assert Home.open(tmp_path / "other").root == tmp_path / "other"


def test_without_either_it_is_in_the_users_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Home.open().root == tmp_path / ".parley"


async def test_nobody_else_may_read_what_it_holds(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "home")
    store = await Store.open(home.database_url)
    assert {mode(folder) for folder in (home.root, home.recordings, home.models, home.tenants)} == {0o700}
    assert {mode(file) for file in home.root.glob("parley.db*")} == {0o600}
    await store.aclose()


def test_folders_left_open_by_a_copy_are_closed_and_their_content_kept(tmp_path: Path) -> None:
    recording = tmp_path / "recordings" / "call.wav"
    recording.parent.mkdir(mode=0o755)
    recording.write_bytes(b"sound")
    assert mode(Home.open(tmp_path).recordings) == 0o700
    assert recording.read_bytes() == b"sound"


def test_a_home_that_cannot_be_made_is_an_error_that_says_what_to_set(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(HomeError, match="PARLEY_HOME"):
        Home.open(tmp_path / "file" / "home")
