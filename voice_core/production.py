"""One reply in the making: the responder's text is cut into clauses, the clauses are rendered in order.

A production lives from `Respond` to the last clause or `CancelReply`; it reports to its call only by
events. `VoiceCall` owns at most a few at a time, and nothing here blocks the loop.
"""

import asyncio
from collections.abc import Callable

import structlog

from voice_core import events as ev
from voice_core.errors import EngineError
from voice_core.playout import Playout
from voice_core.resample import StreamingResampler
from voice_core.responder import (
    ReplyEnd,
    ReplyExpect,
    ReplyPart,
    ReplyText,
    ReplyTool,
    ReplyTransfer,
    Responder,
    TurnRequest,
)
from voice_core.speech import Voice
from voice_core.tts.clauses import ClauseChunker

_log = structlog.get_logger(__name__)

_RENDER_TIMEOUT_S = 10.0
"""A clause whose audio does not come for this long is skipped: better a gap than a hung call."""


class Production:
    """Produces one reply.

    feed: takes the events. on_tool: told of each tool that ran, once the reply is confirmed.
    """

    def __init__(
        self,
        *,
        request: TurnRequest,
        responder: Responder,
        voice: Voice,
        playout: Playout,
        leg_rate_hz: int,
        confirmed: asyncio.Event,
        feed: Callable[[ev.Event], None],
        on_tool: Callable[[ReplyTool], None],
    ) -> None:
        self.request = request
        self.expects: ReplyExpect | None = None
        self._responder = responder
        self._voice = voice
        self._playout = playout
        self._leg_rate_hz = leg_rate_hz
        self._confirmed = confirmed
        self._feed = feed
        self._on_tool = on_tool
        self._tools: list[ReplyTool] = []
        self._orders: asyncio.Queue[tuple[int, str, str]] = asyncio.Queue()
        self._asking = asyncio.create_task(self._ask(), name=f"reply-{request.reply_id}")
        self._rendering: asyncio.Task[None] | None = None

    def confirm(self) -> None:
        """The turn is over: let work that writes go on."""
        self._confirmed.set()
        for tool in self._tools:
            self._on_tool(tool)
        self._tools.clear()

    def render(self, clause: int, text: str, language: str) -> None:
        """Queue one clause for TTS."""
        self._playout.open_clause(self.request.reply_id, clause, text)
        self._orders.put_nowait((clause, text, language))
        if self._rendering is None:
            self._rendering = asyncio.create_task(self._render(), name=f"render-{self.request.reply_id}")

    def cancel(self) -> None:
        """Stop at once; no further event is fed."""
        self._asking.cancel()
        if self._rendering is not None:
            self._rendering.cancel()

    async def settled(self) -> None:
        """Return when both tasks have ended."""
        tasks = [task for task in (self._asking, self._rendering) if task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self) -> None:
        reply_id = self.request.reply_id
        chunker = ClauseChunker()
        language = self.request.language
        try:
            async for part in self._responder.respond(self.request):
                if isinstance(part, ReplyText):
                    if part.language != language:
                        self._say(chunker.flush(), language)
                        language = part.language
                    self._say(chunker.push(part.text), language)
                else:
                    self._note(part)
            self._say(chunker.flush(), language)
        except Exception as error:
            _log.warning("reply_failed", reply_id=reply_id, error=type(error).__name__, exc_info=True)
            self._say(chunker.flush(), language)
            self._feed(ev.ReplyFailed(reply_id, getattr(error, "code", "responder_failed")))
        else:
            self._feed(ev.ReplyFinished(reply_id))

    def _say(self, clauses: list[str], language: str) -> None:
        for clause in clauses:
            self._feed(ev.ReplyClause(self.request.reply_id, clause, language))

    def _note(self, part: ReplyPart) -> None:
        reply_id = self.request.reply_id
        if isinstance(part, ReplyExpect):
            self.expects = part
            self._feed(ev.ReplyExpects(reply_id, part.slot))
        elif isinstance(part, ReplyEnd):
            self._feed(ev.ReplyEnds(reply_id, part.outcome))
        elif isinstance(part, ReplyTransfer):
            self._feed(ev.ReplyTransfers(reply_id, part.reason, part.destination))
        elif isinstance(part, ReplyTool):
            if self._confirmed.is_set():
                self._on_tool(part)
            else:
                self._tools.append(part)

    async def _render(self) -> None:
        reply_id = self.request.reply_id
        while True:
            clause, text, language = await self._orders.get()
            try:
                await self._render_clause(clause, text, language)
            except (EngineError, TimeoutError) as error:
                _log.warning("clause_not_rendered", reply_id=reply_id, error=type(error).__name__)
            self._playout.complete_clause(reply_id, clause)

    async def _render_clause(self, clause: int, text: str, language: str) -> None:
        reply_id = self.request.reply_id
        resampler = StreamingResampler(self._voice.sample_rate, self._leg_rate_hz)
        chunks = aiter(self._voice.render(text, language))
        first = True
        while True:
            async with asyncio.timeout(_RENDER_TIMEOUT_S):
                try:
                    chunk = await anext(chunks)
                except StopAsyncIteration:
                    break
            # A long clause takes several ms to resample: not on the loop, where all calls wait.
            pcm = await asyncio.to_thread(resampler.push, chunk.pcm)
            self._playout.add(reply_id, clause, pcm, chunk.words)
            if first:
                self._feed(ev.ClauseReady(reply_id, clause))
                first = False
        self._playout.add(reply_id, clause, resampler.flush(), ())
