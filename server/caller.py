"""A caller: places one call through the voice socket in real time and reports what really happened.

It speaks scripted turns, plays the agent on the same clock and records both; every latency in its result is measured
on that recording by `voice_core.voice_to_voice`. Used by `parley call`, tests and benchmarks.
"""

import asyncio
import contextlib
import time
import urllib.parse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from server.caller_line import CallerLine
from server.caller_script import CallerScript, Patience, ScriptFailed, Step
from voice_core.frames import ANALYSIS_HZ, FRAME_MS, Pcm16
from voice_core.notices import (
    ClearNotice,
    EndedNotice,
    ErrorNotice,
    Notice,
    StateNotice,
    ToolNotice,
    TranscriptNotice,
    TransferNotice,
    TurnNotice,
)
from voice_core.voice_to_voice import TurnGap, speech_spans, turn_gaps

DEFAULT_URL = "ws://127.0.0.1:3007/v1/voice"
CONNECT_TIMEOUT_S = 10.0
ENDED_TIMEOUT_S = 15.0
"""From hanging up to `ended`: the server stores the record in between."""

ServerNotice = (
    TranscriptNotice | StateNotice | ClearNotice | TurnNotice | ToolNotice | TransferNotice | ErrorNotice | EndedNotice
)
_notices: msgspec.json.Decoder[ServerNotice] = msgspec.json.Decoder(ServerNotice)


class CallNotPlaced(Exception):  # noqa: N818 - names what the caller meets
    """The server cannot be reached or does not take the call; the message says what to do."""


class Turn(msgspec.Struct, frozen=True):
    """One thing to say. label: what it is, for people. pcm: at the call's sample rate."""

    label: str
    pcm: Pcm16


class SpokenTurn(msgspec.Struct, frozen=True):
    """What became of one turn; times in ms of the recording.

    began_ms, ended_ms: first and last speech sample of the caller. voice_to_voice_ms: from the last one to the
    agent's first, None when there was no answer. cut_off: the agent spoke before the caller had finished.
    stages: the server's own timeline, to explain the figure.
    """

    said: str
    began_ms: float
    ended_ms: float
    voice_to_voice_ms: float | None
    cut_off: bool = False
    stages: dict[str, float] = {}


class Line(msgspec.Struct, frozen=True):
    """One final transcript line and when it was told, ms of the recording."""

    role: str
    text: str
    at_ms: float


class ToolRun(msgspec.Struct, frozen=True):
    """A tool that the agent ran."""

    name: str
    arguments: dict[str, Any]
    result: dict[str, Any]
    ok: bool
    at_ms: float


class CallResult(msgspec.Struct, frozen=True):
    """One call as the caller saw it. failure: what went wrong, "" when every turn was answered."""

    url: str
    duration_ms: float
    turns: tuple[SpokenTurn, ...]
    transcript: tuple[Line, ...]
    tools: tuple[ToolRun, ...]
    greeting_ms: float | None
    outcome: str
    reason: str
    call_id: str
    failure: str = ""
    recording: str = ""


class CallEvents:
    """What happens in the call, told while it happens. Override what you want to see."""

    def notice(self, notice: Notice) -> None:
        """The server told something."""

    def answered(self, turn: SpokenTurn) -> None:
        """A turn was answered and the agent has finished."""


async def place_call(
    url: str,
    turns: Sequence[Turn],
    *,
    rate_hz: int = ANALYSIS_HZ,
    language: str | None = None,
    key: str | None = None,
    out: Path | None = None,
    events: CallEvents | None = None,
    patience: Patience | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> CallResult:
    """Hold one call from greeting to hang-up, in real time.

    out: folder for call.wav (left the caller, right the agent) and call.json. Raises CallNotPlaced when there is no
    call at all; a call that goes wrong is a result with `failure`.
    """
    start = {"type": "start", "sample_rate": rate_hz, "format": "pcm16"}
    start |= {name: value for name, value in (("language", language), ("key", key)) if value is not None}
    connection = await _connect(url)
    async with connection:
        await connection.send(msgspec.json.encode(start).decode())
        call = _Call(connection, turns, rate_hz, events or CallEvents(), patience or Patience(), clock)
        await call.run()
    result = call.result(url, "" if out is None else str(out / "call.wav"))
    if out is not None:
        await asyncio.to_thread(_write, out, call.line, result)
    return result


async def _connect(url: str) -> ClientConnection:
    try:
        return await connect(
            url, compression=None, open_timeout=CONNECT_TIMEOUT_S, max_queue=None, proxy=None, close_timeout=2
        )
    except InvalidURI as error:
        raise CallNotPlaced(f"{url} is not a WebSocket address such as {DEFAULT_URL}") from error
    except InvalidStatus as error:
        body = error.response.body.decode(errors="replace").strip() if error.response.body else ""
        wait = error.response.headers.get("Retry-After")
        again = f" Try again in {wait} s." if wait else ""
        raise CallNotPlaced(f"the server refused the call ({error.response.status_code}): {body}{again}") from error
    except (OSError, TimeoutError, InvalidHandshake) as error:
        where = urllib.parse.urlsplit(url).netloc
        raise CallNotPlaced(
            f"no Parley answers at {where} ({error or 'time-out'}); start it with `make run` and wait until it is ready"
        ) from error


class _Call:
    """The call while it goes on."""

    def __init__(
        self,
        connection: ClientConnection,
        turns: Sequence[Turn],
        rate_hz: int,
        events: CallEvents,
        patience: Patience,
        clock: Callable[[], float],
    ) -> None:
        self.line = CallerLine(rate_hz)
        self._connection = connection
        self._turns = turns
        self._events = events
        self._clock = clock
        self._script = CallerScript(len(turns), patience)
        self._state = ""
        self._began_ms: list[float] = []
        self._spoken: list[SpokenTurn] = []
        self._transcript: list[Line] = []
        self._tools: list[ToolRun] = []
        self._stages: dict[int, dict[str, float]] = {}
        self._ended: EndedNotice | None = None
        self._closed = False
        self._failure = ""

    async def run(self) -> None:
        """Speak and listen until the server has ended the call."""
        reading = asyncio.create_task(self._read(), name="caller reader")
        try:
            await self._speak()
        except ConnectionClosed:
            pass
        except ScriptFailed as failed:
            self._fail(str(failed))
        finally:
            with contextlib.suppress(ConnectionClosed):
                await self._hang_up(reading)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        if len(self._spoken) < len(self._turns):
            self._fail(f"the call ended in turn {len(self._spoken) + 1} of {len(self._turns)}")

    async def _speak(self) -> None:
        """Tick every 20 ms until the script is through or the call is over."""
        due_s = self._clock()
        while not self._closed:
            agent_heard = self.line.agent_pending
            await self._connection.send(self.line.tick().astype("<i2", copy=False).tobytes())
            step = self._script.step(
                self.line.now_ms,
                speaking=self.line.is_speaking,
                agent_heard=agent_heard,
                listening=self._state == "listening",
            )
            if step is not Step.WAIT:
                self._measure_last()
            if step is Step.HANG_UP:
                return
            if step is Step.SPEAK:
                self._began_ms.append(self.line.now_ms)
                self.line.say(self._turns[self._script.turn - 1].pcm)
            due_s += FRAME_MS / 1000
            await asyncio.sleep(max(0.0, due_s - self._clock()))

    async def _hang_up(self, reading: asyncio.Task[None]) -> None:
        if not self._closed:
            await self._connection.send('{"type":"hangup"}')
        await asyncio.wait((reading,), timeout=ENDED_TIMEOUT_S)
        if self._ended is None:
            self._fail("the server did not end the call with `ended`")

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for data in self._connection:
                if isinstance(data, bytes):
                    self.line.arrived(np.frombuffer(data, dtype="<i2").astype(np.int16, copy=False))
                else:
                    self._take(_notices.decode(data))
        self._closed = True

    def _take(self, notice: ServerNotice) -> None:
        match notice:
            case StateNotice(state=state):
                self._state = state
            case ClearNotice():
                self.line.clear()
            case TranscriptNotice(role=role, text=text, final=True):
                self._transcript.append(Line(role, text, self.line.now_ms))
            case ToolNotice():
                self._tools.append(ToolRun(notice.name, notice.arguments, notice.result, notice.ok, self.line.now_ms))
            case TurnNotice(timeline=timeline):
                self._stages[self._script.turn] = timeline
            case ErrorNotice(code=code, message=message):
                self._fail(f"{code}: {message}")
            case EndedNotice():
                self._ended = notice
            case _:
                pass
        self._events.notice(notice)

    def _fail(self, why: str) -> None:
        """Keep the first thing that went wrong: it explains the others."""
        self._failure = self._failure or why

    def _measure_last(self) -> None:
        """The turn that was just answered, on the recording since it began."""
        number = len(self._spoken)
        if number == len(self._began_ms):
            return
        from_ms = self._began_ms[number]
        left, right = self.line.recording(from_ms)
        turn = _measured(self._turns[number].label, from_ms, left, right, self.line.rate_hz)
        turn = msgspec.structs.replace(turn, stages=self._stages.get(number + 1, {}))
        self._spoken.append(turn)
        self._events.answered(turn)

    def result(self, url: str, recording: str) -> CallResult:
        """What happened, once the call is over."""
        _, right = self.line.recording()
        heard = speech_spans(right, self.line.rate_hz)
        ended = self._ended or EndedNotice(outcome="", reason="connection lost")
        unanswered = next((turn for turn in self._spoken if turn.voice_to_voice_ms is None), None)
        if unanswered is not None:
            self._fail(f"no answer is heard to: {unanswered.said}")
        return CallResult(
            url=url,
            duration_ms=self.line.now_ms,
            turns=tuple(self._spoken),
            transcript=tuple(self._transcript),
            tools=tuple(self._tools),
            greeting_ms=heard[0].start_ms if heard else None,
            outcome=ended.outcome,
            reason=ended.reason,
            call_id=ended.call_id,
            failure=self._failure,
            recording=recording,
        )


def _measured(label: str, from_ms: float, left: Pcm16, right: Pcm16, rate_hz: int) -> SpokenTurn:
    """One turn from the recording of it and its answer, which begins at `from_ms` of the call."""
    said = speech_spans(left, rate_hz)
    gaps: list[TurnGap] = turn_gaps(left, right, rate_hz)
    began = said[0].start_ms if said else 0.0
    ended = said[-1].end_ms if said else 0.0
    answer = next((gap for gap in gaps if gap.caller_end_ms >= ended), None)
    return SpokenTurn(
        said=label,
        began_ms=round(from_ms + began, 1),
        ended_ms=round(from_ms + ended, 1),
        voice_to_voice_ms=round(answer.gap_ms, 1) if answer else None,
        cut_off=any(gap.agent_start_ms < ended for gap in gaps),
    )


def _write(out: Path, line: CallerLine, result: CallResult) -> None:
    out.mkdir(parents=True, exist_ok=True)
    line.write(out / "call.wav")
    (out / "call.json").write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n")
