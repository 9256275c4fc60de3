"""A whole call in English: three questions and an appointment, and everything that it leaves behind."""

import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from tests.e2e.after_the_call import (
    event_log,
    open_to_others,
    recording,
    said_by,
    share_heard,
    stored_bookings,
    stored_record,
)
from tests.e2e.conftest import Hear
from tests.e2e.scripted_calls import ENGLISH, ScriptedCalls
from tests.live_server import LiveServer
from voice_core.event_log import replay
from voice_core.responder import Outcome
from voice_core.voice_to_voice import conversation

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_caller_is_answered_and_leaves_with_an_appointment(
    server: LiveServer, calls: ScriptedCalls, hear: Hear
) -> None:
    call = await calls.english

    assert call.failure == ""
    assert call.outcome == "booked"
    assert len(call.turns) == len(ENGLISH)
    assert all(turn.voice_to_voice_ms is not None for turn in call.turns), call.turns
    agent = [line.text for line in call.transcript if line.role == "agent"]
    assert any("1 p.m." in text and "Saturday" in text for text in agent), agent
    assert any("€65" in text for text in agent), agent

    (booking,) = await stored_bookings(server.home, call.call_id)
    start = booking.starts_at.astimezone(ZoneInfo("Europe/Paris"))
    assert booking.service_id == "cleaning"
    assert (f"{start:%A %H:%M}", booking.phone) == ("Tuesday 10:00", "+33612345678")
    # Small English models may write Marie as Murray; nothing of the surname is in doubt.
    assert re.fullmatch("(Marie|Mary|Murray) Curie", booking.name)
    assert start > datetime.now(start.tzinfo)

    record = await stored_record(server.home, call.call_id)
    assert record.outcome is Outcome.BOOKED
    assert record.language == "en"
    assert "close on Saturday" in said_by(record, "caller")
    assert booking.name in said_by(record, "caller")
    assert booking.name in said_by(record, "agent"), "it is read back as it was stored"
    assert "Clinique du Parc" in said_by(record, "agent")
    assert "06 12 34 56 78" in said_by(record, "agent")
    assert [tool.name for tool in record.tools] == ["create_booking"]
    assert record.latency, "every answer has its stages"

    caller, agent_side, rate_hz = recording(server.home, call.call_id)
    assert len(conversation(caller, agent_side, rate_hz).turns) >= len(ENGLISH)
    heard = await hear(agent_side, rate_hz, "en")
    assert share_heard(said_by(record, "agent"), heard, "en") > 0.8, f"the agent's voice is heard as: {heard}"
    for word in ("saturday", "65", "tuesday"):
        assert word in heard.lower(), f"the agent's voice is heard as: {heard}"
    heard = await hear(caller, rate_hz, "en")
    for words in ("saturday", "cleaning", "curie"):
        assert words in heard.lower(), f"the caller's voice is heard as: {heard}"

    assert any(replay(event_log(server.home, call.call_id))), "the call can be lived again from its log"
    assert [name for name in open_to_others(server.home) if not name.startswith("models/")] == []
