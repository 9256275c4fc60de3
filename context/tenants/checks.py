"""What a tenant's file must hold beyond its types: codes that exist, hours that make sense, whole texts.

Each check yields the path of the value and what is allowed there. Called by `context.tenants.tenant_file`
on a file that already has the right shape.
"""

import difflib
import re
import zoneinfo
from collections.abc import Callable, Iterable, Iterator, Sequence

import phonenumbers

from context.bookings.slots import WEEKDAYS
from context.located_yaml import Path, Step
from context.tenants.archetypes import ARCHETYPES, FRAMEWORKS
from context.tenants.config import LANGUAGES, OpeningHours, Persona, Service, TenantConfig
from context.tenants.numbers import NUMBER_SHAPE, ORIGIN_SHAPE, PREFIX_SHAPE, is_phone
from voice_core.engines.names import EngineNameError, parse_engine

Finding = tuple[Path, str]
"""Path of a wrong value and what is allowed."""

Check = Callable[[TenantConfig], Iterable[Finding]]
"""What finds wrong values; the server adds those that only rooms above this one can make (plans, sectors)."""

ID_SHAPE = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
EMAIL_SHAPE = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
WEBSITE_SHAPE = re.compile(r"https?://[^\s/]+\S*")
DIGEST_SHAPE = re.compile(r"[0-9a-f]{64}")
VAULT_SHAPE = re.compile(r"vault:[a-z0-9][a-z0-9_.-]{0,62}")
WORD_SHAPE = re.compile(r"[a-z][a-z0-9_]{0,62}")

POLICY_LIMITS = {
    "slot_minutes": (5, 720),
    "buffer_minutes": (0, 240),
    "notice_hours": (0, 8_760),
    "per_day": (1, 1_000),
    "days_ahead": (0, 366),
}
"""Lowest and highest value of each number of the booking policy."""

SERVICE_MINUTES = (5, 720)
RETENTION_DAYS = (1, 3_650)

_CURRENCY_CODES = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF
CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ
GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP
LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR
PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC
SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF
XPF YER ZAR ZMW ZWG
"""
CURRENCIES = frozenset(_CURRENCY_CODES.split())
"""Alphabetic codes of money in use (ISO 4217)."""


def findings(tenant: TenantConfig) -> Iterator[Finding]:
    """Everything wrong with a tenant, in the order of the fields."""
    yield from _identity(tenant)
    yield from _texts(tenant)
    yield from _hours(tenant.hours)
    yield from _services(tenant.services)
    yield from _persona(("persona",), tenant.persona)
    for channel, persona in tenant.personas.items():
        yield from _persona(("personas", channel.value), persona)
    yield from _unique(("facts",), [fact.id for fact in tenant.facts])
    yield from _reached_by(tenant)
    for name, (low, high) in POLICY_LIMITS.items():
        if not low <= getattr(tenant.booking, name) <= high:
            yield ("booking", name), f"expected {low} to {high}"
    yield from _policies(tenant)
    yield from _engines(tenant)
    if tenant.trial_ends_at is not None and tenant.trial_ends_at.tzinfo is None:
        yield ("trial_ends_at",), "expected an instant with its offset, such as 2027-01-31T00:00:00Z"
    for at, digest in enumerate(tenant.keys):
        if not DIGEST_SHAPE.fullmatch(digest):
            yield ("keys", at), "expected the SHA-256 of the key in lower-case hex, never the key itself"


def findings_in_store(tenant: TenantConfig) -> Iterator[Finding]:
    """What is wrong besides with a tenant that is kept in the database: these two are for the operator's files."""
    if tenant.keys:
        yield ("keys",), "expected none here: make keys with `parley key` or POST /v1/keys"
    if tenant.loopback_without_key:
        yield ("loopback_without_key",), "expected false: only a tenant of an operator's file may answer without a key"


def _identity(tenant: TenantConfig) -> Iterator[Finding]:
    if not ID_SHAPE.fullmatch(tenant.id):
        yield ("id",), "expected lower-case letters, digits, - and _, 63 at most, beginning with a letter or digit"
    if not tenant.name.strip():
        yield ("name",), "expected a name"
    for at, language in enumerate(tenant.languages):
        if language not in LANGUAGES:
            yield ("languages", at), f"expected one of {', '.join(LANGUAGES)}"
    if tenant.default_language not in tenant.languages:
        yield ("default_language",), f"expected one of the tenant's languages: {', '.join(tenant.languages) or 'none'}"
    if not _is_time_zone(tenant.timezone):
        near = difflib.get_close_matches(tenant.timezone, zoneinfo.available_timezones(), n=1)
        yield ("timezone",), f"expected an IANA time zone such as {near[0] if near else 'Europe/Paris'}"
    if tenant.country not in phonenumbers.SUPPORTED_REGIONS:
        yield ("country",), "expected a country as two capital letters (ISO 3166), such as FR"
    if tenant.currency not in CURRENCIES:
        yield ("currency",), "expected a currency as three capital letters (ISO 4217), such as EUR"
    if tenant.phone and not is_phone(tenant.phone, tenant.country):
        yield ("phone",), "expected a phone number of the country, or an international one beginning with +"
    if tenant.transfer_number and not is_phone(tenant.transfer_number, tenant.country):
        yield ("transfer_number",), "expected a phone number of the country, or an international one beginning with +"
    if tenant.email and not EMAIL_SHAPE.fullmatch(tenant.email):
        yield ("email",), "expected an e-mail address"
    if tenant.website and not WEBSITE_SHAPE.fullmatch(tenant.website):
        yield ("website",), "expected an address beginning with https:// or http://"


def _texts(tenant: TenantConfig) -> Iterator[Finding]:
    """Every text has the default language, and no language that the product does not speak."""
    personas: list[tuple[Path, Persona]] = [
        (("persona",), tenant.persona),
        *((("personas", channel.value), persona) for channel, persona in tenant.personas.items()),
    ]
    localised: list[tuple[Path, dict[str, str]]] = [
        *(((*path, "greeting"), persona.greeting) for path, persona in personas),
        *(
            ((*path, "escalations", at, "message"), escalation.message)
            for path, persona in personas
            for at, escalation in enumerate(persona.escalations)
        ),
        *(
            ((*path, "complaints", at, "response"), complaint.response)
            for path, persona in personas
            for at, complaint in enumerate(persona.complaints)
        ),
        *((("services", at, "name"), service.name) for at, service in enumerate(tenant.services)),
        *((("facts", at, "answer"), fact.answer) for at, fact in enumerate(tenant.facts)),
    ]
    if tenant.address:
        localised.append((("address",), tenant.address))
    for path, texts in localised:
        yield from _languages_of(path, texts)
        if not texts.get(tenant.default_language, "").strip():
            yield path, f"expected a text in the default language, {tenant.default_language}"
    yield from _languages_of(("policies", "recording_notice_text"), tenant.policies.recording_notice_text)
    for path, persona in personas:
        yield from _languages_of((*path, "voice"), persona.voice)
    for at, service in enumerate(tenant.services):
        yield from _languages_of(("services", at, "words"), service.words)
    for at, fact in enumerate(tenant.facts):
        yield from _languages_of(("facts", at, "questions"), fact.questions)


def _persona(path: Path, persona: Persona) -> Iterator[Finding]:
    if not ID_SHAPE.fullmatch(persona.id):
        yield (*path, "id"), "expected lower-case letters, digits, - and _"
    if not persona.name.strip():
        yield (*path, "name"), "expected a name"
    if persona.archetype and persona.archetype not in ARCHETYPES:
        near = difflib.get_close_matches(persona.archetype.upper(), ARCHETYPES, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        yield (*path, "archetype"), f"expected one of {', '.join(sorted(ARCHETYPES))}{hint}"
    if persona.framework and persona.framework not in FRAMEWORKS:
        yield (*path, "framework"), f"expected one of {', '.join(FRAMEWORKS)}"
    for at, escalation in enumerate(persona.escalations):
        for field, word in (("condition", escalation.condition), ("action", escalation.action)):
            if not WORD_SHAPE.fullmatch(word):
                yield (*path, "escalations", at, field), "expected a word such as billing_issue"
    for at, complaint in enumerate(persona.complaints):
        if not WORD_SHAPE.fullmatch(complaint.type):
            yield (*path, "complaints", at, "type"), "expected a word such as long_wait"


def _reached_by(tenant: TenantConfig) -> Iterator[Finding]:
    for at, number in enumerate(tenant.numbers):
        if not NUMBER_SHAPE.fullmatch(number) or not is_phone(number, tenant.country):
            yield ("numbers", at), "expected an international number (E.164), such as +33142000000"
        elif number in tenant.numbers[:at]:
            yield ("numbers", at), "expected each number once"
    for at, origin in enumerate(tenant.origins):
        if not ORIGIN_SHAPE.fullmatch(origin):
            yield ("origins", at), "expected a web origin without a path, such as https://shop.example"
        elif origin in tenant.origins[:at]:
            yield ("origins", at), "expected each origin once"


def _policies(tenant: TenantConfig) -> Iterator[Finding]:
    low, high = RETENTION_DAYS
    if not low <= tenant.policies.retention_days <= high:
        yield ("policies", "retention_days"), f"expected {low} to {high}"
    for at, prefix in enumerate(tenant.policies.outbound_prefixes):
        if not PREFIX_SHAPE.fullmatch(prefix):
            yield (
                ("policies", "outbound_prefixes", at),
                "expected the beginning of an international number, such as +33",
            )


def _engines(tenant: TenantConfig) -> Iterator[Finding]:
    for part in ("stt", "tts"):
        if not getattr(tenant.engines, part):
            yield ("engines", part), 'expected one engine at least, such as "embedded"'
    for part in ("stt", "tts", "llm"):
        for at, engine in enumerate(getattr(tenant.engines, part)):
            try:
                parse_engine(engine)
            except EngineNameError as error:
                yield ("engines", part, at), str(error)
    for provider, reference in tenant.engine_keys.items():
        if not VAULT_SHAPE.fullmatch(reference):
            yield (
                ("engine_keys", provider),
                "expected vault: and the name of a secret in the vault, such as vault:deepgram; never the key itself",
            )


def _languages_of(path: Path, texts: Iterable[str]) -> Iterator[Finding]:
    for language in texts:
        if language not in LANGUAGES:
            yield (*path, language), f"expected a language out of {', '.join(LANGUAGES)}"


def _hours(hours: dict[str, tuple[OpeningHours, ...]]) -> Iterator[Finding]:
    for day, openings in hours.items():
        if day not in WEEKDAYS:
            yield ("hours", day), f"expected a weekday: {', '.join(WEEKDAYS)}"
        for at, opening in enumerate(openings):
            path: Path = ("hours", day, at)
            if opening.opens.tzinfo or opening.closes.tzinfo:
                yield path, "expected local times, without Z or an offset"
            elif opening.opens >= opening.closes:
                yield path, "expected to open before it closes, on the same day"
            elif at and _naive(openings[at - 1]) and openings[at - 1].closes > opening.opens:
                yield path, "expected to open after the opening before it closes"


def _naive(opening: OpeningHours) -> bool:
    return not (opening.opens.tzinfo or opening.closes.tzinfo)


def _services(services: Sequence[Service]) -> Iterator[Finding]:
    yield from _unique(("services",), [service.id for service in services])
    low, high = SERVICE_MINUTES
    for at, service in enumerate(services):
        if not ID_SHAPE.fullmatch(service.id):
            yield ("services", at, "id"), "expected lower-case letters, digits, - and _"
        if not low <= service.minutes <= high:
            yield ("services", at, "minutes"), f"expected {low} to {high}"
        if service.price is not None and service.price < 0:
            yield ("services", at, "price"), "expected 0 or more"
        if service.price_to is not None and (service.price is None or service.price_to < service.price):
            yield ("services", at, "price_to"), "expected a price below it in `price`"


def _unique(path: Path, ids: Sequence[str]) -> Iterator[Finding]:
    for at, id_ in enumerate(ids):
        if id_ in ids[:at]:
            where: tuple[Step, ...] = (*path, at, "id")
            yield where, "expected an id that no other entry has"


def _is_time_zone(name: str) -> bool:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
