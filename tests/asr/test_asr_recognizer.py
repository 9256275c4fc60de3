"""One call's recogniser, with an engine that answers what the test tells it to."""

import asyncio

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_core.asr.language import LanguageTracker
from voice_core.asr.recognizer import LONGEST_UTTERANCE_S, PREROLL_S, PreRoll, WhisperRecognizer, agreed_prefix
from voice_core.asr.utterance import EARLIEST_CUT_S, LONGEST_PIECE_S, Understood, Utterance, quietest_cut
from voice_core.asr.whisper import Heard
from voice_core.frames import ANALYSIS_HZ, Pcm16
from voice_core.speech import DecodeDropped, DecodeKind


class ScriptedEngine:
    """Answers each decode with the next of `answers`, and remembers what it was asked."""

    def __init__(self, *answers: str | Understood, decode_s: float = 0.0) -> None:
        self.now_s = 0.0
        self._decode_s = decode_s
        self._answers = list(answers)
        self.asked: list[Utterance] = []
        self.ready = asyncio.Event()
        self.ready.set()

    async def understand(self, kind: DecodeKind, utterance: Utterance) -> Understood:
        self.asked.append(utterance)
        answer = self._answers.pop(0)
        await self.ready.wait()
        self.now_s += self._decode_s
        if isinstance(answer, str):
            return Understood(Heard(answer, utterance.language or "en", -0.2, 0.01))
        return answer


def recognizer(engine: ScriptedEngine, *languages: str) -> WhisperRecognizer:
    return WhisperRecognizer(engine, LanguageTracker(languages or ("en",), None), clock=lambda: engine.now_s)


def tone(seconds: float) -> Pcm16:
    t = np.arange(int(seconds * ANALYSIS_HZ)) / ANALYSIS_HZ
    return np.asarray(5000 * np.sin(2 * np.pi * 300 * t), dtype=np.int16)


async def test_the_utterance_reaches_back_before_it_was_noticed() -> None:
    engine = ScriptedEngine("hello")
    rec = recognizer(engine)
    rec.push(tone(5.0))
    rec.begin(lookback_ms=400)
    rec.push(tone(0.6))
    assert (await rec.decode(DecodeKind.FINAL)).text == "hello"
    assert len(engine.asked[0].frames) == pytest.approx(100, abs=3)


async def test_words_that_two_decodes_agree_on_are_stable() -> None:
    rec = recognizer(ScriptedEngine("please hold my", "Please hold the", "please hold the line."))
    rec.begin(0)
    rec.push(tone(1.0))
    stable = [(await rec.decode(DecodeKind.PARTIAL)).stable for _ in range(3)]
    assert stable == ["", "Please hold", "please hold the"]


async def test_a_new_utterance_remembers_nothing_of_the_last() -> None:
    engine = ScriptedEngine("hello there", "hello there")
    rec = recognizer(engine)
    rec.begin(0)
    rec.push(tone(1.0))
    await rec.decode(DecodeKind.FINAL)
    rec.finish()
    rec.begin(0)
    rec.push(tone(0.5))
    assert (await rec.decode(DecodeKind.FINAL)).stable == ""
    assert len(engine.asked[1].frames) == pytest.approx(50, abs=3)


async def test_partials_take_a_third_of_the_time_at_most_and_finals_are_never_held_back() -> None:
    engine = ScriptedEngine(*["words"] * 8, decode_s=0.2)
    rec = recognizer(engine)
    rec.begin(0)
    rec.push(tone(1.0))
    assert (await rec.decode(DecodeKind.PARTIAL)).decode_ms == pytest.approx(200)
    engine.now_s = 0.55
    with pytest.raises(DecodeDropped):
        await rec.decode(DecodeKind.PARTIAL)
    assert (await rec.decode(DecodeKind.FINAL)).text == "words"
    assert (await rec.decode(DecodeKind.PARTIAL)).text == "words"


async def test_without_an_utterance_nothing_is_asked() -> None:
    engine = ScriptedEngine()
    rec = recognizer(engine)
    rec.push(tone(1.0))
    assert (await rec.decode(DecodeKind.FINAL)).text == ""
    rec.begin(0)
    assert (await rec.decode(DecodeKind.FINAL)).text == ""
    assert engine.asked == []


async def test_a_long_utterance_keeps_the_words_of_what_is_no_longer_decoded() -> None:
    first = Understood(Heard("and second", "en", -0.2, 0.0), committed=("First part",), committed_frames=1500)
    engine = ScriptedEngine(first, "and second and third")
    rec = recognizer(engine)
    rec.begin(0)
    rec.push(tone(25.0))
    assert (await rec.decode(DecodeKind.PARTIAL)).text == "First part and second"
    rec.push(tone(1.0))
    second = await rec.decode(DecodeKind.FINAL)
    assert second.text == "First part and second and third"
    assert second.stable == "First part and second"
    assert len(engine.asked[1].frames) == pytest.approx(1100, abs=3)


async def test_two_decodes_at_once_commit_a_piece_once() -> None:
    piece = Understood(Heard("tail", "en", -0.2, 0.0), committed=("Head",), committed_frames=1500)
    engine = ScriptedEngine(piece, piece, "tail")
    rec = recognizer(engine)
    rec.begin(0)
    rec.push(tone(25.0))
    engine.ready.clear()
    decodes = [asyncio.create_task(rec.decode(kind)) for kind in (DecodeKind.PARTIAL, DecodeKind.FINAL)]
    await asyncio.sleep(0)
    engine.ready.set()
    both = await asyncio.gather(*decodes)
    assert [found.text for found in both] == ["Head tail", "Head tail"]
    assert (await rec.decode(DecodeKind.FINAL)).text == "Head tail"


async def test_a_decode_that_outlives_its_utterance_changes_nothing() -> None:
    engine = ScriptedEngine("late words", "new words")
    rec = recognizer(engine)
    rec.begin(0)
    rec.push(tone(1.0))
    engine.ready.clear()
    late = asyncio.create_task(rec.decode(DecodeKind.FINAL))
    await asyncio.sleep(0)
    rec.finish()
    rec.begin(0)
    rec.push(tone(1.0))
    engine.ready.set()
    assert (await late).text == "late words"
    assert (await rec.decode(DecodeKind.FINAL)).stable == ""


async def test_the_language_settles_after_a_clear_utterance_and_is_not_counted_twice() -> None:
    heard = Understood(Heard("bonjour", "fr", -0.2, 0.0), languages={"en": 0.25, "fr": 0.75})
    engine = ScriptedEngine(heard, heard, heard, "encore")
    rec = recognizer(engine, "en", "fr")
    rec.begin(0)
    rec.push(tone(2.5))
    for _ in range(3):  # Three speculative finals of the same words are one piece of evidence.
        assert (await rec.decode(DecodeKind.FINAL)).language == "fr"
    rec.finish()
    rec.begin(0)
    rec.push(tone(2.5))
    await rec.decode(DecodeKind.FINAL)
    assert [utterance.language for utterance in engine.asked] == [None, None, None, None]


async def test_an_utterance_that_nobody_decodes_does_not_grow_for_ever() -> None:
    engine = ScriptedEngine("words")
    rec = recognizer(engine)
    rec.begin(0)
    for _ in range(40):
        rec.push(tone(5.0))
    await rec.decode(DecodeKind.FINAL)
    assert len(engine.asked[0].frames) <= LONGEST_UTTERANCE_S * 100 + 3


@given(st.lists(st.integers(0, 40_000), max_size=8), st.integers(0, 40_000))
def test_the_ring_holds_the_newest_samples_whatever_the_pieces(sizes: list[int], wanted: int) -> None:
    ring, everything = PreRoll(), np.arange(sum(sizes)).astype(np.int16)
    start = 0
    for size in sizes:
        ring.push(everything[start : start + size])
        start += size
    held = min(len(everything), int(PREROLL_S * ANALYSIS_HZ), wanted)
    np.testing.assert_array_equal(ring.newest(wanted), everything[len(everything) - held :])


@given(st.lists(st.sampled_from("abc"), max_size=6), st.lists(st.sampled_from("abc"), max_size=6))
def test_the_agreed_prefix_is_a_prefix_of_both(one: list[str], other: list[str]) -> None:
    agreed = agreed_prefix(" ".join(one), " ".join(other)).split()
    assert one[: len(agreed)] == agreed == other[: len(agreed)]
    assert one[len(agreed) : len(agreed) + 1] != other[len(agreed) : len(agreed) + 1] or agreed in (one, other)


def test_a_long_utterance_is_cut_in_its_quietest_moment() -> None:
    frames = np.zeros((3000, 80), dtype=np.float32)
    frames[1700:1740] = -6.0
    assert quietest_cut(frames) == pytest.approx(1720, abs=11)
    assert EARLIEST_CUT_S * 100 <= quietest_cut(np.zeros((3000, 80), dtype=np.float32)) <= LONGEST_PIECE_S * 100


def hiss(seconds: float) -> Pcm16:
    return np.random.default_rng(3).normal(0, 10, int(seconds * ANALYSIS_HZ)).astype(np.int16)


async def test_words_before_a_real_pause_are_not_decoded_again() -> None:
    engine = ScriptedEngine("Book me one on Tuesday at ten.", "My name is Marie Curie.")
    rec = recognizer(engine)
    rec.begin(0)
    rec.push(tone(4.0))
    rec.push(hiss(0.15))
    await rec.decode(DecodeKind.FINAL)
    rec.push(hiss(0.3))
    rec.push(tone(1.0))
    rec.push(hiss(0.15))
    found = await rec.decode(DecodeKind.FINAL)
    assert found.text == "Book me one on Tuesday at ten. My name is Marie Curie."
    assert len(engine.asked[1].frames) == pytest.approx(145, abs=3), "from the pause on"


@pytest.mark.parametrize(
    ("spoken_s", "pause_s", "before"), [(4.0, 0.02, "Book me"), (1.5, 0.3, "Book me"), (4.0, 0.3, "number 0 6 1,")]
)
async def test_a_stop_in_a_word_or_a_number_and_a_short_piece_keep_their_context(
    spoken_s: float, pause_s: float, before: str
) -> None:
    engine = ScriptedEngine(before, "Book me one.")
    rec = recognizer(engine)
    rec.begin(0)
    rec.push(tone(spoken_s))
    rec.push(hiss(0.15))
    await rec.decode(DecodeKind.FINAL)
    rec.push(hiss(pause_s))
    rec.push(tone(1.0))
    found = await rec.decode(DecodeKind.FINAL)
    assert found.text == "Book me one."
    assert len(engine.asked[1].frames) > 100 * (spoken_s + 1.0)


async def test_a_clear_language_in_a_partial_spares_the_final_its_detection() -> None:
    clear = Understood(Heard("what time", "en", -0.2, 0.01), {"en": 0.97, "fr": 0.03})
    engine = ScriptedEngine(clear, "What time do you close?")
    rec = recognizer(engine, "fr", "en")
    rec.begin(0)
    rec.push(tone(1.5))
    await rec.decode(DecodeKind.PARTIAL)
    rec.push(tone(0.5))
    await rec.decode(DecodeKind.FINAL)
    assert [asked.language for asked in engine.asked] == [None, "en"]
