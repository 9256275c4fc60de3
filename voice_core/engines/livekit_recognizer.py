"""Any livekit `stt.STT` as the `Recognizer` of one call.

A streaming engine hears the whole call on one stream, so that connecting never delays a turn; its
interim results answer partial decodes at once, and a final decode flushes and waits for the last
words. An engine without streaming is given the buffered utterance. Built by `registry`.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

from livekit import rtc
from livekit.agents import APIConnectOptions, stt
from livekit.agents.types import NOT_GIVEN, NotGivenOr

from voice_core.engines.api_errors import engine_error
from voice_core.engines.host import PluginHost
from voice_core.engines.utterance import UtteranceAudio
from voice_core.errors import EngineError
from voice_core.frames import ANALYSIS_HZ, Pcm16
from voice_core.speech import DecodeDropped, DecodeKind, Transcript

FINAL_TIMEOUT_S = 1.5
"""How long a final decode waits for the engine before it makes do with the interim result."""

SETTLED_GRACE_S = 0.15
"""When the engine has already finalised all it heard: how long more words may still come in."""

CONNECT_TIMEOUT_S = 5.0


class NoTranscript(EngineError):  # noqa: N818 - a normal outcome when there was only noise
    """The engine said nothing in time: either there were no words, or it is not working.

    A fallback chain finds out by asking the next engine.
    """

    code = "no_transcript"


class LivekitRecognizer:
    """Speech to text for one call through a livekit plugin.

    languages: the session's set; language: the one to ask the engine for, "" to let the engine's own
    configuration decide. final_timeout_s: see FINAL_TIMEOUT_S.
    """

    def __init__(
        self,
        engine: stt.STT[Any],
        host: PluginHost,
        *,
        languages: Sequence[str],
        language: str,
        ask_language: bool = True,
        final_timeout_s: float = FINAL_TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._host = host
        self._languages = tuple(languages)
        self._language = language
        self._asked: NotGivenOr[str] = engine_language(language) if ask_language else NOT_GIVEN
        self._final_timeout_s = final_timeout_s
        self._clock = clock
        self._audio = UtteranceAudio()
        self._listener: _Listener | None = None
        self._closing: list[asyncio.Task[None]] = []
        self._last_partial = ""

    def push(self, pcm: Pcm16) -> None:
        """Take the next samples, 16 kHz mono; a streaming engine gets them at once."""
        self._audio.push(pcm)
        if self._engine.capabilities.streaming:
            listener = self._listener
            if listener is None:
                self._listener = self._listen(self._audio.samples())
            elif listener.failure is None:
                listener.push(pcm)

    def begin(self, lookback_ms: float) -> None:
        """Start an utterance `lookback_ms` before the newest sample pushed."""
        self._audio.begin(lookback_ms)
        self._last_partial = ""
        listener = self._listener
        if listener is not None and listener.failure is not None:
            # Providers close idle streams: a new utterance gets one new stream for nothing.
            self._closing.append(self._host.spawn(listener.aclose(), "recogniser stream's end"))
            self._listener = self._listen(self._audio.samples())
        elif listener is not None:
            listener.forget_before(self._clock() - lookback_ms / 1000)

    async def decode(self, kind: DecodeKind) -> Transcript:
        """Decode the utterance so far.

        Raises DecodeDropped (PARTIAL of an engine without streaming), NoTranscript and EngineError.
        """
        began_s = self._clock()
        if not self._engine.capabilities.streaming:
            if kind is DecodeKind.PARTIAL:
                raise DecodeDropped
            heard = await self._recognize()
        else:
            heard = await self._collect(kind)
        stable = _common_words(self._last_partial, heard.text)
        self._last_partial = heard.text
        return Transcript(
            text=heard.text,
            language=self._session_language(heard.language),
            confidence=heard.confidence,
            stable=heard.text if kind is DecodeKind.FINAL else stable,
            decode_ms=(self._clock() - began_s) * 1000,
        )

    def finish(self) -> None:
        """Forget the utterance; later samples are pre-roll again."""
        self._audio.finish()
        self._last_partial = ""
        if self._listener is not None:
            self._listener.forget_before(self._clock())

    def bias(self, terms: Sequence[str]) -> None:
        """Do nothing: the engine is shared by calls, and terms of one turn would reach the others.

        The tenant's own terms are set once, when `registry` builds the engine.
        """

    async def aclose(self) -> None:
        """Close the stream; the engine itself is shared and stays open."""
        if self._listener is not None:
            await self._listener.aclose()
            self._listener = None
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _listen(self, audio: Pcm16) -> "_Listener":
        stream = self._host.run(
            self._engine.stream,
            language=self._asked,
            conn_options=APIConnectOptions(max_retry=0, timeout=CONNECT_TIMEOUT_S),
        )
        listener = _Listener(stream, self._host, self._clock)
        if len(audio):
            listener.push(audio)
        return listener

    async def _collect(self, kind: DecodeKind) -> stt.SpeechData:
        listener = self._listener
        if listener is None:
            listener = self._listener = self._listen(self._audio.samples())
        if listener.failure is not None:
            # The next decode, of this utterance or another engine's, finds a fresh stream.
            self._listener = None
            await listener.aclose()
            raise listener.failure
        if kind is DecodeKind.FINAL:
            return await listener.final(self._final_timeout_s)
        return listener.heard()

    async def _recognize(self) -> stt.SpeechData:
        frame = _frame(self._audio.samples())
        request = self._host.spawn(
            self._engine.recognize(
                frame,
                language=self._asked,
                conn_options=APIConnectOptions(max_retry=0, timeout=CONNECT_TIMEOUT_S),
            ),
            "recognize",
        )
        try:
            event = await request
        except Exception as error:  # a plugin may raise anything
            raise engine_error("recogniser", error) from error
        finally:
            request.cancel()
        return event.alternatives[0] if event.alternatives else _nothing()

    def _session_language(self, code: str) -> str:
        """The session's language that the engine's code stands for."""
        base = code.partition("-")[0].lower()
        if base == engine_language(self._language):
            return self._language
        for language in self._languages:
            if engine_language(language) == base:
                return language
        return self._language


class _Listener:
    """One stream and what it has said since the utterance began."""

    def __init__(self, stream: stt.RecognizeStream, host: PluginHost, clock: Callable[[], float]) -> None:
        self.failure: EngineError | None = None
        self._stream = stream
        self._clock = clock
        self._finals: list[tuple[float, stt.SpeechData]] = []
        self._interim: tuple[float, stt.SpeechData] | None = None
        self._changed = asyncio.Event()
        self._task = host.spawn(self._read(), "recogniser stream")

    def push(self, pcm: Pcm16) -> None:
        try:
            self._stream.push_frame(_frame(pcm))
        except RuntimeError as error:  # the stream was closed by its own task
            self.failure = self.failure or engine_error("recogniser", error)

    def forget_before(self, when_s: float) -> None:
        self._finals = [final for final in self._finals if final[0] >= when_s]
        if self._interim is not None and self._interim[0] < when_s:
            self._interim = None

    def heard(self) -> stt.SpeechData:
        """All words so far: what is final and then what is not yet."""
        parts = [final for _, final in self._finals]
        if self._interim is not None:
            parts.append(self._interim[1])
        if not parts:
            return _nothing()
        last = parts[-1]
        return stt.SpeechData(
            language=last.language,
            text=" ".join(part.text.strip() for part in parts if part.text.strip()),
            confidence=min(part.confidence for part in parts) or 1.0,
        )

    async def final(self, timeout_s: float) -> stt.SpeechData:
        """Flush and wait until nothing more is to come."""
        deadline_s = self._clock() + timeout_s
        asked_finals = len(self._finals)
        self._flush()
        while self.failure is None:
            settled = self._interim is None and bool(self._finals)
            answered = settled and len(self._finals) > asked_finals
            if answered:
                break
            left_s = deadline_s - self._clock()
            wait_s = min(left_s, SETTLED_GRACE_S) if settled else left_s
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), max(0.0, wait_s))
            except TimeoutError:
                break
        heard = self.heard()
        if heard.text or (self._finals and self.failure is None):
            return heard
        if self.failure is not None:
            raise self.failure
        raise NoTranscript(f"no words within {timeout_s:.1f} s")

    async def aclose(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._stream.aclose()

    def _flush(self) -> None:
        try:
            self._stream.flush()
        except RuntimeError as error:
            self.failure = self.failure or engine_error("recogniser", error)

    async def _read(self) -> None:
        try:
            async for event in self._stream:
                self._take(event)
                self._changed.set()
            self.failure = self.failure or EngineError("recogniser: the engine closed the stream")
        except Exception as error:  # a plugin may raise anything
            self.failure = engine_error("recogniser", error)
        finally:
            self._changed.set()

    def _take(self, event: stt.SpeechEvent) -> None:
        if not event.alternatives:
            return
        said = event.alternatives[0]
        if event.type is stt.SpeechEventType.FINAL_TRANSCRIPT:
            self._interim = None
            self._finals.append((self._clock(), said))
        elif event.type in (stt.SpeechEventType.INTERIM_TRANSCRIPT, stt.SpeechEventType.PREFLIGHT_TRANSCRIPT):
            self._interim = (self._clock(), said) if said.text.strip() else None


def engine_language(language: str) -> str:
    """The code that providers know: Moroccan Arabic has no code of its own with most of them."""
    return "ar" if language == "ary" else language


def _nothing() -> stt.SpeechData:
    return stt.SpeechData(language="", text="", confidence=0.0)  # type: ignore[arg-type]


def _frame(pcm: Pcm16) -> rtc.AudioFrame:
    return rtc.AudioFrame(data=pcm.tobytes(), sample_rate=ANALYSIS_HZ, num_channels=1, samples_per_channel=len(pcm))


def _common_words(before: str, after: str) -> str:
    agreed: list[str] = []
    for old, new in zip(before.split(), after.split(), strict=False):
        if old != new:
            break
        agreed.append(new)
    return " ".join(agreed)
