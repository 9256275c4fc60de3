"""A call's events as lines of JSON, and their replay through the session.

Written by `VoiceCall` while the call lives; read by tests, by `parley` for a stored call and by whoever
tries a new policy on old calls. The log holds the caller's words: it is stored with the recording, never
in the server's log.
"""

from collections.abc import Iterable

import msgspec

from voice_core.actions import Action
from voice_core.events import AnyEvent, Event
from voice_core.policy import TurnPolicy
from voice_core.session import VoiceSession


class Start(msgspec.Struct, frozen=True):
    """First line: how the session was made."""

    language: str
    policy: TurnPolicy


class Entry(msgspec.Struct, frozen=True):
    """Every other line: one event and when it was handled, ms on the call's clock."""

    at_ms: float
    event: AnyEvent


_encoder = msgspec.json.Encoder()
_entry_decoder = msgspec.json.Decoder(Entry)


class EventLog:
    """Collects the lines of one call: about 100 bytes an event, a few events a second."""

    def __init__(self, language: str, policy: TurnPolicy) -> None:
        self._buffer = bytearray(_encoder.encode(Start(language, policy)) + b"\n")

    def add(self, event: Event, at_ms: float) -> None:
        """Note one event before it is handled."""
        self._buffer += b'{"at_ms":%.6f,"event":%b}\n' % (at_ms, _encoder.encode(event))

    def getvalue(self) -> bytes:
        """All lines so far."""
        return bytes(self._buffer)


def replay(log: bytes, policy: TurnPolicy | None = None) -> list[list[Action]]:
    """The actions of each event of a log, under its own policy or another.

    Raises msgspec.DecodeError or msgspec.ValidationError when a line is not of the log's form.
    """
    lines: Iterable[bytes] = iter(log.splitlines())
    start = msgspec.json.decode(next(iter(lines), b""), type=Start)
    session = VoiceSession(language=start.language, policy=policy or start.policy)
    return [session.handle(entry.event, entry.at_ms) for entry in map(_entry_decoder.decode, lines)]
