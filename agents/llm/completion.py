"""One round of a language model, by the first model of the chain that works.

Text leaves as it arrives. A model that is slow to begin, stalls or breaks off is replaced by the
next one, which goes on from the words already said. Models that failed lately are not waited for:
the deterministic responder is a better last resort than another time-out. Used by
`agents.llm.responder`.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

import msgspec
from livekit.agents import APIConnectOptions
from livekit.agents.llm import ChatContext, CompletionUsage, FunctionToolCall, LLMStream, Tool

from voice_core.engines.api_errors import engine_error
from voice_core.engines.health import HealthBook, HealthEvent, HealthState
from voice_core.engines.host import PluginHost
from voice_core.engines.registry import LlmCandidate
from voice_core.errors import EngineError


class LlmTimeouts(msgspec.Struct, frozen=True):
    """How long a caller's patience is spent on one model, in seconds.

    first: to the first word; after 2.5 s of silence people ask "hello?". next: between two pieces.
    total: for the whole round.
    """

    first_s: float = 2.5
    next_s: float = 3.0
    total_s: float = 15.0


DEFAULT_TIMEOUTS = LlmTimeouts()


class LlmChain:
    """The models of one tenant, first choice first.

    on_usage: told of (model name, tokens) after each request that reported them, for billing.
    """

    def __init__(
        self,
        candidates: Sequence[LlmCandidate],
        book: HealthBook,
        host: PluginHost,
        *,
        timeouts: LlmTimeouts = DEFAULT_TIMEOUTS,
        on_usage: Callable[[str, CompletionUsage], None] = lambda name, usage: None,
    ) -> None:
        self._candidates = {candidate.name: candidate for candidate in candidates}
        self._book = book
        self._host = host
        self._timeouts = timeouts
        self._on_usage = on_usage
        self._probes: set[asyncio.Task[None]] = set()

    async def stream(
        self, prompt: Callable[[str], ChatContext], tools: Sequence[Tool]
    ) -> AsyncGenerator[str | FunctionToolCall, None]:
        """Text as it arrives, then the tool calls. prompt: makes the context, given the words that a
        model which broke off has already said. Raises EngineError when no model is left.
        """
        said = ""
        failure: EngineError | None = None
        healthy = [n for n in self._candidates if self._book.of(n).state is HealthState.HEALTHY]
        for name in healthy:
            began_s = self._book.clock()
            outcome = HealthEvent.ABANDONED
            calls: list[FunctionToolCall] = []
            try:
                async with aclosing(self._pieces(name, prompt(said), tools)) as pieces:
                    async for piece in pieces:
                        outcome = HealthEvent.SUCCEEDED
                        if isinstance(piece, FunctionToolCall):
                            # Run only what a model that finished has asked for.
                            calls.append(piece)
                        else:
                            said += piece
                            yield piece
                if not said and not calls:
                    raise EngineError("the model said nothing")
                outcome = HealthEvent.SUCCEEDED
            except EngineError as error:
                failure = error
                outcome = HealthEvent.FAILED
            finally:
                self._book.note(name, outcome, began_s, str(failure) if outcome is HealthEvent.FAILED else "")
            if outcome is HealthEvent.SUCCEEDED:
                self._probe_in_shadow(name, prompt)
                for call in calls:
                    yield call
                return
        if not healthy:
            self._probe_in_shadow(None, prompt)
        raise failure or EngineError("no language model is healthy")

    async def aclose(self) -> None:
        """End probes that still run."""
        for probe in self._probes:
            probe.cancel()
        await asyncio.gather(*self._probes, return_exceptions=True)

    async def _pieces(
        self, name: str, context: ChatContext, tools: Sequence[Tool]
    ) -> AsyncGenerator[str | FunctionToolCall, None]:
        """One model's answer. Raises EngineError for its errors and for the time-outs."""
        clock = self._book.clock
        ends_s = clock() + self._timeouts.total_s
        due_s = clock() + self._timeouts.first_s
        stream: LLMStream | None = None
        try:
            stream = self._host.run(
                self._candidates[name].engine.chat,
                chat_ctx=context,
                tools=list(tools),
                conn_options=APIConnectOptions(max_retry=0, timeout=self._timeouts.first_s),
            )
            while True:
                async with asyncio.timeout(max(0.0, min(due_s, ends_s) - clock())):
                    try:
                        chunk = await anext(stream)
                    except StopAsyncIteration:
                        return
                if chunk.usage is not None:
                    self._on_usage(name, chunk.usage)
                if chunk.delta is None or not chunk.has_response():
                    # Metadata is no word: it does not stop the clock on the first one.
                    continue
                due_s = clock() + self._timeouts.next_s
                if chunk.delta.content:
                    yield chunk.delta.content
                for call in chunk.delta.tool_calls:
                    yield call
        except TimeoutError as error:
            raise EngineError("the model did not go on in time") from error
        except Exception as error:  # a plugin may raise anything
            raise engine_error("model", error) from error
        finally:
            if stream is not None:
                await stream.aclose()

    def _probe_in_shadow(self, served: str | None, prompt: Callable[[str], ChatContext]) -> None:
        """Try a pausing model that is preferred to the one that answered; its words are thrown away."""
        names = list(self._candidates)
        preferred = names[: names.index(served)] if served else names
        due = self._book.probe_due(preferred)
        if due is None:
            return
        self._book.note(due, HealthEvent.PROBED, self._book.clock())
        probe = asyncio.create_task(self._probe(due, prompt("")))
        self._probes.add(probe)
        probe.add_done_callback(self._probes.discard)

    async def _probe(self, name: str, context: ChatContext) -> None:
        began_s = self._book.clock()
        event, message = HealthEvent.ABANDONED, ""
        try:
            async with aclosing(self._pieces(name, context, [])) as pieces:
                async for _ in pieces:
                    event = HealthEvent.SUCCEEDED
                    break
                else:
                    event, message = HealthEvent.FAILED, "the model said nothing"
        except EngineError as error:
            event, message = HealthEvent.FAILED, str(error)
        finally:
            self._book.note(name, event, began_s, message)
