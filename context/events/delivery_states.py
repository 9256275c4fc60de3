"""The life of one delivery: an event on its way to one subscriber.

Deliveries wait, are tried in a batch, and if that fails are tried again one by one with growing pauses; a delivery that
keeps failing becomes a dead letter, which only a person moves on. A process that dies leaves deliveries RUNNING or
RETRYING; its durable workflow is taken over, and where there is none the delivery waits again. What the table cannot
say: at most one batch of a subscriber and tenant runs at a time, and a lane (the events of one call) stands still while
one of its deliveries is RETRYING, which is what keeps the events of a call in order. Used by `relay`, `delivery`,
`replay` and `dead_letters`.
"""

from enum import StrEnum


class DeliveryState(StrEnum):
    """Where a delivery is."""

    PENDING = "pending"
    RUNNING = "running"
    RETRYING = "retrying"
    HANDLED = "handled"
    DEAD = "dead"
    DROPPED = "dropped"


class DeliveryMove(StrEnum):
    """What can happen to it."""

    CLAIM = "claim"
    HANDLE = "handle"
    FAIL = "fail"
    GIVE_UP = "give up"
    RELEASE = "release"
    REPLAY = "replay"
    DROP = "drop"


MOVES: dict[tuple[DeliveryState, DeliveryMove], DeliveryState] = {
    (DeliveryState.PENDING, DeliveryMove.CLAIM): DeliveryState.RUNNING,
    (DeliveryState.RUNNING, DeliveryMove.HANDLE): DeliveryState.HANDLED,
    (DeliveryState.RUNNING, DeliveryMove.FAIL): DeliveryState.RETRYING,
    (DeliveryState.RUNNING, DeliveryMove.GIVE_UP): DeliveryState.DEAD,
    (DeliveryState.RUNNING, DeliveryMove.RELEASE): DeliveryState.PENDING,
    (DeliveryState.RETRYING, DeliveryMove.HANDLE): DeliveryState.HANDLED,
    (DeliveryState.RETRYING, DeliveryMove.FAIL): DeliveryState.RETRYING,
    (DeliveryState.RETRYING, DeliveryMove.GIVE_UP): DeliveryState.DEAD,
    (DeliveryState.RETRYING, DeliveryMove.RELEASE): DeliveryState.PENDING,
    (DeliveryState.HANDLED, DeliveryMove.REPLAY): DeliveryState.PENDING,
    (DeliveryState.DEAD, DeliveryMove.REPLAY): DeliveryState.PENDING,
    (DeliveryState.DROPPED, DeliveryMove.REPLAY): DeliveryState.PENDING,
    (DeliveryState.DEAD, DeliveryMove.DROP): DeliveryState.DROPPED,
}
"""Whatever is not listed cannot happen."""

UNFINISHED = frozenset({DeliveryState.PENDING, DeliveryState.RUNNING, DeliveryState.RETRYING})


def sources(move: DeliveryMove) -> tuple[DeliveryState, ...]:
    """The states from which `move` is possible."""
    return tuple(state for state, possible in MOVES if possible is move)


def target(move: DeliveryMove) -> DeliveryState:
    """Where `move` leads; each move leads to one state."""
    (state,) = {to for (_, possible), to in MOVES.items() if possible is move}
    return state
