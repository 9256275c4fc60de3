"""What a model can and cannot make the tools do."""

import asyncio
import json
from typing import Any

import msgspec
import pytest
from livekit.agents.llm import RawFunctionTool

from agents.llm.tools import ToolResult
from tests.llm.clinic import CLINIC, MemoryDesk, toolbox
from voice_core.responder import Outcome, ReplyEnd, ReplyTransfer

BOOKING = {"name": "Marie Curie", "slot": "2026-11-24T10:00", "service": "cleaning", "phone": "06 12 34 56 78"}


def confirmed() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


async def run(desk: MemoryDesk, tool: str, /, **arguments: Any) -> ToolResult:
    return await toolbox(desk).run(tool, json.dumps(arguments), "en", confirmed())


async def test_free_slots_are_those_of_the_desk():
    result = await run(MemoryDesk(), "get_available_slots", date="2026-11-24", service_name="scaling")
    assert result.output == {"service_id": "cleaning", "date": "2026-11-24", "slots": ["09:00", "10:00", "11:00"]}


async def test_a_closed_day_names_the_next_free_slots():
    result = await run(MemoryDesk(), "get_available_slots", date="2026-11-25", service_id="cleaning")
    assert result.output["slots"] == []
    assert result.output["next"][0] == "2026-11-26T09:00"


async def test_a_booking_is_stored_and_its_result_says_so():
    desk = MemoryDesk()
    result = await run(desk, "create_booking", **BOOKING)
    assert result.ok
    assert (desk.bookings[0].name, desk.bookings[0].phone) == ("Marie Curie", "+33612345678")
    assert result.output["starts_at"] == "2026-11-24T10:00"
    assert result.booked == desk.bookings[0].starts_at


async def test_a_slot_that_is_taken_is_not_booked_and_others_are_offered():
    desk = MemoryDesk()
    await run(desk, "create_booking", **BOOKING)
    result = await run(desk, "create_booking", **BOOKING | {"name": "Pierre Curie"})
    assert not result.ok
    assert result.output["slots"] == ["09:00", "11:00"]
    assert len(desk.bookings) == 1


async def test_nothing_is_booked_before_the_turn_is_confirmed():
    desk, turn = MemoryDesk(), asyncio.Event()
    booking = asyncio.create_task(toolbox(desk).run("create_booking", json.dumps(BOOKING), "en", turn))
    await asyncio.sleep(0.01)
    assert desk.bookings == []
    turn.set()
    await booking
    assert len(desk.bookings) == 1


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"phone": "12"}, "not valid"),
        ({"service": "implant"}, "no such service"),
        ({"service": "brain surgery"}, "no such service"),
        ({"slot": "tomorrow at ten"}, "YYYY-MM-DDTHH:MM"),
        ({"slot": 10}, r"Expected `str`, got `int` - at `$.slot`"),
        ({"discount": "50 %"}, "unknown field `discount`"),
        ({"name": ""}, "$.name"),
    ],
)
async def test_wrong_arguments_book_nothing_and_tell_the_model_why(change: dict[str, Any], complaint: str):
    desk = MemoryDesk()
    result = await run(desk, "create_booking", **BOOKING | change)
    assert not result.ok
    assert complaint in result.output["error"]
    assert desk.bookings == []


async def test_arguments_that_are_no_json_are_an_answer_to_the_model():
    result = await toolbox(MemoryDesk()).run("create_booking", "{name: Marie", "en", confirmed())
    assert "wrong arguments" in result.output["error"]


async def test_a_call_is_never_passed_to_a_number_of_the_callers_choice():
    desk = MemoryDesk()
    refused = await run(desk, "transfer_call", reason="asked", phone_number="+33899000000")
    assert not refused.ok
    assert refused.effect is None
    passed = await run(desk, "transfer_call", reason="asked")
    assert passed.effect == ReplyTransfer("asked", CLINIC.transfer_number)


async def test_a_tenant_without_a_number_for_transfers_has_no_such_tool():
    tools = toolbox(MemoryDesk(), msgspec.structs.replace(CLINIC, transfer_number=""))
    result = await tools.run("transfer_call", '{"reason": "asked"}', "en", confirmed())
    assert not result.ok
    assert result.effect is None
    assert "there is no tool transfer_call" in result.output["error"]


async def test_facts_come_with_their_source_in_the_callers_language():
    french = await toolbox(MemoryDesk()).run("search_knowledge_base", '{"query": "parking"}', "fr", confirmed())
    assert french.output["facts"] == [{"source": "parking", "answer": "Il y a un parking derrière la clinique."}]
    unknown = await run(MemoryDesk(), "search_knowledge_base", query="Do you sell horses?")
    assert unknown.output == {"found": False, "facts": []}


async def test_the_call_ends_when_the_model_ends_it():
    result = await run(MemoryDesk(), "end_call")
    assert result.effect == ReplyEnd(Outcome.COMPLETED)


async def test_a_past_day_has_no_slots():
    result = await run(MemoryDesk(), "get_available_slots", date="2026-11-17", service_id="cleaning")
    assert "past" in result.output["error"]


def test_every_tool_is_described_to_the_model_by_its_declared_arguments():
    schemas = {
        tool.info.name: tool.info.raw_schema
        for tool in toolbox(MemoryDesk()).definitions
        if isinstance(tool, RawFunctionTool)
    }
    assert set(schemas) == {
        "get_available_slots",
        "create_booking",
        "search_knowledge_base",
        "transfer_call",
        "end_call",
    }
    assert schemas["create_booking"]["parameters"]["required"] == ["name", "slot", "service", "phone"]
    assert all(schema["description"] for schema in schemas.values())
