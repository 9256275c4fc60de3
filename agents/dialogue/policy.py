"""What to reply: the order in which the wishes of a turn are served.

First what cannot wait (danger, pain, a human, a complaint), then how the conversation itself goes
(repeat, wait, slower), then the questions, then the task at hand; what is left is searched for in the
knowledge base or admitted. A plan is a function of the state, the words and the desk's free starts; it
changes nothing. Called by `agents.dialogue.responder`.
"""

from collections.abc import Awaitable, Callable

from agents.dialogue.answers import Answers
from agents.dialogue.booking import BookingFlow
from agents.dialogue.messages import MessageFlow
from agents.dialogue.setting import EMERGENCY_SERVICE, Setting
from agents.dialogue.state import Action, Asking, DialogueState, Done, Note, Plan, Task
from agents.understanding.intents import QUESTIONS, Intent
from agents.understanding.language_choice import choose_language
from agents.understanding.understand import Awaited, Reading
from agents.understanding.yes_no import Answer
from voice_core.responder import Cause, Outcome, TurnRequest

MISSES_BEFORE_HELP = 3
"""The third turn in a row that is not understood offers a human."""

_AWAITED = {
    Asking.DAY: Awaited.TIME,
    Asking.TIME: Awaited.TIME,
    Asking.NAME: Awaited.NAME,
    Asking.PHONE: Awaited.PHONE,
    Asking.CONFIRM: Awaited.CORRECTION,
    Asking.CORRECTION: Awaited.CORRECTION,
    Asking.BOOKED: Awaited.CORRECTION,
    Asking.AMENDED: Awaited.CORRECTION,
}
_READ_BACK = frozenset({Asking.CONFIRM, Asking.CORRECTION})
_CONVERSATION = frozenset({Intent.GREET, Intent.THANKS, Intent.WAIT, Intent.WANTS})
"""Intents that carry no wish of their own."""

Step = Callable[[DialogueState, Reading], Awaitable[Plan | None]]


class Policy:
    """Plans every reply of one call."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._answers = Answers(setting)
        self._booking = BookingFlow(setting)
        self._messages = MessageFlow(setting)
        self._steps: tuple[Step, ...] = (
            self._urgent,
            self._conversation,
            self._open_choice,
            self._changes,
            self._questions_and_task,
            self._closing,
            self._rest,
        )

    async def plan(self, state: DialogueState, request: TurnRequest, text: str, *, heard: float) -> Plan:
        """Plan the reply to a request.

        text: the caller's words, with those of a turn that was cut in two. heard: share of the last
        reply that the caller heard, 0..1.
        """
        state = state.but(turns=state.turns + 1, unreported=())
        told = (state.result,) if state.result and heard < HEARD_ENOUGH else ()
        if told and request.cause is Cause.TURN and not text.strip():
            plan = Plan(state=state)
        elif request.cause is Cause.TURN and text.strip():
            plan = await self._turn(state.but(result=""), text, request.language, heard)
        else:
            plan = await self._caused(state, request.cause)
            told = () if request.cause is Cause.GREETING else told
        said = (*told, *plan.says)
        open_still = plan.state.question == state.question and plan.state.question not in said
        unheard = bool(state.question) and open_still and (state.unheard or heard < HEARD_ENOUGH)
        return Plan(
            state=plan.state.but(said=said or state.said, unheard=unheard),
            says=said,
            action=plan.action,
            ends=plan.ends,
            transfer=plan.transfer,
            tools=plan.tools,
        )

    async def after(self, state: DialogueState, action: Action, done: Done) -> Plan:
        """Plan the rest of the reply, once its action has run."""
        if isinstance(action, Note):
            return self._messages.noted(state)
        return await self._booking.after(state, action, done)

    async def _caused(self, state: DialogueState, cause: Cause) -> Plan:
        setting = self._setting
        if cause is Cause.GREETING:
            return Plan(state=state, says=(setting.localised(setting.tenant.persona.greeting, state.language),))
        if cause is Cause.SILENCE:
            question = state.question or setting.say(state, "help")
            return Plan(state=state, says=(setting.say(state, "still_there"), question))
        if cause is Cause.GOODBYE:
            state = state.but(deserted=True, asking=Asking.NOTHING, question="")
            return Plan(state=state, says=(setting.say(state, "goodbye_silence"),), ends=state.outcome())
        if cause is Cause.FAILURE:
            text = setting.say(state, setting.help_key("failure"))
            return Plan(state=state.but(asking=Asking.HUMAN, question=text), says=(text,))
        return await self._missed(state)

    async def _turn(self, state: DialogueState, text: str, heard_language: str, heard: float) -> Plan:
        packs = self._setting.understander.packs
        language = choose_language(text, heard_language, packs[state.language], packs)
        if language != state.language:
            state = state.but(language=language, question=self._translated(state, language))
        reading = self._setting.understander.read(
            text,
            language,
            self._setting.today(),
            awaited=_AWAITED.get(state.asking, Awaited.NOTHING),
            digits=state.draft.digits,
        )
        if reading.asked_service_id:
            state = state.but(last_service=reading.asked_service_id)
        if state.asking is Asking.CONFIRM and reading.answer is Answer.YES and (state.unheard or heard < HEARD_ENOUGH):
            return self._booking.read_again(state)
        understood = state.but(misses=0, understood=True)
        for step in self._steps:
            plan = await step(understood, reading)
            if plan is not None:
                return plan
        return await self._missed(state)

    def _translated(self, state: DialogueState, language: str) -> str:
        """The open question in another language, as far as it holds no value."""
        wording = self._setting.wording(state.language)
        for key, variants in wording.says.items():
            if state.question in variants:
                return self._setting.wording(language).say(key, state.turns)
        return ""

    async def _urgent(self, state: DialogueState, reading: Reading) -> Plan | None:
        setting, intents = self._setting, reading.intents
        if Intent.DANGER in intents:
            return Plan(state=state, says=(setting.say(state, "danger"),))
        if Intent.HUMAN in intents and Intent.IDENTITY not in intents:
            return self._messages.transfer(state, "caller_request")
        if Intent.COMPLAINT in intents:
            return self._complaint(state, reading)
        booking_emergency = state.task is Task.BOOKING and state.draft.service_id == EMERGENCY_SERVICE
        asks = any(Intent.EMERGENCY in request.intents and request.question for request in reading.requests)
        if Intent.EMERGENCY in intents and not booking_emergency and not asks and setting.service(EMERGENCY_SERVICE):
            return await self._booking.emergency(state)
        return None

    def _complaint(self, state: DialogueState, reading: Reading) -> Plan:
        setting = self._setting
        pack = setting.understander.packs[state.language]
        kinds = [kind for kind, pattern in pack.complaints.items() if pack.find(pattern, reading.words.text)]
        sorry = setting.say(state, f"complaint_{kinds[0]}" if kinds else "complaint")
        if not setting.tenant.transfer_number:
            return self._messages.begin(state, sorry, message=reading.text)
        question = setting.say(state, "offer_human")
        return Plan(state=state.but(asking=Asking.HUMAN, question=question), says=(sorry, question))

    async def _conversation(self, state: DialogueState, reading: Reading) -> Plan | None:
        setting, intents = self._setting, reading.intents
        wishes = intents - _CONVERSATION
        if Intent.LANGUAGE in intents and reading.language:
            return self._language(state, reading.language)
        if Intent.IDENTITY in intents:
            business = setting.tenant.name
            text = setting.say(state, "identity", name=setting.tenant.persona.name, business=business)
            return Plan(state=state, says=(text, *self._again(state)))
        if Intent.REPEAT in wishes and not reading.has_slots and not wishes & QUESTIONS:
            return Plan(state=state, says=state.said or (setting.say(state, "nothing_to_repeat"),))
        if wishes == frozenset({Intent.SLOWER}):
            said = state.said or (setting.say(state, "help"),)
            return Plan(state=state, says=(setting.say(state, "slower"), *said))
        if Intent.WAIT in intents and not wishes and not reading.has_slots and reading.answer is not Answer.NO:
            return Plan(state=state, says=(setting.say(state, "take_your_time"),))
        return None

    def _language(self, state: DialogueState, language: str) -> Plan:
        setting = self._setting
        if language in setting.languages:
            state = state.but(language=language)
            return Plan(state=state, says=(setting.say(state, "speaks_this"),))
        names = setting.forms(state).language_names(setting.languages)
        return Plan(state=state, says=(setting.say(state, "speaks", languages=names), *self._again(state)))

    async def _open_choice(self, state: DialogueState, reading: Reading) -> Plan | None:
        """The answer to an offer of a human or a message."""
        if state.asking not in (Asking.HUMAN, Asking.MESSAGE_OR_HUMAN):
            return None
        if Intent.MESSAGE in reading.intents:
            return self._messages.begin(state)
        if reading.intents & (QUESTIONS | {Intent.BOOK, Intent.CANCEL, Intent.CHANGE, Intent.BYE}):
            return None
        if state.task is Task.BOOKING and reading.has_slots:
            return await self._booking.go_on(state.but(asking=Asking.NOTHING), reading)
        if state.task is Task.BOOKING and reading.answer is Answer.NO:
            return await self._booking.step(state, state.draft)
        state = state.but(asking=Asking.ANYTHING_ELSE, question="")
        if reading.answer is Answer.NO:
            return Plan(state=state, says=(self._setting.say(state, "anything_else"),))
        if reading.answer is Answer.YES:
            reason = "caller_agreed" if self._setting.tenant.transfer_number else ""
            return self._messages.transfer(state, reason) if reason else self._messages.begin(state)
        return None

    async def _changes(self, state: DialogueState, reading: Reading) -> Plan | None:
        """Cancelling, moving and correcting."""
        intents = reading.intents
        if Intent.MESSAGE in intents:
            return self._messages.begin(state)
        booking = state.booking
        if Intent.CANCEL in intents:
            if booking is not None and (state.task is Task.NONE or state.draft.amends):
                return self._booking.cancel(state, booking)
            if state.task is Task.BOOKING:
                return self._booking.drop(state)
            return self._messages.begin(state, self._setting.say(state, "change_earlier"), message=reading.text)
        if Intent.CHANGE in intents and state.task is Task.NONE:
            if booking is None:
                return self._messages.begin(state, self._setting.say(state, "change_earlier"), message=reading.text)
            return await self._booking.correct(self._booking.amending(state, booking), reading)
        if booking is not None and state.task is Task.NONE and _amends(state, reading):
            return await self._booking.correct(self._booking.amending(state, booking), reading)
        return None

    async def _questions_and_task(self, state: DialogueState, reading: Reading) -> Plan | None:
        said: list[str] = []
        asking: tuple[Asking, str] | None = None
        for request in reading.requests:
            if not self._asks(state, request.question, request.intents):
                continue
            answer = self._answers.answer(state, reading, request)
            if answer is None and request.question and not request.intents - _CONVERSATION:
                said.append(self._setting.say(state, "unknown_aside"))
                continue
            if answer is None:
                continue
            if answer.text not in said:
                said.append(answer.text)
            if answer.asking is not Asking.NOTHING:
                asking = (answer.asking, answer.text)
        unknown_only = said == [self._setting.say(state, "unknown_aside")]
        plan = await self._task(state, reading)
        if plan is not None:
            return Plan(state=plan.state, says=(*said, *plan.says), action=plan.action, transfer=plan.transfer)
        if unknown_only and state.task is Task.NONE:
            return self._messages.offer_help(state, "unknown")
        if not said:
            return None
        if asking is not None and state.task is Task.NONE:
            state = state.but(asking=asking[0], question=asking[1])
            return Plan(state=state, says=tuple(said))
        if state.task is Task.NONE:
            state = state.but(asking=Asking.NOTHING, question="")
        return Plan(state=state, says=(*said, *self._again(state)))

    def _asks(self, state: DialogueState, question: bool, intents: frozenset[Intent]) -> bool:
        """Whether a request is to be answered from data. A bare service answers our question on the price."""
        if intents & (QUESTIONS - {Intent.OFFERS}):
            return True
        if intents & {Intent.BOOK, Intent.EMERGENCY, Intent.CANCEL, Intent.CHANGE} and not intents & {Intent.OFFERS}:
            return False
        return question and state.asking is not Asking.MESSAGE

    async def _task(self, state: DialogueState, reading: Reading) -> Plan | None:
        """The next step of the task, or None when the turn has nothing to do with it."""
        if state.asking is Asking.PRICE_SERVICE and reading.asked_service_id:
            text = self._answers.price_text(state, reading.asked_service_id)
            return Plan(state=state.but(asking=Asking.NOTHING, question=""), says=(text,))
        wants = Intent.BOOK in reading.intents or (
            Intent.WANTS in reading.intents and bool(reading.service_id) and state.task is Task.NONE
        )
        if state.task is Task.MESSAGE and (state.asking is Asking.MESSAGE or reading.has_slots):
            return self._messages.go_on(state, reading)
        if state.task is not Task.BOOKING:
            return await self._booking.go_on(_new_booking(state), reading) if wants else None
        if state.asking in _READ_BACK:
            silent = not reading.has_slots and reading.answer is Answer.NONE and not reading.fields
            if silent and not reading.corrects:
                return None
            return await self._booking.correct(state, reading)
        refuses = reading.answer is Answer.NO and not reading.has_slots
        if state.asking is Asking.TIME and refuses and state.offered:
            return await self._booking.refused_offer(state)
        filled = self._booking.filled(state, reading) != state.draft
        return await self._booking.go_on(state, reading) if filled or wants else None

    async def _closing(self, state: DialogueState, reading: Reading) -> Plan | None:
        setting, intents = self._setting, reading.intents
        between = state.task is Task.NONE
        thanked = Intent.THANKS in intents
        done = state.asking is Asking.ANYTHING_ELSE or (state.asking is Asking.BOOKED and thanked)
        declines = done and reading.answer is Answer.NO
        if Intent.BYE in intents or (between and declines):
            booking = state.booking
            if booking is not None:
                day = setting.forms(state).weekday(booking.starts_at.date())
                text = setting.say(state, "goodbye_booked", day=day)
            else:
                text = setting.say(state, "goodbye")
            outcome = state.outcome()
            return Plan(state=state, says=(text,), ends=Outcome.PARTIAL if outcome is Outcome.ABANDONED else outcome)
        if Intent.THANKS in intents and between:
            state = state.but(asking=Asking.ANYTHING_ELSE)
            return Plan(state=state, says=(setting.say(state, "welcome"), setting.say(state, "anything_else")))
        agrees = reading.answer is Answer.YES or (state.asking is Asking.BOOKED and reading.answer is Answer.NO)
        if between and state.asking in (Asking.BOOKED, Asking.AMENDED, Asking.ANYTHING_ELSE) and agrees:
            key = "help" if state.asking is Asking.ANYTHING_ELSE else "all_set"
            return Plan(state=state.but(asking=Asking.ANYTHING_ELSE), says=(setting.say(state, key),))
        return None

    async def _rest(self, state: DialogueState, reading: Reading) -> Plan | None:
        """A service named alone, a topic without a question, a greeting, or something we do not know."""
        setting = self._setting
        if reading.asked_service_id and state.task is Task.NONE:
            text = self._answers.price_text(state, reading.asked_service_id)
            return Plan(state=state.but(asking=Asking.NOTHING, question=""), says=(text,))
        for request in reading.requests:
            known = self._answers.known(state, request)
            if known is not None:
                return Plan(state=state, says=(known.text, *self._again(state)))
        if Intent.GREET in reading.intents and state.task is Task.NONE:
            return Plan(state=state, says=(setting.say(state, "hello"),))
        answers_nothing = state.asking is Asking.NOTHING and reading.answer is not Answer.NONE
        if state.task is Task.NONE and (reading.name or reading.phone is not None or answers_nothing):
            # Who is calling is kept for what they will ask.
            state = state.but(draft=self._booking.filled(state, reading))
            return Plan(state=state, says=(setting.say(state, "help"),))
        if state.task is Task.NONE and len(reading.words) >= LONG_TURN_WORDS:
            return self._messages.offer_help(state, "unknown")
        return None

    async def _missed(self, state: DialogueState) -> Plan:
        """Not understood: ask again in other words, and offer a human the third time."""
        setting = self._setting
        misses = state.misses + 1
        if misses >= MISSES_BEFORE_HELP:
            return self._messages.offer_help(state.but(misses=0), "not_understood_help")
        state = state.but(misses=misses)
        if misses > 1 and state.asking is Asking.SERVICE:
            return Plan(state=state, says=(self._answers.services(state).text, *self._again(state)))
        if misses > 1 and state.asking is Asking.NAME:
            return Plan(state=state, says=(setting.say(state, "spelling"),))
        if misses > 1 and state.asking is Asking.DAY:
            return await self._booking.offer_next(state, setting.say(state, "not_understood"))
        return Plan(state=state, says=(setting.say(state, "not_understood"), *self._again(state)))

    def _again(self, state: DialogueState) -> tuple[str, ...]:
        """The open question, to end a reply that was about something else."""
        return (state.question,) if state.question else ()


HEARD_ENOUGH = 0.6
"""Share of a reply after which the caller knows what it said: a read-back that is heard this far may be agreed to."""

LONG_TURN_WORDS = 4
"""A shorter turn that means nothing was rather misheard than beyond us."""


def _new_booking(state: DialogueState) -> DialogueState:
    """A booking begins; who calls is known if it was said before."""
    return state.but(task=Task.BOOKING, asking=Asking.NOTHING, question="", offered=())


def _amends(state: DialogueState, reading: Reading) -> bool:
    """Whether a turn after a booking changes it, rather than asking for something else."""
    if reading.intents & (QUESTIONS | {Intent.BOOK, Intent.WANTS, Intent.BYE}):
        return False
    objects = reading.answer is Answer.NO or reading.corrects or reading.disputes
    gives = reading.when.said or reading.phone is not None or bool(reading.name)
    if state.asking is Asking.ANYTHING_ELSE:
        return (objects and gives) or reading.disputes
    if state.asking not in (Asking.BOOKED, Asking.AMENDED):
        return False
    refuses = state.asking is Asking.AMENDED and reading.answer is Answer.NO and Intent.THANKS not in reading.intents
    return gives or reading.disputes or refuses or bool(objects and reading.fields)
