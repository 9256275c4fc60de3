"""The dialogue engine as a `Responder`: plans, speaks, and commits only what was confirmed.

A reply is planned on the committed state and makes a new one, which takes its place when the reply is
confirmed and is forgotten otherwise; so speculation leaves no trace. An action runs after the
confirmation, to its end even when the caller interrupts, and its result is told in the next reply if
it was not heard in this one. One per call, driven by `voice_core.call.VoiceCall`.
"""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable

import msgspec
from rapidfuzz import fuzz

from agents.dialogue.desk_actions import perform
from agents.dialogue.expectations import expectation
from agents.dialogue.policy import HEARD_ENOUGH, Policy
from agents.dialogue.setting import Setting, speech_of
from agents.dialogue.state import Action, DialogueState, Done, Plan
from agents.memory import read_memory
from agents.understanding.language_text import plain
from context.bookings.desk import BookingDesk
from context.tenants.config import TenantConfig
from voice_core.responder import Cause, Outcome, ReplyEnd, ReplyPart, ReplyText, ReplyTool, ReplyTransfer, TurnRequest

SAME_WORDS_SCORE = 85.0
"""rapidfuzz ratio, 0..100, above which a turn is taken to begin with the words of the one before."""


class _Reply:
    """A reply between being asked for and being heard."""

    __slots__ = ("base", "cause", "cut_off", "heard_words", "is_confirmed", "said", "state", "text", "tool")

    def __init__(self, cause: Cause, text: str, base: DialogueState) -> None:
        self.cause = cause
        self.text = text
        self.base = base
        self.state: DialogueState | None = None
        self.said: tuple[str, ...] = ()
        self.heard_words: int | None = None
        self.is_confirmed = False
        self.tool: ReplyTool | None = None
        self.cut_off = False

    @property
    def share_heard(self) -> float:
        """How much of it was heard, 0..1; a reply that was not reported on was heard, unless it was cut off."""
        if self.heard_words is None:
            return 0.0 if self.cut_off else 1.0
        words = sum(len(sentence.split()) for sentence in self.said)
        return min(1.0, self.heard_words / words) if words else 1.0


class DialogueResponder:
    """Answers one call of `tenant` without any model.

    language: what to greet in; the caller's words may change it. now: aware wall clock. Raises
    LookupError when the engine speaks none of the tenant's languages.
    """

    def __init__(
        self,
        tenant: TenantConfig,
        desk: BookingDesk,
        *,
        call_id: str,
        language: str,
        now: Callable[[], dt.datetime],
    ) -> None:
        self._setting = Setting(tenant, desk, call_id, now)
        self._policy = Policy(self._setting)
        self._state = DialogueState(language=self._setting.spoken(language))
        self._replies: dict[int, _Reply] = {}
        self._action: asyncio.Task[tuple[Done, Plan]] | None = None

    async def respond(self, request: TurnRequest) -> AsyncIterator[ReplyPart]:
        """Produce the reply; see `voice_core.responder`."""
        await self._action_finished()
        base, text = self._begins_from(request)
        last = self._replies.get(base.reply_id)
        reply = self._replies[request.reply_id] = _Reply(request.cause, text, base)
        try:
            for tool in base.unreported:
                yield tool
            plan = await self._policy.plan(base, request, text, heard=last.share_heard if last else 1.0)
            self._decided(request, reply, plan)
            for sentence in plan.says:
                yield ReplyText(f"{sentence} ", plan.state.language)
            if plan.action is not None:
                await request.confirmed.wait()
                self.confirmed(request.reply_id)
                done, plan = await self._act(request.reply_id, reply, plan.action)
                reply.tool = None
                yield done.tool
                for sentence in plan.says:
                    yield ReplyText(f"{sentence} ", plan.state.language)
            yield expectation(self._setting, plan.state)
            if plan.transfer:
                yield ReplyTransfer(plan.transfer, self._setting.tenant.transfer_number)
            if plan.ends is not None:
                yield ReplyEnd(plan.ends)
        except (asyncio.CancelledError, GeneratorExit):
            reply.cut_off = True
            self._report_later(reply)
            raise

    def confirmed(self, reply_id: int) -> None:
        """Commit what this reply decided, now or as soon as it has decided."""
        reply = self._replies.get(reply_id)
        if reply is None or reply.is_confirmed:
            return
        reply.is_confirmed = True
        for other_id, other in list(self._replies.items()):
            if other_id < reply_id and (not other.is_confirmed or other_id != self._state.reply_id):
                del self._replies[other_id]
        if reply.state is not None:
            self._state = reply.state

    def heard(self, reply_id: int, text: str, *, complete: bool) -> None:
        """Note how much of a confirmed reply the caller heard."""
        reply = self._replies.get(reply_id)
        if reply is not None:
            reply.heard_words = sum(len(sentence.split()) for sentence in reply.said) if complete else len(text.split())

    def outcome(self) -> Outcome:
        """The outcome, should the call end now."""
        return self._state.outcome()

    def memory(self) -> bytes:
        """The state of the dialogue as JSON; see `agents.memory`."""
        return msgspec.json.encode(self._state)

    def resume(self, memory: bytes) -> None:
        """Go on from a state. Raises UnreadableMemoryError."""
        self._state = read_memory(memory, DialogueState)

    def _begins_from(self, request: TurnRequest) -> tuple[DialogueState, str]:
        """The state to plan on, and the caller's words.

        A caller who goes on before hearing much of the reply has said one turn in two parts: the first
        part is taken back and both are read together, unless it has led to an action already.
        """
        last = self._replies.get(self._state.reply_id)
        if request.cause is not Cause.TURN or last is None or last.cause is not Cause.TURN:
            return self._state, request.text
        goes_on = len(request.text) > len(last.text) and _alike(request.text[: len(last.text)], last.text)
        share = last.share_heard
        if share >= HEARD_ENOUGH or (share > 0.0 and not goes_on):
            return self._state, request.text
        if self._state.acted:
            return self._state, request.text[len(last.text) :] if goes_on else request.text
        return last.base, request.text if goes_on else f"{last.text} {request.text}"

    def _decided(self, request: TurnRequest, reply: _Reply, plan: Plan) -> None:
        reply.state = plan.state.but(reply_id=request.reply_id, acted=False)
        reply.said = plan.says
        if request.confirmed.is_set():
            # The turn may have been confirmed before this reply was begun.
            self.confirmed(request.reply_id)
        if reply.is_confirmed:
            self._state = reply.state

    async def _act(self, reply_id: int, reply: _Reply, action: Action) -> tuple[Done, Plan]:
        self._action = asyncio.create_task(self._performed(reply_id, reply, action))
        # An interruption ends the reply, not the action: half a booking would be worse than a late word.
        return await asyncio.shield(self._action)

    async def _performed(self, reply_id: int, reply: _Reply, action: Action) -> tuple[Done, Plan]:
        done = await perform(self._setting, action)
        plan = await self._policy.after(self._state, action, done)
        self._state = plan.state.but(reply_id=reply_id, said=plan.says, acted=True)
        reply.said = (*reply.said, *plan.says)
        reply.tool = done.tool
        if reply.cut_off:
            self._report_later(reply)
        return done, plan

    def _report_later(self, reply: _Reply) -> None:
        """A tool that ran and whose reply was cut off is shown with the next one."""
        if reply.tool is not None:
            self._state = self._state.but(unreported=(*self._state.unreported, reply.tool))
            reply.tool = None

    async def _action_finished(self) -> None:
        if self._action is not None:
            await asyncio.wait({self._action})
            self._action = None


def _alike(text: str, other: str) -> bool:
    return fuzz.ratio(plain(text), plain(other)) >= SAME_WORDS_SCORE


def common_phrases(tenant: TenantConfig, language: str) -> tuple[str, ...]:
    """Sentences that the agent of `tenant` says word for word in any call, to be rendered ahead.

    () for a language that the engine does not speak. Called at start, it also prepares the tenant's tables.
    """
    try:
        wordings = speech_of(tenant).wordings
    except LookupError:
        return ()
    if language not in wordings:
        return ()
    greeting = tenant.persona.greeting.get(language, "")
    return tuple(filter(None, (greeting, *wordings[language].fixed_phrases())))
