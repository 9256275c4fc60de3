"""How well a person fits, as calls and leads report it: a score, its rating, its parts with the caller's quotes.

Reads the payloads of call.completed, lead.scored and lead.qualified, which say it in one shape. Called by
`context.contacts.extraction` and the subscriber.
"""

from collections.abc import Mapping
from typing import Any, cast

from context.contacts.box import ContextBox, OpenSlot, Qualification, QualificationPart, Source
from context.contacts.call_report import plain_text
from context.contacts.changes import advanced, answered, asked, but
from context.contacts.states import BoxState

PARTS = ("need", "timeline", "budget", "authority")
HOT_SCORE = 70
WARM_SCORE = 40
UNKNOWN = "unknown"
QUOTE_LIMIT_CHARS = 300


def qualification_of(payload: Mapping[str, Any], source: Source, at_ms: int) -> Qualification | None:
    """The qualification in {score, rating, parts | breakdown: {name: level or {level, points, quote}}}; None when the
    payload holds no score from 0 to 100."""
    score = payload.get("score")
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 100:
        return None
    rating = plain_text(payload.get("rating")) or _rating(score)
    described = payload.get("parts") or payload.get("breakdown")
    parts = _parts(cast(Mapping[str, Any], described)) if isinstance(described, Mapping) else ()
    return Qualification(round(score), rating, parts, source, at_ms)


def qualified_box(box: ContextBox, found: Qualification, *, actor: str, reference: str) -> ContextBox:
    """The box with the newer of both qualifications; parts that nobody knows yet are still to be asked."""
    if found.at_ms < box.qualification.at_ms:
        return box
    unknown = [part.name for part in found.parts if part.level == UNKNOWN and part.name in PARTS]
    known = [part.name for part in found.parts if part.level != UNKNOWN]
    slots = [OpenSlot(name, "qualification", found.source) for name in unknown]
    box = asked(answered(but(box, qualification=found), known), slots)
    if found.score < WARM_SCORE:
        return box
    reason = f"score {found.score}"
    return advanced(box, BoxState.QUALIFIED, actor=actor, reason=reason, at_ms=found.at_ms, reference=reference)


def _parts(described: Mapping[str, Any]) -> tuple[QualificationPart, ...]:
    parts: list[QualificationPart] = []
    for name, said in described.items():
        detail = cast(Mapping[str, Any], said) if isinstance(said, Mapping) else {"level": said}
        points = detail.get("points")
        level = plain_text(detail.get("level")) or plain_text(detail.get("value")) or UNKNOWN
        quote = plain_text(detail.get("quote"))[:QUOTE_LIMIT_CHARS]
        parts.append(QualificationPart(name, level, points if isinstance(points, int) else 0, quote))
    return tuple(parts)


def _rating(score: float) -> str:
    return "hot" if score >= HOT_SCORE else "warm" if score >= WARM_SCORE else "cold"
