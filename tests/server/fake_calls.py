"""A call without engines: it plays a tone on a 20 ms clock and remembers what it was given."""

import asyncio
import socket
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

import msgspec
import numpy as np

from telephony.admission import VoiceSocketLimits
from telephony.calls import CallRefused, LiveCall
from telephony.peer import Peer
from telephony.voice_messages import StartMessage
from telephony.voice_socket import VoiceSocket
from voice_core.frames import FRAME_MS, Pcm16, frame_samples
from voice_core.leg import Leg
from voice_core.notices import EndedNotice, StateNotice, TranscriptNotice


async def until(condition: Callable[[], object], within_s: float = 5.0) -> None:
    """Wait until something has become true."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.005)


class ToneCall:
    """Plays frames that each hold their own number, until it is hung up or wound down."""

    GOODBYE_FRAMES = 5

    def __init__(self, leg: Leg, *, speaks: bool = True) -> None:
        self.leg = leg
        self.heard: list[Pcm16] = []
        self.digits = ""
        self.texts: list[str] = []
        self.reason = ""
        self.stored = False
        self.played = 0
        self._speaks = speaks
        self._frames_left: int | None = None
        self._hung_up = asyncio.Event()

    async def run(self) -> None:
        self.leg.notify(StateNotice(state="speaking" if self._speaks else "listening"))
        loop = asyncio.get_running_loop()
        due = loop.time()
        while not self._hung_up.is_set() and self._frames_left != 0:
            if self._speaks:
                self.leg.play(np.full(frame_samples(self.leg.sample_rate), self.played + 1, dtype=np.int16))
                self.played += 1
            if self._frames_left is not None:
                self._frames_left -= 1
            due += FRAME_MS / 1000
            await asyncio.sleep(max(0.0, due - loop.time()))
        await self.leg.close(EndedNotice(outcome="completed", reason=self.reason or "goodbye", call_id="c1"))
        await asyncio.sleep(0.05)  # a database takes its time
        self.stored = True

    def push_audio(self, pcm: Pcm16) -> None:
        self.heard.append(pcm)

    def push_dtmf(self, digit: str) -> None:
        self.digits += digit

    def push_text(self, text: str) -> None:
        self.texts.append(text)
        if text == "interrupt":
            self.leg.clear()
        if text == "break":
            raise RuntimeError("a fault in the call")

    def hang_up(self, reason: str) -> None:
        self.reason = self.reason or reason
        self._hung_up.set()

    def wind_down(self) -> None:
        self.reason = "shutdown"
        self._frames_left = self.GOODBYE_FRAMES

    @property
    def samples(self) -> Pcm16:
        return np.concatenate(self.heard) if self.heard else np.zeros(0, np.int16)


class AnsweringCall(ToneCall):
    """Greets with a tone, answers each utterance with a tone `answer_after_ms` after its last sample.

    mute: answers nothing after the greeting.
    """

    def __init__(self, leg: Leg, *, answer_after_ms: float, mute: bool = False) -> None:
        super().__init__(leg)
        self._answer_after_ms = answer_after_ms
        self._mute = mute
        self._quiet_ms = 0.0
        self._to_answer = False

    def push_audio(self, pcm: Pcm16) -> None:
        super().push_audio(pcm)
        if np.abs(pcm).max(initial=0) > 500:
            self._quiet_ms, self._to_answer = 0.0, True
        else:
            self._quiet_ms += len(pcm) * 1000 / self.leg.sample_rate

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        to_play = 20
        self.leg.notify(StateNotice(state="speaking"))
        while not self._hung_up.is_set():
            if to_play:
                self.leg.play(tone(self.leg.sample_rate, FRAME_MS))
                to_play -= 1
                if not to_play:
                    self.leg.notify(TranscriptNotice(role="agent", text="La la la.", final=True))
                    self.leg.notify(StateNotice(state="listening"))
            elif self._to_answer and self._quiet_ms >= self._answer_after_ms and not self._mute:
                self._to_answer = False
                self.leg.notify(StateNotice(state="speaking"))
                to_play = 20
            due += FRAME_MS / 1000
            await asyncio.sleep(max(0.0, due - loop.time()))
        await self.leg.close(EndedNotice(outcome="completed", reason=self.reason, call_id="c1"))


def tone(rate_hz: int, ms: float) -> Pcm16:
    """A loud tone, as speech for whoever measures levels."""
    at = np.arange(int(rate_hz * ms / 1000)) / rate_hz
    return (9_000 * np.sin(2 * np.pi * 250 * at)).astype(np.int16)


class Exchange:
    """The factory: keeps every call it made. Key "silent" makes a call that only listens, "wrong" is refused,
    "answers" and "mute" make an AnsweringCall.
    """

    def __init__(self) -> None:
        self.calls: list[ToneCall] = []
        self.peers: list[Peer] = []

    async def __call__(self, leg: Leg, start: StartMessage, peer: Peer) -> LiveCall:
        if start.key == "wrong":
            raise CallRefused("unauthorized", "This key opens nothing.")
        if start.key in ("answers", "mute"):
            call: ToneCall = AnsweringCall(leg, answer_after_ms=200, mute=start.key == "mute")
        else:
            call = ToneCall(leg, speaks=start.key != "silent")
        self.calls.append(call)
        self.peers.append(peer)
        return call


class RunningSocket(msgspec.Struct):
    """A voice socket that listens on a free port of this machine."""

    url: str
    port: int
    exchange: Exchange
    voice: VoiceSocket
    refusals: list[str]


@asynccontextmanager
async def voice_socket(limits: VoiceSocketLimits | None = None) -> AsyncGenerator[RunningSocket]:
    exchange = Exchange()
    refusals: list[str] = []
    voice = VoiceSocket(
        exchange,
        health=lambda path: (HTTPStatus.OK, "ok\n") if path == "/healthz" else None,
        refusal=lambda: refusals[-1] if refusals else None,
        limits=limits or VoiceSocketLimits(),
        clock=time.monotonic,
    )
    sock = socket.create_server(("127.0.0.1", 0))
    port = sock.getsockname()[1]
    server = await voice.listen(sock)
    try:
        yield RunningSocket(f"ws://127.0.0.1:{port}/v1/voice", port, exchange, voice, refusals)
    finally:
        server.close()
        await server.wait_closed()
