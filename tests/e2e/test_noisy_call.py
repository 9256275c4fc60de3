"""A caller in a noisy place, over a telephone line."""

import numpy as np
import pytest

from tests.e2e.conftest import Speak
from tests.e2e.person import on_the_line
from tests.live_server import LiveServer
from voice_core.frames import Pcm16

pytestmark = pytest.mark.asyncio(loop_scope="session")

TELEPHONE_HZ = 8_000
SNR_DB = 15.0


def room_noise(seconds: float, rms: float) -> Pcm16:
    """Noise whose level falls by 3 dB an octave, as that of ventilation and traffic, and swells slowly."""
    rng = np.random.default_rng(5)
    count = int(seconds * TELEPHONE_HZ)
    spectrum = np.fft.rfft(rng.standard_normal(count))
    frequencies = np.maximum(np.fft.rfftfreq(count, 1 / TELEPHONE_HZ), 50.0)
    noise = np.fft.irfft(spectrum / np.sqrt(frequencies), count)
    noise *= 1 + 0.3 * np.sin(2 * np.pi * np.arange(count) / (3.1 * TELEPHONE_HZ))
    return np.asarray(noise * (rms / np.sqrt(np.mean(noise**2))), np.int16)


async def test_a_caller_in_a_noisy_place_is_answered(server: LiveServer, speak: Speak) -> None:
    question = await speak("What time do you close on Saturday?", "en", TELEPHONE_HZ)
    price = await speak("How much is a cleaning?", "en", TELEPHONE_HZ)
    level = float(np.sqrt(np.mean(question.astype(np.float64) ** 2)))
    noise = room_noise(6.0, level * 10 ** (-SNR_DB / 20))

    async with on_the_line(server.voice_url, TELEPHONE_HZ, background=noise) as person:
        await person.my_turn()
        person.say(question)
        assert "1 p.m." in await person.answered(), person.finals
        person.say(price)
        assert "€65" in await person.answered(), person.finals
        greeting, *answers = person.agent_said
        assert "Clinique du Parc" in greeting
        assert len(answers) == 2, f"noise alone is not answered: {person.finals}"
