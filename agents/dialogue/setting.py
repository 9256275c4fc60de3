"""What stays the same during a call: the tenant, its parsers and words, the desk and the clock.

Built once per call by `agents.dialogue.responder` and shared by the planners.
"""

import datetime as dt
from collections import OrderedDict
from collections.abc import Callable
from zoneinfo import ZoneInfo

from agents.dialogue.spoken_forms import SpokenForms
from agents.dialogue.state import DialogueState
from agents.dialogue.wording import Wording, wording_for
from agents.knowledge import Knowledge
from agents.understanding.understand import Understander
from context.bookings.desk import BookingDesk
from context.tenants.config import OpeningHours, Service, TenantConfig

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
"""Keys of `TenantConfig.hours`, in the order of `date.weekday()`."""

EMERGENCY_SERVICE = "emergency"
"""Id of the service that an emergency is booked as, in a tenant's file."""


PREPARED_TENANTS = 64
"""Tenants whose tables are kept; making them takes 10 ms, which no call should pay."""


class TenantSpeech:
    """What the engine makes of a tenant's file, once: its parsers, phrases, forms and index of facts.

    Raises LookupError when the engine speaks none of the tenant's languages.
    """

    def __init__(self, tenant: TenantConfig) -> None:
        self.tenant = tenant
        self.understander = Understander(tenant)
        packs = self.understander.packs
        self.languages = tuple(code for code in tenant.languages if code in packs)
        if not self.languages:
            raise LookupError(f"tenant {tenant.id!r}: the dialogue engine speaks none of {tenant.languages}")
        self.wordings = {code: wording_for(code) for code in self.languages}
        self.forms = {
            code: SpokenForms(wording, packs[code], tenant.country, tenant.currency)
            for code, wording in self.wordings.items()
        }
        self.knowledge = {code: Knowledge(tenant.facts, packs[code]) for code in self.languages}


_prepared: OrderedDict[int, TenantSpeech] = OrderedDict()


def speech_of(tenant: TenantConfig) -> TenantSpeech:
    """The tables of a tenant, made at its first use. Raises LookupError as `TenantSpeech` does."""
    speech = _prepared.get(id(tenant))
    if speech is None:
        # The entry holds the tenant, so that its id stays its own for as long as the entry lives.
        speech = _prepared[id(tenant)] = TenantSpeech(tenant)
        while len(_prepared) > PREPARED_TENANTS:
            _prepared.popitem(last=False)
    _prepared.move_to_end(id(tenant))
    return speech


class Setting:
    """The fixed parts of one call. Raises LookupError as `TenantSpeech` does."""

    def __init__(self, tenant: TenantConfig, desk: BookingDesk, call_id: str, now: Callable[[], dt.datetime]) -> None:
        self.tenant = tenant
        self.desk = desk
        self.call_id = call_id
        speech = speech_of(tenant)
        self.understander = speech.understander
        self.languages = speech.languages
        self._now = now
        self._zone = ZoneInfo(tenant.timezone)
        self._services = {service.id: service for service in tenant.services}
        self._wordings = speech.wordings
        self._forms = speech.forms
        self._knowledge = speech.knowledge

    def now(self) -> dt.datetime:
        """The tenant's wall clock, aware."""
        return self._now().astimezone(self._zone)

    def today(self) -> dt.date:
        """The tenant's date."""
        return self.now().date()

    def at(self, day: dt.date, time: dt.time) -> dt.datetime:
        """That time of that day in the tenant's time zone."""
        return dt.datetime.combine(day, time, self._zone)

    def spoken(self, language: str) -> str:
        """The language of the call for a caller who speaks `language`: one the engine speaks."""
        if language in self.languages:
            return language
        default = self.tenant.default_language
        return default if default in self.languages else self.languages[0]

    def say(self, state: DialogueState, key: str, **values: str) -> str:
        """A phrase in the language of the conversation."""
        return self._wordings[state.language].say(key, state.turns, **values)

    def help_key(self, key: str) -> str:
        """The variant of a phrase that offers a human only when there is one to pass the caller to."""
        return key if self.tenant.transfer_number else f"{key}_no_transfer"

    def wording(self, language: str) -> Wording:
        """The phrases of a language."""
        return self._wordings[language]

    def forms(self, state: DialogueState) -> SpokenForms:
        """How the language of the conversation writes days, times and money."""
        return self._forms[state.language]

    def knowledge(self, state: DialogueState) -> Knowledge:
        """The tenant's facts in the language of the conversation."""
        return self._knowledge[state.language]

    def hours(self, day: dt.date) -> tuple[OpeningHours, ...]:
        """Opening times of a day, () when closed."""
        return self.tenant.hours.get(WEEKDAYS[day.weekday()], ())

    def service(self, service_id: str) -> Service | None:
        """The service with this id."""
        return self._services.get(service_id)

    def service_name(self, state: DialogueState, service_id: str) -> str:
        """Its name in the language of the conversation."""
        return self._services[service_id].name.get(state.language) or self.localised(self._services[service_id].name)

    def a_service(self, state: DialogueState, service_id: str) -> str:
        """Its name with an article: "a cleaning"."""
        return self.forms(state).with_article(self.service_name(state, service_id))

    def localised(self, texts: dict[str, str], language: str = "") -> str:
        """The text in that language, else in the tenant's default language, else any."""
        return texts.get(language) or texts.get(self.tenant.default_language) or next(iter(texts.values()), "")
