"""The real engine on spoken words: what a caller says must be what the agent reads."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from livekit import rtc
from livekit.agents import APIConnectionError

from benchmarks.wer import normalise, word_errors
from voice_core.asr.engine import WhisperEngine
from voice_core.asr.livekit_stt import WhisperSTT
from voice_core.asr.log_mel import LogMel
from voice_core.asr.models import find_tiny_en
from voice_core.asr.scheduler import DecodeScheduler
from voice_core.asr.utterance import Understood, Utterance
from voice_core.asr.whisper import Heard, WhisperModel
from voice_core.errors import EngineUnavailable
from voice_core.frames import ANALYSIS_HZ, Pcm16
from voice_core.speech import DecodeKind, Transcript

English = Callable[[str], Pcm16]
Caller = Callable[[str, str], Pcm16]

QUESTION = "Hi, what time do you close on Saturday?"
FRENCH = "Bonjour, je voudrais prendre un rendez-vous avec le dentiste demain matin."


async def hear(
    engine: WhisperEngine,
    pcm: Pcm16,
    languages: tuple[str, ...],
    language: str | None = None,
    terms: tuple[str, ...] = (),
) -> Transcript:
    recognizer = engine.recognizer(languages, language)
    recognizer.bias(terms)
    recognizer.begin(0)
    recognizer.push(pcm)
    return await recognizer.decode(DecodeKind.FINAL)


@pytest.mark.parametrize(
    "said",
    [
        QUESTION,
        "Yes.",
        "I would like to book a cleaning on Tuesday at ten in the morning.",
        "My number is zero six one two three four five six seven eight.",
    ],
)
async def test_english_is_understood(engine: WhisperEngine, english: English, said: str) -> None:
    heard = await hear(engine, english(said), ("en",))
    assert word_errors(said.replace(" seven eight", ""), heard.text.replace("78", ""), "en").rate <= 0.35, heard.text
    assert heard.language == "en"
    assert 0.3 < heard.confidence <= 1.0


async def test_french_is_detected_and_understood_in_a_mixed_session(engine: WhisperEngine, caller: Caller) -> None:
    heard = await hear(engine, caller(FRENCH, "fr"), ("en", "fr"))
    assert heard.language == "fr"
    assert {"bonjour", "rendez", "vous", "dentiste"} <= set(normalise(heard.text, "fr")), heard.text


async def test_a_caller_may_change_language_within_a_call(
    engine: WhisperEngine, english: English, caller: Caller
) -> None:
    recognizer = engine.recognizer(("en", "fr"))
    languages = list[str]()
    for pcm in (english(QUESTION), english(QUESTION), caller(FRENCH, "fr"), caller(FRENCH, "fr"), english(QUESTION)):
        recognizer.begin(0)
        recognizer.push(pcm)
        languages.append((await recognizer.decode(DecodeKind.FINAL)).language)
        recognizer.finish()
    assert languages == ["en", "en", "fr", "fr", "en"]


async def test_moroccan_arabic_is_named_so(engine: WhisperEngine, caller: Caller) -> None:
    heard = await hear(engine, caller("صباح الخير، أريد موعدا غدا", "ar"), ("ary", "fr"), "ary")
    assert heard.language == "ary"
    assert any("\u0600" <= letter <= "\u06ff" for letter in heard.text)


@pytest.mark.parametrize("languages", [("en",), ("en", "fr")])
@pytest.mark.parametrize("level", [0, 30, 300, 3000])
async def test_noise_says_nothing(engine: WhisperEngine, languages: tuple[str, ...], level: int) -> None:
    noise = np.random.default_rng(level).normal(0, level, 24_000).astype(np.int16)
    assert (await hear(engine, noise, languages)).text == ""


async def test_names_of_the_tenant_are_written_its_way(engine: WhisperEngine, english: English) -> None:
    pcm = english("Hello, is this Clinique du Parc?")
    assert "Clinique du Parc" in (await hear(engine, pcm, ("en",), terms=("Clinique du Parc", "Gueliz"))).text


async def test_names_that_were_not_said_are_not_heard(engine: WhisperEngine, english: English) -> None:
    pcm = english("I would like to book a cleaning on Tuesday at ten in the morning.")
    plain = await hear(engine, pcm, ("en",))
    assert (await hear(engine, pcm, ("en",), terms=("Kliner", "Toufik", "Morningstar", "Gueliz"))).text == plain.text


async def test_partials_grow_and_their_stable_words_stand(engine: WhisperEngine, english: English) -> None:
    pcm = english("I would like to book a cleaning on Tuesday at ten in the morning.")
    recognizer = engine.recognizer(("en",), clock=lambda: 0.0)  # Partials as often as they are asked for.
    recognizer.begin(0)
    stable: list[str] = []
    for start in range(0, len(pcm), ANALYSIS_HZ // 2):
        recognizer.push(pcm[start : start + ANALYSIS_HZ // 2])
        partial = await recognizer.decode(DecodeKind.PARTIAL)
        assert partial.text.startswith(partial.stable)
        stable.append(partial.stable)
    final = await recognizer.decode(DecodeKind.FINAL)
    assert any("book" in words for words in stable[:-2])
    assert normalise(final.text, "en")[:5] == "i would like to book".split()


async def test_more_than_half_a_minute_is_understood_to_its_end(engine: WhisperEngine, english: English) -> None:
    sentences = [
        "Good morning, I have a toothache since last Monday.",
        "It hurts when I drink something cold or when I eat.",
        "My last visit was about two years ago with another dentist.",
        "I can come in the morning or late in the afternoon.",
        "I would also like to know the price of a whitening.",
        "My wife wants to book a cleaning on the same day.",
        "Please send me a message when you know the time.",
        "Thank you very much and have a nice day.",
    ]
    pause = np.zeros(ANALYSIS_HZ // 2, dtype=np.int16)
    pcm = np.concatenate([piece for said in sentences for piece in (english(said), pause)])
    assert len(pcm) > 26 * ANALYSIS_HZ
    recognizer = engine.recognizer(("en",))
    recognizer.begin(0)
    recognizer.push(pcm[: 25 * ANALYSIS_HZ])
    begun = await recognizer.decode(DecodeKind.PARTIAL)
    recognizer.push(pcm[25 * ANALYSIS_HZ :])
    heard = await recognizer.decode(DecodeKind.FINAL)
    assert word_errors(" ".join(sentences), heard.text, "en").rate < 0.15, heard.text
    assert len(heard.stable.split()) > 0.7 * len(begun.text.split())


async def test_calls_at_the_same_time_hear_their_own_words(engine: WhisperEngine, english: English) -> None:
    said = [QUESTION, "How much is a cleaning?", "I want to speak to a human."]
    heard = await asyncio.gather(*(hear(engine, english(text), ("en",)) for text in said))
    for text, transcript in zip(said, heard, strict=True):
        assert word_errors(text, transcript.text, "en").rate <= 0.3, transcript.text


def test_a_short_utterance_is_encoded_in_a_short_window(tiny: WhisperModel, english: English) -> None:
    mel = LogMel()
    mel.push(english("Yes."))
    encoded = tiny.encode(mel.frames())
    assert encoded.shape[1] < 300  # 30 s would be 1,500 states.
    assert tiny.score(encoded, "Yes.", "en") > tiny.score(encoded, "Goat.", "en")


def test_a_language_that_was_not_loaded_is_refused(tiny: WhisperModel) -> None:
    engine = WhisperEngine(tiny, None, threads=1)
    with pytest.raises(EngineUnavailable, match="'fr'"):
        engine.recognizer(("en", "fr"))
    engine.close()


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    files = find_tiny_en()
    with pytest.raises(EngineUnavailable, match="cannot be loaded"):
        WhisperModel(type(files)(files.size, tmp_path), workers=1)


async def test_livekit_hears_the_same_words(engine: WhisperEngine, english: English) -> None:
    stereo = np.repeat(english(QUESTION), 2)
    frames = [
        rtc.AudioFrame(piece.tobytes(), ANALYSIS_HZ, 2, len(piece) // 2) for piece in np.split(stereo, [16_000, 32_000])
    ]
    stt = WhisperSTT(engine, ("en", "fr"))
    event = await stt.recognize(frames)
    assert word_errors(QUESTION, event.alternatives[0].text, "en").rate <= 0.2
    assert event.alternatives[0].language == "en"
    assert not stt.capabilities.streaming


async def test_livekit_is_told_when_the_engine_is_closed(english: English) -> None:
    class Closed:
        def __init__(self) -> None:
            self.scheduler = DecodeScheduler(1)
            self.scheduler.close()

        async def understand(self, kind: DecodeKind, utterance: Utterance) -> Understood:
            return await self.scheduler.run(kind, lambda _: Understood(Heard("", "en", 0.0, 1.0)))

    frame = rtc.AudioFrame(english(QUESTION).tobytes(), ANALYSIS_HZ, 1, len(english(QUESTION)))
    with pytest.raises(APIConnectionError, match="closed"):
        await WhisperSTT(Closed(), ("en",)).recognize(frame)
