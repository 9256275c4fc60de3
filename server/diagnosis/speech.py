"""Hearing and speaking, for real: a sentence is spoken, detected and written down again.

What goes wrong here would go wrong in the first call. Models are loaded the way the server loads
them. Called by `server.commands.doctor`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import numpy as np
import soxr

from server.diagnosis.report import Finding, fail, ok, warn
from voice_core.errors import VoiceError
from voice_core.frames import ANALYSIS_HZ, Pcm16
from voice_core.speech import DecodeKind, Recognizer, Voice

SENTENCES = {
    "en": "The clinic opens on Tuesday at ten.",
    "fr": "La clinique ouvre mardi matin.",
    "es": "La clínica abre el martes por la mañana.",
    "ar": "مرحبا، العيادة مفتوحة اليوم.",
    "ary": "مرحبا، العيادة مفتوحة اليوم.",
}
"""What is said to try a language."""

LEAST_HEARD = 0.4
"""Share of the words that must come back: the voices that Parley ships for most languages are robotic."""

LEAD_MS = 300
EDGE_TIMEOUT_S = 5.0
REINSTALL = "pip install --force-reinstall "


async def examine(languages: Sequence[str], models: Path) -> AsyncIterator[Finding]:
    """Load the engines for `languages`, then try voice activity, voice and recogniser of each language."""
    from voice_core.asr.engine import WhisperEngine
    from voice_core.tts.embedded import EmbeddedTts

    began_s = time.monotonic()
    try:
        tts = await asyncio.to_thread(EmbeddedTts.load, tuple(languages), models)
    except VoiceError as error:
        yield fail("voices", str(error), "see there")
        return
    yield ok("voices", f"loaded in {time.monotonic() - began_s:.1f} s")
    began_s = time.monotonic()
    try:
        whisper = await asyncio.to_thread(WhisperEngine.load, models, tuple(languages))
    except VoiceError as error:
        tts.close()
        yield fail("recognition", str(error), "see there")
        return
    yield ok("recognition", f"loaded in {time.monotonic() - began_s:.1f} s")
    try:
        for language in languages:
            spoken, finding = await speak(tts.voice(), language)
            yield finding
            if spoken.size:
                if language == languages[0]:
                    yield await detect(spoken)
                yield await hear(whisper.recognizer(tuple(languages), language), spoken, language)
    finally:
        whisper.close()
        tts.close()


async def speak(voice: Voice, language: str) -> tuple[Pcm16, Finding]:
    """A sentence as 16 kHz audio, empty when nothing came."""
    name = f"speaking {language}"
    began_s = time.monotonic()
    try:
        chunks = [chunk.pcm async for chunk in voice.render(SENTENCES[language], language)]
    except VoiceError as error:
        return np.zeros(0, np.int16), fail(name, str(error), "see there")
    finally:
        await voice.aclose()
    took_ms = (time.monotonic() - began_s) * 1000
    pcm = np.concatenate([np.zeros(0, np.int16), *chunks])
    if not pcm.any():
        return np.zeros(0, np.int16), fail(name, "the voice is silent", f"{REINSTALL}hibari-tts espeakng-loader")
    length_s = pcm.size / voice.sample_rate
    spoken: Pcm16 = soxr.resample(pcm, voice.sample_rate, ANALYSIS_HZ, quality="HQ")
    return spoken, ok(name, f"{length_s:.1f} s of audio in {took_ms:.0f} ms")


async def detect(spoken: Pcm16) -> Finding:
    """Whether the voice activity network notices the sentence."""
    from voice_core.vad import EdgeKind, SpeechEdge
    from voice_core.vad_hub import VadHub

    started = asyncio.Event()

    def on_edge(edge: SpeechEdge) -> None:
        if edge.kind is EdgeKind.STARTED:
            started.set()

    try:
        hub = VadHub(time.monotonic)
        await hub.start()
    except VoiceError as error:
        return fail("voice activity", str(error), "see there")
    try:
        stream = hub.stream(on_edge)
        stream.push(spoken)
        await asyncio.wait_for(started.wait(), EDGE_TIMEOUT_S)
    except TimeoutError:
        fix = f"{REINSTALL}livekit-plugins-silero onnxruntime"
        return fail("voice activity", "a spoken sentence was not noticed", fix)
    finally:
        await hub.close()
    return ok("voice activity", "Silero notices speech")


async def hear(recognizer: Recognizer, spoken: Pcm16, language: str) -> Finding:
    """Whether the recogniser writes the sentence down again."""
    name = f"hearing {language}"
    silence = np.zeros(ANALYSIS_HZ * LEAD_MS // 1000, np.int16)
    began_s = time.monotonic()
    try:
        recognizer.begin(0)
        recognizer.push(np.concatenate([silence, spoken, silence]))
        began_s = time.monotonic()
        heard = await recognizer.decode(DecodeKind.FINAL)
        recognizer.finish()
    except VoiceError as error:
        return fail(name, str(error), "see there")
    finally:
        await recognizer.aclose()
    took_ms = (time.monotonic() - began_s) * 1000
    share = words_kept(SENTENCES[language], heard.text)
    detail = f"“{heard.text}” in {took_ms:.0f} ms"
    if not heard.text:
        return fail(name, "a spoken sentence gave no words", f"{REINSTALL}faster-whisper ctranslate2")
    if share < LEAST_HEARD:
        return warn(name, f"{detail}, but “{SENTENCES[language]}” was said", "recordings of people may fare better")
    return ok(name, detail)


def words_kept(said: str, heard: str) -> float:
    """Share of the words of `said` that are in `heard`, 0..1."""
    expected, found = _words(said), _words(heard)
    return sum(word in found for word in expected) / len(expected)


def _words(text: str) -> list[str]:
    letters = "".join(character if character.isalnum() else " " for character in text.casefold())
    return letters.split()
