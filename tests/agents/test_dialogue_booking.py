"""Callers book, correct and cancel; the agent says only what the desk did."""

import pytest

from tests.agents.phone_call import NUMBER, MemoryDesk, PhoneCall
from voice_core.responder import Outcome

IN_ONE_BREATH = [
    ("en", "Great, book me a cleaning on Tuesday at ten. My name is Marie Curie, my number is 0 6 1 2 3 4 5 6 7 8"),
    ("en", "Great, book me a cleaning on Tuesday at 10 o'clock. My name is Marie Curie. My number is 06-1234-5678."),
    ("en", "book a cleaning Tuesday ten am my name is marie curie my number is 0612345678"),
    ("en", "I need a cleanin on Tuesday at 10. My name is Marie Curie, my number is 0-6-1-2-3-4-5-6-7-8"),
    ("en", "i'd like to book a cleaning on tuesday at ten my name is marie curie my number is zero six one two three "
           "four five six seven eight"),
    ("en", "book a cleaning on the 24th at 10 a.m. my number is zero six twelve thirty four fifty six seventy eight "
           "and my name is Marie Curie"),
    ("fr", "Très bien, réservez un détartrage mardi à dix heures. Je m'appelle Marie Curie, mon numéro est le "
           "zéro six douze trente-quatre cinquante-six soixante-dix-huit."),
    ("fr", "je voudrais prendre rendez-vous pour un détartrage mardi à 10h je m'appelle marie curie mon numéro c'est "
           "06 12 34 56 78"),
    ("fr", "Je voudrais un détartrage le 24 novembre à 10h00, au nom de Marie Curie, au 06.12.34.56.78"),
]  # fmt: skip


@pytest.mark.parametrize(("language", "turn"), IN_ONE_BREATH)
async def test_everything_in_one_breath_is_booked_at_once_and_read_back(language: str, turn: str) -> None:
    call = PhoneCall(language)
    reply = await call.say(turn)
    assert call.memory.sold() == [("cleaning", "24 10:00", "Marie Curie", NUMBER)]
    assert reply.tools == [("create_booking", True)]
    assert "06 12 34 56 78" in reply.text
    assert "Marie Curie" in reply.text
    assert call.responder.outcome() is Outcome.BOOKED


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
                "0 6 1 2 3 4 5 6 7 8",
            ],
        ),
    ],
)
async def test_one_stands_for_the_service_talked_about(language: str, turns: list[str]) -> None:
    call = PhoneCall(language)
    await call.all(*turns)
    assert call.memory.sold() == [("cleaning", "24 10:00", "Marie Curie", NUMBER)]


STEP_BY_STEP = [
    (
        "en",
        ["I'd like to book an appointment", "a check-up please", "Tuesday", "at two", "Mary Curie", "zero six one two"],
        ["choice", "date_time", "time", "name", "phone", "phone"],
        ["three four five six seven eight", "yes that's right"],
        ("checkup", "24 14:00", "Mary Curie", NUMBER),
    ),
    (
        "fr",
        ["je voudrais prendre rendez-vous", "pour un contrôle", "demain matin", "le premier", "Jean-Pierre Dupont"],
        ["choice", "date_time", "time", "name", "phone"],
        ["zéro six douze trente-quatre cinquante-six soixante-dix-huit", "oui c'est ça"],
        ("checkup", "21 09:00", "Jean-Pierre Dupont", NUMBER),
    ),
]


@pytest.mark.parametrize(("language", "turns", "expected", "end", "booked"), STEP_BY_STEP)
async def test_what_is_missing_is_asked_for_one_by_one_and_booked_after_a_yes(
    language: str, turns: list[str], expected: list[str], end: list[str], booked: tuple[str, ...]
) -> None:
    call = PhoneCall(language)
    replies = await call.all(*turns)
    assert [reply.expects for reply in replies] == expected
    read_back = await call.say(end[0])
    assert read_back.expects == "yes_no"
    assert call.memory.sold() == []
    assert call.responder.outcome() is Outcome.PARTIAL
    assert (await call.say(end[1])).tools == [("create_booking", True)]
    assert call.memory.sold() == [booked]


async def test_the_phone_question_says_how_many_digits_are_missing() -> None:
    call = PhoneCall()
    asked = (await call.all("book a cleaning tomorrow at ten", "Ann Lee"))[-1]
    assert asked.expect.slot.digits == 10
    partial = await call.say("oh six one two")
    assert partial.expect.slot.digits == 6
    assert "06 12" in partial.text


async def test_a_hang_up_after_the_read_back_books_nothing() -> None:
    call = PhoneCall()
    await call.all("book a cleaning tuesday at ten", "Ann Lee", "0612345678")
    assert call.memory.sold() == []
    assert call.responder.outcome() is Outcome.PARTIAL


async def test_a_number_that_had_to_be_repaired_is_read_back_before_it_is_booked() -> None:
    call = PhoneCall("fr")
    turn = "Réservez un détartrage mardi à 10h. Je m'appelle Marie Curie, mon numéro est le 0,612,3456,610,8."
    reply = await call.say(turn)
    assert reply.expects == "yes_no"
    assert "06 12 34 56 78" in reply.text
    assert call.memory.sold() == []


async def test_a_number_that_breaks_off_is_completed_and_not_asked_for_from_the_start() -> None:
    call = PhoneCall("fr")
    turn = "Un rendez-vous mardi à 10h pour un détartrage. Je m'appelle Marie Curie, mon numéro est le 06 12 34 56"
    assert "06 12 34 56" in (await call.say(turn)).text
    assert (await call.say("78")).expects == "yes_no"


async def test_a_caller_who_begins_with_their_name_is_not_asked_for_it_again() -> None:
    call = PhoneCall()
    assert (await call.say("my name is Ann Lee")).text in ("How can I help you?", "What can I do for you?")
    assert (await call.say("book a cleaning on tuesday at ten")).expects == "phone"


READ_BACK = ["book a cleaning tuesday at ten", "Marie Curie", "0612345678"]


@pytest.mark.parametrize(
    ("correction", "booked"),
    [
        (["no, at eleven"], ("cleaning", "24 11:00", "Marie Curie", NUMBER)),
        (["actually make it three pm"], ("cleaning", "24 15:00", "Marie Curie", NUMBER)),
        (["no, on Wednesday"], ("cleaning", "25 10:00", "Marie Curie", NUMBER)),
        (["no, it's Curie with a K"], ("cleaning", "24 10:00", "Marie Kurie", NUMBER)),
        (["no my name is Mary Cooper"], ("cleaning", "24 10:00", "Mary Cooper", NUMBER)),
        (["no the number is 06 98 76 54 32"], ("cleaning", "24 10:00", "Marie Curie", "+33698765432")),
        (["no", "the time", "four"], ("cleaning", "24 16:00", "Marie Curie", NUMBER)),
        (["no", "the name", "John Smith"], ("cleaning", "24 10:00", "John Smith", NUMBER)),
        (["no, it's for a check-up"], ("checkup", "24 10:00", "Marie Curie", NUMBER)),
    ],
)
async def test_any_part_can_be_corrected_at_the_read_back(correction: list[str], booked: tuple[str, ...]) -> None:
    call = PhoneCall()
    await call.all(*READ_BACK)
    last = (await call.all(*correction))[-1]
    assert last.expects == "yes_no"
    await call.say("yes")
    assert call.memory.sold() == [booked]


@pytest.mark.parametrize(
    ("language", "correction", "booked"),
    [
        ("en", "no, at eleven", ("cleaning", "24 11:00", "Marie Curie", NUMBER)),
        ("en", "wait, no, wednesday at nine", ("cleaning", "25 09:00", "Marie Curie", NUMBER)),
        ("en", "no it's Curie with a K", ("cleaning", "24 10:00", "Marie Kurie", NUMBER)),
        ("en", "my number is 06 98 76 54 32 sorry", ("cleaning", "24 10:00", "Marie Curie", "+33698765432")),
        ("fr", "non, à onze heures", ("cleaning", "24 11:00", "Marie Curie", NUMBER)),
        ("fr", "finalement mercredi à quinze heures", ("cleaning", "25 15:00", "Marie Curie", NUMBER)),
    ],
)
async def test_what_was_booked_at_once_can_be_changed_in_the_next_turn(
    language: str, correction: str, booked: tuple[str, ...]
) -> None:
    call = PhoneCall(language)
    await call.say(IN_ONE_BREATH[0][1] if language == "en" else IN_ONE_BREATH[6][1])
    reply = await call.say(correction)
    assert reply.tools == [("change_booking", True)]
    assert call.memory.sold() == [booked]


async def test_an_appointment_of_this_call_can_be_cancelled() -> None:
    call = PhoneCall()
    await call.say(IN_ONE_BREATH[0][1])
    assert (await call.say("cancel that please")).tools == [("cancel_booking", True)]
    assert call.memory.sold() == []
    assert call.responder.outcome() is not Outcome.BOOKED


async def test_an_earlier_appointment_is_left_to_the_team() -> None:
    call = PhoneCall("fr")
    replies = await call.all("je voudrais annuler mon rendez-vous", "Paul Martin", "0612345678")
    assert replies[0].expects == "name"
    assert replies[2].tools == [("schedule_callback", True)]
    assert call.responder.outcome() is Outcome.CALLBACK


async def test_a_taken_start_is_refused_and_the_nearest_ones_are_offered() -> None:
    call = PhoneCall()
    await call.say(IN_ONE_BREATH[0][1])
    reply = await call.say("I also need a check-up on Tuesday at ten for my son")
    assert "10 a.m. is already taken" in reply.text
    assert "9 a.m. or 11 a.m." in reply.text
    assert reply.expects == "time"


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        ("book a cleaning on Sunday at ten", "We're closed on Sunday."),
        ("book a cleaning on Tuesday at eight pm", "We're open from 9 a.m. to 6 p.m."),
        ("book a cleaning today at nine", "too soon"),
        ("book a cleaning on march 24 at ten", "60 days ahead"),
    ],
)
async def test_a_wish_that_cannot_be_met_is_explained_and_answered_with_an_offer(wish: str, why: str) -> None:
    reply = await PhoneCall().say(wish)
    assert why in reply.text
    assert reply.expects == "time"


@pytest.mark.parametrize(
    ("answer", "start"),
    [("the first one", "24 09:00"), ("the last one", "24 17:00"), ("one pm", "24 13:00"), ("eleven", "24 11:00"),
     ("any of them", "24 09:00"), ("the second one please", "24 13:00")],
)  # fmt: skip
async def test_an_offer_is_taken_by_rank_or_by_time(answer: str, start: str) -> None:
    call = PhoneCall()
    await call.all("book a cleaning on Tuesday", answer, "Ann Lee", "0612345678", "yes")
    assert [sold[1] for sold in call.memory.sold()] == [start]


async def test_refusing_the_offers_asks_for_another_day() -> None:
    replies = await PhoneCall().all("book a cleaning on Tuesday", "none of those", "Wednesday after four")
    assert replies[1].expects == "date_time"
    assert "4 p.m. or 5 p.m." in replies[2].text


async def test_as_soon_as_possible_offers_the_earliest_start_within_the_notice() -> None:
    call = PhoneCall()
    replies = await call.all("book a cleaning as soon as possible", "yes please", "Ann Lee", "0612345678", "yes")
    assert "today at 11 a.m." in replies[0].text
    assert call.memory.sold()[0][1] == "20 11:00"


async def test_pain_is_met_with_the_earliest_emergency_visit() -> None:
    for language, words in (("en", "I have a terrible toothache"), ("fr", "j'ai très mal aux dents")):
        reply = await PhoneCall(language).say(words)
        assert "11" in reply.text
        assert reply.expects == "time"
    call = PhoneCall()
    await call.all("my tooth is killing me", "yes", "John Smith", "06-1234-5678", "yes")
    assert call.memory.sold() == [("emergency", "20 11:00", "John Smith", NUMBER)]


async def test_questions_on_the_way_are_answered_and_the_open_question_asked_again() -> None:
    call = PhoneCall()
    await call.say("book a cleaning on Tuesday at ten")
    reply = await call.say("is there parking?")
    assert "car park" in reply.text
    assert reply.expects == "name"
    await call.all("Marie Curie", "0612345678", "yes")
    assert call.memory.sold() == [("cleaning", "24 10:00", "Marie Curie", NUMBER)]


async def test_an_impossible_number_is_asked_for_again() -> None:
    call = PhoneCall()
    reply = (await call.all("book a cleaning on Tuesday at ten", "Ann Lee", "99 99 99 99 99 99"))[-1]
    assert reply.expects == "phone"
    assert reply.expect.slot.digits == 10


async def test_a_start_sold_meanwhile_is_not_promised() -> None:
    call = PhoneCall()
    call.memory.snatch = True
    reply = await call.say(IN_ONE_BREATH[0][1])
    assert reply.tools == [("create_booking", False)]
    assert "just been taken" in reply.text
    assert "I've booked" not in reply.text
    assert "9 a.m. or 11 a.m." in reply.text
    assert call.responder.outcome() is Outcome.PARTIAL
    await call.say("eleven")
    await call.say("yes")
    assert ("cleaning", "24 11:00", "Marie Curie", NUMBER) in call.memory.sold()


async def test_a_desk_that_fails_is_admitted() -> None:
    call = PhoneCall()
    call.memory.broken = True
    reply = await call.say(IN_ONE_BREATH[0][1])
    assert reply.tools == [("create_booking", False)]
    assert "couldn't save" in reply.text
    assert call.responder.outcome() is not Outcome.BOOKED


async def test_a_weekday_whose_time_has_passed_means_next_week() -> None:
    call = PhoneCall()
    await call.all("book a cleaning on Friday at nine", "Ann Lee", "0612345678", "yes")
    assert call.memory.sold()[0][1] == "27 09:00"


async def test_a_caller_who_does_not_want_to_book_any_more_is_let_go() -> None:
    call = PhoneCall()
    replies = await call.all("book a cleaning on Tuesday at ten", "cancel it please", "no thanks")
    assert "haven't booked anything" in replies[1].text
    assert replies[2].ended is not None
    assert call.memory.sold() == []


async def test_the_same_words_give_the_same_replies() -> None:
    turns = [*READ_BACK, "no, at eleven", "yes", "thanks", "bye"]
    first, second = PhoneCall(), PhoneCall(desk=MemoryDesk())
    assert [r.text for r in await first.all(*turns)] == [r.text for r in await second.all(*turns)]


@pytest.mark.parametrize(
    ("language", "turns", "choice"),
    [
        ("en", ["I'd like to book a cleaning", "choose the", "choose their"], "the first one"),
        (
            "fr",
            ["je voudrais prendre rendez-vous pour un détartrage", "mère prudia", "mère prudia d'hizeur"],
            "le premier",
        ),
    ],
)
async def test_a_day_that_cannot_be_understood_is_chosen_from_an_offer(
    language: str, turns: list[str], choice: str
) -> None:
    call = PhoneCall(language)
    *_, offer = await call.all(*turns)
    assert "9" in offer.text
    assert "?" in offer.text
    chosen = await call.say(choice)
    assert chosen.expects == "name", chosen.text
