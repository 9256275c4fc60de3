"""What a check found, in words for the operator and for machines.

Checks say what is so and how to mend it; they never raise and never show a secret's value. Filled by
the modules beside this one, written by `server.commands.doctor`.
"""

import textwrap
from collections.abc import Iterable, Sequence
from enum import Enum

import msgspec

WIDTH = 110
"""Columns of the table: fits a terminal that is not maximised."""

NAME_COLUMNS = 22


class Verdict(Enum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    """Parley runs, but less well, or without something that was asked for."""
    FAIL = "fail"
    """Parley does not start, or calls go wrong."""


MARKS = {Verdict.OK: "ok  ", Verdict.WARN: "warn", Verdict.FAIL: "FAIL"}


class Finding(msgspec.Struct, frozen=True):
    """One line of the report. fix: what to do, "" when there is nothing to do."""

    name: str
    verdict: Verdict
    detail: str
    fix: str = ""


class Report(msgspec.Struct, frozen=True):
    """The whole examination, as `--json` writes it."""

    verdict: Verdict
    findings: tuple[Finding, ...]


def ok(name: str, detail: str) -> Finding:
    """Everything is as it should be."""
    return Finding(name, Verdict.OK, detail)


def warn(name: str, detail: str, fix: str) -> Finding:
    """Works, but."""
    return Finding(name, Verdict.WARN, detail, fix)


def fail(name: str, detail: str, fix: str) -> Finding:
    """Does not work."""
    return Finding(name, Verdict.FAIL, detail, fix)


def summed_up(findings: Sequence[Finding]) -> Report:
    """The findings with the worst of their verdicts."""
    verdicts = {finding.verdict for finding in findings}
    worst = next((verdict for verdict in (Verdict.FAIL, Verdict.WARN) if verdict in verdicts), Verdict.OK)
    return Report(worst, tuple(findings))


def lines(finding: Finding) -> Iterable[str]:
    """The rows of the table that tell one finding."""
    indent = " " * (len(MARKS[Verdict.OK]) + 1 + NAME_COLUMNS + 1)
    first, *rest = finding.detail.splitlines() or [""]
    yield from textwrap.wrap(
        first,
        WIDTH,
        initial_indent=f"{MARKS[finding.verdict]} {finding.name:<{NAME_COLUMNS}} ",
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    for line in rest:
        yield f"{indent}{line}"
    if finding.fix:
        yield from textwrap.wrap(
            finding.fix,
            WIDTH,
            initial_indent=f"{indent}-> ",
            subsequent_indent=f"{indent}   ",
            break_long_words=False,
            break_on_hyphens=False,
        )


def closing(report: Report) -> str:
    """The last line: whether calls can be taken."""
    count = {verdict: sum(finding.verdict is verdict for finding in report.findings) for verdict in Verdict}
    match report.verdict:
        case Verdict.OK:
            return "Everything works: `parley serve` can take calls."
        case Verdict.WARN:
            return f"Calls can be taken; {_things(count[Verdict.WARN])} could be better."
        case Verdict.FAIL:
            return f"{_things(count[Verdict.FAIL])} must be mended before calls can be taken."


def _things(count: int) -> str:
    return "1 thing" if count == 1 else f"{count} things"
