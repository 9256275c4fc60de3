"""How leads are scored: the points, the grades, and the words that they rest on."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.qualification import (
    Authority,
    Bant,
    Budget,
    Fit,
    Grade,
    Need,
    TextLead,
    Timeline,
    score_call,
    score_lead,
)
from agents.qualification_evidence import evidence
from tests.rest.rest_server import LAKE, RestServer

BANTS = st.builds(
    Bant, st.sampled_from(Need), st.sampled_from(Timeline), st.sampled_from(Budget), st.sampled_from(Authority)
)
LEADS = st.builds(
    TextLead,
    st.floats(0, 1e9),
    st.sampled_from(Timeline),
    st.sampled_from(Authority),
    st.sampled_from(Fit),
    st.integers(0, 1000),
)


@given(BANTS)
def test_a_conversation_scores_the_sum_of_its_parts_out_of_100(known: Bant) -> None:
    score = score_call(known)
    assert score.score == sum(part.points for part in score.parts)
    assert sum(part.most for part in score.parts) == 100
    assert all(0 <= part.points <= part.most for part in score.parts)
    assert score.grade is (Grade.HOT if score.score >= 70 else Grade.WARM if score.score >= 40 else Grade.COLD)


@given(LEADS)
def test_a_text_lead_scores_the_sum_of_its_parts_out_of_100(known: TextLead) -> None:
    score = score_lead(known)
    assert score.score == sum(part.points for part in score.parts)
    assert sum(part.most for part in score.parts) == 100
    hot_warm = Grade.HOT if score.score >= 75 else Grade.WARM if score.score >= 50 else None
    assert score.grade is (hot_warm or (Grade.COOL if score.score >= 25 else Grade.COLD))


@pytest.mark.parametrize(
    ("known", "points"),
    [
        (Bant(Need.HIGH, Timeline.IMMEDIATE, Budget.DEFINED, Authority.DECISION_MAKER), 100),
        (Bant(Need.MEDIUM, Timeline.THIS_QUARTER, Budget.FLEXIBLE, Authority.INFLUENCER), 65),
        (Bant(Need.LOW, Timeline.THIS_YEAR, Budget.LIMITED, Authority.USER), 30),
        (Bant(), 0),
    ],
)
def test_the_points_of_a_conversation_are_those_of_the_product(known: Bant, points: int) -> None:
    assert score_call(known).score == points


@pytest.mark.parametrize(
    ("known", "points"),
    [
        (TextLead(1000, Timeline.IMMEDIATE, Authority.DECISION_MAKER, Fit.IDEAL, 5), 100),
        (TextLead(999, Timeline.THIS_QUARTER, Authority.INFLUENCER, Fit.GOOD, 4), 72),
        (TextLead(300, Timeline.THIS_YEAR, Authority.USER, Fit.PARTIAL, 1), 37),
        (TextLead(299, Timeline.EXPLORING, Authority.UNKNOWN, Fit.POOR, 0), 18),
    ],
)
def test_the_points_of_a_text_lead_are_those_of_the_product(known: TextLead, points: int) -> None:
    assert score_lead(known).score == points


@pytest.mark.parametrize(
    ("turns", "language", "levels"),
    [
        (["I need a crown as soon as possible"], "en", ("high", "immediate", "unknown", "unknown")),
        (["I'm the owner, our budget is 500 euros"], "en", ("unknown", "exploring", "defined", "decision_maker")),
        (["Je voudrais un devis, je me renseigne"], "fr", ("medium", "exploring", "unknown", "unknown")),
        (["Il me faut un rendez-vous cette semaine"], "fr", ("high", "immediate", "unknown", "unknown")),
        (["Necesito una cita el mes que viene"], "es", ("high", "this_quarter", "unknown", "unknown")),
        (["I must ask my boss, it is too expensive"], "en", ("unknown", "exploring", "limited", "influencer")),
        (["I need it this week", "well, no rush really"], "en", ("high", "exploring", "unknown", "unknown")),
        (["The weather is nice"], "en", ("unknown", "exploring", "unknown", "unknown")),
        (["I need it"], "ar", ("unknown", "exploring", "unknown", "unknown")),
    ],
)
def test_words_tell_what_they_say_and_no_more(turns: list[str], language: str, levels: tuple[str, ...]) -> None:
    known = evidence(turns, language)
    assert (known.need, known.timeline, known.budget, known.authority) == levels


@given(st.lists(st.text(max_size=200), max_size=5), st.sampled_from(["en", "fr", "es", "ar", "ary"]))
def test_every_quote_is_something_that_was_said(turns: list[str], language: str) -> None:
    for quote in evidence(turns, language).quotes.values():
        assert any(quote in turn for turn in turns)


@pytest.mark.parametrize(
    ("body", "score", "grade"),
    [
        ({"kind": "bant", "need": "high", "timeline": "immediate", "quotes": {"need": "I need it"}}, 60, "warm"),
        ({"kind": "words", "turns": ["I need it today, I am the owner"], "language": "en"}, 80, "hot"),
        ({"kind": "lead", "budget": 1000, "messages": 3}, 49, "cool"),
    ],
)
async def test_leads_are_scored_over_rest(rest: RestServer, body: dict[str, Any], score: int, grade: str) -> None:
    answer = await rest.ask("POST", "/v1/qualify", json=body)
    assert (answer.json()["score"], answer.json()["grade"]) == (score, grade)


async def test_a_stored_call_is_scored_with_the_callers_words(rest: RestServer) -> None:
    await rest.call_made()
    answer = (await rest.ask("POST", "/v1/qualify", json={"kind": "call", "call_id": "call-1"})).json()
    need = next(part for part in answer["parts"] if part["name"] == "need")
    assert (need["level"], need["quote"]) == ("high", "I need a cleaning tomorrow at ten")
    assert answer["score"] == 60
    other = await rest.ask("POST", "/v1/qualify", json={"kind": "call", "call_id": "call-1"}, as_=LAKE)
    assert other.status_code == 404


@pytest.mark.parametrize(
    ("body", "allowed"),
    [
        ({"kind": "bant", "need": "extreme"}, "one of high, medium, low, unknown"),
        ({"kind": "astrology"}, "Invalid value 'astrology'"),
        ({"need": "high"}, "Object missing required field `kind`"),
        ({"kind": "lead", "messages": -1}, "Expected `int` >= 0"),
    ],
)
async def test_a_level_that_is_none_is_refused_with_those_that_are(
    rest: RestServer, body: dict[str, Any], allowed: str
) -> None:
    answer = await rest.ask("POST", "/v1/qualify", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["allowed"]) == (400, allowed)
