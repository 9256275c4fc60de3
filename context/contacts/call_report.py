"""A finished call as the box reads it: the payload of call.completed, with what it leaves out filled in.

Other versions and channels may say less or more; fields that are missing count as empty and unknown ones are passed
over, but a field of the wrong type is an error, because a box built from half a call would never be repaired. Made by
the subscriber, read by `context.contacts.extraction`.
"""

from typing import Any

import msgspec

from context.errors import ContextError

CALLER = "caller"


class CallReportError(ContextError):
    """The payload is not that of a finished call."""

    code = "bad_call_report"


class Line(msgspec.Struct, frozen=True):
    """One side's words, as the other side heard them. Times: ms from the start of the call."""

    role: str
    text: str
    started_ms: float = 0.0
    ended_ms: float = 0.0
    language: str = ""


class UsedTool(msgspec.Struct, frozen=True):
    """A tool that ran in the call."""

    name: str
    arguments: dict[str, Any] = {}
    result: dict[str, Any] = {}
    ok: bool = True
    at_ms: float = 0.0

    def text(self, name: str) -> str:
        """An argument as text, "" when it was not given or is no text or number."""
        return plain_text(self.arguments.get(name))

    def told(self, name: str) -> str:
        """A value of the result as text, "" when there is none."""
        return plain_text(self.result.get(name))


class BookedSlot(msgspec.Struct, frozen=True):
    """An appointment of the call. starts_at: ISO 8601, as the payload has it."""

    id: str = ""
    service_id: str = ""
    starts_at: str = ""
    name: str = ""
    phone: str = ""
    email: str = ""


class CallReport(msgspec.Struct, frozen=True):
    """What the box needs of call.completed. caller: the far end's number, "" when it was withheld. sentiment: -1 to 1.

    started_at, ended_at: seconds since the epoch, UTC.
    """

    call_id: str
    outcome: str = ""
    language: str = ""
    direction: str = "inbound"
    caller: str = ""
    started_at: float = 0.0
    ended_at: float = 0.0
    duration_s: float = 0.0
    transcript: tuple[Line, ...] = ()
    tools: tuple[UsedTool, ...] = ()
    bookings: tuple[BookedSlot, ...] = ()
    qualification: dict[str, Any] | None = None
    sentiment: float | None = None
    attribution: dict[str, Any] | None = None

    def at_ms(self, offset_ms: float = 0.0) -> int:
        """An instant of the call, ms since the epoch. offset_ms: from its start."""
        return int(self.started_at * 1_000 + offset_ms)

    @property
    def ended_ms(self) -> int:
        """When it was over, ms since the epoch."""
        return int((self.ended_at or self.started_at + self.duration_s) * 1_000)

    def worked(self, *names: str) -> list[UsedTool]:
        """Uses of these tools that did what they should, in order."""
        return [tool for tool in self.tools if tool.ok and tool.name in names]

    def turn_before(self, at_ms: float) -> int:
        """Index of the caller's last turn that had begun `at_ms` into the call, -1 when there is none."""
        spoken = [at for at, line in enumerate(self.transcript) if line.role == CALLER and line.started_ms <= at_ms]
        return spoken[-1] if spoken else -1


def call_report(payload: dict[str, Any], fallback_s: float) -> CallReport:
    """The report in a payload of call.completed. fallback_s: instant for a payload without times, seconds since the
    epoch. Raises CallReportError, which names the field."""
    try:
        report = msgspec.convert(payload, type=CallReport, strict=False)
    except msgspec.ValidationError as error:
        raise CallReportError(f"call.completed: {error}") from error
    if report.started_at:
        return report
    return msgspec.structs.replace(report, started_at=(report.ended_at or fallback_s) - report.duration_s)


def plain_text(value: object) -> str:
    """A text or number of a payload as text, "" for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value).strip()
