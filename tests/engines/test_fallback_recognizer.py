"""What a caller gets when recognisers fail: the words, late at most once."""

import asyncio

import numpy as np
import pytest

from benchmarks.fake_engines import FakeRecognizer
from voice_core.engines.fallback_recognizer import FallbackRecognizer, RecognizerCandidate
from voice_core.engines.health import FIRST_PAUSE_S, HealthBook, HealthState
from voice_core.engines.livekit_recognizer import NoTranscript
from voice_core.errors import EngineError
from voice_core.frames import ANALYSIS_FRAME_SAMPLES
from voice_core.speech import DecodeDropped, DecodeKind, Transcript

FRAME = np.full(ANALYSIS_FRAME_SAMPLES, 500, dtype=np.int16)
TIMEOUT_S = 0.2


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Bench:
    """A chain of scripted engines, and everything they were asked."""

    def __init__(self, *scripts: list[str | EngineError], delays_ms: tuple[float, ...] = ()) -> None:
        self.clock = Clock()
        self.book = HealthBook(self.clock)
        self.scripts = scripts
        self.delays_ms = list(delays_ms or [0.0] * len(scripts))
        self.made: dict[str, list[FakeRecognizer]] = {name: [] for name in "abc"[: len(scripts)]}
        self.chain = FallbackRecognizer(
            [RecognizerCandidate(name, self._maker(i, name), TIMEOUT_S) for i, name in enumerate(self.made)],
            self.book,
            "en",
        )

    def _maker(self, index: int, name: str):
        def make() -> FakeRecognizer:
            engine = FakeRecognizer(self.scripts[index], delay_ms=self.delays_ms[index])
            # What one engine of this kind has used up of the script, the next one does not say again.
            engine.script = self.scripts[index]  # type: ignore[assignment]
            self.made[name].append(engine)
            return engine

        return make

    async def utterance(self, frames: int = 20) -> Transcript:
        for _ in range(frames):
            self.chain.push(FRAME)
        self.chain.begin(100.0)
        for _ in range(frames):
            self.chain.push(FRAME)
        try:
            return await self.chain.decode(DecodeKind.FINAL)
        finally:
            self.chain.finish()

    def asked(self, name: str) -> int:
        return sum(len(engine.decodes) for engine in self.made[name])


def failure() -> EngineError:
    return EngineError("down")


async def test_the_first_engine_answers_while_it_is_well():
    bench = Bench(["hello"], ["other"])
    assert (await bench.utterance()).text == "hello"
    assert bench.asked("b") == 0


async def test_the_next_engine_decodes_the_same_utterance():
    bench = Bench([failure()], ["hello"])
    assert (await bench.utterance(frames=30)).text == "hello"
    heard_ms = bench.made["b"][0].pushed_samples / 16
    assert heard_ms == 100.0 + 30 * 20, "look-back and utterance, nothing more"


async def test_a_slow_engine_costs_one_time_out_once():
    bench = Bench(["late"] * 5, ["one", "two", "three"], delays_ms=(10_000.0, 0.0))
    began_s = asyncio.get_running_loop().time()
    texts = [(await bench.utterance()).text for _ in range(3)]
    took_s = asyncio.get_running_loop().time() - began_s
    assert texts == ["one", "two", "three"]
    assert bench.asked("a") == 1
    assert took_s < 5.0


async def test_an_engine_comes_back_after_a_probe_that_no_caller_waits_for():
    bench = Bench([failure(), "probe", "back"], ["one", "two", "three"])
    assert (await bench.utterance()).text == "one"
    bench.scripts[0].pop(0)
    bench.clock.now_s += FIRST_PAUSE_S
    assert (await bench.utterance()).text == "two", "the probe runs in the shadow of the working engine"
    await asyncio.sleep(0.01)
    assert bench.book.of("a").state is HealthState.HEALTHY
    bench.scripts[0].pop(0)
    assert (await bench.utterance()).text == "back"


async def test_a_failing_probe_leaves_the_chain_as_it_is():
    bench = Bench([failure(), failure()], ["one", "two", "three"])
    await bench.utterance()
    bench.clock.now_s += FIRST_PAUSE_S
    assert (await bench.utterance()).text == "two"
    await asyncio.sleep(0.01)
    assert bench.book.of("a").pause_s == 2 * FIRST_PAUSE_S
    assert (await bench.utterance()).text == "three"


async def test_silence_heard_by_all_engines_is_silence_and_no_failure():
    class Deaf(FakeRecognizer):
        async def decode(self, kind: DecodeKind) -> Transcript:
            raise NoTranscript("nothing")

    book = HealthBook(Clock())
    chain = FallbackRecognizer(
        [RecognizerCandidate("a", Deaf), RecognizerCandidate("b", lambda: FakeRecognizer([""]))], book, "fr"
    )
    chain.begin(0.0)
    chain.push(FRAME)
    answer = await chain.decode(DecodeKind.FINAL)
    assert (answer.text, book.of("a").state) == ("", HealthState.HEALTHY)


async def test_an_engine_that_misses_words_another_one_hears_is_failing():
    class Deaf(FakeRecognizer):
        async def decode(self, kind: DecodeKind) -> Transcript:
            raise NoTranscript("nothing")

    book = HealthBook(Clock())
    chain = FallbackRecognizer(
        [RecognizerCandidate("a", Deaf), RecognizerCandidate("b", lambda: FakeRecognizer(["hello"]))], book, "en"
    )
    chain.begin(0.0)
    chain.push(FRAME)
    assert (await chain.decode(DecodeKind.FINAL)).text == "hello"
    assert book.of("a").state is HealthState.FAILING


async def test_a_partial_that_fails_is_dropped_and_the_final_comes_from_the_next_engine():
    bench = Bench([failure()], ["hello there"])
    bench.chain.begin(0.0)
    for _ in range(50):
        bench.chain.push(FRAME)
    with pytest.raises(DecodeDropped):
        await bench.chain.decode(DecodeKind.PARTIAL)
    assert (await bench.chain.decode(DecodeKind.FINAL)).text == "hello there"
    assert bench.asked("a") == 1


async def test_when_no_engine_works_the_call_is_told():
    bench = Bench([failure(), failure()], [failure(), failure()])
    with pytest.raises(EngineError):
        await bench.utterance()


async def test_terms_reach_the_engine_that_takes_over():
    bench = Bench([failure()], ["hello"])
    bench.chain.bias(["Marie Curie"])
    await bench.utterance()
    assert bench.made["b"][0].terms == ("Marie Curie",)


async def test_closing_closes_every_engine():
    bench = Bench([failure()], ["hello"])
    await bench.utterance()
    await bench.chain.aclose()
    assert all(engine.closed for engines in bench.made.values() for engine in engines)
