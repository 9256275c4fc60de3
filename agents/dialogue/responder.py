"""The dialogue engine as a `Responder`: plans, speaks, and commits only what was confirmed.

A reply is planned on the committed state and makes a new one, which takes its place when the reply is
confirmed and is forgotten otherwise; so speculation leaves no trace. An action runs after the
confirmation, to its end even when the caller interrupts, and its result is told in the next reply if
it was not heard in this one. One per call, driven by `voice_core.call.VoiceCall`.
"""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable

from rapidfuzz import fuzz

from agents.dialogue.desk_actions import perform
from agents.dialogue.expectations import expectation
from agents.dialogue.policy import Policy
from agents.dialogue.setting import Setting
from agents.dialogue.state import Action, DialogueState, Done, Plan
from agents.dialogue.wording import wording_for
from agents.understanding.language_text import plain
from context.bookings import BookingDesk
from context.tenant import TenantConfig
from voice_core.responder import Cause, Outcome, ReplyEnd, ReplyPart, ReplyText, ReplyTransfer, TurnRequest

SAME_WORDS_SCORE = 85.0
"""rapidfuzz ratio, 0..100, above which a turn is taken to begin with the words of the one before."""


class _Reply:
    """A reply between being asked for and being heard."""

    __slots__ = ("acted", "base", "cause", "cut_off", "heard", "is_confirmed", "said", "state", "text")

    def __init__(self, cause: Cause, text: str, base: DialogueState) -> None:
        self.cause = cause
        self.text = text
        self.base = base
        self.state: DialogueState | None = None
        self.said: tuple[str, ...] = ()
        self.heard: float | None = None
        self.is_confirmed = False
        self.acted = False
        self.cut_off = False


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
        reply = self._replies[request.reply_id] = _Reply(request.cause, text, base)
        try:
            for tool in base.unreported:
                yield tool
            plan = await self._policy.plan(base, request, text, heard=self._share_heard(base.reply_id))
            self._decided(request.reply_id, reply, plan)
            for sentence in plan.says:
                yield ReplyText(f"{sentence} ", plan.state.language)
            if plan.action is not None:
                await request.confirmed.wait()
                self.confirmed(request.reply_id)
                done, plan = await self._act(request.reply_id, reply, plan.action)
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
        if reply is None:
            return
        intended = len(" ".join(reply.said).split())
        reply.heard = 1.0 if complete else len(text.split()) / intended if intended else 0.0

    def outcome(self) -> Outcome:
        """The outcome, should the call end now."""
        return self._state.outcome()

    def _begins_from(self, request: TurnRequest) -> tuple[DialogueState, str]:
        """The state to plan on, and the caller's words.

        A caller who goes on before hearing any of the reply has said one turn in two parts: the first
        part is taken back and both are read together, unless it has led to an action already.
        """
        last = self._replies.get(self._state.reply_id)
        if request.cause is not Cause.TURN or last is None or last.cause is not Cause.TURN or last.heard != 0.0:
            return self._state, request.text
        begins_alike = fuzz.ratio(plain(last.text), plain(request.text[: len(last.text)])) >= SAME_WORDS_SCORE
        if last.acted:
            return self._state, request.text[len(last.text) :] if begins_alike else request.text
        return last.base, request.text if begins_alike else f"{last.text} {request.text}"

    def _decided(self, reply_id: int, reply: _Reply, plan: Plan) -> None:
        reply.state = plan.state.but(reply_id=reply_id)
        reply.said = plan.says
        if reply.is_confirmed:
            self._state = reply.state

    async def _act(self, reply_id: int, reply: _Reply, action: Action) -> tuple[Done, Plan]:
        reply.acted = True
        self._action = asyncio.create_task(self._performed(reply_id, reply, action))
        # An interruption ends the reply, not the action: half a booking would be worse than a late word.
        return await asyncio.shield(self._action)

    async def _performed(self, reply_id: int, reply: _Reply, action: Action) -> tuple[Done, Plan]:
        done = await perform(self._setting, action)
        plan = await self._policy.after(self._state, action, done)
        self._state = plan.state.but(reply_id=reply_id, said=plan.says)
        reply.said = (*reply.said, *plan.says)
        if reply.cut_off:
            self._state = self._state.but(unreported=(*self._state.unreported, done.tool))
        return done, plan

    async def _action_finished(self) -> None:
        if self._action is not None:
            await asyncio.wait({self._action})
            self._action = None

    def _share_heard(self, reply_id: int) -> float:
        """How much of a reply was heard; one that was not reported on was heard, unless it was cut off."""
        reply = self._replies.get(reply_id)
        if reply is None:
            return 1.0
        if reply.heard is not None:
            return reply.heard
        return 0.0 if reply.cut_off else 1.0


def common_phrases(tenant: TenantConfig, language: str) -> tuple[str, ...]:
    """Sentences that the agent of `tenant` says word for word in any call, to be rendered ahead."""
    greeting = tenant.persona.greeting.get(language, "")
    return tuple(filter(None, (greeting, *wording_for(language).fixed_phrases())))
