"""Two hundred bad clients at the door of the real server during a call."""

import asyncio
import sys
import time
from urllib.parse import urlsplit

import numpy as np
import pytest

from tests.e2e.person import Person, on_the_line
from tests.e2e.scripted_calls import Speak
from tests.live_server import LiveServer
from voice_core.frames import FRAME_MS

pytestmark = pytest.mark.asyncio(loop_scope="session")

ATTACKERS = 200
PLAYER_BUFFER_MS = 60.0
"""What players hold back against jitter; a frame that is less late is not heard to be late."""


def lateness_ms(person: Person, since_s: float) -> list[float]:
    """How late each of the agent's frames came, against the first one of its unbroken run."""
    late: list[float] = []
    first = position = 0.0
    before = 0.0
    for at in (at for at in person.frame_times_s if at >= since_s):
        if at - before > 10 * FRAME_MS / 1000:
            first, position = at, 0
        late.append(1000 * (at - first) - FRAME_MS * position)
        position += 1
        before = at
    return late


async def test_a_call_beside_two_hundred_bad_clients_is_unharmed(server: LiveServer, speak: Speak) -> None:
    hours = await speak("What are your opening hours?", "en")
    price = await speak("How much is a cleaning?", "en")
    port = urlsplit(server.voice_url).port
    async with on_the_line(server.voice_url) as person:
        await person.my_turn()
        # Real attackers have their own processor.
        crowd = await asyncio.create_subprocess_exec(
            *("nice", sys.executable, "-m", "tests.server.bad_clients", str(port), str(ATTACKERS))
        )
        began_s = time.monotonic()
        person.say(hours)
        assert "from 9 a.m. to 6 p.m." in await person.answered(), person.finals
        person.say(price)
        assert "€65" in await person.answered(), person.finals
        async with asyncio.timeout(40):
            assert await crowd.wait() == 0
        late = lateness_ms(person, began_s)
        assert len(late) > 100
        at_most_ms = float(np.percentile(late, 95))
        assert at_most_ms < PLAYER_BUFFER_MS, f"95 % of the agent's frames were {at_most_ms:.0f} ms late at most"
        ended = await person.hang_up()
    assert ended["reason"] == "caller_hung_up"
