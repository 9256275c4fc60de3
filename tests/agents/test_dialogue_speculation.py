"""Replies on speculation leave no trace; interruptions lose nothing and promise nothing."""

import asyncio
from enum import Enum

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.agents.phone_call import NUMBER, PhoneCall, reply_of
from voice_core.responder import Cause, Outcome, ReplyPart, ReplyText, ReplyTool

TURNS = (
    "book a cleaning on Tuesday at ten",
    "how much is a check-up",
    "Marie Curie",
    "0612345678",
    "yes",
    "no",
    "no, at eleven",
    "zork blub",
    "cancel it",
    "what did you say",
    "Bonjour, je voudrais un détartrage demain à dix heures",
    "book a check-up on Wednesday at two my name is Ann Lee my number is 06 98 76 54 32",
    "thank you",
    "is there parking",
)


class Fate(Enum):
    """What becomes of a turn."""

    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"
    """Taken back while its reply is being made."""
    ABANDONED = "abandoned"
    """Taken back after its reply was complete, or waited for the confirmation."""


Script = list[tuple[str, Fate]]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(TURNS), st.sampled_from(Fate)), max_size=9))
def test_a_call_with_speculation_equals_the_call_without_it(script: Script) -> None:
    confirmed_only = [(text, fate) for text, fate in script if fate is Fate.CONFIRMED]
    assert asyncio.run(_outcome(script)) == asyncio.run(_outcome(confirmed_only))


async def _outcome(script: Script) -> tuple[list[str], list[tuple[str, str, str, str]], Outcome]:
    call = PhoneCall()
    said: list[str] = []
    for text, fate in script:
        if fate is Fate.CONFIRMED:
            said.append((await call.say(text)).text)
        else:
            await call.speculate(text, steps=1 if fate is Fate.CANCELLED else 20)
    return said, call.memory.sold(), call.responder.outcome()


async def test_a_finished_speculation_that_is_not_confirmed_leaves_no_trace() -> None:
    call = PhoneCall()
    await call.speculate("book a cleaning on Tuesday")
    assert (await call.say("Marie Curie")).expects != "phone"
    assert call.responder.outcome() is not Outcome.PARTIAL


async def test_nothing_is_booked_before_the_turn_is_confirmed() -> None:
    call = PhoneCall()
    reply = await call.speculate("book a cleaning on Tuesday at ten my name is Ann Lee my number is 0612345678")
    assert call.memory.sold() == []
    assert "booked" not in reply.text
    assert reply.tools == []


async def test_a_speculation_that_is_confirmed_in_time_books_once() -> None:
    call = PhoneCall()
    request, confirmed = call.request("book a cleaning on Tuesday at ten my name is Ann Lee my number is 0612345678")
    parts: list[ReplyPart] = []

    async def listen() -> None:
        async for part in call.responder.respond(request):
            parts.append(part)

    task = asyncio.create_task(listen())
    await asyncio.sleep(0.02)
    assert any(isinstance(part, ReplyText) for part in parts), "it speaks while it waits"
    assert not any(isinstance(part, ReplyTool) for part in parts)
    call.responder.confirmed(request.reply_id)
    confirmed.set()
    await task
    assert reply_of(parts).tools == [("create_booking", True)]
    assert call.memory.sold() == [("cleaning", "24 10:00", "Ann Lee", NUMBER)]


async def test_a_turn_confirmed_before_its_reply_began_is_committed() -> None:
    call = PhoneCall()
    request, confirmed = call.request("book a cleaning on Tuesday at ten")
    replies = call.responder.respond(request)
    call.responder.confirmed(request.reply_id)
    confirmed.set()
    assert reply_of([part async for part in replies]).expects == "name"
    assert (await call.say("Marie Curie")).expects == "phone"


ALL_AT_ONCE = "book a cleaning on Tuesday at ten my name is Ann Lee my number is 0612345678"


async def _interrupted_while_booking(call: PhoneCall) -> None:
    """The caller speaks over the reply while the desk is still storing the appointment."""
    call.memory.gate.clear()
    request, confirmed = call.request(ALL_AT_ONCE)
    confirmed.set()
    call.responder.confirmed(request.reply_id)

    async def listen() -> None:
        async for _ in call.responder.respond(request):
            pass

    task = asyncio.create_task(listen())
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    call.responder.heard(request.reply_id, "Let me", complete=False)
    call.memory.gate.set()


async def test_an_interrupted_booking_is_finished_told_and_kept_in_the_record() -> None:
    call = PhoneCall()
    await _interrupted_while_booking(call)
    reply = await call.say("is there parking?")
    assert "I've booked" in reply.text
    assert "car park" in reply.text
    assert reply.tools == [("create_booking", True)]
    assert call.memory.sold() == [("cleaning", "24 10:00", "Ann Lee", NUMBER)]
    assert call.responder.outcome() is Outcome.BOOKED
    assert (await call.say("thanks")).tools == [], "it is reported once"


async def test_a_yes_to_a_read_back_that_was_not_heard_books_nothing() -> None:
    call = PhoneCall()
    await call.all("book a cleaning on Tuesday at ten", "Ann Lee")
    await call.say("0612345678", heard="So that's a cleaning")
    again = await call.say("yes")
    assert again.expects == "yes_no"
    assert "06 12 34 56 78" in again.text
    assert call.memory.sold() == []
    await call.say("yes")
    assert call.memory.sold() == [("cleaning", "24 10:00", "Ann Lee", NUMBER)]


async def test_waiting_in_between_does_not_make_an_unheard_read_back_heard() -> None:
    call = PhoneCall()
    await call.all("book a cleaning on Tuesday at ten", "Ann Lee")
    await call.say("0612345678", heard="So that's a cleaning")
    await call.say("one moment please")
    await call.say("yes")
    assert call.memory.sold() == []


async def test_agreeing_over_the_end_of_a_read_back_is_agreeing() -> None:
    call = PhoneCall()
    await call.all("book a cleaning on Tuesday at ten", "Ann Lee")
    heard = "So that's a cleaning on Tuesday 24 November at 10 a.m., for Ann Lee, number 06 12"
    await call.say("0612345678", heard=heard)
    await call.say("yes yes")
    assert len(call.memory.sold()) == 1


async def test_a_turn_cut_in_two_is_read_as_one_whoever_joins_it() -> None:
    for second in ("at ten", "book a cleaning on Tuesday at ten"):
        call = PhoneCall()
        await call.say("book a cleaning on Tuesday", heard="")
        assert (await call.say(second)).expects == "name"
        await call.all("Ann Lee", "0612345678", "yes")
        assert call.memory.sold() == [("cleaning", "24 10:00", "Ann Lee", NUMBER)]


async def test_a_turn_that_goes_on_after_it_was_booked_is_not_booked_twice() -> None:
    call = PhoneCall()
    await call.say(ALL_AT_ONCE, heard="")
    reply = await call.say(f"{ALL_AT_ONCE} thank you")
    assert "I've booked" in reply.text
    assert len(call.memory.sold()) == 1


async def test_silence_after_an_interrupted_question_asks_it_again() -> None:
    call = PhoneCall()
    await call.say("book a cleaning on Tuesday at ten", heard="What")
    assert "name" in (await call.cause(Cause.SILENCE)).text
