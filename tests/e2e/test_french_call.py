"""A whole call in French, the language of which is found out from the caller's voice."""

import re
from zoneinfo import ZoneInfo

import pytest

from tests.e2e.after_the_call import event_log, recording, said_by, share_heard, stored_bookings, stored_record
from tests.e2e.conftest import Hear
from tests.e2e.scripted_calls import FRENCH, ScriptedCalls
from tests.live_server import LiveServer
from voice_core.event_log import replay
from voice_core.responder import Outcome
from voice_core.voice_to_voice import conversation

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_french_caller_is_answered_and_leaves_with_an_appointment(
    server: LiveServer, calls: ScriptedCalls, hear: Hear
) -> None:
    call = await calls.french
    person, ended = call.person, call.ended

    assert ended["outcome"] == "booked"
    agent = person.agent_said
    assert any("13h" in text and "samedi" in text for text in agent), agent
    assert any("65 €" in text for text in agent), agent

    (booking,) = await stored_bookings(server.home, ended["call_id"])
    start = booking.starts_at.astimezone(ZoneInfo("Europe/Paris"))
    assert booking.service_id == "cleaning"
    assert (start.isoweekday(), f"{start:%H:%M}") == (4, "10:00")
    assert (booking.name, booking.phone) == ("Marie Curie", "+33612345678")

    record = await stored_record(server.home, ended["call_id"])
    assert record.outcome is Outcome.BOOKED
    assert record.language == "fr"
    assert "samedi" in said_by(record, "caller")
    assert "06 12 34 56 78" in said_by(record, "agent")
    assert record.latency

    caller, agent_side, rate_hz = recording(server.home, ended["call_id"])
    assert len(conversation(caller, agent_side, rate_hz).turns) >= len(FRENCH)
    heard = await hear(agent_side, rate_hz, "fr")
    assert share_heard(said_by(record, "agent"), heard, "fr") > 0.6, f"the agent's voice is heard as: {heard}"
    assert "curie" in heard.lower(), heard
    heard = await hear(caller, rate_hz, "fr")
    assert re.search("samedi.*curie", heard.lower()), f"the caller's voice is heard as: {heard}"

    assert any(replay(event_log(server.home, ended["call_id"])))
