"""What a person is found by: telephone numbers, e-mail addresses and the ids of other systems.

Each is kept in one spelling, so that "06 12 34 56 78" and "+33612345678" are one number and find one contact. Made by
`context.contacts` from what calls, bookings and requests hold.
"""

import re
import unicodedata
from enum import StrEnum

import msgspec
import phonenumbers

from context.errors import ContextError

EMAIL_LIMIT_CHARS = 254
"""RFC 5321: what fits between the angle brackets."""

EXTERNAL_LIMIT_CHARS = 200

_EMAIL = re.compile(r"[^\s@<>()\[\],;:\\\"]+@[^\s@.<>()\[\],;:\\\"]+(?:\.[^\s@.<>()\[\],;:\\\"]+)+")


class ContactPointError(ContextError):
    """The text is no telephone number, e-mail address or id."""

    code = "bad_contact_point"


class PointKind(StrEnum):
    """What kind of thing it is."""

    PHONE = "phone"
    EMAIL = "email"
    EXTERNAL = "external"


class ContactPoint(msgspec.Struct, frozen=True, order=True):
    """One number, address or id, in its one spelling."""

    kind: PointKind
    value: str


def phone_point(text: str, country: str) -> ContactPoint:
    """The number in E.164.

    country: where it is dialled, ISO 3166 alpha-2; "" when unknown: then it must be international. Raises
    ContactPointError, which does not repeat the number.
    """
    try:
        number = phonenumbers.parse(text, country or None)
    except phonenumbers.NumberParseException as error:
        raise ContactPointError(_phone_allowed(country)) from error
    if not phonenumbers.is_possible_number(number):
        raise ContactPointError(_phone_allowed(country))
    return ContactPoint(PointKind.PHONE, phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def email_point(text: str) -> ContactPoint:
    """The address in lower case, its domain in ASCII. Raises ContactPointError, which does not repeat it."""
    plain = unicodedata.normalize("NFKC", text).strip().removeprefix("mailto:").lower()
    if len(plain) > EMAIL_LIMIT_CHARS or not plain.isprintable() or not _EMAIL.fullmatch(plain):
        raise ContactPointError("email: expected an address such as name@example.com")
    local, domain = plain.rsplit("@", 1)
    try:
        ascii_domain = domain.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ContactPointError("email: expected an address with a domain such as example.com") from error
    return ContactPoint(PointKind.EMAIL, f"{local}@{ascii_domain}")


def external_point(text: str) -> ContactPoint:
    """The id that another system gave, as it is. Raises ContactPointError."""
    plain = text.strip()
    if not plain or len(plain) > EXTERNAL_LIMIT_CHARS or not plain.isprintable():
        raise ContactPointError(f"external_id: expected 1 to {EXTERNAL_LIMIT_CHARS} printable characters")
    return ContactPoint(PointKind.EXTERNAL, plain)


def points_found(phones: tuple[str, ...], emails: tuple[str, ...], country: str) -> tuple[ContactPoint, ...]:
    """The usable ones among what a call left, each once; what cannot be read is left out."""
    found: dict[ContactPoint, None] = {}
    for phone in phones:
        try:
            found[phone_point(phone, country)] = None
        except ContactPointError:
            continue
    for email in emails:
        try:
            found[email_point(email)] = None
        except ContactPointError:
            continue
    return tuple(found)


def _phone_allowed(country: str) -> str:
    local = f"a number of {country} or " if country else ""
    return f"phone: expected {local}an international number beginning with +"
