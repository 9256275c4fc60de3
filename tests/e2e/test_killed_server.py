"""The server is killed in mid-call: what was promised before is kept, what was recorded can be played."""

from pathlib import Path

import numpy as np
import pytest

from tests.e2e.after_the_call import free_starts, recording, stored_bookings, stored_record
from tests.e2e.person import on_the_line
from tests.e2e.scripted_calls import Speak
from tests.live_server import LiveServer, live_server
from voice_core.responder import Outcome

pytestmark = pytest.mark.asyncio(loop_scope="session")

TYPED_BOOKING = "Book a cleaning on Tuesday at eleven. My name is Marie Curie, my number is 06 12 34 56 78."


@pytest.fixture
def state(server: LiveServer, tmp_path: Path) -> Path:
    """A folder for a server of its own that need not put the models together again."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "models").symlink_to(server.home / "models")
    return tmp_path


async def test_a_killed_server_keeps_its_promises(state: Path, speak: Speak) -> None:
    question = await speak("What are your opening hours?", "en")
    async with live_server(state) as server:
        async with on_the_line(server.voice_url) as person:
            await person.type(TYPED_BOOKING)
            await person.agent_does("create_booking")
            booked = await person.hang_up()
        async with on_the_line(server.voice_url) as person:
            await person.my_turn()
            person.say(question)
            await person.agent_speaks(for_ms=1_500)
            server.process.kill()
            await server.ended()
            await person.cut_off()
    assert booked["outcome"] == "booked"
    assert not person.ended

    async with live_server(state) as server:
        (booking,) = await stored_bookings(server.home, booked["call_id"])
        assert (booking.name, booking.phone, booking.service_id) == ("Marie Curie", "+33612345678", "cleaning")
        assert booking.starts_at not in await free_starts(server.home, booking), "the hour is still sold"
        assert (await stored_record(server.home, booked["call_id"])).outcome is Outcome.BOOKED

        (half,) = {path.stem for path in (server.home / "recordings").glob("*.wav")} - {booked["call_id"]}
        caller, agent, rate_hz = recording(server.home, half)
        assert np.abs(caller).max() > 1_000, "the question is on the recording"
        assert len(agent) > 4 * rate_hz, "all but the last half second is"
        assert np.abs(agent[-rate_hz:]).max() > 1_000, "up to the answer that was cut off"
