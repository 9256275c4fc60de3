"""What a responder knows between two turns, written down so that another process can go on.

A call keeps its responder for as long as it lasts; a conversation in text goes on after hours and restarts, so its
responder is made anew for every turn and given back its memory. Implemented by the dialogue engine and the LLM turn,
used by `server.text_turns`.
"""

from typing import Protocol, TypeVar, runtime_checkable

import msgspec

from context.errors import ContextError


class UnreadableMemoryError(ContextError):
    """A memory cannot be read: another version of Parley wrote it."""

    code = "memory_unreadable"


_M = TypeVar("_M")


@runtime_checkable
class Remembering(Protocol):
    """A responder whose memory can be written down between two turns."""

    def memory(self) -> bytes:
        """All that it knows now, as JSON. Only while no reply is being made."""
        ...

    def resume(self, memory: bytes) -> None:
        """Go on from there. Only before the first reply. Raises UnreadableMemoryError."""
        ...


def read_memory(memory: bytes, kind: type[_M]) -> _M:
    """The memory as what it was. Raises UnreadableMemoryError."""
    try:
        return msgspec.json.decode(memory, type=kind)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise UnreadableMemoryError("This conversation was begun by another version of Parley: begin anew.") from error
