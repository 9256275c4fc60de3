"""Speech engines and a responder with fixed answers and fixed delays.

They stand in for real engines where the question is what the call does with them: benchmarks that
measure the pipe alone, tests of the call and of the socket. Nothing in the product imports them.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import numpy as np

from voice_core.errors import EngineError
from voice_core.expectation import NOTHING_EXPECTED, ExpectedSlot
from voice_core.frames import ANALYSIS_HZ, Pcm16
from voice_core.responder import (
    Cause,
    Outcome,
    ReplyEnd,
    ReplyExpect,
    ReplyPart,
    ReplyText,
    ReplyTool,
    ReplyTransfer,
    TurnRequest,
)
from voice_core.speech import DecodeKind, SpeechChunk, Transcript, WordMark

Sleep = Callable[[float], Awaitable[object]]
"""Waits for so many seconds; asyncio.sleep unless a test brings its own clock."""

TONE_HZ = 220.0
TONE_AMPLITUDE = 6_000
"""About -15 dBFS: as loud as speech, so that levels measured on a recording are realistic."""


class FakeRecognizer:
    """Recognises the script: the n-th utterance has the n-th text, whatever its audio.

    script: one text per utterance, "" for noise; an EngineError in its place is raised. After its
    end every utterance is "". An utterance counts as used once `finish` ends it after a decode that
    was not PARTIAL. delay_ms: from asking to having any transcript. ms_per_word: how fast the caller
    speaks; decodes before FINAL hold the words spoken so far only.
    """

    def __init__(
        self,
        script: Sequence[str | EngineError] = (),
        *,
        delay_ms: float = 0.0,
        ms_per_word: float = 300.0,
        language: str = "en",
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.script = list(script)
        self.language = language
        self.decodes: list[DecodeKind] = []
        self.terms: tuple[str, ...] = ()
        self.closed = False
        self.pushed_samples = 0
        self._delay_ms = delay_ms
        self._ms_per_word = ms_per_word
        self._sleep = sleep
        self._began_at: float | None = None
        self._used = False

    def push(self, pcm: Pcm16) -> None:
        """Count the samples."""
        self.pushed_samples += len(pcm)

    def begin(self, lookback_ms: float) -> None:
        """Start the next utterance of the script."""
        self._began_at = max(0.0, self.pushed_samples - lookback_ms * ANALYSIS_HZ / 1000)
        self._used = False

    async def decode(self, kind: DecodeKind) -> Transcript:
        """The script's text after the delay. Raises the script's EngineError."""
        self.decodes.append(kind)
        self._used = self._used or kind is not DecodeKind.PARTIAL
        said = self.script[0] if self.script else ""
        spoken_ms = (self.pushed_samples - (self._began_at or 0.0)) * 1000 / ANALYSIS_HZ
        await self._sleep(self._delay_ms / 1000)
        if isinstance(said, EngineError):
            raise said
        if kind is not DecodeKind.FINAL:
            said = " ".join(said.split()[: int(spoken_ms / self._ms_per_word)])
        return Transcript(text=said, language=self.language, stable=said, decode_ms=self._delay_ms)

    def finish(self) -> None:
        """End the utterance; the next one has the next text of the script."""
        if self._began_at is not None and self._used and self.script:
            del self.script[0]
        self._began_at = None
        self._used = False

    def bias(self, terms: Sequence[str]) -> None:
        """Remember the terms."""
        self.terms = tuple(terms)

    async def aclose(self) -> None:
        """Remember that it was closed."""
        self.closed = True


class FakeVoice:
    """Speaks every word as a tone of `ms_per_word`, cut into chunks.

    delay_ms: to the first chunk. chunk_delay_ms: before every later chunk. failure: returns the
    error to raise for a text, or None to speak it.
    """

    def __init__(
        self,
        *,
        sample_rate: int = 24_000,
        delay_ms: float = 0.0,
        ms_per_word: float = 250.0,
        chunk_ms: float = 100.0,
        chunk_delay_ms: float = 0.0,
        failure: Callable[[str], EngineError | None] = lambda text: None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.rendered: list[str] = []
        self.closed = False
        self._sample_rate = sample_rate
        self._delay_ms = delay_ms
        self._ms_per_word = ms_per_word
        self._chunk_ms = chunk_ms
        self._chunk_delay_ms = chunk_delay_ms
        self._failure = failure
        self._sleep = sleep

    @property
    def sample_rate(self) -> int:
        """Rate of every chunk, Hz."""
        return self._sample_rate

    async def render(self, text: str, language: str) -> AsyncIterator[SpeechChunk]:
        """The tone, chunk by chunk. Raises the error that `failure` returns."""
        self.rendered.append(text)
        await self._sleep(self._delay_ms / 1000)
        error = self._failure(text)
        if error is not None:
            raise error
        marks = [WordMark(word, (i + 1) * self._ms_per_word) for i, word in enumerate(text.split())]
        total_ms = len(marks) * self._ms_per_word
        started_ms = 0.0
        while started_ms < total_ms:
            if started_ms:
                await self._sleep(self._chunk_delay_ms / 1000)
            ended_ms = min(started_ms + self._chunk_ms, total_ms)
            yield SpeechChunk(
                pcm=self._tone(started_ms, ended_ms),
                words=tuple(m for m in marks if started_ms < m.end_ms <= ended_ms),
            )
            started_ms = ended_ms

    async def aclose(self) -> None:
        """Remember that it was closed."""
        self.closed = True

    def _tone(self, started_ms: float, ended_ms: float) -> Pcm16:
        at = np.arange(round(started_ms * self._sample_rate / 1000), round(ended_ms * self._sample_rate / 1000))
        return (TONE_AMPLITUDE * np.sin(2 * np.pi * TONE_HZ * at / self._sample_rate)).astype(np.int16)


def echo(request: TurnRequest) -> list[ReplyPart]:
    """The reply of a FakeResponder that was given none: a sentence for every cause."""
    language = request.language
    match request.cause:
        case Cause.GREETING:
            return [ReplyText("Hello, how can I help you?", language)]
        case Cause.TURN:
            return [ReplyText(f"You said: {request.text}.", language)]
        case Cause.GOODBYE:
            return [ReplyText("Goodbye.", language), ReplyEnd(Outcome.ABANDONED)]
        case Cause.NOT_UNDERSTOOD | Cause.SILENCE | Cause.FAILURE:
            return [ReplyText("Sorry, can you say that again?", language)]


class FakeResponder:
    """Replies with what `reply` returns, slowly if asked to.

    first_ms: to the first part. part_ms: before every later part. A ReplyTool, ReplyEnd or
    ReplyTransfer waits for the confirmation, as a real one must. What the call reports is kept in
    `requests`, `committed` and `heard_texts`; `cancelled` holds the replies that were not finished.
    """

    def __init__(
        self,
        reply: Callable[[TurnRequest], Sequence[ReplyPart | EngineError]] = echo,
        *,
        first_ms: float = 0.0,
        part_ms: float = 0.0,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.requests: list[TurnRequest] = []
        self.committed: list[int] = []
        self.cancelled: list[int] = []
        self.heard_texts: list[tuple[int, str, bool]] = []
        self.expected: ExpectedSlot = NOTHING_EXPECTED
        self._reply = reply
        self._first_ms = first_ms
        self._part_ms = part_ms
        self._sleep = sleep
        self._outcomes: dict[int, Outcome] = {}
        self._outcome = Outcome.ABANDONED

    async def respond(self, request: TurnRequest) -> AsyncIterator[ReplyPart]:
        """The parts of the reply, each after its delay. Raises an EngineError found among them."""
        self.requests.append(request)
        delay_ms = self._first_ms
        try:
            for part in self._reply(request):
                await self._sleep(delay_ms / 1000)
                delay_ms = self._part_ms
                if isinstance(part, EngineError):
                    raise part
                if isinstance(part, ReplyTool | ReplyEnd | ReplyTransfer):
                    await request.confirmed.wait()
                if isinstance(part, ReplyEnd):
                    self._outcomes[request.reply_id] = part.outcome
                if isinstance(part, ReplyTransfer):
                    self._outcomes[request.reply_id] = Outcome.TRANSFERRED
                if isinstance(part, ReplyExpect):
                    self.expected = part.slot
                yield part
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled.append(request.reply_id)
            raise

    def confirmed(self, reply_id: int) -> None:
        """Commit the reply; a conversation with a confirmed reply is at least partial."""
        self.committed.append(reply_id)
        if self._outcome is Outcome.ABANDONED:
            self._outcome = Outcome.PARTIAL

    def heard(self, reply_id: int, text: str, *, complete: bool) -> None:
        """Remember what was heard."""
        self.heard_texts.append((reply_id, text, complete))

    def outcome(self) -> Outcome:
        """The outcome of the last reply that decided one."""
        decided = [self._outcomes[i] for i in self.committed if i in self._outcomes]
        return decided[-1] if decided else self._outcome
