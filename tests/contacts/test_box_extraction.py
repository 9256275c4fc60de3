"""What is read out of a call: what was promised and told, in the languages of the product, and nothing more."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from context.contacts.box import CommitmentKind, ContextBox, Intent, Qualification, Source, Turn
from context.contacts.call_report import call_report
from context.contacts.changes import but, chained
from context.contacts.compaction import HISTORY_LIMIT, TURNS_LIMIT, compacted, summarised
from context.contacts.extraction import with_call
from context.contacts.phrases import promise_in, statements_in
from context.contacts.prediction import AgentRole, NextActionKind, predicted
from context.contacts.states import BoxState
from context.contacts.tokens import count_tokens
from tests.contacts.someone import BOXES, NOW_MS, NOW_S, TENANT, call_payload, line, quiet_call

EMPTY = ContextBox(tenant_id=TENANT, contact_id="contact-1")


def tool(name: str, at_ms: float = 5_000, **arguments: str) -> dict[str, object]:
    return {"name": name, "arguments": arguments, "result": {}, "ok": True, "at_ms": at_ms}


def box_after(**changes: object) -> ContextBox:
    return with_call(EMPTY, call_report(quiet_call("call-1", **changes), NOW_S))


@pytest.mark.parametrize(
    ("sentence", "role", "language", "kind", "due"),
    [
        ("Someone will call you back tomorrow morning.", "agent", "en", "callback", "tomorrow morning"),
        ("We'll send you the price list.", "agent", "en", "information", ""),
        ("I'll call you back on Monday.", "caller", "en", "callback", "Monday"),
        ("Un collègue vous rappellera demain matin.", "agent", "fr", "callback", "demain matin"),
        ("Je vous envoie le devis aujourd'hui.", "agent", "fr", "information", "aujourd'hui"),
        ("Je vous rappellerai jeudi.", "caller", "fr", "callback", "jeudi"),
        ("Le llamaremos el martes.", "agent", "es", "callback", "el martes"),
        ("سنتصل بك غدا.", "agent", "ar", "callback", "غدا"),
        ("غادي نعيطو ليك اليوم.", "agent", "ary", "callback", "اليوم"),
    ],
)
def test_a_promise_is_heard_with_its_time(sentence: str, role: str, language: str, kind: str, due: str) -> None:
    promise = promise_in(sentence, role, language)
    assert promise is not None
    assert (promise.kind, promise.due) == (kind, due)


@pytest.mark.parametrize(
    ("sentence", "role", "language"),
    [
        ("Shall I have someone call you back?", "agent", "en"),
        ("If nobody answers, we will call you back.", "agent", "en"),
        ("We won't call you back.", "agent", "en"),
        ("I will call you back.", "agent", "xx"),
        ("Voulez-vous qu'on vous rappelle?", "agent", "fr"),
        ("Nous ne vous rappellerons pas.", "agent", "fr"),
        ("Can you call me back tomorrow?", "caller", "en"),
        ("Someone will call you back.", "caller", "en"),
    ],
)
def test_a_question_a_condition_or_a_refusal_is_no_promise(sentence: str, role: str, language: str) -> None:
    assert promise_in(sentence, role, language) is None


@pytest.mark.parametrize(
    ("sentence", "language", "type_", "value"),
    [
        ("My budget is about 2,500 euros.", "en", "budget", "2,500 euros"),
        ("I'm calling from Acme Dental and I have a question.", "en", "company", "Acme Dental"),
        ("I'd prefer Tuesday mornings, please.", "en", "preference", "Tuesday mornings"),
        ("I am already a patient of yours.", "en", "relation", "patient"),
        ("Mon budget est de 800 euros.", "fr", "budget", "800 euros"),
        ("Je préférerais le matin.", "fr", "preference", "le matin"),
        ("Je suis déjà cliente chez vous.", "fr", "relation", "cliente"),
        ("Prefiero los lunes.", "es", "preference", "los lunes"),
    ],
)
def test_what_callers_say_of_themselves_is_a_fact(sentence: str, language: str, type_: str, value: str) -> None:
    assert [(found.type, found.value) for found in statements_in(sentence, language)] == [(type_, value)]


def test_nothing_that_was_only_said_is_sure_enough_for_the_tenants_memory() -> None:
    found = statements_in("My budget is 500 euros", "en") + statements_in("I prefer mornings", "en")
    assert found
    assert all(statement.confidence < 0.8 for statement in found)


def test_a_tool_that_did_it_says_it_better_than_the_sentence_that_announced_it() -> None:
    said = [line("caller", "Call me back please.", 1), line("agent", "We will call you back tomorrow.", 2)]
    tools = [
        tool("schedule_callback", 3, next_action="call_back", notes="About the quote", callback_time="tomorrow 9:00")
    ]
    (promise,) = box_after(transcript=said, tools=tools).commitments
    assert (promise.what, promise.due, promise.kind) == ("About the quote", "tomorrow 9:00", CommitmentKind.CALLBACK)


def test_a_tool_that_failed_promises_nothing() -> None:
    failed = {**tool("create_booking", service="cleaning"), "ok": False, "result": {"error": "slot_taken"}}
    box = box_after(tools=[failed], outcome="partial")
    assert box.commitments == ()
    assert box.facts == ()


@pytest.mark.parametrize(
    ("tools", "outcome", "intent"),
    [
        (["search_knowledge_base", "create_booking"], "booked", "booking"),
        (["create_booking", "cancel_booking"], "completed", "cancel"),
        (["search_knowledge_base", "handle_complaint"], "completed", "complaint"),
        (["transfer_call"], "transferred", "human"),
        ([], "callback", "callback"),
        ([], "abandoned", ""),
    ],
)
def test_what_they_came_for_shows_in_what_was_done(tools: list[str], outcome: str, intent: str) -> None:
    assert box_after(tools=[tool(name) for name in tools], outcome=outcome).intent.name == intent


def test_a_booking_that_was_begun_leaves_open_what_is_missing() -> None:
    box = box_after(tools=[tool("get_available_slots", service_id="cleaning")], outcome="abandoned")
    assert [slot.name for slot in box.open_slots] == ["slot"]
    done = with_call(box, call_report(call_payload("call-2"), NOW_S))
    assert done.open_slots == ()


def test_a_qualified_call_keeps_the_score_and_what_is_unknown() -> None:
    found = {
        "score": 55,
        "breakdown": {"need": {"level": "high", "points": 30, "quote": "now"}, "authority": "unknown"},
    }
    box = box_after(qualification=found)
    assert (box.state, box.qualification.rating) == ("qualified", "warm")
    assert [slot.name for slot in box.open_slots] == ["authority"]


def test_an_advertisement_that_brought_them_is_remembered_and_the_first_stays() -> None:
    box = box_after(attribution={"utm_source": "news", "gclid": "g-1", "other": 3})
    again = with_call(box, call_report(quiet_call("c2", attribution={"utm_source": "mail", "fbclid": "f"}), NOW_S))
    assert (again.attribution.utm, again.attribution.gclid, again.attribution.fbclid) == (
        {"source": "news"},
        "g-1",
        "f",
    )


def test_of_sentiments_the_last_twenty_are_kept() -> None:
    box = chained(
        EMPTY,
        [
            lambda box, n=n: with_call(
                box, call_report(quiet_call(f"c{n}", sentiment=n / 100, ended_at=NOW_S + n), NOW_S)
            )
            for n in range(25)
        ],
    )
    assert [round(felt.value * 100) for felt in box.sentiment] == list(range(5, 25))


@settings(max_examples=25)
@given(BOXES, st.sampled_from([call_payload(), quiet_call("call-2"), quiet_call("call-3", outcome="partial")]))
def test_a_call_told_twice_is_told_once(box: ContextBox, payload: dict[str, object]) -> None:
    report = call_report(payload, NOW_S)
    once = with_call(box, report)
    assert with_call(once, report) == once


def spoken(count: int) -> tuple[Turn, ...]:
    return tuple(Turn("caller", f"Order {n} came broken. Well.", Source("call-1", n), n) for n in range(count))


def test_compaction_keeps_the_newest_sixty_percent_and_a_summary() -> None:
    box = but(EMPTY, turns=spoken(TURNS_LIMIT + 40))
    small = compacted(box)
    assert [turn.source.turn for turn in small.turns] == list(range(40, 100))
    assert "Order 3 came broken." in small.summary
    assert compacted(small) == small
    assert compacted(box) == small


@settings(max_examples=25)
@given(BOXES)
def test_compaction_loses_no_fact_promise_or_open_slot(box: ContextBox) -> None:
    small = compacted(box, turns_limit=3)
    assert (small.facts, small.commitments, small.open_slots) == (box.facts, box.commitments, box.open_slots)
    assert len(small.turns) <= 3
    assert set(small.turns) <= set(box.turns)


@given(st.lists(st.text(max_size=300), max_size=30))
def test_a_summary_stays_within_its_size_whatever_was_said(texts: list[str]) -> None:
    turns = [Turn("caller", text, Source("c", at), at) for at, text in enumerate(texts)]
    once = summarised("", turns)
    assert count_tokens(once) <= 400
    assert summarised(once, ()) == once


def test_a_long_history_keeps_the_newest_and_every_change_of_state() -> None:
    box = but(EMPTY, turns=())
    for n in range(HISTORY_LIMIT + 50):
        box = with_call(
            box, call_report(quiet_call(f"c{n}", transcript=[line("caller", "hi")], ended_at=NOW_S + n), NOW_S)
        )
    small = compacted(box)
    assert len(small.history) == 301
    assert small.history[0].to_state is BoxState.ENGAGED
    assert small.history[-1] == box.history[-1]


@pytest.mark.parametrize(
    ("state", "intent", "score", "agent"),
    [
        (BoxState.QUALIFIED, "booking", 70, AgentRole.BILLING),
        (BoxState.QUALIFIED, "booking", 69, AgentRole.BOOKING),
        (BoxState.QUALIFIED, "booking", 40, AgentRole.BOOKING),
        (BoxState.ENGAGED, "booking", 39, AgentRole.NONE),
        (BoxState.ENGAGED, "support", 90, AgentRole.SUPPORT),
        (BoxState.WON, "support", 90, AgentRole.ONBOARDING),
    ],
)
def test_the_next_agent_follows_from_state_intent_and_score(
    state: BoxState, intent: str, score: int, agent: AgentRole
) -> None:
    box = but(EMPTY, state=state, intent=Intent(intent), qualification=Qualification(score))
    assert predicted(box).next_agent is agent


@pytest.mark.parametrize(
    ("state", "score", "offered"),
    [(BoxState.QUALIFIED, 50, True), (BoxState.QUALIFIED, 49, False), (BoxState.BOOKED, 90, False)],
)
def test_an_appointment_is_offered_to_who_is_likely_to_take_one(state: BoxState, score: int, offered: bool) -> None:
    box = but(EMPTY, state=state, qualification=Qualification(score))
    assert any(action.kind is NextActionKind.OFFER_BOOKING for action in predicted(box).actions) is offered


def test_a_promise_to_them_comes_first_then_what_is_missing() -> None:
    box = box_after(tools=[tool("schedule_callback", next_action="call_back", notes="the quote")], outcome="callback")
    actions = predicted(box).actions
    assert [(action.kind, action.subject) for action in actions] == [
        (NextActionKind.KEEP_PROMISE, "the quote"),
        (NextActionKind.ASK, "name"),
        (NextActionKind.ASK, "phone"),
    ]
    assert box.activity_ms == NOW_MS
