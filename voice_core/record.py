"""What a finished call leaves behind: the voice part of `call.completed`.

Built by `VoiceCall`, stored by `context`; every time is in ms from the start of the call and comes
from the monotonic clock.
"""

from typing import Any

import msgspec

from voice_core.responder import Outcome


class Utterance(msgspec.Struct, frozen=True):
    """One side's words. For the agent `text` is what was heard and `intended` what it meant to say."""

    role: str
    text: str
    started_ms: float
    ended_ms: float
    language: str
    intended: str = ""


class ToolUse(msgspec.Struct, frozen=True):
    """A tool that ran in the call."""

    name: str
    arguments: dict[str, Any]
    result: dict[str, Any]
    ok: bool
    at_ms: float


class CallRecord(msgspec.Struct, frozen=True):
    """The record of one call.

    started_at: seconds since the epoch, UTC. latency: one timeline per agent turn, stage -> ms after
    the caller's last speech sample. recording: path of the stereo file, or "".
    """

    call_id: str
    started_at: float
    duration_s: float
    language: str
    outcome: Outcome
    reason: str
    transcript: tuple[Utterance, ...]
    tools: tuple[ToolUse, ...]
    latency: tuple[dict[str, float], ...]
    caller_talk_s: float
    agent_talk_s: float
    recording: str = ""
