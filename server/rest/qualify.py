"""`POST /v1/qualify`: how good a lead is, with every part of the score and the words it rests on.

From levels that an integrator knows, from what somebody said, from a stored call, or from a text lead. Nothing is
stored. Part of `server.rest.api`.
"""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from litestar import post
from litestar.types import ControllerRouterHandler

from agents.qualification import Authority, Bant, Budget, Fit, Grade, Need, Part, Score, TextLead, Timeline
from agents.qualification import score_call as bant_score
from agents.qualification import score_lead as lead_score
from agents.qualification_evidence import LONGEST_QUOTE, evidence
from context.security.principal import Principal, Scope
from server.rest.auth import requires, tenant_of
from server.rest.calls import Language
from server.rest.problems import not_found
from server.rest.respond import LONGEST_TEXT
from server.rest.services import Services

MOST_TURNS = 200

Quote = Annotated[str, msgspec.Meta(max_length=LONGEST_QUOTE)]


class Quotes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Words of the caller, by the part of the score that rests on them."""

    need: Quote = ""
    timeline: Quote = ""
    budget: Quote = ""
    authority: Quote = ""
    fit: Quote = ""


class BantAnswers(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="bant"):
    """Levels that are known already."""

    need: Need = Need.UNKNOWN
    timeline: Timeline = Timeline.EXPLORING
    budget: Budget = Budget.UNKNOWN
    authority: Authority = Authority.UNKNOWN
    quotes: Quotes = Quotes()


class SaidWords(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="words"):
    """What somebody said or wrote, oldest first."""

    turns: Annotated[
        list[Annotated[str, msgspec.Meta(max_length=LONGEST_TEXT)]], msgspec.Meta(min_length=1, max_length=MOST_TURNS)
    ]
    language: Language


class StoredCall(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="call"):
    """A call of this tenant that is over."""

    call_id: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class LeadAnswers(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="lead"):
    """A lead that came as text. budget: in the tenant's currency. messages: how many it wrote."""

    budget: Annotated[float, msgspec.Meta(ge=0, le=1e12)] = 0.0
    timeline: Timeline = Timeline.EXPLORING
    authority: Authority = Authority.UNKNOWN
    fit: Fit = Fit.POOR
    messages: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    quotes: Quotes = Quotes()


class ScoreView(msgspec.Struct, frozen=True):
    """0 to 100, the sum of its parts. grade: hot, warm, cool (text leads only) or cold."""

    score: int
    grade: Grade
    parts: tuple[Part, ...]


@post(
    "/qualify",
    guards=[requires(Scope.CALLS_READ)],
    status_code=200,
    tags=["qualification"],
    summary="Score a lead",
)
async def qualify(
    data: BantAnswers | SaidWords | StoredCall | LeadAnswers, principal: Principal, services: Services
) -> ScoreView:
    """BANT for conversations (hot from 70, warm from 40), another scale for text leads (75, 50, cool from 25)."""
    tenant_id = tenant_of(principal)
    match data:
        case BantAnswers():
            known = Bant(data.need, data.timeline, data.budget, data.authority, msgspec.structs.asdict(data.quotes))
            return _view(bant_score(known))
        case SaidWords():
            return _view(bant_score(evidence(data.turns, data.language)))
        case StoredCall():
            record = await services.calls.get(tenant_id, data.call_id)
            if record is None:
                raise not_found("call that is over")
            turns = [said.text for said in record.transcript if said.role == "caller"]
            return _view(bant_score(evidence(turns, record.language)))
        case LeadAnswers():
            quotes = msgspec.structs.asdict(data.quotes)
            return _view(
                lead_score(TextLead(data.budget, data.timeline, data.authority, data.fit, data.messages, quotes))
            )


def _view(score: Score) -> ScoreView:
    return ScoreView(score.score, score.grade, score.parts)


handlers: Sequence[ControllerRouterHandler] = (qualify,)

EXAMPLES = (
    SaidWords(["I need a cleaning this week", "I am the owner, our budget is 500 euros"], "en"),
    BantAnswers(Need.HIGH, Timeline.IMMEDIATE, quotes=Quotes(need="I really need it")),
    LeadAnswers(1200.0, Timeline.IMMEDIATE, Authority.DECISION_MAKER, Fit.GOOD, 4),
    ScoreView(
        100,
        Grade.HOT,
        (
            Part("need", "high", 30, 30, "I need a cleaning this week"),
            Part("timeline", "immediate", 30, 30, "I need a cleaning this week"),
            Part("budget", "defined", 20, 20, "I am the owner, our budget is 500 euros"),
            Part("authority", "decision_maker", 20, 20, "I am the owner, our budget is 500 euros"),
        ),
    ),
)
