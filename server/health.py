"""Whether the server may be sent calls: starting, ready or stopping.

One object for the process; every listener answers /healthz and /readyz from it, and the voice socket refuses calls
while it is not ready. Healthz says that the process answers, readyz that the models are warm.
"""

from enum import Enum
from http import HTTPStatus

import msgspec


class Phase(Enum):
    """Life of the server; only forwards."""

    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"


class HealthReport(msgspec.Struct, frozen=True):
    """Body of both answers. doing: what the server is busy with while it is not ready."""

    status: str
    doing: str = ""


class Health:
    """The server's phase and what it is doing."""

    def __init__(self) -> None:
        self.phase = Phase.STARTING
        self.doing = "starting"

    def starting(self, doing: str) -> None:
        """Say which step of the start is going on."""
        self.doing = doing

    def ready(self) -> None:
        """Every model is warm."""
        self.phase, self.doing = Phase.READY, ""

    def stopping(self) -> None:
        """No new calls from now on."""
        self.phase, self.doing = Phase.STOPPING, "saying goodbye to live calls"

    def refusal(self) -> str | None:
        """Why no call can be taken now, in words for a client, or None."""
        match self.phase:
            case Phase.READY:
                return None
            case Phase.STARTING:
                return f"Parley is starting ({self.doing})."
            case Phase.STOPPING:
                return "Parley is shutting down."

    def answer(self, path: str) -> tuple[HTTPStatus, str] | None:
        """Status and JSON body for a health path, None for any other path."""
        if path == "/healthz":
            return HTTPStatus.OK, _json(HealthReport(status="ok"))
        if path == "/readyz":
            status = HTTPStatus.OK if self.phase is Phase.READY else HTTPStatus.SERVICE_UNAVAILABLE
            return status, _json(HealthReport(status=self.phase.value, doing=self.doing))
        return None


def _json(report: HealthReport) -> str:
    return msgspec.json.encode(report).decode() + "\n"
