"""The demo tenant and the wording are data: they are complete in every language, and quick to use."""

import datetime as dt
import time
from pathlib import Path

import msgspec
import pytest

from agents.dialogue.responder import DialogueResponder, common_phrases
from agents.dialogue.wording import placeholders, wording_for
from agents.knowledge import Knowledge
from agents.understanding.language_pack import pack_for
from context.bookings.store import StoredBookingDesk
from context.store.database import Store
from tests.agents.phone_call import CLINIC, FRIDAY, NUMBER, MemoryDesk, PhoneCall
from voice_core.responder import Outcome

LANGUAGES = ("en", "fr")


def test_both_languages_say_the_same_things_with_the_same_values() -> None:
    english, french = wording_for("en").says, wording_for("fr").says
    assert english.keys() == french.keys()
    for key in english:
        values = {frozenset(placeholders(text)) for text in (*english[key], *french[key])}
        assert len(values) == 1, key


def test_no_phrase_asks_two_questions() -> None:
    for language in LANGUAGES:
        for variants in wording_for(language).says.values():
            assert all(text.count("?") <= 1 for text in variants)


def test_every_text_of_the_demo_tenant_is_there_in_both_languages() -> None:
    for language in LANGUAGES:
        assert CLINIC.persona.greeting[language]
        assert all(service.name[language] and service.words[language] for service in CLINIC.services)
        assert all(fact.answer[language] and fact.questions[language] for fact in CLINIC.facts)
    assert len(CLINIC.services) >= 10
    assert len(CLINIC.facts) >= 20


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_question_of_the_knowledge_base_finds_its_own_answer(language: str) -> None:
    knowledge = Knowledge(CLINIC.facts, pack_for(language))
    lost = [
        question
        for fact in CLINIC.facts
        for question in fact.questions[language]
        if (found := knowledge.find(question)) is None or found.fact.id != fact.id
    ]
    assert lost == []


@pytest.mark.parametrize("question", ["do you sell bicycles", "who won the match", "what is the capital of peru", ""])
def test_a_question_nobody_wrote_down_finds_nothing(question: str) -> None:
    assert Knowledge(CLINIC.facts, pack_for("en")).find(question) is None


def test_phrases_to_render_ahead_hold_no_values_and_begin_with_the_greeting() -> None:
    phrases = common_phrases(CLINIC, "fr")
    assert phrases[0] == CLINIC.persona.greeting["fr"]
    assert not any(placeholders(phrase) for phrase in phrases)
    assert len(phrases) > 20


async def test_what_is_rendered_ahead_is_what_is_said() -> None:
    reply = await PhoneCall().say("blah")
    assert reply.text in common_phrases(CLINIC, "en")


def test_a_tenant_without_a_language_of_the_engine_is_refused_with_a_reason() -> None:
    arabic = msgspec.structs.replace(CLINIC, languages=("ar",), default_language="ar")
    with pytest.raises(LookupError, match="speaks none of"):
        DialogueResponder(arabic, MemoryDesk(), call_id="c", language="ar", now=lambda: FRIDAY)


async def test_a_tenant_without_anybody_to_pass_to_offers_a_message_instead() -> None:
    alone = msgspec.structs.replace(CLINIC, transfer_number="")
    call = PhoneCall(tenant=alone)
    assert "message" in (await call.say("do you sell bicycles")).text
    assert (await call.say("yes")).expects == "free"
    reply = await PhoneCall(tenant=alone).say("can I talk to someone")
    assert reply.transfer is None
    assert "take a message" in reply.text


@pytest.mark.parametrize(
    ("language", "turns"),
    [
        (
            "en",
            [
                "Hi, what time do you close on Saturday?",
                "And how much is a cleaning?",
                "Great, book me one on Tuesday at ten. My name is Marie Curie, my number is 0 6 1 2 3 4 5 6 7 8",
            ],
        ),
        (
            "fr",
            [
                "Bonjour, à quelle heure fermez-vous le samedi ?",
                "Et combien coûte un détartrage ?",
                "Parfait, réservez-m'en un mardi à dix heures. Je m'appelle Marie Curie, mon numéro est le "
                "06 12 34 56 78",
            ],
        ),
    ],
)
async def test_the_demo_call_leaves_a_stored_booking(tmp_path: Path, language: str, turns: list[str]) -> None:
    store = await Store.open(f"sqlite+aiosqlite:///{tmp_path / 'calls.db'}")
    try:
        desk = StoredBookingDesk(store, CLINIC, lambda: FRIDAY)
        call = PhoneCall(language, desk=desk)
        replies = await call.all(*turns)
        assert replies[2].tools == [("create_booking", True)]
        [stored] = await StoredBookingDesk(store, CLINIC, lambda: FRIDAY).of_call("call-1")
        assert (stored.service_id, stored.name, stored.phone) == ("cleaning", "Marie Curie", NUMBER)
        assert stored.starts_at == dt.datetime(2026, 11, 24, 10, tzinfo=FRIDAY.tzinfo)
        await call.say("no, it's Curie with a K" if language == "en" else "non, à onze heures")
        [changed] = await desk.of_call("call-1")
        assert (changed.name, changed.starts_at.hour) == (
            ("Marie Kurie", 10) if language == "en" else ("Marie Curie", 11)
        )
        assert call.responder.outcome() is Outcome.BOOKED
    finally:
        await store.aclose()


async def test_a_typical_turn_is_answered_within_five_milliseconds_of_cpu() -> None:
    turns = ["what time do you close on saturday and how much is a cleaning", "book a cleaning on Tuesday", "at ten",
             "Marie Curie", "zero six twelve thirty four fifty six seventy eight", "no, at eleven", "yes"]  # fmt: skip
    await PhoneCall().all(*turns)
    spent: list[float] = []
    for _ in range(5):
        call = PhoneCall()
        for turn in turns:
            started = time.thread_time()
            await call.say(turn)
            spent.append((time.thread_time() - started) * 1e3)
    assert sorted(spent)[len(spent) // 2] < 5.0
