"""pyproject.toml names every package that the code imports, so that a fresh machine gets them all.

A package that only comes along with another one works here and breaks on the day the other one drops it.
"""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
ROOMS = ("voice_core", "context", "billing", "agents", "telephony", "server")
OWN = {*ROOMS, "tests", "benchmarks", "scripts"}

PACKAGE_OF_EXTRA = {"piper": "piper-tts", "pipecat": "pipecat-ai"}
"""Modules of optional packages, which need not be installed for the tests."""


def normal(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def named(requirements: Iterable[str]) -> set[str]:
    """The distributions in a list of requirements."""
    return {normal(match[0]) for text in requirements if (match := re.match(r"[A-Za-z0-9_.-]+", text))}


def imports(source: str) -> Iterator[str]:
    """The modules that a file imports, in full."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def undeclared(source: str, declared: set[str], providers: dict[str, set[str]]) -> list[str]:
    """Modules imported in `source` that no declared distribution provides. providers: module -> distributions."""
    return [
        module
        for module in imports(source)
        if (top := module.split(".")[0]) not in sys.stdlib_module_names
        and top not in OWN
        and not declared & (providers.get(top, set()) | {normal(PACKAGE_OF_EXTRA.get(top, top))})
    ]


def found_in(folders: Iterable[str], declared: set[str]) -> dict[str, list[str]]:
    """File -> what it imports undeclared, for the Python files of these folders."""
    providers = {module: {normal(name) for name in names} for module, names in packages_distributions().items()}
    found = {
        str(path.relative_to(PROJECT)): undeclared(path.read_text(encoding="utf-8"), declared, providers)
        for folder in folders
        for path in sorted((PROJECT / folder).rglob("*.py"))
    }
    return {path: modules for path, modules in found.items() if modules}


def project() -> dict[str, Any]:
    with (PROJECT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)["project"]


def test_what_ships_imports_only_declared_packages() -> None:
    extras = {name: needs for name, needs in project()["optional-dependencies"].items() if name != "dev"}
    declared = named(project()["dependencies"]).union(*(named(needs) for needs in extras.values()))
    assert found_in(ROOMS, declared) == {}


def test_tests_and_benchmarks_import_only_declared_packages() -> None:
    declared = named(project()["dependencies"]).union(*map(named, project()["optional-dependencies"].values()))
    assert found_in(("tests", "benchmarks", "scripts"), declared) == {}


def test_an_undeclared_package_is_found_wherever_it_is_imported() -> None:
    source = (
        "import os, numpy\nfrom voice_core import frames\ndef late():\n    import yaml\n    from livekit import rtc\n"
    )
    providers = {"yaml": {"pyyaml"}, "livekit": {"livekit", "livekit-agents"}}
    assert undeclared(source, {"numpy", "livekit-agents"}, providers) == ["yaml"]
    assert undeclared(source, {"numpy", "livekit-agents", "pyyaml"}, providers) == []


def test_every_requirement_has_a_lower_and_an_upper_bound() -> None:
    requirements = [
        *project()["dependencies"],
        *(r for needs in project()["optional-dependencies"].values() for r in needs),
    ]
    open_ended = [r for r in requirements if "==" not in r and not (">=" in r and "<" in r)]
    calendar_versions = {"structlog", "tzdata", "regex"}
    assert named(open_ended) <= calendar_versions
