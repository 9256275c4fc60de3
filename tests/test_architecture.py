"""The house rules that a reader relies on: rooms import downwards, files stay small, every module says what it is.

The rules are functions over a folder, so that they are also run on a made-up tree that breaks each of them.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent

MAY_IMPORT = {
    "voice_core": set[str](),
    "context": {"voice_core"},
    "billing": {"context", "voice_core"},
    "agents": {"context", "voice_core"},
    "telephony": {"context", "voice_core"},
    "server": {"telephony", "agents", "billing", "context", "voice_core"},
}
"""Room -> the rooms it may know. Nothing that ships may know the tests or the benchmarks."""

OUTSIDE_THE_ROOMS = {"tests", "benchmarks", "scripts"}
LONGEST_FILE_LINES = 500
TEXT_FILES = {".py", ".md", ".toml", ".yaml", ".yml", ".json", ".html", ".js", ".css", ".sh", ".txt", ""}
GENERATED = {"__pycache__", "node_modules", "build", "dist", "results"}

# Put together here, or this file would break the rule itself.
WORKPLACE_PATHS = ["/".join(["", "work", name]) for name in ("shared", "main", ".library")]


def files(root: Path) -> Iterator[Path]:
    """Files that somebody wrote: neither hidden folders nor generated ones."""
    for path in sorted(root.iterdir()):
        if path.is_dir() and not path.name.startswith(".") and path.name not in GENERATED:
            yield from files(path)
        elif path.is_file():
            yield path


def modules(root: Path, folders: set[str]) -> Iterator[tuple[Path, str]]:
    """Python files below these folders of `root`, with their text."""
    for folder in sorted(folders):
        if (root / folder).is_dir():
            for path in files(root / folder):
                if path.suffix == ".py":
                    yield path, path.read_text(encoding="utf-8")


def imported(source: str) -> Iterator[tuple[int, str]]:
    """Line and first name of every import, wherever in the module it stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.lineno, node.module.split(".")[0]


def wrong_imports(root: Path) -> list[str]:
    """Imports that go up or sideways between the rooms, or out of what ships."""
    watched = set(MAY_IMPORT) | OUTSIDE_THE_ROOMS
    return [
        f"{path.relative_to(root)}:{line} imports {name}"
        for room, allowed in MAY_IMPORT.items()
        for path, source in modules(root, {room})
        for line, name in imported(source)
        if name in watched and name != room and name not in allowed
    ]


def long_files(root: Path) -> list[str]:
    """Python files past the limit, with their length."""
    lengths = [
        (path.relative_to(root), len(source.splitlines()))
        for path, source in modules(root, set(MAY_IMPORT) | OUTSIDE_THE_ROOMS)
    ]
    return [f"{path} has {length} lines" for path, length in lengths if length > LONGEST_FILE_LINES]


def silent_modules(root: Path) -> list[str]:
    """Modules that ship without saying what they are, and rooms without an `__init__.py`."""
    return [
        *(room for room in MAY_IMPORT if not (root / room / "__init__.py").is_file()),
        *(
            str(path.relative_to(root))
            for path, source in modules(root, set(MAY_IMPORT))
            if not ast.get_docstring(ast.parse(source))
        ),
    ]


def workplace_mentions(root: Path) -> list[str]:
    """Text files that name a folder of the machine where Parley was written."""
    return [
        str(path.relative_to(root))
        for path in files(root)
        if path.suffix in TEXT_FILES
        if any(name in path.read_text(encoding="utf-8", errors="replace") for name in WORKPLACE_PATHS)
    ]


def test_rooms_import_only_what_is_below_them() -> None:
    assert wrong_imports(PROJECT) == []


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    assert long_files(PROJECT) == []


def test_every_module_says_what_it_is() -> None:
    assert silent_modules(PROJECT) == []


def test_the_project_does_not_depend_on_the_machine_it_was_written_on() -> None:
    assert workplace_mentions(PROJECT) == []


@pytest.fixture
def small_tree(tmp_path: Path) -> Path:
    """A project that keeps every rule."""
    for room in MAY_IMPORT:
        (tmp_path / room).mkdir()
        (tmp_path / room / "__init__.py").write_text('"""A room."""\n', encoding="utf-8")
    return tmp_path


def test_a_tree_that_keeps_the_rules_passes_them_all(small_tree: Path) -> None:
    (small_tree / "server" / "cli.py").write_text('"""Command."""\nimport agents, voice_core.vad\n', encoding="utf-8")
    for rule in (wrong_imports, long_files, silent_modules, workplace_mentions):
        assert rule(small_tree) == []


@pytest.mark.parametrize(
    ("room", "line"),
    [
        ("voice_core", "from context.tenant import TenantConfig"),
        ("voice_core", "import agents.dialogue as d"),
        ("context", "from agents import x"),
        ("agents", "import telephony"),
        ("telephony", "def late():\n    from server.cli import main"),
        ("billing", "from benchmarks import corpus"),
    ],
)
def test_an_import_against_the_direction_is_found_wherever_it_stands(small_tree: Path, room: str, line: str) -> None:
    (small_tree / room / "bad.py").write_text(f'"""Bad."""\n{line}\n', encoding="utf-8")
    assert [found.split(":")[0] for found in wrong_imports(small_tree)] == [f"{room}/bad.py"]


def test_a_file_of_501_lines_is_too_long_and_one_of_500_is_not(small_tree: Path) -> None:
    (small_tree / "agents" / "long.py").write_text('"""Long."""\n' + "x = 1\n" * 499, encoding="utf-8")
    assert long_files(small_tree) == []
    (small_tree / "agents" / "long.py").write_text('"""Long."""\n' + "x = 1\n" * 500, encoding="utf-8")
    assert long_files(small_tree) == ["agents/long.py has 501 lines"]


def test_a_module_without_a_docstring_and_a_missing_room_are_found(small_tree: Path) -> None:
    (small_tree / "context" / "quiet.py").write_text("x = 1\n", encoding="utf-8")
    (small_tree / "billing" / "__init__.py").unlink()
    assert silent_modules(small_tree) == ["billing", "context/quiet.py"]


def test_a_path_of_the_workplace_is_found_in_any_text_file(small_tree: Path) -> None:
    (small_tree / "README.md").write_text(f"speech lies in {WORKPLACE_PATHS[0]}/speech\n", encoding="utf-8")
    assert workplace_mentions(small_tree) == ["README.md"]
