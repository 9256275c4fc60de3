"""What a call tells whoever watches it: the browser, the console, the command line.

Encoded as JSON these are the server messages of `/v1/voice`, tagged by `type`.
"""

from typing import Any

import msgspec


class Notice(msgspec.Struct, frozen=True, tag_field="type"):
    """Base of the notices."""


class TranscriptNotice(Notice, frozen=True, tag="transcript"):
    """Words of one side. role: "caller" or "agent". A later notice replaces an unfinished one.

    For the agent, a final text holds what was really heard.
    """

    role: str
    text: str
    final: bool


class StateNotice(Notice, frozen=True, tag="state"):
    """listening, thinking, speaking or held."""

    state: str


class ClearNotice(Notice, frozen=True, tag="clear"):
    """Drop agent audio that has not been played yet."""


class TurnNotice(Notice, frozen=True, tag="turn"):
    """A turn's timeline: stage name -> ms after the caller's last speech sample."""

    turn: int
    timeline: dict[str, float]


class ToolNotice(Notice, frozen=True, tag="tool"):
    """A tool ran."""

    name: str
    arguments: dict[str, Any]
    result: dict[str, Any]
    ok: bool


class TransferNotice(Notice, frozen=True, tag="transfer"):
    """The caller is being passed to a human."""

    reason: str
    destination: str


class ErrorNotice(Notice, frozen=True, tag="error"):
    """Something went wrong; `code` is machine-readable."""

    code: str
    message: str


class EndedNotice(Notice, frozen=True, tag="ended"):
    """The call is over."""

    outcome: str
    reason: str
    call_id: str = ""
