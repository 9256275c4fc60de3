"""A whole call in English: three questions and an appointment, and everything that it leaves behind."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from server.caller import Turn, place_call
from tests.e2e.after_the_call import (
    event_log,
    give_back,
    open_to_others,
    recording,
    said_by,
    stored_bookings,
    stored_record,
)
from tests.e2e.conftest import Hear, Speak
from tests.live_server import LiveServer
from voice_core.event_log import replay
from voice_core.responder import Outcome
from voice_core.voice_to_voice import conversation

pytestmark = pytest.mark.asyncio(loop_scope="session")

SCRIPT = (
    "Hi, what time do you close on Saturday?",
    "And how much is a cleaning?",
    "Great, book me one on Tuesday at ten. My name is Marie Curie, my number is 0 6 1 2 3 4 5 6 7 8.",
)


async def test_a_caller_is_answered_and_leaves_with_an_appointment(
    server: LiveServer, speak: Speak, hear: Hear
) -> None:
    turns = [Turn(text, await speak(text, "en")) for text in SCRIPT]
    call = await place_call(server.voice_url, turns)

    assert call.failure == ""
    assert call.outcome == "booked"
    assert len(call.turns) == len(SCRIPT)
    assert all(turn.voice_to_voice_ms is not None for turn in call.turns), call.turns
    agent = [line.text for line in call.transcript if line.role == "agent"]
    assert any("1 p.m." in text and "Saturday" in text for text in agent), agent
    assert any("€65" in text for text in agent), agent

    (booking,) = bookings = await stored_bookings(server.home, call.call_id)
    await give_back(server.home, bookings)
    start = booking.starts_at.astimezone(ZoneInfo("Europe/Paris"))
    assert booking.service_id == "cleaning"
    assert (f"{start:%A %H:%M}", booking.name, booking.phone) == ("Tuesday 10:00", "Marie Curie", "+33612345678")
    assert start > datetime.now(start.tzinfo)

    record = await stored_record(server.home, call.call_id)
    assert record.outcome is Outcome.BOOKED
    assert record.language == "en"
    assert "close on Saturday" in said_by(record, "caller")
    assert "Marie Curie" in said_by(record, "caller")
    assert "Clinique du Parc" in said_by(record, "agent")
    assert "06 12 34 56 78" in said_by(record, "agent")
    assert [tool.name for tool in record.tools] == ["create_booking"]
    assert record.latency, "every answer has its stages"

    caller, agent_side, rate_hz = recording(server.home, call.call_id)
    assert len(conversation(caller, agent_side, rate_hz).turns) >= len(SCRIPT)
    heard = await hear(agent_side, rate_hz, "en")
    for words in ("1 p.m.", "65", "Tuesday"):
        assert words.lower() in heard.lower(), f"the agent's voice is heard as: {heard}"
    heard = await hear(caller, rate_hz, "en")
    for words in ("saturday", "cleaning", "marie curie"):
        assert words in heard.lower(), f"the caller's voice is heard as: {heard}"

    assert any(replay(event_log(server.home, call.call_id))), "the call can be lived again from its log"
    assert [name for name in open_to_others(server.home) if not name.startswith("models/")] == []
