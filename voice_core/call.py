"""One call: the asyncio shell around the sans-I/O session.

It owns the clock, the timers and the tasks of a call, turns audio and engine results into events and
carries the session's actions out. Transports feed it (`push_audio`, `push_dtmf`, ...) and await `run`;
everything runs on one event loop, and nothing on the frame path waits.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec
import numpy as np
import structlog

from voice_core import actions as do
from voice_core import events as ev
from voice_core.errors import EngineError
from voice_core.event_log import EventLog
from voice_core.events import Timer
from voice_core.frames import ANALYSIS_FRAME_SAMPLES, ANALYSIS_HZ, FRAME_MS, Pcm16
from voice_core.leg import Leg
from voice_core.notices import EndedNotice, ToolNotice, TransferNotice
from voice_core.pacer import Pacer
from voice_core.playout import Playout
from voice_core.policy import TurnPolicy
from voice_core.production import Production
from voice_core.record import CallRecord, ToolUse, Utterance
from voice_core.resample import StreamingResampler
from voice_core.responder import Outcome, ReplyTool, Responder, TurnRequest
from voice_core.session import State, VoiceSession
from voice_core.speech import DecodeDropped, DecodeKind, Recognizer, Voice
from voice_core.vad import EdgeKind, SpeechEdge
from voice_core.vad_hub import VadHub

_log = structlog.get_logger(__name__)

_STARVED_MS = 200.0
"""No caller audio for this long (push-to-talk, packet loss) counts as silence: VAD must see time pass."""
_SILENCE = np.zeros(ANALYSIS_FRAME_SAMPLES, np.int16)


class Recorder(Protocol):
    """Takes both sides' audio, placed by the time of its first sample; never blocks."""

    def caller(self, pcm: Pcm16, at_ms: float) -> None:
        """Audio of the far end."""

    def agent(self, pcm: Pcm16, at_ms: float) -> None:
        """Audio sent to the far end."""


class CallSettings(msgspec.Struct, frozen=True):
    """What distinguishes this call.

    language: to begin with; the caller's words may change it. terms: names and words that recognition
    prefers in the whole call. recording: where it is kept, for the record.
    """

    call_id: str
    language: str
    terms: tuple[str, ...] = ()
    policy: TurnPolicy = TurnPolicy()
    recording: str = ""


class VoiceCall:
    """Drives one call from greeting to record.

    archive: stores the finished record and its event log; awaited before the far end is told that the
    call has ended. clock: monotonic seconds.
    """

    def __init__(
        self,
        *,
        leg: Leg,
        recognizer: Recognizer,
        voice: Voice,
        responder: Responder,
        vad: VadHub,
        pacer: Pacer,
        settings: CallSettings,
        recorder: Recorder | None = None,
        archive: Callable[[CallRecord, bytes], Awaitable[None]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.session = VoiceSession(language=settings.language, policy=settings.policy)
        self._leg = leg
        self._recognizer = recognizer
        self._voice = voice
        self._responder = responder
        self._pacer = pacer
        self._recorder = recorder
        self._archive = archive
        self._clock = clock
        self._began_s = clock()
        self._started_at = time.time()
        self._to_analysis = StreamingResampler(leg.sample_rate, ANALYSIS_HZ)
        self._playout = Playout(leg.sample_rate, self._reply_started, self._clause_played)
        self._vad = vad.stream(self._speech_edge)
        self._agent_audible = False
        self._audio_at_ms = 0.0
        self._events: deque[ev.Event] = deque()
        self._handling = False
        self._timers: dict[Timer, asyncio.TimerHandle] = {}
        self._decodes: dict[int, asyncio.Task[None]] = {}
        self._productions: dict[int, Production] = {}
        self._retired: set[asyncio.Task[None]] = set()
        self._event_log = EventLog(settings.language, settings.policy)
        self._transcript: list[Utterance] = []
        self._tools: list[ToolUse] = []
        self._latency: list[dict[str, float]] = []
        self._over: asyncio.Future[tuple[Outcome | None, str]] | None = None

    # ---- what transports call ------------------------------------------------------------------

    async def run(self) -> CallRecord:
        """Hold the conversation; return its record once the call is over and the leg is closed."""
        loop = asyncio.get_running_loop()
        self._over = loop.create_future()
        self._recognizer.bias(self.settings.terms)
        tick = self._pacer.add(self._tick)
        try:
            self._feed(ev.CallStarted())
            outcome, reason = await self._over
        except asyncio.CancelledError:
            self._feed(ev.HungUp("cancelled"))
            raise
        finally:
            self._pacer.remove(tick)
            self._vad.close()
            await self._stop_work()
        record = self._record(outcome or self._responder.outcome(), reason)
        if self._archive is not None:
            await self._archive(record, self._event_log.getvalue())
        await self._leg.close(EndedNotice(record.outcome.value, reason, self.settings.call_id))
        return record

    def push_audio(self, pcm: Pcm16) -> None:
        """Take caller audio at the leg's rate, any length."""
        if self.session.state is State.ENDED or not len(pcm):
            return
        now_ms = self._now_ms()
        if self._recorder is not None:
            self._recorder.caller(pcm, now_ms - len(pcm) * 1000 / self._leg.sample_rate)
        self._audio_at_ms = now_ms
        self._analyse(self._to_analysis.push(pcm))

    def push_dtmf(self, digit: str) -> None:
        """The caller pressed a key."""
        self._feed(ev.DtmfReceived(digit))

    def push_text(self, text: str) -> None:
        """The caller typed a turn."""
        self._feed(ev.TextReceived(text))

    def hold(self) -> None:
        """The far end put the call on hold."""
        self._feed(ev.HoldRequested())

    def resume(self) -> None:
        """The far end took the call off hold."""
        self._feed(ev.ResumeRequested())

    def hang_up(self, reason: str) -> None:
        """The far end is gone."""
        self._feed(ev.HungUp(reason))

    def wind_down(self, reason: str = "shutdown") -> None:
        """Say goodbye, then end the call."""
        self._feed(ev.WindDownRequested(reason))

    @property
    def underruns(self) -> int:
        """Frames that were silent, or partly so, because the voice was late in the middle of a reply."""
        return self._playout.underruns

    # ---- the frame path ------------------------------------------------------------------------

    def _tick(self) -> None:
        """Every 20 ms: one frame out, and silence in when the far end sends nothing."""
        now_ms = self._now_ms()
        frame = self._playout.next_frame()
        if frame is not None:
            self._leg.play(frame)
            if self._recorder is not None:
                self._recorder.agent(frame, now_ms)
        audible = frame is not None
        if audible is not self._agent_audible:
            self._agent_audible = audible
            self._vad.agent_speaking(audible)
        if now_ms - self._audio_at_ms > _STARVED_MS:
            self._analyse(_SILENCE)
        self._handle_all()

    def _analyse(self, pcm: Pcm16) -> None:
        self._recognizer.push(pcm)
        self._vad.push(pcm)

    def _speech_edge(self, edge: SpeechEdge) -> None:
        at_ms = self._now_ms() - edge.lag_ms
        self._feed(ev.SpeechStarted(at_ms) if edge.kind is EdgeKind.STARTED else ev.SpeechStopped(at_ms))

    def _reply_started(self, reply_id: int) -> None:
        self._events.append(ev.PlayoutStarted(reply_id))

    def _clause_played(self, reply_id: int, clause: int, audible: bool) -> None:
        self._events.append(ev.ClausePlayed(reply_id, clause, audible))

    # ---- events to actions ---------------------------------------------------------------------

    def _now_ms(self) -> float:
        return (self._clock() - self._began_s) * 1000

    def _feed(self, event: ev.Event) -> None:
        self._events.append(event)
        self._handle_all()

    def _handle_all(self) -> None:
        """Handle queued events in order; what an action feeds is handled after it, never inside it."""
        if self._handling:
            return
        self._handling = True
        try:
            while self._events:
                event = self._events.popleft()
                # The log keeps 1 ns; the session must see the same number that a replay will.
                now_ms = round(self._now_ms(), 6)
                self._event_log.add(event, now_ms)
                for action in self.session.handle(event, now_ms):
                    _CARRY_OUT[type(action)](self, action)
        finally:
            self._handling = False

    def _begin_utterance(self, action: do.BeginUtterance) -> None:
        self._recognizer.begin(max(0.0, self._now_ms() - action.at_ms))

    def _decode(self, action: do.Decode) -> None:
        task = asyncio.create_task(self._decoding(action.decode_id, action.kind), name=f"decode-{action.decode_id}")
        self._decodes[action.decode_id] = task
        task.add_done_callback(lambda _: self._decodes.pop(action.decode_id, None))

    async def _decoding(self, decode_id: int, kind: DecodeKind) -> None:
        try:
            found = await self._recognizer.decode(kind)
        except DecodeDropped:
            self._feed(ev.DecodeFailed(decode_id, kind, "dropped"))
        except EngineError as error:
            _log.warning("decode_failed", code=error.code)
            self._feed(ev.DecodeFailed(decode_id, kind, error.code))
        else:
            self._feed(
                ev.Transcribed(decode_id, kind, found.text, found.language, found.confidence, found.end_probability)
            )

    def _cancel_decode(self, action: do.CancelDecode) -> None:
        task = self._decodes.pop(action.decode_id, None)
        if task is not None:
            task.cancel()

    def _finish_utterance(self, action: do.FinishUtterance) -> None:
        self._recognizer.finish()

    def _respond(self, action: do.Respond) -> None:
        confirmed = asyncio.Event()
        request = TurnRequest(action.reply_id, action.cause, action.text, action.language, confirmed)
        self._productions[action.reply_id] = Production(
            request=request,
            responder=self._responder,
            voice=self._voice,
            playout=self._playout,
            leg_rate_hz=self._leg.sample_rate,
            confirmed=confirmed,
            feed=self._feed,
            on_tool=self._tool_ran,
        )

    def _confirm_reply(self, action: do.ConfirmReply) -> None:
        self._responder.confirmed(action.reply_id)
        production = self._productions[action.reply_id]
        production.confirm()
        expected = production.expects.bias if production.expects else ()
        self._recognizer.bias((*self.settings.terms, *expected))

    def _cancel_reply(self, action: do.CancelReply) -> None:
        production = self._productions.pop(action.reply_id, None)
        if production is not None:
            production.cancel()
            task = asyncio.create_task(production.settled())
            self._retired.add(task)
            task.add_done_callback(self._retired.discard)
        self._playout.discard(action.reply_id)

    def _synthesise(self, action: do.Synthesise) -> None:
        self._productions[action.reply_id].render(action.clause, action.text, action.language)

    def _play(self, action: do.Play) -> None:
        self._playout.play(action.reply_id)

    def _pause(self, action: do.PausePlayout) -> None:
        self._playout.pause()
        self._leg.clear()

    def _resume(self, action: do.ResumePlayout) -> None:
        self._playout.resume()

    def _clear(self, action: do.ClearPlayout) -> None:
        heard = self._playout.clear(action.reply_id)
        self._leg.clear()
        self._responder.heard(action.reply_id, heard, complete=False)
        self._events.append(ev.PlayoutCut(action.reply_id, heard))

    def _heard(self, action: do.Heard) -> None:
        self._responder.heard(action.reply_id, action.text, complete=action.complete)
        self._cancel_reply(do.CancelReply(action.reply_id))

    def _set_timer(self, action: do.SetTimer) -> None:
        self._cancel_timer(do.CancelTimer(action.timer))
        delay_s = max(0.0, action.at_ms - self._now_ms()) / 1000
        loop = asyncio.get_running_loop()
        self._timers[action.timer] = loop.call_later(delay_s, self._timer_fired, action.timer)

    def _timer_fired(self, timer: Timer) -> None:
        self._timers.pop(timer, None)
        self._feed(ev.TimerFired(timer))

    def _cancel_timer(self, action: do.CancelTimer) -> None:
        handle = self._timers.pop(action.timer, None)
        if handle is not None:
            handle.cancel()

    def _tell(self, action: do.Tell) -> None:
        self._leg.notify(action.notice)

    def _note_utterance(self, action: do.NoteUtterance) -> None:
        self._transcript.append(action.utterance)

    def _note_turn(self, action: do.NoteTurn) -> None:
        self._latency.append(action.timeline.on_the_wire())
        _log.info("turn", **action.timeline.on_the_wire(), endpoint=action.timeline.endpoint_reason)

    def _transfer(self, action: do.Transfer) -> None:
        self._leg.notify(TransferNotice(action.reason, action.destination))

    def _end_call(self, action: do.EndCall) -> None:
        if self._over is not None and not self._over.done():
            self._over.set_result((action.outcome, action.reason))

    def _tool_ran(self, tool: ReplyTool) -> None:
        self._tools.append(ToolUse(tool.name, tool.arguments, tool.result, tool.ok, self._now_ms()))
        self._leg.notify(ToolNotice(tool.name, tool.arguments, tool.result, tool.ok))

    # ---- the end -------------------------------------------------------------------------------

    async def _stop_work(self) -> None:
        for timer in list(self._timers):
            self._cancel_timer(do.CancelTimer(timer))
        tasks = [*self._decodes.values()]
        for task in tasks:
            task.cancel()
        for reply_id in list(self._productions):
            self._cancel_reply(do.CancelReply(reply_id))
        await asyncio.gather(*tasks, *self._retired, return_exceptions=True)
        await self._recognizer.aclose()
        await self._voice.aclose()

    def _record(self, outcome: Outcome, reason: str) -> CallRecord:
        said_ms = sum(u.ended_ms - u.started_ms for u in self._transcript if u.role == "caller")
        return CallRecord(
            call_id=self.settings.call_id,
            started_at=self._started_at,
            duration_s=round(self._now_ms() / 1000, 3),
            language=self.session.language,
            outcome=outcome,
            reason=reason,
            transcript=tuple(sorted(self._transcript, key=lambda u: u.started_ms)),
            tools=tuple(self._tools),
            latency=tuple(self._latency),
            caller_talk_s=round(said_ms / 1000, 3),
            agent_talk_s=round(self._playout.frames_sent * FRAME_MS / 1000, 3),
            recording=self.settings.recording,
        )


# pyright: reportPrivateUsage=false
_CARRY_OUT: dict[type[do.Action], Callable[[VoiceCall, Any], None]] = {
    do.BeginUtterance: VoiceCall._begin_utterance,
    do.Decode: VoiceCall._decode,
    do.CancelDecode: VoiceCall._cancel_decode,
    do.FinishUtterance: VoiceCall._finish_utterance,
    do.Respond: VoiceCall._respond,
    do.ConfirmReply: VoiceCall._confirm_reply,
    do.CancelReply: VoiceCall._cancel_reply,
    do.Synthesise: VoiceCall._synthesise,
    do.Play: VoiceCall._play,
    do.PausePlayout: VoiceCall._pause,
    do.ResumePlayout: VoiceCall._resume,
    do.ClearPlayout: VoiceCall._clear,
    do.Heard: VoiceCall._heard,
    do.SetTimer: VoiceCall._set_timer,
    do.CancelTimer: VoiceCall._cancel_timer,
    do.Tell: VoiceCall._tell,
    do.NoteUtterance: VoiceCall._note_utterance,
    do.NoteTurn: VoiceCall._note_turn,
    do.Transfer: VoiceCall._transfer,
    do.EndCall: VoiceCall._end_call,
}
