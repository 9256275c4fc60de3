"""Putting an appointment together, reading it back, and changing it afterwards.

Missing parts are asked for one at a time. Nothing is booked before the caller has agreed to what was
read back, except when everything was said in one breath: then it is booked at once and read back with
the offer to change it. Called by `agents.dialogue.policy`.
"""

import datetime as dt

from agents.dialogue.availability import Availability
from agents.dialogue.setting import EMERGENCY_SERVICE, Setting
from agents.dialogue.state import Amend, Asking, Book, Cancel, DialogueState, Done, Draft, Plan, Task
from agents.understanding.dates import Clock
from agents.understanding.names import merged_name
from agents.understanding.phones import Hearing, national_digits
from agents.understanding.understand import Reading
from agents.understanding.yes_no import Answer
from context.bookings.desk import Booking


class BookingFlow:
    """Plans the replies of the booking task."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._availability = Availability(setting)

    async def go_on(self, state: DialogueState, reading: Reading) -> Plan:
        """Fill the draft from a turn, then ask for what is missing, read back, or book."""
        before = state.draft
        draft = self.filled(state, reading)
        if not draft.service_id and state.last_service and state.asking is not Asking.SERVICE:
            draft = draft.but(service_id=state.last_service)
        fresh = before.start is None and before.day is None and before.clock is None and not before.name
        when = reading.when
        phone_said = reading.phone is not None and reading.phone.valid and reading.phone.hearing is Hearing.CLEAR
        all_said = fresh and when.day is not None and when.clock is not None and bool(reading.name) and phone_said
        return await self.step(state, draft, all_at_once=all_said and when.until is None)

    async def correct(self, state: DialogueState, reading: Reading) -> Plan:
        """A turn after something was read back: agreement, refusal, or another value for a part."""
        draft = state.draft
        objects = reading.answer is Answer.NO or reading.corrects or reading.disputes
        changed = self.filled(state, reading)
        named = reading.name if objects or "name" in reading.fields or state.asking is Asking.CORRECTION else draft.name
        name = merged_name(draft.name, named)
        changed = changed.but(name=self._setting.understander.respell(reading, state.language, name) or name)
        if changed != draft:
            return await self.step(state, changed)
        if reading.answer is Answer.YES and state.asking is Asking.CONFIRM:
            return await self._agreed(state)
        if reading.answer is Answer.YES and not reading.fields:
            return await self.step(state, draft)
        for field in ("time", "day", "phone", "name", "service"):
            if field in reading.fields:
                return await self._ask_again(state, field)
        return self.what_to_change(state)

    def amending(self, state: DialogueState, booking: Booking) -> DialogueState:
        """The state in which `booking` of this call is being changed."""
        start = booking.starts_at
        draft = Draft(
            service_id=booking.service_id,
            day=start.date(),
            clock=Clock(start.hour, start.minute),
            start=start,
            name=booking.name,
            phone=booking.phone,
            email=booking.email,
            amends=booking.id,
        )
        return state.but(task=Task.BOOKING, draft=draft, offered=(), asking=Asking.CORRECTION)

    async def emergency(self, state: DialogueState) -> Plan:
        """Offer the earliest start there is to a caller in pain."""
        sorry = self._setting.say(state, "emergency")
        draft = Draft(
            service_id=EMERGENCY_SERVICE,
            earliest=True,
            name=state.draft.name,
            phone=state.draft.phone,
            email=state.draft.email,
        )
        state = state.but(task=Task.BOOKING, draft=draft, last_service=EMERGENCY_SERVICE)
        search = await self._availability.search(state, draft)
        if not search.offered:
            key = self._setting.help_key("emergency_none")
            transfer = "emergency_pain" if self._setting.tenant.transfer_number else ""
            state = state.but(task=Task.NONE, asking=Asking.NOTHING, question="")
            return Plan(state=state, says=(sorry, self._setting.say(state, key)), transfer=transfer)
        slot = self._setting.forms(state).offer(search.offered[0], self._setting.today())
        question = self._setting.say(state, "emergency_slot", slot=slot)
        return _asking(state.but(offered=search.offered[:1]), Asking.TIME, question, sorry)

    def filled(self, state: DialogueState, reading: Reading) -> Draft:
        """The draft with everything that a turn gives."""
        draft = state.draft
        if reading.service_id:
            draft = draft.but(service_id=reading.service_id)
            if reading.service_id != state.draft.service_id and state.draft.service_id:
                draft = draft.but(start=None)
        draft = self._with_choice(state, reading, self._with_when(state, reading, draft))
        if reading.name and state.asking not in (Asking.CONFIRM, Asking.CORRECTION):
            draft = draft.but(name=merged_name(draft.name, reading.name))
        if reading.phone is not None:
            heard = reading.phone
            if heard.valid:
                draft = draft.but(phone=heard.e164, digits="")
            elif state.asking is Asking.PHONE or not draft.phone:
                draft = draft.but(digits=self._partial(draft.digits, heard.digits))
        if reading.email:
            draft = draft.but(email=reading.email)
        return draft

    async def step(self, state: DialogueState, draft: Draft, *, all_at_once: bool = False) -> Plan:
        """What to say next for this draft."""
        setting = self._setting
        state = state.but(task=Task.BOOKING, draft=draft, last_service=draft.service_id or state.last_service)
        if not draft.service_id:
            return self._ask(state, Asking.SERVICE, "ask_service")
        service = setting.service(draft.service_id)
        if service is None or not service.bookable:
            state = state.but(task=Task.NONE, draft=draft.but(service_id=""), last_service="")
            key = setting.help_key("not_bookable")
            text = setting.say(state, key, a_service=setting.a_service(state, draft.service_id))
            return _asking(state, Asking.MESSAGE_OR_HUMAN, text)
        if draft.start is None:
            if draft.day is None and not draft.earliest:
                return self._ask(state, Asking.DAY, "ask_day")
            search = await self._availability.search(state, draft)
            if search.start is None:
                return self._offer(state, search.offered, search.why)
            draft = draft.but(start=search.start)
            state = state.but(draft=draft, offered=())
        if not draft.name:
            return self._ask(state, Asking.NAME, "ask_name")
        if not draft.phone:
            return self._ask_phone(state)
        if draft.amends:
            return self._amend(state)
        if all_at_once:
            return self._book(state, all_at_once=True)
        again = state.asking in (Asking.CONFIRM, Asking.CORRECTION)
        return self._ask(state, Asking.CONFIRM, "confirm_again" if again else "confirm", **self._read_back(state))

    def read_again(self, state: DialogueState) -> Plan:
        """Read the appointment back once more: the caller cannot have heard enough of it to agree."""
        return self._ask(state, Asking.CONFIRM, "confirm_again", **self._read_back(state))

    def what_to_change(self, state: DialogueState) -> Plan:
        """Ask which part is wrong."""
        return self._ask(state, Asking.CORRECTION, "what_to_change")

    async def refused_offer(self, state: DialogueState) -> Plan:
        """None of the offered starts suits: another day."""
        if state.draft.service_id == EMERGENCY_SERVICE and state.draft.earliest:
            return self.drop(state)
        draft = state.draft.but(day=None, until=None, clock=None, window=None, earliest=False, start=None)
        return await self.step(state.but(offered=()), draft)

    async def offer_next(self, state: DialogueState, sorry: str) -> Plan:
        """Offer the next free starts to a caller whose day is not understood: "the first" is easier to hear."""
        search = await self._availability.search(state, state.draft)
        return self._offer(state, search.offered, (sorry,))

    def drop(self, state: DialogueState) -> Plan:
        """The caller does not want to book after all."""
        draft = Draft(name=state.draft.name, phone=state.draft.phone, email=state.draft.email)
        state = state.but(task=Task.NONE, draft=draft, offered=())
        return self._ask(state, Asking.ANYTHING_ELSE, "dropped")

    def cancel(self, state: DialogueState, booking: Booking) -> Plan:
        """Cancel an appointment of this call."""
        return Plan(state=state, says=(self._setting.say(state, "changing"),), action=Cancel(booking))

    async def after(self, state: DialogueState, action: Book | Amend | Cancel, done: Done) -> Plan:
        """What to say when the desk has answered; said from what it answered, never from what was wished."""
        setting = self._setting
        kept = Draft(name=state.draft.name, phone=state.draft.phone, email=state.draft.email)
        if done.taken:
            draft = state.draft.but(start=None)
            search = await self._availability.search(state.but(draft=draft), draft)
            return self._offer(state.but(draft=draft), search.offered, (setting.say(state, "just_taken"),))
        if not done.ok or done.booking is None:
            text = setting.say(state, setting.help_key("booking_failed"))
            return _asking(state.but(task=Task.NONE, draft=kept, offered=()), Asking.MESSAGE_OR_HUMAN, text)
        booking = done.booking
        others = tuple(b for b in state.bookings if not isinstance(action, Book) and b.id != action.booking.id)
        others = state.bookings if isinstance(action, Book) else others
        state = state.but(task=Task.NONE, draft=kept, offered=(), last_service=booking.service_id)
        if isinstance(action, Cancel):
            state = state.but(bookings=others)
            return self._told(state, Asking.ANYTHING_ELSE, "cancelled")
        state = state.but(bookings=(*others, booking))
        values = self._values(state, booking)
        if isinstance(action, Book):
            at_once = action.all_at_once
            asking = Asking.BOOKED if at_once else Asking.ANYTHING_ELSE
            return self._told(state, asking, "booked_all" if at_once else "booked", **values)
        same_person = (action.booking.name, action.booking.phone) == (booking.name, booking.phone)
        return self._told(state, Asking.AMENDED, "moved" if same_person else "corrected", **values)

    def describe(self, state: DialogueState, booking: Booking) -> str:
        """One sentence on an appointment of this call."""
        slot = self._setting.forms(state).slot(booking.starts_at)
        service = self._setting.service_name(state, booking.service_id)
        return self._setting.say(state, "already_booked", service=service, slot=slot)

    async def _agreed(self, state: DialogueState) -> Plan:
        if state.draft.start is None:
            return await self.step(state, state.draft)
        return self._book(state, all_at_once=False)

    def _book(self, state: DialogueState, *, all_at_once: bool) -> Plan:
        draft = state.draft
        assert draft.start is not None  # step() books only drafts with a free start
        same = [b for b in state.bookings if (b.service_id, b.starts_at) == (draft.service_id, draft.start)]
        if same:
            return _asking(state.but(task=Task.NONE), Asking.ANYTHING_ELSE, self.describe(state, same[0]))
        action = Book(draft.service_id, draft.start, draft.name, draft.phone, draft.email, all_at_once)
        state = state.but(asking=Asking.NOTHING, question="")
        return Plan(state=state, says=(self._setting.say(state, "booking"),), action=action)

    def _amend(self, state: DialogueState) -> Plan:
        draft = state.draft
        booking = next((b for b in state.bookings if b.id == draft.amends), None)
        assert booking is not None  # amending() began from one
        assert draft.start is not None  # step() amends only with a free start
        if (booking.starts_at, booking.name, booking.phone) == (draft.start, draft.name, draft.phone):
            state = state.but(task=Task.NONE, draft=draft.but(amends="", start=None))
            return _asking(state, Asking.ANYTHING_ELSE, self.describe(state, booking))
        action = Amend(booking, draft.start, draft.name, draft.phone)
        state = state.but(asking=Asking.NOTHING, question="")
        return Plan(state=state, says=(self._setting.say(state, "changing"),), action=action)

    async def _ask_again(self, state: DialogueState, field: str) -> Plan:
        draft = state.draft
        if field == "name":
            return self._ask(state.but(draft=draft.but(name="")), Asking.NAME, "ask_name")
        if field == "phone":
            return self._ask_phone(state.but(draft=draft.but(phone="", digits="")))
        if field == "service":
            return self._ask(state.but(draft=draft.but(service_id="", start=None)), Asking.SERVICE, "ask_service")
        if field == "day":
            return await self.step(state, draft.but(day=None, until=None, start=None, earliest=False))
        return self._ask(state.but(draft=draft.but(clock=None, start=None)), Asking.TIME, "ask_time")

    def _with_when(self, state: DialogueState, reading: Reading, draft: Draft) -> Draft:
        when = reading.when
        # "The last one" names an offer; its "one" is not one o'clock.
        if not when.said or (state.offered and state.asking is Asking.TIME and reading.choice is not None):
            return draft
        if when.clock is not None:
            draft = draft.but(clock=when.clock, window=None, earliest=False, start=None)
        elif when.window is not None:
            draft = draft.but(window=when.window, clock=None, start=None)
        if when.earliest:
            draft = draft.but(earliest=True, clock=when.clock, start=None)
        if when.day is not None:
            day = self._availability.meant_day(when.day, draft, weekly=when.weekly)
            keeps_time = when.clock is not None or state.asking in (Asking.CONFIRM, Asking.CORRECTION, Asking.DAY)
            draft = draft.but(day=day, until=when.until, start=None, clock=draft.clock if keeps_time else None)
        elif when.clock is not None and state.offered:
            draft = self._offered_day(state.offered, draft)
        return draft

    def _offered_day(self, offered: tuple[dt.datetime, ...], draft: Draft) -> Draft:
        """A time said alone means the offered day that has it, else the day of the offers."""
        for start in offered:
            if self._availability.time_on(draft, start.date()) == start.time():
                return draft.but(day=start.date(), until=None, start=start)
        return draft.but(day=offered[0].date(), until=None)

    def _with_choice(self, state: DialogueState, reading: Reading, draft: Draft) -> Draft:
        if not state.offered or state.asking is not Asking.TIME or draft.start is not None:
            return draft
        chosen: dt.datetime | None = None
        if reading.choice is not None and reading.choice < len(state.offered):
            chosen = state.offered[reading.choice]
        elif reading.when.day is not None and reading.when.clock is None:
            on_day = [start for start in state.offered if start.date() == reading.when.day]
            chosen = on_day[0] if len(on_day) == 1 else None
        elif reading.when.said:
            return draft
        elif reading.any_choice or (len(state.offered) == 1 and reading.answer is Answer.YES):
            chosen = state.offered[0]
        if chosen is None:
            return draft
        clock = Clock(chosen.hour, chosen.minute)
        return draft.but(day=chosen.date(), until=None, clock=clock, earliest=False, start=chosen)

    def _partial(self, before: str, heard: str) -> str:
        """Digits so far; a run that would be too long starts the number anew."""
        wanted = national_digits(self._setting.tenant.country)
        together = before + heard
        return together if wanted is None or len(together) <= wanted else heard

    def _ask_phone(self, state: DialogueState) -> Plan:
        digits = state.draft.digits
        wanted = national_digits(self._setting.tenant.country)
        if not digits:
            return self._ask(state, Asking.PHONE, "ask_phone")
        if wanted is not None and len(digits) < wanted:
            return self._ask(state, Asking.PHONE, "phone_rest", digits=self._setting.forms(state).digits(digits))
        return self._ask(state.but(draft=state.draft.but(digits="")), Asking.PHONE, "phone_invalid")

    def _offer(self, state: DialogueState, offered: tuple[dt.datetime, ...], why: tuple[str, ...]) -> Plan:
        setting = self._setting
        if not offered:
            draft = state.draft.but(day=None, until=None, clock=None, window=None)
            state = state.but(task=Task.NONE, draft=draft, offered=())
            return _asking(state, Asking.MESSAGE_OR_HUMAN, setting.say(state, setting.help_key("none_free")), *why)
        forms = setting.forms(state)
        if len(offered) == 1:
            question = setting.say(state, "have_one", slot=forms.offer(offered[0], setting.today()))
        else:
            question = setting.say(state, "have_some", slots=forms.offers(offered, setting.today()))
        return _asking(state.but(offered=offered), Asking.TIME, question, *why)

    def _ask(self, state: DialogueState, asking: Asking, key: str, **values: str) -> Plan:
        return _asking(state, asking, self._setting.say(state, key, **values))

    def _told(self, state: DialogueState, asking: Asking, key: str, **values: str) -> Plan:
        text = self._setting.say(state, key, **values)
        return Plan(state=state.but(asking=asking, question="", result=text), says=(text,))

    def _read_back(self, state: DialogueState) -> dict[str, str]:
        draft = state.draft
        assert draft.start is not None  # only complete drafts are read back
        return self._said(state, draft.service_id, draft.start, draft.name, draft.phone)

    def _values(self, state: DialogueState, booking: Booking) -> dict[str, str]:
        return self._said(state, booking.service_id, booking.starts_at, booking.name, booking.phone)

    def _said(self, state: DialogueState, service_id: str, start: dt.datetime, name: str, phone: str) -> dict[str, str]:
        forms = self._setting.forms(state)
        return {
            "a_service": self._setting.a_service(state, service_id),
            "slot": forms.slot(start.astimezone(self._setting.now().tzinfo)),
            "name": name,
            "phone": forms.phone(phone),
        }


def _asking(state: DialogueState, asking: Asking, question: str, *before: str) -> Plan:
    return Plan(state=state.but(asking=asking, question=question), says=(*before, question))
