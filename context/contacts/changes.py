"""What may be done to a context box: each function takes a box and gives the next one, and knows nothing else.

Told twice, nothing changes: facts, promises, turns and happenings are recognised by their ids, so an event that is
delivered again leaves the box as it was. Called by extraction, merging, handoff and by whoever edits a box.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from context.contacts.box import (
    SENTIMENTS_KEPT,
    Attribution,
    Commitment,
    CommitmentStatus,
    ContextBox,
    HistoryEntry,
    HistoryKind,
    KeyFact,
    OpenSlot,
    Sentiment,
    Turn,
)
from context.contacts.states import RANK, BoxState, check, road

Change = Callable[[ContextBox], ContextBox]
"""One step; `chained` makes one out of several."""


def but(box: ContextBox, **changes: Any) -> ContextBox:
    """A copy with these fields changed."""
    return msgspec.structs.replace(box, **changes)


def chained(box: ContextBox, changes: Iterable[Change]) -> ContextBox:
    """The box after each of these, in order."""
    for change in changes:
        box = change(box)
    return box


def touched(box: ContextBox, at_ms: int) -> ContextBox:
    """They were heard of: the box is fresh again."""
    if at_ms <= box.activity_ms:
        return box
    return but(box, activity_ms=at_ms, stale_ms=0)


def learned(box: ContextBox, facts: Sequence[KeyFact]) -> ContextBox:
    """With these facts besides; one that is known keeps the surer of both sources."""
    known = {fact.id: fact for fact in box.facts}
    for fact in facts:
        if fact.id not in known or fact.confidence > known[fact.id].confidence:
            known[fact.id] = fact
    return but(box, facts=tuple(known.values()))


def promised(box: ContextBox, commitments: Sequence[Commitment]) -> ContextBox:
    """With these promises besides; one that is known takes the later wording, and never opens again."""
    known = {promise.id: promise for promise in box.commitments}
    for promise in commitments:
        before = known.get(promise.id)
        if before is None or (promise.at_ms > before.at_ms and before.status is CommitmentStatus.OPEN):
            known[promise.id] = promise
    return but(box, commitments=tuple(known.values()))


def settled(box: ContextBox, reference: str, status: CommitmentStatus) -> ContextBox:
    """With the open promises about `reference` kept or cancelled."""
    commitments = tuple(
        msgspec.structs.replace(promise, status=status)
        if promise.reference == reference and promise.status is CommitmentStatus.OPEN
        else promise
        for promise in box.commitments
    )
    return but(box, commitments=commitments)


def asked(box: ContextBox, slots: Sequence[OpenSlot]) -> ContextBox:
    """With these still to be asked; one that is open already stays as it was."""
    known = {slot.name: slot for slot in (*slots, *box.open_slots)}
    ordered = dict.fromkeys(slot.name for slot in (*box.open_slots, *slots))
    return but(box, open_slots=tuple(known[name] for name in ordered))


def answered(box: ContextBox, names: Iterable[str]) -> ContextBox:
    """Without the open slots of these names."""
    known = set(names)
    return but(box, open_slots=tuple(slot for slot in box.open_slots if slot.name not in known))


def happened(box: ContextBox, entry: HistoryEntry) -> ContextBox:
    """With one more line of history; the same thing about the same reference is written once."""
    for known in box.history:
        if entry.reference and (known.kind, known.reference, known.what) == (entry.kind, entry.reference, entry.what):
            return box
    return but(box, history=(*box.history, entry))


def felt(box: ContextBox, sentiment: Sentiment) -> ContextBox:
    """With one more sentiment of the last `SENTIMENTS_KEPT`. Raises ValueError beyond -1..1."""
    if not -1.0 <= sentiment.value <= 1.0:
        raise ValueError(f"sentiment: {sentiment.value} must be -1 to 1")
    if any(known.source == sentiment.source and known.at_ms == sentiment.at_ms for known in box.sentiment):
        return box
    return but(box, sentiment=(*box.sentiment, sentiment)[-SENTIMENTS_KEPT:])


def said(box: ContextBox, turns: Sequence[Turn]) -> ContextBox:
    """With these turns besides, in order of time; those of a call that was summarised already stay out."""
    known = {turn.source for turn in box.turns}
    fresh = [turn for turn in turns if turn.source not in known]
    return but(box, turns=tuple(sorted((*box.turns, *fresh), key=lambda turn: turn.at_ms))) if fresh else box


def attributed(box: ContextBox, attribution: Attribution) -> ContextBox:
    """With what brought them: the first that is known stays."""
    known = box.attribution
    return but(
        box,
        attribution=Attribution(
            utm={**attribution.utm, **known.utm},
            gclid=known.gclid or attribution.gclid,
            fbclid=known.fbclid or attribution.fbclid,
        ),
    )


def moved(box: ContextBox, to: BoxState, *, actor: str, reason: str, at_ms: int, reference: str = "") -> ContextBox:
    """One step along the table. Raises IllegalTransitionError, and ValueError without an actor or a reason."""
    if not actor or not reason:
        raise ValueError("a change of state needs an actor and a reason")
    check(box.state, to)
    entry = HistoryEntry(HistoryKind.STATE, at_ms, actor, reason, reference, box.state, to)
    return but(box, state=to, history=(*box.history, entry))


def advanced(box: ContextBox, to: BoxState, *, actor: str, reason: str, at_ms: int, reference: str = "") -> ContextBox:
    """As far as `to` by listed transitions, each recorded; unchanged when it is there or beyond already."""
    if RANK.index(box.state) >= RANK.index(to):
        return box
    for step in road(box.state, to):
        box = moved(box, step, actor=actor, reason=reason, at_ms=at_ms, reference=reference)
    return box
