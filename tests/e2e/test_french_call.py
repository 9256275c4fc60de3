"""A whole call in French, the language of which is found out from the caller's voice."""

import re
from zoneinfo import ZoneInfo

import pytest

from tests.e2e.after_the_call import event_log, give_back, recording, said_by, stored_bookings, stored_record
from tests.e2e.conftest import Hear, Speak
from tests.e2e.person import converse, on_the_line
from tests.live_server import LiveServer
from voice_core.event_log import replay
from voice_core.frames import Pcm16
from voice_core.responder import Outcome
from voice_core.voice_to_voice import conversation

pytestmark = pytest.mark.asyncio(loop_scope="session")

SCRIPT = (
    "Bonjour, à quelle heure fermez-vous le samedi ?",
    "Et combien coûte un détartrage ?",
    "Très bien, réservez-moi ça mardi à dix heures. Je m'appelle Marie Curie, mon numéro est le 0 6 1 2 3 4 5 6 7 8.",
)
ANSWERS = {
    "nom": "Je m'appelle Marie Curie.",
    "numéro": "0 6 1 2 3 4 5 6 7 8.",
    "quel jour": "Mardi à dix heures.",
    "que préférez-vous": "Le premier.",
    "heure": "À dix heures.",
    "soin": "Un détartrage.",
    "c'est bien ça": "Oui, c'est bien ça.",
    "correct": "Oui, c'est bien ça.",
}
"""What the caller says when the agent has missed something, as agents may."""


async def test_a_french_caller_is_answered_and_leaves_with_an_appointment(
    server: LiveServer, speak: Speak, hear: Hear
) -> None:
    async def voice(text: str) -> Pcm16:
        return await speak(text, "fr")

    async with on_the_line(server.voice_url) as person:
        await converse(person, SCRIPT, ANSWERS, voice, done=lambda: bool(person.tools))
        ended = await person.hang_up()

    assert ended["outcome"] == "booked"
    agent = person.agent_said
    assert any("13h" in text and "samedi" in text for text in agent), agent
    assert any("65 €" in text for text in agent), agent

    (booking,) = bookings = await stored_bookings(server.home, ended["call_id"])
    await give_back(server.home, bookings)
    start = booking.starts_at.astimezone(ZoneInfo("Europe/Paris"))
    assert booking.service_id == "cleaning"
    assert (start.isoweekday(), f"{start:%H:%M}") == (2, "10:00")
    assert (booking.name, booking.phone) == ("Marie Curie", "+33612345678")

    record = await stored_record(server.home, ended["call_id"])
    assert record.outcome is Outcome.BOOKED
    assert record.language == "fr"
    assert "samedi" in said_by(record, "caller")
    assert "06 12 34 56 78" in said_by(record, "agent")
    assert record.latency

    caller, agent_side, rate_hz = recording(server.home, ended["call_id"])
    assert len(conversation(caller, agent_side, rate_hz).turns) >= len(SCRIPT)
    heard = await hear(agent_side, rate_hz, "fr")
    assert re.search("samedi|65|mardi|10 ?h", heard), f"the agent's voice is heard as: {heard}"
    heard = await hear(caller, rate_hz, "fr")
    assert re.search("samedi.*curie", heard.lower()), f"the caller's voice is heard as: {heard}"

    assert any(replay(event_log(server.home, ended["call_id"])))
