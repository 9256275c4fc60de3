"""The voice socket with real calls and fake engines, as a process of its own that can be put on one core.

Everything that carries a call is the product's: socket, leg, VAD, session, playout, pacer. Only what costs by the word
(recognition, model, voice) is replaced by answers after fixed delays, so what is left is what the framework itself
costs. Run by `benchmarks.density`, which reads the figures that this prints as one JSON line at the end of its input.
"""

import argparse
import asyncio
import gc
import os
import resource
import socket
import sys
import time
from http import HTTPStatus
from itertools import count

import msgspec
import numpy as np
import uvloop

from benchmarks.fake_engines import FakeRecognizer, FakeResponder, FakeVoice
from server.logs import configure_logs
from telephony.admission import VoiceSocketLimits
from telephony.calls import LiveCall
from telephony.peer import Peer
from telephony.voice_messages import StartMessage
from telephony.voice_socket import VoiceSocket
from voice_core.call import CallSettings, VoiceCall
from voice_core.frames import FRAME_MS, Pcm16
from voice_core.leg import Leg
from voice_core.notices import Notice, TurnNotice
from voice_core.pacer import Pacer
from voice_core.record import CallRecord
from voice_core.vad_hub import VadHub

UTTERANCES = 10_000
"""Entries of the fake recogniser's script: more than any call has turns."""

BURST_GAP_S = 0.1
"""Frames further apart than this belong to two replies."""


class Delays(msgspec.Struct, frozen=True):
    """Of the fake engines, ms."""

    stt_ms: float
    llm_ms: float
    tts_ms: float


class ServerFigures(msgspec.Struct):
    """What the process measured between two marks. late_ms: of every frame sent, against its reply's own 20 ms grid.

    added_ms: per turn, first frame minus what endpointing and the fakes need. cpu_s: of the process.
    """

    calls: int
    wall_s: float
    cpu_s: float
    rss_bytes: int
    frames: int
    turns: int
    underruns: int
    late_ms: dict[str, float]
    added_ms: dict[str, float]


class TimedLeg:
    """A leg that notes when each frame was sent, and the timelines of the turns."""

    def __init__(self, leg: Leg, log: "FrameLog", floor_ms: float) -> None:
        self._leg = leg
        self._log = log
        self._floor_ms = floor_ms
        self._burst: list[float] = []

    @property
    def sample_rate(self) -> int:
        """Of the leg behind it, Hz."""
        return self._leg.sample_rate

    def play(self, frame: Pcm16) -> None:
        """Note the time, then send."""
        self._leg.play(frame)
        now = time.monotonic()
        if self._burst and now - self._burst[-1] > BURST_GAP_S:
            self.end_burst()
        self._burst.append(now)

    def end_burst(self) -> None:
        """Work out how late each frame of the reply was."""
        if len(self._burst) > 1 and self._log.open:
            at = np.array(self._burst)
            off_grid = at - np.arange(len(at)) * FRAME_MS / 1000
            self._log.late_ms.extend(((off_grid - off_grid.min()) * 1000).tolist())
        self._burst.clear()

    def clear(self) -> None:
        """Passed on."""
        self.end_burst()
        self._leg.clear()

    def notify(self, notice: Notice) -> None:
        """Note what a turn took, then pass it on."""
        if isinstance(notice, TurnNotice) and self._log.open:
            timeline = notice.timeline
            first_frame = timeline.get("first_frame_ms")
            endpoint = timeline.get("endpoint_delay_ms")
            paused = timeline.get("pause_detected_ms")
            if first_frame is not None and endpoint is not None and paused is not None:
                self._log.added_ms.append(first_frame - max(endpoint, paused + self._floor_ms))
        self._leg.notify(notice)

    async def close(self, notice: Notice) -> None:
        """Passed on."""
        self.end_burst()
        await self._leg.close(notice)


class FrameLog:
    """What every leg has noted since the last mark."""

    def __init__(self) -> None:
        self.open = False
        self.late_ms: list[float] = []
        self.added_ms: list[float] = []
        self._wall_s = self._cpu_s = 0.0

    def mark(self) -> None:
        """Begin to count."""
        self.open = True
        self.late_ms.clear()
        self.added_ms.clear()
        self._wall_s, self._cpu_s = time.monotonic(), _cpu_s()

    def figures(self, calls: int, underruns: int) -> ServerFigures:
        """Everything since `mark`."""
        self.open = False
        return ServerFigures(
            calls=calls,
            wall_s=time.monotonic() - self._wall_s,
            cpu_s=_cpu_s() - self._cpu_s,
            rss_bytes=_rss_bytes(),
            frames=len(self.late_ms),
            turns=len(self.added_ms),
            underruns=underruns,
            late_ms=_spread(self.late_ms),
            added_ms=_spread(self.added_ms),
        )


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _rss_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _spread(values: list[float]) -> dict[str, float]:
    if not values:
        return {}
    at = np.percentile(values, [50, 90, 99, 100])
    return dict(zip(("p50", "p90", "p99", "max"), (round(float(value), 3) for value in at), strict=True))


async def serve(delays: Delays, sessions: int) -> None:
    """Listen on a free port, print it, then obey lines on stdin: mark, report."""
    vad, pacer, log = VadHub(), Pacer(), FrameLog()
    await vad.start()
    await pacer.start()
    live: set[VoiceCall] = set()
    number = count(1)
    # Recognition and the first answer run during the silence; past this they hold the answer up.
    floor_ms = delays.stt_ms + delays.llm_ms + delays.tts_ms

    async def make(leg: Leg, start: StartMessage, peer: Peer) -> LiveCall:
        async def forget(record: CallRecord, event_log: bytes) -> None:
            live.discard(call)

        call = VoiceCall(
            leg=TimedLeg(leg, log, floor_ms),
            recognizer=FakeRecognizer(["What time do you close on Saturday?"] * UTTERANCES, delay_ms=delays.stt_ms),
            voice=FakeVoice(delay_ms=delays.tts_ms),
            responder=FakeResponder(first_ms=delays.llm_ms),
            vad=vad,
            pacer=pacer,
            settings=CallSettings(call_id=f"call-{next(number)}", language="en"),
            archive=forget,
        )
        live.add(call)
        return call

    limits = VoiceSocketLimits(sessions=sessions, waiting=sessions, connects_per_minute=10 * sessions)
    voice = VoiceSocket(
        make, health=lambda path: (HTTPStatus.OK, "ok"), refusal=lambda: None, limits=limits, clock=time.monotonic
    )
    sock = socket.create_server(("127.0.0.1", 0))
    listening = await voice.listen(sock)
    print(sock.getsockname()[1], flush=True)
    gc.collect()
    gc.freeze()
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := (await lines.readline()).decode().strip():
        if line == "mark":
            log.mark()
        elif line == "report":
            print(
                msgspec.json.encode(log.figures(len(live), sum(call.underruns for call in live))).decode(), flush=True
            )
    listening.close()


def main() -> None:
    """Run until the input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stt-ms", type=float, default=100)
    parser.add_argument("--llm-ms", type=float, default=0)
    parser.add_argument("--tts-ms", type=float, default=0)
    parser.add_argument("--sessions", type=int, default=1_000)
    options = parser.parse_args()
    configure_logs("warning")
    uvloop.run(serve(Delays(options.stt_ms, options.llm_ms, options.tts_ms), options.sessions))


if __name__ == "__main__":
    main()
