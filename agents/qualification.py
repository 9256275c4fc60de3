"""How good a lead is: BANT for conversations, a second scale for leads that come as text.

Both are tables of points (product facts, section 6); every score keeps its parts and the caller's words that each rests
on, so that a pilot can see why. Pure arithmetic: what the levels are is found by `agents.qualification_evidence` or
told by an integrator. Called by `server.rest.qualify` and, after a call, by whoever scores it.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

import msgspec

_L = TypeVar("_L", bound=StrEnum)


class Need(StrEnum):
    """How badly it is needed."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    UNKNOWN = "unknown"


class Timeline(StrEnum):
    """How soon."""

    IMMEDIATE = "immediate"
    THIS_QUARTER = "this_quarter"
    THIS_YEAR = "this_year"
    EXPLORING = "exploring"


class Budget(StrEnum):
    """Whether there is money for it."""

    DEFINED = "defined"
    FLEXIBLE = "flexible"
    LIMITED = "limited"
    UNKNOWN = "unknown"


class Authority(StrEnum):
    """Whether the person may decide."""

    DECISION_MAKER = "decision_maker"
    INFLUENCER = "influencer"
    USER = "user"
    UNKNOWN = "unknown"


class Fit(StrEnum):
    """How well the offer suits."""

    IDEAL = "ideal"
    GOOD = "good"
    PARTIAL = "partial"
    POOR = "poor"


class Grade(StrEnum):
    """What to do about it. COOL exists on the scale of text leads only."""

    HOT = "hot"
    WARM = "warm"
    COOL = "cool"
    COLD = "cold"


NEED_POINTS = {Need.HIGH: 30, Need.MEDIUM: 20, Need.LOW: 10, Need.UNKNOWN: 0}
TIMELINE_POINTS = {Timeline.IMMEDIATE: 30, Timeline.THIS_QUARTER: 20, Timeline.THIS_YEAR: 10, Timeline.EXPLORING: 0}
BUDGET_POINTS = {Budget.DEFINED: 20, Budget.FLEXIBLE: 15, Budget.LIMITED: 5, Budget.UNKNOWN: 0}
AUTHORITY_POINTS = {
    Authority.DECISION_MAKER: 20,
    Authority.INFLUENCER: 10,
    Authority.USER: 5,
    Authority.UNKNOWN: 0,
}
CALL_GRADES = ((70, Grade.HOT), (40, Grade.WARM), (0, Grade.COLD))

LEAD_BUDGET_POINTS = ((1000, 30), (500, 20), (300, 10), (0, 5))
"""Smallest amount, in the tenant's currency -> points."""

LEAD_TIMELINE_POINTS = {
    Timeline.IMMEDIATE: 25,
    Timeline.THIS_QUARTER: 20,
    Timeline.THIS_YEAR: 12,
    Timeline.EXPLORING: 5,
}
LEAD_AUTHORITY_POINTS = {
    Authority.DECISION_MAKER: 20,
    Authority.INFLUENCER: 12,
    Authority.USER: 5,
    Authority.UNKNOWN: 5,
}
LEAD_FIT_POINTS = {Fit.IDEAL: 15, Fit.GOOD: 12, Fit.PARTIAL: 8, Fit.POOR: 3}
POINTS_PER_MESSAGE = 2
MOST_ENGAGEMENT = 10
LEAD_GRADES = ((75, Grade.HOT), (50, Grade.WARM), (25, Grade.COOL), (0, Grade.COLD))


class Part(msgspec.Struct, frozen=True):
    """One part of a score. most: points that it could have given. quote: the caller's words it rests on, or ""."""

    name: str
    level: str
    points: int
    most: int
    quote: str = ""


class Score(msgspec.Struct, frozen=True):
    """0 to 100, the sum of its parts."""

    score: int
    grade: Grade
    parts: tuple[Part, ...]


class Bant(msgspec.Struct, frozen=True):
    """What is known after a conversation. quotes: part name -> the caller's words."""

    need: Need = Need.UNKNOWN
    timeline: Timeline = Timeline.EXPLORING
    budget: Budget = Budget.UNKNOWN
    authority: Authority = Authority.UNKNOWN
    quotes: Mapping[str, str] = {}


class TextLead(msgspec.Struct, frozen=True):
    """What is known of a lead that came as text. budget: amount, in the tenant's currency. messages: it wrote."""

    budget: float = 0.0
    timeline: Timeline = Timeline.EXPLORING
    authority: Authority = Authority.UNKNOWN
    fit: Fit = Fit.POOR
    messages: int = 0
    quotes: Mapping[str, str] = {}


def score_call(known: Bant) -> Score:
    """BANT."""
    quotes = known.quotes
    return _score(
        (
            _part("need", known.need, NEED_POINTS, quotes),
            _part("timeline", known.timeline, TIMELINE_POINTS, quotes),
            _part("budget", known.budget, BUDGET_POINTS, quotes),
            _part("authority", known.authority, AUTHORITY_POINTS, quotes),
        ),
        CALL_GRADES,
    )


def score_lead(known: TextLead) -> Score:
    """The scale of text leads."""
    quotes = known.quotes
    from_amount, points = next((least, points) for least, points in LEAD_BUDGET_POINTS if known.budget >= least)
    return _score(
        (
            Part("budget", f"{from_amount}+", points, LEAD_BUDGET_POINTS[0][1], quotes.get("budget", "")),
            _part("timeline", known.timeline, LEAD_TIMELINE_POINTS, quotes),
            _part("authority", known.authority, LEAD_AUTHORITY_POINTS, quotes),
            _part("fit", known.fit, LEAD_FIT_POINTS, quotes),
            Part(
                "engagement",
                f"{known.messages} messages",
                min(MOST_ENGAGEMENT, POINTS_PER_MESSAGE * known.messages),
                MOST_ENGAGEMENT,
                quotes.get("engagement", ""),
            ),
        ),
        LEAD_GRADES,
    )


def _part(name: str, level: _L, points: Mapping[_L, int], quotes: Mapping[str, str]) -> Part:
    return Part(name, level.value, points[level], max(points.values()), quotes.get(name, ""))


def _score(parts: tuple[Part, ...], grades: tuple[tuple[int, Grade], ...]) -> Score:
    total = sum(part.points for part in parts)
    return Score(total, next(grade for least, grade in grades if total >= least), parts)
