"""Writing with the agent: the conversation of the phone, turn by turn over REST."""

import asyncio
import datetime as dt
from pathlib import Path
from typing import Any

import msgspec
import pytest

from context.bookings.tables import bookings
from context.conversations.personal_data import ConversationPersonalData
from context.conversations.store import IDLE_S, MOST_OPEN, REMEMBERED_S, TAKEN_S
from context.erasure.registry import Subject
from context.security.keys import KeyKind
from context.security.principal import Scope
from tests.rest.rest_server import LAKE, PARK, RestServer, rest_server

BOOKING = (
    "I would like to book a cleaning",
    "Next Tuesday at ten in the morning",
    "Ann Lee",
    "0612345678",
    "yes",
)
"""Everything that the agent asks for, one answer a turn."""


async def say(rest: RestServer, text: str, conversation: str | None = None, **more: Any) -> dict[str, Any]:
    body = {"text": text, **({"conversation_id": conversation} if conversation else {}), **more}
    answer = await rest.ask("POST", "/v1/respond", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def sold(rest: RestServer, tenant_id: str = PARK) -> list[tuple[str, str, str]]:
    """(service, name, phone) of every booking."""
    async with rest.services.store.tenant(tenant_id).reading() as transaction:
        rows = await transaction.rows(bookings, bookings.c.cancelled_at_s.is_(None))
    return [(row["service_id"], row["name"], row["phone"]) for row in rows]


async def test_an_appointment_is_booked_in_writing(rest_on_each: RestServer) -> None:
    rest = rest_on_each
    reply: dict[str, Any] = {"conversation_id": None}
    for text in BOOKING:
        reply = await say(rest, text, reply["conversation_id"])
    assert await sold(rest) == [("cleaning", "Ann Lee", "+33612345678")]
    assert reply["outcome"] == "booked"
    [action] = reply["actions"]
    assert (action["name"], action["ok"]) == ("create_booking", True)
    found = (await rest.ask("GET", f"/v1/bookings?call_id={reply['conversation_id']}")).json()
    assert [booking["name"] for booking in found["items"]] == ["Ann Lee"]


async def test_the_agent_says_what_it_waits_for_and_answers_questions(rest: RestServer) -> None:
    greeting = await say(rest, "")
    assert "Camille" in greeting["reply"]
    hours = await say(rest, "What time do you close on Saturday?", greeting["conversation_id"])
    assert "1" in hours["reply"]
    assert hours["conversation_id"] == greeting["conversation_id"]
    booking = await say(rest, "I would like to book a cleaning on Tuesday at ten", greeting["conversation_id"])
    assert booking["expected"] == "name"


async def test_a_conversation_goes_on_in_another_process(sqlite_url: str, tmp_path: Path) -> None:
    conversation: str | None = None
    for number, text in enumerate(BOOKING):
        async with rest_server(sqlite_url, tmp_path) as rest:
            reply = await say(rest, text, conversation)
            conversation = reply["conversation_id"]
            if number == len(BOOKING) - 1:
                assert await sold(rest) == [("cleaning", "Ann Lee", "+33612345678")]


async def test_a_turn_said_again_after_a_crash_books_once(rest: RestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    conversation: str | None = None
    for text in BOOKING[:-1]:
        conversation = (await say(rest, text, conversation))["conversation_id"]

    async def crash(*_: Any, **__: Any) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as dying:
        # The process dies after the booking and before the turn is kept.
        dying.setattr(rest.services.conversations, "keep", crash)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await say(rest, BOOKING[-1], conversation)
    assert len(await sold(rest)) == 1
    busy = await rest.ask("POST", "/v1/respond", json={"text": "yes", "conversation_id": conversation})
    assert (busy.status_code, busy.json()["code"]) == (409, "conversation_busy")
    rest.clock.pass_s(TAKEN_S)
    again = await say(rest, BOOKING[-1], conversation)
    assert again["outcome"] == "booked"
    assert len(await sold(rest)) == 1


async def test_a_repeated_request_is_answered_alike_and_books_once(rest: RestServer) -> None:
    conversation: str | None = None
    for text in BOOKING[:-1]:
        conversation = (await say(rest, text, conversation))["conversation_id"]
    body = {"text": BOOKING[-1], "conversation_id": conversation}
    first = await rest.ask("POST", "/v1/respond", json=body, headers={"Idempotency-Key": "k1"})
    again = await rest.ask("POST", "/v1/respond", json=body, headers={"Idempotency-Key": "k1"})
    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert len((await rest.ask("GET", f"/v1/conversations/{conversation}")).json()["turns"]) == len(BOOKING)


async def test_the_reply_comes_as_events_when_a_stream_is_asked_for(rest: RestServer) -> None:
    answer = await rest.ask(
        "POST", "/v1/respond", json={"text": "What are your hours?"}, headers={"Accept": "text/event-stream"}
    )
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [block.split("\n") for block in answer.text.strip().split("\n\n")]
    names = [name.removeprefix("event: ") for name, _ in events]
    data = [msgspec.json.decode(text.removeprefix("data: ")) for _, text in events]
    assert names[-1] == "reply"
    assert set(names[:-1]) == {"text"}
    spoken = "".join(part["text"] for part in data[:-1]).strip()
    assert spoken == data[-1]["reply"] != ""


async def test_only_one_turn_is_answered_at_a_time(rest: RestServer) -> None:
    conversation = (await say(rest, "Hello"))["conversation_id"]
    body = {"text": "What are your hours?", "conversation_id": conversation}
    answers = await asyncio.gather(*(rest.ask("POST", "/v1/respond", json=body) for _ in range(5)))
    statuses = sorted(answer.status_code for answer in answers)
    turns = (await rest.ask("GET", f"/v1/conversations/{conversation}")).json()["turns"]
    assert len(turns) == 1 + statuses.count(200)
    assert set(statuses) <= {200, 409}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"text": "x" * 1001}, "text"),
        ({"text": "Hello", "language": "de"}, "language"),
        ({"text": "Hola", "language": "es"}, "language"),
        ({"text": "Hello", "persona": "nobody"}, "persona"),
        ({"text": "Hello", "colour": "red"}, "$"),
    ],
)
async def test_what_is_wrong_with_a_turn_is_named(rest: RestServer, body: dict[str, Any], field: str) -> None:
    answer = await rest.ask("POST", "/v1/respond", json=body)
    assert answer.status_code == 400
    [error] = answer.json()["errors"]
    assert error["field"] == field
    assert error["allowed"]


async def test_a_conversation_of_another_tenant_does_not_exist(rest: RestServer) -> None:
    conversation = (await say(rest, "Hello"))["conversation_id"]
    body = {"text": "Hello", "conversation_id": conversation}
    for answer in (
        await rest.ask("POST", "/v1/respond", json=body, as_=LAKE),
        await rest.ask("GET", f"/v1/conversations/{conversation}", as_=LAKE),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_a_conversation_that_nobody_goes_on_with_becomes_a_call(rest: RestServer) -> None:
    conversation = (await say(rest, "What are your hours?"))["conversation_id"]
    assert await rest.services.text_turns.close_idle() == 0
    rest.clock.pass_s(IDLE_S + 1)
    assert await rest.services.text_turns.close_idle() == 1
    assert await rest.services.text_turns.close_idle() == 0
    call = (await rest.ask("GET", f"/v1/calls/{conversation}")).json()
    assert (call["channel"], call["state"], call["reason"]) == ("text", "ended", "idle")
    said = (await rest.ask("GET", f"/v1/calls/{conversation}/transcript")).json()["utterances"]
    assert [part["role"] for part in said] == ["caller", "agent"]
    late = await rest.ask("POST", "/v1/respond", json={"text": "And Sunday?", "conversation_id": conversation})
    assert (late.status_code, late.json()["code"]) == (409, "conversation_ended")
    rest.clock.pass_s(REMEMBERED_S + 1)
    await rest.services.text_turns.close_idle()
    late = await rest.ask("POST", "/v1/respond", json={"text": "And Sunday?", "conversation_id": conversation})
    assert late.status_code == 404


async def test_goodbye_ends_the_conversation(rest: RestServer) -> None:
    conversation = (await say(rest, "What are your hours?"))["conversation_id"]
    reply = await say(rest, "Thank you, goodbye", conversation)
    assert reply["ended"]
    assert (await rest.ask("GET", f"/v1/calls/{conversation}")).json()["channel"] == "text"


async def test_a_tenant_has_so_many_open_conversations_and_no_more(
    rest: RestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MOST_OPEN >= 1000
    monkeypatch.setattr("context.conversations.store.MOST_OPEN", 2)
    for _ in range(2):
        await say(rest, "Hello")
    answer = await rest.ask("POST", "/v1/respond", json={"text": "Hello"})
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_conversations")
    assert (await rest.ask("POST", "/v1/respond", json={"text": "Hello"}, as_=LAKE)).status_code == 200


async def test_a_widget_may_write_from_its_page_and_do_nothing_else(rest: RestServer) -> None:
    page = "https://park.example"
    key = await rest.key_with(Scope.CALLS_PLACE, kind=KeyKind.WIDGET, origins=(page,))
    asked = {"Origin": page, "Access-Control-Request-Method": "POST"}
    preflight = await rest.client.options("/v1/respond", headers=asked)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == page
    answer = await rest.client.post("/v1/respond", json={"text": "Hello"}, headers={**key, "Origin": page})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, page)
    elsewhere = {**key, "Origin": "https://other.example"}
    refused = await rest.client.post("/v1/respond", json={"text": "Hello"}, headers=elsewhere)
    assert refused.status_code == 401
    assert "access-control-allow-origin" not in refused.headers
    calls = await rest.client.get("/v1/calls", headers={**key, "Origin": page})
    assert calls.status_code == 403
    assert "access-control-allow-origin" not in calls.headers


async def test_what_somebody_wrote_is_exported_and_erased(rest: RestServer) -> None:
    conversation: str | None = None
    for text in BOOKING[:4]:
        conversation = (await say(rest, text, conversation))["conversation_id"]
    other = (await say(rest, "What are your hours?"))["conversation_id"]
    ann = Subject("c1", phones=frozenset({"+33612345678"}))
    provider = ConversationPersonalData()
    async with rest.services.store.tenant(PARK).writing() as transaction:
        exported = await provider.export(transaction, ann)
        assert [turn["text"] for turn in exported] == list(BOOKING[:4])
        assert await provider.erase(transaction, ann) == 1
        assert await provider.erase(transaction, ann) == 0
        assert await provider.export(transaction, ann) == []
    assert (await rest.ask("GET", f"/v1/conversations/{conversation}")).status_code == 404
    assert (await rest.ask("GET", f"/v1/conversations/{other}")).status_code == 200


async def test_days_pass_between_two_turns_and_the_slot_is_asked_for_again(rest: RestServer) -> None:
    conversation: str | None = None
    for text in BOOKING[:-1]:
        conversation = (await say(rest, text, conversation))["conversation_id"]
    desk = rest.desk()
    tuesday = dt.datetime(2026, 11, 24, 10, tzinfo=rest.clock.at.tzinfo)
    await desk.book(call_id="other", service_id="cleaning", starts_at=tuesday, name="Bo", phone="+33611111111")
    reply = await say(rest, "yes", conversation)
    assert reply["outcome"] != "booked"
    assert [name for _, name, _ in await sold(rest)] == ["Bo"]
