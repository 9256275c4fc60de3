"""The sans-I/O core of a call; start reading at `voice_core.session.machine`."""

from voice_core.session.floor import State
from voice_core.session.machine import VoiceSession

__all__ = ["State", "VoiceSession"]
