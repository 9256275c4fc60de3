"""Three callers with something to say: in English, in French, and from a noisy place over a telephone line.

None of them names a language: it is found out from their voices. What is checked of these calls stands in the
test files; here they are only held.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import numpy as np

from server.caller import CallResult, Turn, place_call
from tests.e2e.person import Person, converse, on_the_line
from voice_core.frames import Pcm16

Speak = Callable[..., Awaitable[Pcm16]]
"""`await speak(text, language, rate_hz)`; 16 kHz when no rate is given."""

ENGLISH = (
    "Hi, what time do you close on Saturday?",
    "And how much is a cleaning?",
    "Great, book me one on Tuesday at ten. My name is Marie Curie, my number is 0 6 1 2 3 4 5 6 7 8.",
)
FRENCH = (
    "Bonjour, à quelle heure fermez-vous le samedi ?",
    "Et combien coûte un détartrage ?",
    "Très bien, réservez-moi ça jeudi à dix heures. Je m'appelle Marie Curie, mon numéro est le 0 6 1 2 3 4 5 6 7 8.",
)
FRENCH_ANSWERS = {
    "c'est bien": "Oui, c'est bien ça.",
    "que préférez-vous": "Le premier.",
    "nom": "Je m'appelle Marie Curie.",
    "numéro": "0 6 1 2 3 4 5 6 7 8.",
    "quel jour": "Jeudi à dix heures.",
    "heure": "À dix heures.",
    "soin": "Un détartrage.",
}
"""Words of the agent's question -> the answer, for what the agent has missed; a read-back names everything,
so its own words come first."""

FRENCH_CORRECTIONS = {
    "Marie Curie": "Non, mon nom est Marie Curie.",
    "06 12 34 56 78": "Non, mon numéro est le 0 6 1 2 3 4 5 6 7 8.",
}

NOISY = ("What time do you close on Saturday?", "How much is a cleaning?")
TELEPHONE_HZ = 8_000
SNR_DB = 15.0


class HeldCall(msgspec.Struct, frozen=True):
    """A call of a person, once it is over: what they heard, and the server's `ended`."""

    person: Person
    ended: dict[str, Any]


class ScriptedCalls(msgspec.Struct, frozen=True):
    """The calls, under way or over."""

    english: asyncio.Task[CallResult]
    french: asyncio.Task[HeldCall]
    noisy: asyncio.Task[HeldCall]


async def english_call(url: str, speak: Speak) -> CallResult:
    """As `parley call --say` places it."""
    return await place_call(url, [Turn(text, await speak(text, "en")) for text in ENGLISH])


async def french_call(url: str, speak: Speak) -> HeldCall:
    """The same, by somebody who answers when the agent asks."""

    async def voice(text: str) -> Pcm16:
        return await speak(text, "fr")

    async with on_the_line(url) as person:
        await converse(
            person,
            FRENCH,
            FRENCH_ANSWERS,
            voice,
            corrections=FRENCH_CORRECTIONS,
            done=lambda: bool(person.tools),
        )
        return HeldCall(person, await person.hang_up())


async def noisy_call(url: str, speak: Speak) -> HeldCall:
    """Two questions at 8 kHz in noise 15 dB under the voice."""
    questions = [await speak(text, "en", TELEPHONE_HZ) for text in NOISY]
    level = float(np.sqrt(np.mean(questions[0].astype(np.float64) ** 2)))
    async with on_the_line(url, TELEPHONE_HZ, background=_room_noise(6.0, level * 10 ** (-SNR_DB / 20))) as person:
        await person.my_turn()
        for question in questions:
            person.say(question)
            await person.answered()
        return HeldCall(person, await person.hang_up())


def _room_noise(seconds: float, rms: float) -> Pcm16:
    """Noise whose level falls by 3 dB an octave, as that of ventilation and traffic, and swells slowly."""
    rng = np.random.default_rng(5)
    count = int(seconds * TELEPHONE_HZ)
    spectrum = np.fft.rfft(rng.standard_normal(count))
    frequencies = np.maximum(np.fft.rfftfreq(count, 1 / TELEPHONE_HZ), 50.0)
    noise = np.fft.irfft(spectrum / np.sqrt(frequencies), count)
    noise *= 1 + 0.3 * np.sin(2 * np.pi * np.arange(count) / (3.1 * TELEPHONE_HZ))
    return np.asarray(noise * (rms / np.sqrt(np.mean(noise**2))), np.int16)
