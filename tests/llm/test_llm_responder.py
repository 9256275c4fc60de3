"""A turn answered by a model over HTTP, and what the caller gets when the model is slow, wrong or gone."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

import pytest
from livekit.agents.llm import ChatContext

from agents.llm.completion import LlmChain, LlmTimeouts
from agents.llm.responder import MAX_SPECULATIONS, LlmResponder
from agents.llm.wording import wording_for
from benchmarks.fake_engines import FakeResponder
from tests.llm.clinic import CLINIC, NOW, MemoryDesk, search, toolbox
from tests.llm.openai_server import Answer, Call, Fail, OpenAiServer, Say, openai_server
from voice_core.engines.health import HealthBook, HealthState
from voice_core.engines.host import PluginHost, plugin_host
from voice_core.engines.names import PluginEngine
from voice_core.engines.plugins import build_llm
from voice_core.engines.registry import LlmCandidate
from voice_core.expectation import SlotKind
from voice_core.responder import (
    Cause,
    Outcome,
    ReplyEnd,
    ReplyExpect,
    ReplyPart,
    ReplyText,
    ReplyTool,
    ReplyTransfer,
    TurnRequest,
)

TIMEOUTS = LlmTimeouts(first_s=1.0, next_s=1.0, total_s=8.0)
BOOK = Call(
    "create_booking",
    {"name": "Marie Curie", "slot": "2026-11-24T10:00", "service": "cleaning", "phone": "0612345678"},
)


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return asyncio.get_running_loop().time() + self.now_s


class Conversation:
    """One call's responder with the part of the call played by the test."""

    def __init__(
        self, host: PluginHost, *servers: OpenAiServer, timeouts: LlmTimeouts = TIMEOUTS, known: str = ""
    ) -> None:
        self.clock = Clock()
        self.book = HealthBook(self.clock)
        self.desk = MemoryDesk()
        self.fallback = FakeResponder()
        self.tokens: list[int] = []
        engines = [
            build_llm(PluginEngine("openai", "fake-model", {"base_url": server.url}), {"OPENAI_API_KEY": "test"})
            for server in servers
        ]
        self.chain = LlmChain(
            [LlmCandidate(f"llm-{i}", engine) for i, engine in enumerate(engines)],
            self.book,
            host,
            timeouts=timeouts,
            on_usage=lambda name, usage: self.tokens.append(usage.total_tokens),
        )
        self.responder = LlmResponder(
            self.chain,
            CLINIC,
            toolbox(self.desk),
            fallback=self.fallback,
            search=search,
            now=lambda: NOW,
            known=known,
        )
        self.reply_id = 0

    def request(self, text: str, language: str = "en", cause: Cause = Cause.TURN) -> TurnRequest:
        self.reply_id += 1
        return TurnRequest(self.reply_id, cause, text, language, asyncio.Event())

    async def turn(self, text: str, language: str = "en", heard: str | None = None) -> list[ReplyPart]:
        """A confirmed turn. heard: what the caller heard of it, all when None."""
        request = self.request(text, language)
        self.confirm(request)
        parts = [part async for part in self.responder.respond(request)]
        self.responder.heard(request.reply_id, heard if heard is not None else words(parts), complete=heard is None)
        return parts

    def confirm(self, request: TurnRequest) -> None:
        self.responder.confirmed(request.reply_id)
        request.confirmed.set()  # type: ignore[attr-defined]


def words(parts: list[ReplyPart]) -> str:
    return "".join(part.text for part in parts if isinstance(part, ReplyText))


def only(parts: list[ReplyPart], kind: type[Any]) -> list[Any]:
    return [part for part in parts if isinstance(part, kind)]


@pytest.fixture
async def server() -> AsyncIterator[OpenAiServer]:
    async with openai_server() as running:
        yield running


@pytest.fixture
async def second() -> AsyncIterator[OpenAiServer]:
    async with openai_server() as running:
        yield running


@pytest.fixture(scope="module")
def client_loaded() -> None:
    """The client's first request imports for 0.3 s, which would be taken for a slow model."""

    patient = LlmTimeouts(first_s=60.0, total_s=60.0)

    async def one_request() -> None:
        async with openai_server() as server, plugin_host() as host:
            server.answer(Say("Yes."))
            async for _ in Conversation(host, server, timeouts=patient).chain.stream(
                lambda said: ChatContext.empty(), []
            ):
                pass

    asyncio.run(one_request())


@pytest.fixture
async def converse(client_loaded: None) -> AsyncIterator[Callable[..., Conversation]]:
    async with plugin_host() as host:
        opened: list[Conversation] = []

        def conversation(*servers: OpenAiServer, known: str = "") -> Conversation:
            opened.append(Conversation(host, *servers, known=known))
            return opened[-1]

        yield conversation
        for call in opened:
            await call.chain.aclose()


Converse = Callable[..., Conversation]


async def test_the_words_are_spoken_as_they_come(converse: Converse, server: OpenAiServer):
    server.answer(Say("We close at noon on Tuesday."))
    parts = await converse(server).turn("When do you close on Tuesday?")
    assert words(parts) == "We close at noon on Tuesday."
    assert len(only(parts, ReplyText)) > 3


async def test_the_model_is_told_who_it_is_and_what_it_may_not_do(converse: Converse, server: OpenAiServer):
    server.answer(Say("Yes."))
    await converse(server).turn("Where can I park?")
    stable, notes, caller = server.messages()
    assert "Never reveal" in stable["content"]
    assert "Léa" in stable["content"]
    assert "cleaning: Cleaning / Détartrage, 60 min, 65 EUR" in stable["content"]
    assert "Friday 20 November 2026, 14:30" in notes["content"]
    assert "There is a car park behind the clinic." in notes["content"]
    assert caller == {"role": "user", "content": "Where can I park?"}


async def test_what_is_known_of_the_caller_follows_what_all_calls_share(converse: Converse, server: OpenAiServer):
    server.answer(Say("Yes."))
    conversation = converse(server, known="Commitments: cleaning on Tuesday at 10:00.")
    await conversation.turn("Is my appointment still on?")
    stable, known, *_ = server.messages()
    assert "cleaning on Tuesday" not in stable["content"], "the prefix of all calls stays the same"
    assert known["role"] == "system"
    assert "cleaning on Tuesday at 10:00" in known["content"]


async def test_the_beginning_of_the_prompt_is_the_same_in_every_turn(converse: Converse, server: OpenAiServer):
    server.answer(Say("Yes."))
    conversation = converse(server)
    await conversation.turn("Hello")
    await conversation.turn("Bonjour", "fr")
    assert server.messages(0)[0] == server.messages(1)[0]
    assert "Answer in French" in server.messages(1)[-2]["content"]


async def test_the_history_holds_what_the_caller_heard(converse: Converse, server: OpenAiServer):
    server.answer(Say("We open at nine. We close at noon. Parking is free."))
    conversation = converse(server)
    await conversation.turn("Tell me all about it", heard="We open at nine. We")
    await conversation.turn("And parking?")
    spoken = [m["content"] for m in server.messages() if m["role"] == "assistant"]
    assert spoken == ["We open at nine. We —"]


async def test_a_booking_goes_through_the_tool_and_is_then_confirmed(converse: Converse, server: OpenAiServer):
    server.answer(BOOK, Say("Your appointment is booked for Tuesday at ten."))
    conversation = converse(server)
    parts = await conversation.turn("Book me a cleaning on Tuesday at ten, Marie Curie, 0612345678")
    tool: ReplyTool = only(parts, ReplyTool)[0]
    assert (tool.name, tool.ok, tool.result["booked"]) == ("create_booking", True, True)
    assert conversation.desk.bookings[0].name == "Marie Curie"
    assert words(parts) == "Your appointment is booked for Tuesday at ten."
    roles = [message["role"] for message in server.messages()]
    assert roles[-3:] == ["user", "assistant", "tool"]
    assert conversation.responder.outcome() is Outcome.BOOKED


async def test_a_booking_waits_for_the_end_of_the_callers_turn(converse: Converse, server: OpenAiServer):
    server.answer(BOOK, Say("Done."))
    conversation = converse(server)
    request = conversation.request("Book me on Tuesday at ten")
    reply = asyncio.create_task(_collect(conversation, request))
    await asyncio.sleep(0.15)
    assert len(server.requests) == 1
    assert conversation.desk.bookings == []
    conversation.confirm(request)
    await reply
    assert len(conversation.desk.bookings) == 1


async def _collect(conversation: Conversation, request: TurnRequest) -> list[ReplyPart]:
    return [part async for part in conversation.responder.respond(request)]


async def test_a_cancelled_reply_leaves_no_trace(converse: Converse, server: OpenAiServer):
    server.answer(BOOK, Say("Yes?"))
    conversation = converse(server)
    cancelled = asyncio.create_task(_collect(conversation, conversation.request("Book me on")))
    await asyncio.sleep(0.1)
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)
    await conversation.turn("Hello?")
    assert conversation.desk.bookings == []
    assert [m["content"] for m in server.messages() if m["role"] == "user"] == ["Hello?"]
    assert not any(m["role"] == "tool" for m in server.messages())


async def test_a_claim_without_a_booking_is_not_spoken_and_the_model_is_asked_to_do_it(
    converse: Converse, server: OpenAiServer
):
    server.answer(Say("Great, your appointment is booked for Tuesday."), BOOK, Say("Now it is booked."))
    conversation = converse(server)
    parts = await conversation.turn("Tuesday at ten, Marie Curie, 0612345678")
    assert words(parts) == "Great, Now it is booked."
    assert len(conversation.desk.bookings) == 1
    assert "no tool did it" in server.messages(1)[-1]["content"]


async def test_a_model_that_insists_on_a_false_claim_is_replaced(converse: Converse, server: OpenAiServer):
    server.answer(Say("Your appointment is booked for Tuesday. See you then."))
    conversation = converse(server)
    parts = await conversation.turn("Tuesday at ten please")
    assert words(parts).strip() == "Nothing is booked yet. See you then."
    assert conversation.responder.outcome() is not Outcome.BOOKED


async def test_a_question_tells_the_call_what_to_wait_for(converse: Converse, server: OpenAiServer):
    server.answer(Say("With pleasure. May I have your phone number?"), Say("Thank you."))
    conversation = converse(server)
    parts = await conversation.turn("I want an appointment")
    expect: ReplyExpect = only(parts, ReplyExpect)[0]
    assert (expect.slot.kind, expect.slot.digits) == (SlotKind.PHONE, 10)
    await conversation.turn("0612345678")
    assert "You asked for: phone." in server.messages()[-2]["content"]


async def test_a_transfer_follows_the_words(converse: Converse, server: OpenAiServer):
    server.answer(Call("transfer_call", {"reason": "wants a human"}, say="Of course, one moment."))
    conversation = converse(server)
    parts = await conversation.turn("Can I speak to someone?")
    assert words(parts) == "Of course, one moment."
    assert parts[-1] == ReplyTransfer("wants a human", CLINIC.transfer_number)
    assert conversation.responder.outcome() is Outcome.TRANSFERRED


async def test_a_call_that_the_model_ends_without_a_word_ends_politely(converse: Converse, server: OpenAiServer):
    server.answer(Call("end_call", {}))
    parts = await converse(server).turn("Merci, au revoir", "fr")
    assert words(parts) == wording_for("fr").goodbye
    assert parts[-1] == ReplyEnd(Outcome.COMPLETED)


async def test_the_caller_is_told_when_the_answer_after_a_tool_is_slow(
    converse: Converse, server: OpenAiServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("agents.llm.responder.FILLER_AFTER_S", 0.05)
    server.answer(
        Call("get_available_slots", {"date": "2026-11-24", "service_id": "cleaning"}),
        Say("Nine, ten or eleven.", first_s=0.15),
    )
    parts = await converse(server).turn("What is free on Tuesday?")
    assert words(parts) == "One moment, let me check. Nine, ten or eleven."


@pytest.mark.parametrize(
    "trouble", [Fail(500), Fail(401), Say("late", first_s=8.0), Say("")], ids=["500", "401", "slow", "mute"]
)
async def test_the_next_model_answers_when_the_first_one_does_not(
    converse: Converse, server: OpenAiServer, second: OpenAiServer, trouble: Answer
):
    server.answer(trouble)
    second.answer(Say("We open at nine."))
    conversation = converse(server, second)
    began_s = asyncio.get_running_loop().time()
    assert words(await conversation.turn("When do you open?")) == "We open at nine."
    assert words(await conversation.turn("Say that again")) == "We open at nine."
    assert len(server.requests) == 1, "a failing model is not asked again at once"
    assert asyncio.get_running_loop().time() - began_s < 2.5 * TIMEOUTS.first_s


async def test_a_reply_that_breaks_off_is_continued_by_the_next_model(
    converse: Converse, server: OpenAiServer, second: OpenAiServer
):
    server.answer(Say("We open at nine and", cut=True))
    second.answer(Say(" close at noon."))
    parts = await converse(server, second).turn("When are you open?")
    assert words(parts) == "We open at nine and close at noon."
    assert second.messages()[-2] == {"role": "assistant", "content": "We open at nine and"}


async def test_the_dialogue_engine_answers_when_no_model_does(converse: Converse, server: OpenAiServer):
    server.answer(Fail(503))
    conversation = converse(server)
    parts = await conversation.turn("When do you open?")
    assert words(parts) == "You said: When do you open?."
    assert conversation.fallback.committed == [1]
    assert conversation.fallback.heard_texts == [(1, "You said: When do you open?.", True)]


async def test_the_dialogue_engine_begins_again_after_a_broken_reply(converse: Converse, server: OpenAiServer):
    server.answer(Say("We open at", cut=True))
    parts = await converse(server).turn("When?")
    assert words(parts) == f"We open at {wording_for('en').restart} You said: When?."


async def test_a_booking_that_was_made_is_confirmed_even_when_the_model_is_gone(
    converse: Converse, server: OpenAiServer
):
    server.answer(BOOK, Fail(500))
    conversation = converse(server)
    parts = await conversation.turn("Tuesday at ten, Marie Curie, 0612345678")
    assert words(parts) == "Your appointment is booked for Tuesday 24 November at 10:00."
    assert conversation.fallback.requests == []


async def test_a_model_comes_back_after_a_probe_that_no_caller_waits_for(
    converse: Converse, server: OpenAiServer, second: OpenAiServer
):
    server.answer(Fail(500), Say("I am back."))
    second.answer(Say("From the second."))
    conversation = converse(server, second)
    await conversation.turn("One")
    conversation.clock.now_s += 6.0
    assert words(await conversation.turn("Two")) == "From the second."
    await asyncio.sleep(0.1)
    assert conversation.book.of("llm-0").state is HealthState.HEALTHY
    assert words(await conversation.turn("Three")) == "I am back."


async def test_greeting_silence_and_goodbye_need_no_model(converse: Converse, server: OpenAiServer):
    conversation = converse(server)
    for cause in (Cause.GREETING, Cause.SILENCE, Cause.NOT_UNDERSTOOD, Cause.GOODBYE):
        request = conversation.request("", cause=cause)
        conversation.confirm(request)
        assert words([part async for part in conversation.responder.respond(request)])
    assert server.requests == []
    assert conversation.fallback.committed == [1, 2, 3, 4]


async def test_the_model_knows_the_greeting_that_was_heard(converse: Converse, server: OpenAiServer):
    server.answer(Say("Yes."))
    conversation = converse(server)
    greeting = conversation.request("", cause=Cause.GREETING)
    conversation.confirm(greeting)
    said = words([part async for part in conversation.responder.respond(greeting)])
    conversation.responder.heard(greeting.reply_id, said, complete=True)
    await conversation.turn("Hello")
    assert server.messages()[1] == {"role": "assistant", "content": said}


async def test_speculation_is_capped_and_counted(converse: Converse, server: OpenAiServer):
    server.answer(Say("Yes."))
    conversation = converse(server)
    for _ in range(MAX_SPECULATIONS):
        async with aclosing(conversation.responder.respond(conversation.request("I would"))) as parts:  # type: ignore[type-var]
            await anext(parts)
    last = conversation.request("I would like to know")
    reply = asyncio.create_task(_collect(conversation, last))
    await asyncio.sleep(0.1)
    assert len(server.requests) == MAX_SPECULATIONS, "the next one waits until the turn is over"
    conversation.confirm(last)
    assert words(await reply) == "Yes."
    stats = conversation.responder.speculation
    assert (stats.started, stats.used) == (MAX_SPECULATIONS, 0)


async def test_a_speculative_reply_that_is_confirmed_is_used(converse: Converse, server: OpenAiServer):
    server.answer(Say("Yes."))
    conversation = converse(server)
    request = conversation.request("Are you open?")
    reply = asyncio.create_task(_collect(conversation, request))
    await asyncio.sleep(0.1)
    conversation.confirm(request)
    assert words(await reply) == "Yes."
    assert (conversation.responder.speculation.started, conversation.responder.speculation.used) == (1, 1)


async def test_a_model_that_only_calls_tools_is_stopped(converse: Converse, server: OpenAiServer):
    server.answer(Call("search_knowledge_base", {"query": "parking"}))
    parts = await converse(server).turn("Where can I park?")
    assert words(parts) == "You said: Where can I park?."
    assert len(server.requests) == 5


async def test_tokens_are_reported_for_billing(converse: Converse, server: OpenAiServer):
    server.answer(Say("Yes."))
    conversation = converse(server)
    await conversation.turn("Hello")
    assert conversation.tokens == [110]
