"""Speaking over the agent: words stop it at once, a cough and a hum do not."""

import numpy as np
import pytest

from tests.e2e.after_the_call import stored_record
from tests.e2e.conftest import Hear, Speak
from tests.e2e.person import Person, on_the_line
from tests.live_server import LiveServer
from voice_core.frames import ANALYSIS_HZ, Pcm16
from voice_core.record import CallRecord, Utterance
from voice_core.voice_to_voice import Span, conversation

pytestmark = pytest.mark.asyncio(loop_scope="session")

LONG_ANSWER = "What are your opening hours?"
SILENT_WITHIN_MS = 500.0
"""The product's own bound is 300 ms (95 of 100); this one holds on busy machines too."""


def cough() -> Pcm16:
    """A burst of noise with a hard onset and a soft tail, 250 ms."""
    rng = np.random.default_rng(3)
    samples = int(0.25 * ANALYSIS_HZ)
    decay = np.exp(-np.arange(samples) / (0.06 * ANALYSIS_HZ))
    return np.asarray(np.clip(rng.standard_normal(samples) * decay * 9_000, -32768, 32767), np.int16)


async def over_the_hours(person: Person, question: Pcm16, sound: Pcm16) -> float:
    """Ask for the opening hours and make a sound into the answer; returns when it began, ms."""
    await person.my_turn()
    person.say(question)
    await person.agent_speaks(for_ms=1_500)
    return person.say(sound)


def hours_in(record: CallRecord) -> Utterance:
    """The agent's answer about the opening hours."""
    return next(u for u in record.transcript if u.role == "agent" and "Monday" in u.intended)


async def test_words_over_the_agent_silence_it_and_are_answered(server: LiveServer, speak: Speak) -> None:
    words = await speak("Wait, how much is a crown?", "en")
    async with on_the_line(server.voice_url) as person:
        began_ms = await over_the_hours(person, await speak(LONG_ANSWER, "en"), words)
        answer = await person.answered()
        ended = await person.hang_up()

    assert "€550" in answer, person.finals
    onset_ms = began_ms + float(np.flatnonzero(np.abs(words) > 300)[0]) * 1000 / ANALYSIS_HZ
    heard = conversation(*person.line.recording(), ANALYSIS_HZ, [Span(onset_ms, began_ms + len(words) / 16)])
    (stop,) = heard.interruptions
    assert stop.silence_after_ms < SILENT_WITHIN_MS
    hours = hours_in(await stored_record(server.home, ended["call_id"]))
    assert hours.text != hours.intended
    assert hours.intended.startswith(hours.text.rstrip(".…- ")), "what counts is what was heard"


@pytest.mark.parametrize("sound", ["a cough", "Mm-hm.", "Mm-hmm."])
async def test_a_sound_without_a_wish_lets_the_agent_finish(
    server: LiveServer, speak: Speak, hear: Hear, sound: str
) -> None:
    made = cough() if sound == "a cough" else await speak(sound, "en")
    async with on_the_line(server.voice_url) as person:
        began_ms = await over_the_hours(person, await speak(LONG_ANSWER, "en"), made)
        await person.my_turn()
        ended = await person.hang_up()

    record = await stored_record(server.home, ended["call_id"])
    hours = hours_in(record)
    assert hours.text == hours.intended, person.finals
    assert [u for u in record.transcript if u.role == "agent"][-1] == hours, "the sound itself is not answered"
    _, agent = person.line.recording(began_ms)
    rest = await hear(agent, ANALYSIS_HZ, "en")
    assert "Saturday" in rest, f"after the sound the agent is heard to say: {rest}"
