"""Where the time of one turn went.

Stages are marked by the session as they happen; they explain the delay that `voice_to_voice`
measures on the recording and are never summed to stand for it.
"""

from enum import Enum

import msgspec


class Stage(Enum):
    """Moments of a turn, in the usual order. Values are the names on the wire."""

    PAUSE_DETECTED = "pause_detected_ms"
    TRANSCRIPT = "transcript_ms"
    REPLY_ASKED = "reply_asked_ms"
    FIRST_TEXT = "first_text_ms"
    FIRST_AUDIO = "first_audio_ms"
    TURN_CONFIRMED = "turn_confirmed_ms"
    FIRST_FRAME = "first_frame_ms"


class TurnTimeline(msgspec.Struct, frozen=True):
    """One turn's stages.

    speech_ended_ms: the caller's last speech sample on the call's clock, as VAD saw it.
    stages: Stage value -> ms after `speech_ended_ms`. endpoint_delay_ms: the silence this turn was
    given, and why. speculations: replies begun before the turn was confirmed; the last of them was
    used when `speculation_used`.
    """

    turn: int
    speech_ended_ms: float
    stages: dict[str, float]
    endpoint_delay_ms: float
    endpoint_reason: str
    speculations: int
    speculation_used: bool

    def on_the_wire(self) -> dict[str, float]:
        """The numbers as clients see them: stages plus the endpointing delay, all in ms."""
        return {**self.stages, "endpoint_delay_ms": self.endpoint_delay_ms}
