"""Answers from the tenant's own data: hours, prices, services, address, and the knowledge base.

The direct answer comes first and alone ("We close at 1 p.m. on Saturday."). What the data does not hold
is not answered. Called by `agents.dialogue.policy` for each request of a turn.
"""

import datetime as dt

import msgspec

from agents.dialogue.setting import WEEKDAYS, Setting
from agents.dialogue.state import Asking, DialogueState
from agents.understanding.dates import When
from agents.understanding.intents import Intent, Request
from agents.understanding.understand import Reading
from context.tenants.config import OpeningHours

SERVICES_NAMED = 4
"""More would not be remembered."""


class Answer(msgspec.Struct, frozen=True):
    """What to say to one request. asking: the question it ends with, if it ends with one."""

    text: str
    service_id: str = ""
    asking: Asking = Asking.NOTHING


class Answers:
    """Answers requests for information."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting

    def answer(self, state: DialogueState, reading: Reading, request: Request) -> Answer | None:
        """The answer to one request of a turn, or None when it asks for nothing that the data may hold."""
        setting = self._setting
        service_id = setting.understander.service_in(request, reading, state.language)
        intents = request.intents
        if Intent.OPEN_NOW in intents:
            return self._open_now(state)
        if Intent.PRICE in intents:
            return self._price(state, request, service_id)
        if Intent.HOURS in intents and not service_id:
            when = setting.understander.when_in(request, reading, state.language, setting.today())
            return self._hours(state, request, when)
        if Intent.SERVICES in intents:
            return self.services(state)
        known = self.known(state, request)
        if Intent.ADDRESS in intents and known is None and setting.tenant.address:
            address = setting.localised(setting.tenant.address, state.language)
            return Answer(setting.say(state, "address", address=address))
        if Intent.PHONE in intents and known is None and setting.tenant.phone:
            return Answer(setting.say(state, "phone", phone=setting.forms(state).phone(setting.tenant.phone)))
        if Intent.OFFERS in intents and service_id:
            return Answer(setting.say(state, "offers", price=self.price_text(state, service_id)), service_id)
        return known

    def known(self, state: DialogueState, request: Request) -> Answer | None:
        """What the knowledge base says to a request, or None."""
        found = self._setting.knowledge(state).find(request.text)
        return None if found is None else Answer(self._setting.localised(found.fact.answer, state.language))

    def price_text(self, state: DialogueState, service_id: str) -> str:
        """The price of a service, as a sentence."""
        setting = self._setting
        service = setting.service(service_id)
        assert service is not None  # ids come from the tenant's own index
        name = setting.a_service(state, service_id)
        if service.price is None:
            return setting.say(state, "price_quote", a_service=name)
        price = setting.forms(state).money(service.price)
        if service.price_to:
            to = setting.forms(state).money(service.price_to)
            return setting.say(state, "price_range", a_service=name, price=price, price_to=to)
        return setting.say(state, "price", a_service=name, price=price)

    def _price(self, state: DialogueState, request: Request, service_id: str) -> Answer:
        setting = self._setting
        if not service_id and _names_nothing(request, setting, state):
            service_id = state.last_service
            if not service_id:
                return Answer(setting.say(state, "price_which"), asking=Asking.PRICE_SERVICE)
        if not service_id:
            known = self.known(state, request)
            if known is not None:
                return known
            key = "unknown_price" if setting.tenant.transfer_number else "unknown_no_transfer"
            return Answer(setting.say(state, key), asking=Asking.MESSAGE_OR_HUMAN)
        return Answer(self.price_text(state, service_id), service_id)

    def services(self, state: DialogueState) -> Answer:
        """Some of what the tenant sells."""
        names = [self._setting.service_name(state, s.id) for s in self._setting.tenant.services[:SERVICES_NAMED]]
        return Answer(self._setting.say(state, "services", services=self._setting.forms(state).both(names)))

    def _hours(self, state: DialogueState, request: Request, when: When) -> Answer:
        setting = self._setting
        day = when.day
        if day is None and state.asking is Asking.TIME:
            day = state.draft.day
        if day is None or when.until is not None:
            return Answer(setting.say(state, "week_hours", days=self._week(state)))
        hours = setting.hours(day)
        forms = setting.forms(state)
        on_day = forms.on_weekday(day) if when.weekly else forms.on_day(day, setting.today())
        if not hours:
            return Answer(setting.say(state, "closed", day=on_day))
        pack = setting.understander.packs[state.language]
        closes, opens = pack.find(pack.closes, request.text), pack.find(pack.opens, request.text)
        if closes and not opens:
            return Answer(setting.say(state, "close_at", time=forms.time(hours[-1].closes), day=on_day))
        if opens and not closes and pack.find(pack.asks_time, request.text):
            return Answer(setting.say(state, "open_at", time=forms.time(hours[0].opens), day=on_day))
        return Answer(setting.say(state, "open_hours", hours=forms.opening(hours), day=on_day))

    def _open_now(self, state: DialogueState) -> Answer:
        setting = self._setting
        now = setting.now()
        for opening in setting.hours(now.date()):
            if opening.opens <= now.time() < opening.closes:
                return Answer(setting.say(state, "open_now", time=setting.forms(state).time(opening.closes)))
        closed = setting.say(state, "closed_now")
        for ahead in range(8):
            day = now.date() + dt.timedelta(days=ahead)
            for opening in setting.hours(day):
                if ahead or opening.opens > now.time():
                    on_day = setting.forms(state).on_day(day, now.date())
                    time = setting.forms(state).time(opening.opens)
                    return Answer(f"{closed} {setting.say(state, 'opens_next', day=on_day, time=time)}")
        return Answer(closed)

    def _week(self, state: DialogueState) -> str:
        """ "Monday to Friday from 9 a.m. to 6 p.m. and on Saturdays from 9 a.m. to 1 p.m."."""
        forms = self._setting.forms(state)
        runs: list[tuple[int, int, tuple[OpeningHours, ...]]] = []
        for index, name in enumerate(WEEKDAYS):
            hours = self._setting.tenant.hours.get(name, ())
            if hours and runs and runs[-1][2] == hours and runs[-1][1] == index - 1:
                runs[-1] = (runs[-1][0], index, hours)
            elif hours:
                runs.append((index, index, hours))
        return forms.both([f"{forms.weekday_run(first, last)} {forms.opening(hours)}" for first, last, hours in runs])


def _names_nothing(request: Request, setting: Setting, state: DialogueState) -> bool:
    """Whether a question about a price says no more than "how much is it"."""
    pack = setting.understander.packs[state.language]
    rest = pack.find(pack.intents[Intent.PRICE], request.text)
    words = (request.text.replace(rest.group(), " ") if rest else request.text).split()
    return all(word in pack.stop or word in pack.common or word.isdecimal() for word in words)
