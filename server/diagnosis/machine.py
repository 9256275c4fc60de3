"""The machine below Parley: Python, packages, processor, memory, disk, ports.

Every check looks at the real thing and takes what it looks at as an argument. Called by
`server.commands.doctor`.
"""

import http.client
import importlib.metadata
import json
import os
import platform
import re
import shutil
import socket
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import server
from server.diagnosis.report import Finding, fail, ok, warn
from server.ports import Service

DISTRIBUTION = "parley-voice"
OLDEST_PYTHON = (3, 11)
PORT_ANSWER_S = 2.0
LOOPBACK = "127.0.0.1"

GIB = 1 << 30
LEAST_DISK_BYTES = GIB // 4
"""The multilingual model is joined once from two packages: 145 MB."""

ENOUGH_DISK_BYTES = 5 * GIB
"""Some 20 hours of stereo recordings at 16 kHz (230 MB an hour)."""

ENOUGH_MEMORY_BYTES = 3 * GIB // 2
"""Both recognisers, the voices and a dozen calls."""

_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*([^;]*?)\s*(?:;(.*))?")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([^'\"]+)['\"]")
_MEMORY_LINE = re.compile(r"^MemAvailable:\s+(\d+) kB", re.MULTILINE)

NOT_FOR_OPERATORS = frozenset({"dev"})
"""Extras that only developers need."""


def python(version: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    """The interpreter."""
    text = ".".join(str(part) for part in version)
    if version[:2] < OLDEST_PYTHON:
        return fail("Python", text, "install Python 3.11 or newer, then run `make run` again")
    return ok("Python", f"{text} on {platform.system()} {platform.machine()}")


def packages(version_of: Callable[[str], str] = importlib.metadata.version) -> Iterator[Finding]:
    """What the project declares: everything needed, then each optional set. Raises PackageNotFoundError only
    through `version_of`."""
    found: dict[str, str] = {}
    missing: dict[str, list[str]] = {}
    extras: dict[str, list[str]] = {}
    for name, bounds, extra in _requirements():
        if extra:
            extras.setdefault(extra, []).append(name)
        try:
            found[name] = version_of(name)
        except importlib.metadata.PackageNotFoundError:
            missing.setdefault(extra, []).append(f"{name}{bounds}")
    needed = [name for name in found if not any(name in names for names in extras.values())]
    if missing.get(""):
        wanted = " ".join(f'"{requirement}"' for requirement in missing[""])
        yield fail("packages", f"missing: {', '.join(missing[''])}", f"pip install {wanted}")
    yield ok("packages", ", ".join(f"{name} {found[name]}" for name in sorted(needed)))
    optional = {extra: names for extra, names in sorted(extras.items()) if extra not in NOT_FOR_OPERATORS}
    if optional:
        states = [f"{extra} ({'not installed' if missing.get(extra) else 'installed'})" for extra in optional]
        yield ok("optional packages", f"{', '.join(states)}; install one with  pip install '{DISTRIBUTION}[NAME]'")


def processor(cores: int | None = None) -> Finding:
    """How many calls can be decoded at the same time."""
    count = cores or len(os.sched_getaffinity(0))
    if count < 2:
        fix = "give Parley two cores: with one, recognition and the calls' audio wait for each other"
        return warn("processor", "1 core", fix)
    return ok("processor", f"{count} cores")


def memory(meminfo: Path = Path("/proc/meminfo")) -> Iterator[Finding]:
    """Memory that can be had, where the system tells."""
    try:
        found = _MEMORY_LINE.search(meminfo.read_text(encoding="ascii"))
    except OSError:
        return
    if found:
        available = int(found[1]) * 1024
        detail = f"{available / GIB:.1f} GiB available"
        if available < ENOUGH_MEMORY_BYTES:
            yield warn("memory", detail, f"free some: both recognisers want {ENOUGH_MEMORY_BYTES / GIB:.1f} GiB")
        else:
            yield ok("memory", detail)


def disk(folder: Path, free_bytes: int | None = None) -> Finding:
    """Room for models and recordings."""
    free = shutil.disk_usage(folder).free if free_bytes is None else free_bytes
    detail = f"{free / GIB:.1f} GiB free in {folder}"
    if free < LEAST_DISK_BYTES:
        return fail("disk", detail, "free some space, or set PARLEY_HOME to a folder on another disk")
    if free < ENOUGH_DISK_BYTES:
        return warn("disk", detail, "an hour of recordings takes 230 MB: free some space, or move PARLEY_HOME")
    return ok("disk", detail)


def ports(environment: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """Whether each port can be taken, or Parley has it already."""
    for service in Service:
        name = f"port {service.name.lower()}"
        text = environment.get(service.variable, str(service.value))
        if not text.isdecimal() or int(text) > 65_535:
            yield fail(name, f"{service.variable} is {text!r}", f"set {service.variable} to a number up to 65535")
        else:
            yield _port(name, int(text), service)


def _port(name: str, port: int, service: Service) -> Finding:
    try:
        socket.create_server((LOOPBACK, port)).close()
    except PermissionError:
        return fail(name, f"{port} needs more rights than this user has", f"set {service.variable} to 1024 or more")
    except OSError:
        if _answers_like_parley(port):
            return ok(name, f"{port}: a Parley is running there")
        other = f"stop the program that listens there, or set {service.variable} or {service.flag} to another port"
        return fail(name, f"{port} is in use by another program", other)
    return ok(name, f"{port} is free")


def _answers_like_parley(port: int) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=PORT_ANSWER_S)
    try:
        connection.request("GET", "/readyz")
        body = json.loads(connection.getresponse().read(1024))
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()
    return isinstance(body, dict) and {"status", "doing"} <= body.keys()


def _requirements() -> Iterator[tuple[str, str, str]]:
    """Name, version bounds and extra ("" when always needed) of everything the project declares."""
    for text in _declared():
        match = _REQUIREMENT.fullmatch(text)
        assert match, text
        name, bounds, marker = match.groups()
        extra = _EXTRA.search(marker or "")
        yield name, bounds, extra[1] if extra else ""


def _declared() -> list[str]:
    """Requirements as the installed project states them, else as its checkout does."""
    try:
        return importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        checkout = Path(server.__file__ or "").parents[1] / "pyproject.toml"
        project = tomllib.loads(checkout.read_text(encoding="utf-8"))["project"]
        optional: dict[str, list[str]] = project["optional-dependencies"]
        return project["dependencies"] + [f'{text}; extra == "{name}"' for name in optional for text in optional[name]]
