"""The call shell on a real event loop: real VAD and synthesised speech, engines with known delays."""

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest
from hibari import Hibari

from benchmarks.fake_engines import FakeRecognizer, FakeResponder, FakeVoice
from voice_core.call import CallSettings, VoiceCall
from voice_core.errors import EngineError
from voice_core.event_log import replay
from voice_core.frames import Pcm16, frame_samples
from voice_core.notices import EndedNotice, Notice, StateNotice, TurnNotice
from voice_core.pacer import Pacer
from voice_core.record import CallRecord
from voice_core.resample import StreamingResampler
from voice_core.responder import Cause, ReplyPart, ReplyText, TurnRequest
from voice_core.vad_hub import VadHub

RATE_HZ = 16_000
FRAME = frame_samples(RATE_HZ)
LONG = "We are open from nine to six on weekdays, and on Saturdays we close at one in the afternoon."


class FakeLeg:
    """The far end: notes what it hears and when."""

    sample_rate = RATE_HZ

    def __init__(self) -> None:
        self.frames: list[tuple[float, Pcm16]] = []
        self.notices: list[Notice] = []
        self.clears = 0
        self.closed: Notice | None = None

    def play(self, frame: Pcm16) -> None:
        self.frames.append((asyncio.get_running_loop().time(), frame))

    def clear(self) -> None:
        self.clears += 1

    def notify(self, notice: Notice) -> None:
        self.notices.append(notice)

    async def close(self, notice: Notice) -> None:
        self.closed = notice

    def last_frame_s(self) -> float:
        return self.frames[-1][0] if self.frames else 0.0

    async def speaks(self, *, timeout_s: float = 5.0) -> None:
        """Wait for the next agent frame."""
        count = len(self.frames)
        async with asyncio.timeout(timeout_s):
            while len(self.frames) == count:
                await asyncio.sleep(0.005)

    async def falls_silent(self, *, for_s: float = 0.3, timeout_s: float = 15.0) -> None:
        """Wait until no agent frame came for a while."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(timeout_s):
            while loop.time() - self.last_frame_s() < for_s:
                await asyncio.sleep(0.01)


def reply(request: TurnRequest) -> list[ReplyPart | EngineError]:
    if request.cause is Cause.GREETING:
        return [ReplyText("Hello.", "en")]
    if request.cause is Cause.GOODBYE:
        return [ReplyText("Goodbye.", "en")]
    return [ReplyText(LONG, "en")]


class Caller:
    """One call with a caller who sends audio in real time, as a telephone does."""

    def __init__(self, vad: VadHub, pacer: Pacer, script: list[str | EngineError], **options: object) -> None:
        self.leg = FakeLeg()
        self.recognizer = FakeRecognizer(script, delay_ms=60.0)
        self.responder = FakeResponder(reply)
        self.archived: list[tuple[CallRecord, bytes]] = []
        self.call = VoiceCall(
            leg=self.leg,
            recognizer=self.recognizer,
            voice=options.get("voice") or FakeVoice(delay_ms=30.0),  # type: ignore[arg-type]
            responder=self.responder,
            vad=vad,
            pacer=pacer,
            settings=CallSettings(call_id="c1", language="en"),
            archive=self._archive,
        )
        self._microphone: list[Pcm16] = []
        self._running = asyncio.create_task(self.call.run())
        self._sending = asyncio.create_task(self._send())

    async def _archive(self, record: CallRecord, log: bytes) -> None:
        assert self.leg.closed is None, "the record is stored before the far end is told"
        self.archived.append((record, log))

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        silence = np.zeros(FRAME, np.int16)
        while True:
            self.call.push_audio(self._microphone.pop(0) if self._microphone else silence)
            due_s += 0.02
            await asyncio.sleep(max(0.0, due_s - loop.time()))

    async def says(self, pcm: Pcm16) -> float:
        """Speak; returns when the last sample was sent."""
        self._microphone = [pcm[i : i + FRAME] for i in range(0, len(pcm) - FRAME, FRAME)]
        while self._microphone:
            await asyncio.sleep(0.005)
        return asyncio.get_running_loop().time()

    async def hangs_up(self) -> CallRecord:
        self.call.hang_up("caller_hung_up")
        return await self.finished()

    async def finished(self) -> CallRecord:
        record = await asyncio.wait_for(self._running, 15)
        self._sending.cancel()
        return record


@pytest.fixture(scope="module")
def speech() -> dict[str, Pcm16]:
    """A caller's sentence and a short interruption, 16 kHz, silence trimmed."""

    def say(text: str) -> Pcm16:
        audio = Hibari()(text, seed=1)
        loud = np.flatnonzero(np.abs(audio) > 0.02)
        pcm = (audio[loud[0] : loud[-1]] * 32_767).astype(np.int16)
        return StreamingResampler(24_000, RATE_HZ).push(pcm)

    return {"question": say("What time do you close on Saturday?"), "wait": say("Wait, I meant the other clinic.")}


@pytest.fixture
async def room() -> AsyncIterator[tuple[VadHub, Pacer]]:
    vad, pacer = VadHub(), Pacer()
    await vad.start()
    await pacer.start()
    yield vad, pacer
    await pacer.close()
    await vad.close()


async def test_a_call_greets_answers_and_leaves_a_true_record(
    room: tuple[VadHub, Pacer], speech: dict[str, Pcm16]
) -> None:
    caller = Caller(*room, ["What time do you close on Saturday?"])
    await caller.leg.speaks()
    await caller.leg.falls_silent()
    ended_s = await caller.says(speech["question"])
    await caller.leg.speaks()
    waited_s = caller.leg.last_frame_s() - ended_s
    assert waited_s < 0.6, "endpointing delay and a few frames"
    await caller.leg.falls_silent()
    record = await caller.hangs_up()
    assert [(u.role, u.text) for u in record.transcript] == [
        ("agent", "Hello."),
        ("caller", "What time do you close on Saturday?"),
        ("agent", LONG),
    ]
    turn = next(n for n in caller.leg.notices if isinstance(n, TurnNotice))
    assert turn.timeline["reply_asked_ms"] < turn.timeline["turn_confirmed_ms"] <= turn.timeline["first_frame_ms"]
    states = [n.state for n in caller.leg.notices if isinstance(n, StateNotice)]
    assert states[:5] == ["thinking", "speaking", "listening", "thinking", "speaking"]
    assert isinstance(caller.leg.closed, EndedNotice)
    assert caller.archived[0][0] == record
    assert replay(caller.archived[0][1]), "the log of a real call replays"


async def test_frames_leave_every_20_ms(room: tuple[VadHub, Pacer]) -> None:
    caller = Caller(*room, [])
    caller.call.push_text("tell me everything")
    await caller.leg.speaks()
    await caller.leg.falls_silent()
    await caller.hangs_up()
    times = np.array([at for at, _ in caller.leg.frames[-100:]])
    assert abs(float(np.median(np.diff(times))) - 0.020) < 0.002
    assert times[-1] - times[0] == pytest.approx(0.020 * (len(times) - 1), abs=0.02), "no drift"


async def test_an_interruption_silences_the_agent_and_the_record_holds_what_was_heard(
    room: tuple[VadHub, Pacer], speech: dict[str, Pcm16]
) -> None:
    caller = Caller(*room, ["Wait, I meant the other clinic."])
    await caller.leg.speaks()
    caller.call.push_text("when are you open")
    await asyncio.sleep(1.2)
    began_s = asyncio.get_running_loop().time()
    await caller.says(speech["wait"])
    heard_after = [at - began_s for at, _ in caller.leg.frames if 0 < at - began_s < 1.5]
    assert max(heard_after) < 0.3, "silent within 300 ms"
    await caller.leg.speaks()
    record = await caller.hangs_up()
    cut = next(u for u in record.transcript if u.role == "agent" and u.intended.startswith("We are") and u.text != LONG)
    assert LONG.startswith(cut.text)
    assert 0 < len(cut.text.split()) < len(LONG.split()) / 2
    assert any(u.role == "caller" and u.text.startswith("Wait") for u in record.transcript)


async def test_a_voice_that_fails_is_excused_and_the_call_goes_on(room: tuple[VadHub, Pacer]) -> None:
    def fails_once(text: str) -> EngineError | None:
        return EngineError("tts down") if text.startswith("Hello") else None

    caller = Caller(*room, [], voice=FakeVoice(failure=fails_once))
    await asyncio.sleep(0.1)
    caller.call.push_text("are you there")
    await caller.leg.speaks()
    record = await caller.hangs_up()
    assert all(u.text != "Hello." for u in record.transcript), "what had no sound was not heard"


async def test_a_shutdown_says_goodbye_before_the_call_ends(room: tuple[VadHub, Pacer]) -> None:
    caller = Caller(*room, [])
    await caller.leg.speaks()
    caller.call.wind_down()
    record = await caller.finished()
    assert record.reason == "shutdown"
    assert record.transcript[-1].text == "Goodbye."
    assert caller.recognizer.closed


async def test_a_finished_call_leaves_no_task_and_no_timer_behind(room: tuple[VadHub, Pacer]) -> None:
    before = asyncio.all_tasks()
    caller = Caller(*room, [])
    await caller.leg.speaks()
    caller.call.push_text("when are you open")
    await asyncio.sleep(0.3)
    await caller.hangs_up()
    await asyncio.sleep(0.05)
    assert asyncio.all_tasks() - before == set()
