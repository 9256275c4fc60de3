"""What a transport needs to know of a call, and nothing else.

`CallFactory` turns a leg and what the far end asked for into a `LiveCall`; the server implements it with the real
engines, tests with small fakes. Transports call it once a far end has said which call it wants.
"""

from typing import Protocol

from telephony.peer import Peer
from telephony.voice_messages import StartMessage
from voice_core.frames import Pcm16
from voice_core.leg import Leg


class CallRefused(Exception):  # noqa: N818 - a decision, not a fault
    """The call is not started. `code` is machine-readable, the message says what to change."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class LiveCall(Protocol):
    """One call as its transport sees it. Every method but `run` returns at once."""

    async def run(self) -> object:
        """Hold the conversation; returns when the call has ended, its leg is closed and its record is stored."""
        ...

    def push_audio(self, pcm: Pcm16) -> None:
        """Take caller audio at the leg's rate, any length."""

    def push_dtmf(self, digit: str) -> None:
        """Take one key press: 0-9, *, # or A-D."""

    def push_text(self, text: str) -> None:
        """Take a typed turn."""

    def hang_up(self, reason: str) -> None:
        """End now: the far end has gone or broke the protocol."""

    def wind_down(self) -> None:
        """Say goodbye, then end."""


class CallFactory(Protocol):
    """Builds the call that answers a leg."""

    async def __call__(self, leg: Leg, start: StartMessage, peer: Peer) -> LiveCall:
        """Raises CallRefused when the key, the language or the tenant does not allow the call."""
        ...
