"""One side of a call: how audio, notices and the end of the call reach it.

SIP, media streams, WebRTC and the plain WebSocket are legs; the rest of the system cannot tell
them apart. Implemented in `telephony`, driven by `VoiceCall`.
"""

from typing import Protocol

from voice_core.frames import Pcm16
from voice_core.notices import Notice


class Leg(Protocol):
    """The far end. Every method but `close` is called on the event loop and must not block."""

    @property
    def sample_rate(self) -> int:
        """Rate of the frames in both directions, Hz: one of LEG_RATES_HZ."""
        ...

    def play(self, frame: Pcm16) -> None:
        """Send one 20 ms frame now. A far end that does not read loses frames, never blocks."""

    def clear(self) -> None:
        """Drop what was sent and not yet played."""

    def notify(self, notice: Notice) -> None:
        """Tell the far end what happens, if it can show it."""

    async def close(self, notice: Notice) -> None:
        """Send the last notice (EndedNotice or ErrorNotice) and hang up."""
