"""A tenant's configuration as plain data: who it is, its facts, its policies.

Loaded from YAML by `context.tenants.tenant_file`; read by agents (what to say), telephony (which tenant a
key or number belongs to) and server. Field errors name the path, the value and what is allowed.
"""

import datetime as dt
from enum import StrEnum
from typing import Literal

import msgspec

LANGUAGES = ("en", "fr", "es", "ar", "ary")
"""Language codes of the product; ary is Moroccan Arabic."""

Localised = dict[str, str]
"""Language code -> text. A missing language falls back to the tenant's default."""


class Channel(StrEnum):
    """Where a conversation takes place; each may have a persona of its own."""

    PHONE = "phone"
    WIDGET_B2B = "widget_b2b"
    WIDGET_B2C = "widget_b2c"
    WIDGET_ECOM = "widget_ecom"


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


class Escalation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to do when something happens in a call. condition, action: words such as billing_issue and
    transfer_admin. message: what the agent says when it does so."""

    condition: str
    action: str
    message: Localised


class Complaint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to answer one type of complaint, such as long_wait."""

    type: str
    response: Localised


class Persona(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the agent introduces itself and behaves.

    archetype: of `context.tenants.archetypes`; "" for the one of the tenant's sector. What is empty here comes from
    the archetype. framework: of marketing guidance; "none" for no guidance, "" for the archetype's.
    """

    id: str
    name: str
    greeting: Localised
    archetype: str = ""
    voice: dict[str, str] = {}
    tone: str = ""
    personality: str = ""
    background: str = ""
    forbidden: tuple[str, ...] = ()
    escalations: tuple[Escalation, ...] = ()
    complaints: tuple[Complaint, ...] = ()
    framework: str = ""


class Policies(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the tenant wants done, kept and allowed.

    retention_days: how long calls, transcripts and recordings are kept. recording_notice: whether the caller is told
    that the call is recorded; "by_country" where the law asks for it. outbound_prefixes: beginnings of the numbers that
    may be dialled or transferred to, such as +33; () allows the tenant's own country. booking_approval: which bookings
    wait for a pilot: none, those of hot leads (a score of 70 and more), or all.
    """

    retention_days: int = 30
    recording_notice: Literal["by_country", "always", "never"] = "by_country"
    recording_notice_text: Localised = {}
    outbound_prefixes: tuple[str, ...] = ()
    booking_approval: Literal["never", "hot_leads", "always"] = "never"


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
    """One tenant. Its state (trial, suspended...) is not here: see `context.tenants.lifecycle`.

    hours: weekday ("monday".."sunday") -> opening times in order; a missing day is closed.
    phone and address: what callers are told, "" and {} when the agent cannot tell.
    transfer_number: where a caller who asks for a human goes. terms: names and words of the trade
    that speech recognition should prefer. numbers: E.164 numbers that reach this tenant, each of one tenant only.
    origins: web origins whose pages may hold its widget, such as https://shop.example. personas: those of single
    channels; `persona` answers on every other. plan: of `billing.plans`. trial_ends_at: aware; None when not on trial.
    engine_keys: engine provider -> "vault:NAME" of the secret that holds its API key. keys: SHA-256 hex digests of the
    API keys that open a call, for tenants of a file; keys made by command or API are not here.
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
    personas: dict[Channel, Persona] = {}
    facts: tuple[Fact, ...] = ()
    email: str = ""
    website: str = ""
    transfer_number: str = ""
    numbers: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    booking: BookingPolicy = BookingPolicy()
    policies: Policies = Policies()
    engines: EngineChoice = EngineChoice()
    engine_keys: dict[str, str] = {}
    terms: tuple[str, ...] = ()
    plan: str = "starter"
    trial_ends_at: dt.datetime | None = None
    keys: tuple[str, ...] = ()
    loopback_without_key: bool = False
