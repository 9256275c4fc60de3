"""A tenant's configuration as plain data: who it is, its facts, its policies.

Loaded from YAML by `context.tenants.files`; read by agents (what to say), telephony (which tenant a
key or number belongs to) and server. Field errors name the path, the value and what is allowed.
"""

import datetime as dt
from typing import Literal

import msgspec

LANGUAGES = ("en", "fr", "es", "ar", "ary")
"""Language codes of the product; ary is Moroccan Arabic."""

Localised = dict[str, str]
"""Language code -> text. A missing language falls back to the tenant's default."""


class OpeningHours(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Opening times of one weekday, local time."""

    opens: dt.time
    closes: dt.time


class Service(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something the business sells. price: in the tenant's currency, None when on quotation.

    words: what callers call it, per language, lower case.
    """

    id: str
    name: Localised
    words: dict[str, tuple[str, ...]]
    minutes: int = 60
    price: float | None = None
    price_to: float | None = None
    bookable: bool = True


class Fact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of the knowledge base: questions that it answers and the answer, per language."""

    id: str
    questions: dict[str, tuple[str, ...]]
    answer: Localised


class BookingPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When slots may be sold (product facts, section 5)."""

    slot_minutes: int = 60
    buffer_minutes: int = 5
    notice_hours: int = 24
    per_day: int = 10
    days_ahead: int = 14


class Persona(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the agent introduces itself and behaves."""

    id: str
    name: str
    archetype: str
    greeting: Localised
    voice: dict[str, str] = {}
    tone: str = ""
    personality: str = ""


class EngineChoice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Engines by name, first choice first: "embedded" or a livekit plugin such as "deepgram/nova-3".

    An empty llm list means the dialogue engine answers alone. turn_end: "words" (what recognition knows) or
    "smart-turn" (an audio model's opinion as well; extra `smart-turn`).
    """

    stt: tuple[str, ...] = ("embedded",)
    tts: tuple[str, ...] = ("embedded",)
    llm: tuple[str, ...] = ()
    turn_end: Literal["words", "smart-turn"] = "words"


class TenantConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One tenant.

    hours: weekday ("monday".."sunday") -> opening times in order; a missing day is closed.
    transfer_number: where a caller who asks for a human goes. terms: names and words of the trade
    that speech recognition should prefer. keys: SHA-256 hex digests of the API keys that open a call.
    """

    id: str
    name: str
    sector: str
    languages: tuple[str, ...]
    default_language: str
    timezone: str
    country: str
    currency: str
    phone: str
    address: Localised
    hours: dict[str, tuple[OpeningHours, ...]]
    services: tuple[Service, ...]
    persona: Persona
    facts: tuple[Fact, ...] = ()
    email: str = ""
    website: str = ""
    transfer_number: str = ""
    booking: BookingPolicy = BookingPolicy()
    engines: EngineChoice = EngineChoice()
    terms: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    loopback_without_key: bool = False
