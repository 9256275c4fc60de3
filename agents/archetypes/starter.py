"""A new tenant's configuration, made from the archetype of its sector.

It answers and books at once: greeting, opening hours and services of the trade, the default booking policy. What only
the business knows (address, prices, its own facts) stays empty, so that the agent says that it does not know instead
of inventing it. Called by `server.provisioning`.
"""

import datetime as dt
import re
import unicodedata
import zoneinfo

import msgspec

from agents.archetypes.library import Archetype, archetype
from agents.archetypes.sectors import archetype_of_sector, nearest_sectors
from context.errors import ContextError
from context.tenants.config import Persona, Service, TenantConfig
from context.tenants.numbers import e164, origin_of

SPOKEN_BY_THE_DIALOGUE_ENGINE = ("en", "fr")
"""Languages in which a tenant can be served without any language model."""

SECOND_LANGUAGE = {"es": "en", "ar": "fr", "ary": "fr"}
"""What a tenant of another language speaks besides, so that somebody always answers."""

ID_LIMIT_CHARS = 63


class StarterError(ContextError):
    """A new tenant cannot be made from what was given; the message names field, value and what is allowed."""

    code = "bad_tenant_request"


class Country(msgspec.Struct, frozen=True):
    """What a country decides."""

    timezone: str
    currency: str


COUNTRIES = {
    "FR": Country("Europe/Paris", "EUR"),
    "BE": Country("Europe/Brussels", "EUR"),
    "CH": Country("Europe/Zurich", "CHF"),
    "LU": Country("Europe/Luxembourg", "EUR"),
    "MC": Country("Europe/Monaco", "EUR"),
    "ES": Country("Europe/Madrid", "EUR"),
    "PT": Country("Europe/Lisbon", "EUR"),
    "IT": Country("Europe/Rome", "EUR"),
    "DE": Country("Europe/Berlin", "EUR"),
    "AT": Country("Europe/Vienna", "EUR"),
    "NL": Country("Europe/Amsterdam", "EUR"),
    "IE": Country("Europe/Dublin", "EUR"),
    "GB": Country("Europe/London", "GBP"),
    "US": Country("America/New_York", "USD"),
    "CA": Country("America/Toronto", "CAD"),
    "MX": Country("America/Mexico_City", "MXN"),
    "MA": Country("Africa/Casablanca", "MAD"),
    "DZ": Country("Africa/Algiers", "DZD"),
    "TN": Country("Africa/Tunis", "TND"),
    "SN": Country("Africa/Dakar", "XOF"),
    "CI": Country("Africa/Abidjan", "XOF"),
    "EG": Country("Africa/Cairo", "EGP"),
    "SA": Country("Asia/Riyadh", "SAR"),
    "AE": Country("Asia/Dubai", "AED"),
    "QA": Country("Asia/Qatar", "QAR"),
}
"""Countries whose time zone and currency need not be said."""


class NewTenant(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is asked for. Everything with a default may be left out.

    id: "" to make one from the name. timezone, currency: "" for the country's. number: what reaches the tenant, as
    +33..., "". origin: of the page that will hold the widget, "". phone, address, email, transfer_number: of the
    business, "" when not known yet. plan: of `billing.plans`.
    """

    name: str
    sector: str
    language: str = "fr"
    country: str = "FR"
    id: str = ""
    number: str = ""
    origin: str = ""
    phone: str = ""
    address: str = ""
    email: str = ""
    transfer_number: str = ""
    timezone: str = ""
    currency: str = ""
    plan: str = "starter"


def starter_config(asked: NewTenant, *, trial_ends_at: dt.datetime) -> TenantConfig:
    """The configuration of a new tenant. Raises StarterError; its other values are checked when it is stored."""
    chosen = archetype_of_sector(asked.sector)
    if chosen is None:
        near = ", ".join(nearest_sectors(asked.sector))
        hint = f"; did you mean {near}?" if near else ""
        raise StarterError(f'sector: {asked.sector!r} names no trade known here; "other" always works{hint}')
    base = archetype(chosen)
    if asked.language not in base.greeting:
        raise StarterError(f"language: {asked.language!r} is not spoken; one of {', '.join(base.greeting)} is")
    tenant_id = asked.id or id_from(asked.name)
    if not tenant_id:
        raise StarterError(f"name: no id can be made from {asked.name!r}; give one of a-z, 0-9, - and _ as id")
    timezone, currency = _place(asked)
    languages = _languages(asked.language)
    number = _number("number", asked.number, asked.country)
    phone = _number("phone", asked.phone, asked.country) or number
    return TenantConfig(
        id=tenant_id,
        name=asked.name.strip(),
        sector=asked.sector,
        languages=languages,
        default_language=asked.language,
        timezone=timezone,
        country=asked.country,
        currency=currency,
        phone=phone,
        address=dict.fromkeys(languages, asked.address.strip()) if asked.address.strip() else {},
        hours=base.starter.hours,
        services=tuple(_service(service, languages) for service in base.starter.services),
        persona=starter_persona(base, tenant_id, asked.name.strip(), languages),
        email=asked.email.strip(),
        transfer_number=_number("transfer_number", asked.transfer_number, asked.country),
        numbers=(number,) if number else (),
        origins=(_origin(asked.origin),) if asked.origin else (),
        booking=base.starter.booking,
        terms=_terms(asked.name.strip(), base, languages),
        plan=asked.plan,
        trial_ends_at=trial_ends_at,
    )


def starter_persona(base: Archetype, tenant_id: str, business: str, languages: tuple[str, ...]) -> Persona:
    """A persona on an archetype, that greets for this business. Everything else is left to the archetype."""
    return Persona(
        id=f"{tenant_id[: ID_LIMIT_CHARS - 10]}_reception",
        name=base.name,
        archetype=base.id,
        greeting={code: base.greeting[code].format(business=business, name=base.name) for code in languages},
    )


def id_from(name: str) -> str:
    """An id made from a name: "Café de l'Été" -> "cafe-de-l-ete"; "" when no letter of it can be used."""
    decomposed = unicodedata.normalize("NFKD", name.casefold().replace("œ", "oe").replace("æ", "ae"))
    return "-".join(re.findall(r"[a-z0-9]+", re.sub(r"[\u0300-\u036f]", "", decomposed)))[:ID_LIMIT_CHARS].strip("-")


def _languages(language: str) -> tuple[str, ...]:
    if language in SPOKEN_BY_THE_DIALOGUE_ENGINE:
        return (language,)
    return (language, SECOND_LANGUAGE[language])


def _place(asked: NewTenant) -> tuple[str, str]:
    known = COUNTRIES.get(asked.country)
    timezone = asked.timezone or (known.timezone if known else "")
    currency = asked.currency or (known.currency if known else "")
    if not timezone:
        near = [zone for zone in sorted(zoneinfo.available_timezones()) if zone.startswith("Europe/")][:3]
        raise StarterError(
            f"timezone: that of {asked.country!r} is not known here; give one, such as {', '.join(near)} "
            f"(known countries: {', '.join(COUNTRIES)})"
        )
    if not currency:
        raise StarterError(f"currency: that of {asked.country!r} is not known here; give one, such as EUR")
    return timezone, currency


def _number(field: str, number: str, country: str) -> str:
    if not number.strip():
        return ""
    found = e164(number, country)
    if not found:
        raise StarterError(f"{field}: {number!r} is no telephone number; +33142000000 would be one")
    return found


def _origin(origin: str) -> str:
    found = origin_of(origin)
    if not found:
        raise StarterError(f"origin: {origin!r} is no web origin; https://shop.example would be one")
    return found


def _service(service: Service, languages: tuple[str, ...]) -> Service:
    return msgspec.structs.replace(
        service,
        name={code: service.name[code] for code in languages},
        words={code: service.words[code] for code in languages},
    )


def _terms(business: str, base: Archetype, languages: tuple[str, ...]) -> tuple[str, ...]:
    names = [service.name[code] for service in base.starter.services for code in languages]
    return tuple(dict.fromkeys((business, *names)))
