"""Telephone numbers and web origins in the one spelling in which they are stored and compared.

A number that is dialled finds its tenant by this spelling, so every way in (files, API, command, telephony) comes
through here. Called by the checks of a tenant and by its directory.
"""

import re
from urllib.parse import urlsplit

import phonenumbers

NUMBER_SHAPE = re.compile(r"\+[1-9]\d{6,14}")
"""E.164: a plus sign, the country code, 15 digits at most."""

PREFIX_SHAPE = re.compile(r"\+[1-9]\d{0,14}")
ORIGIN_SHAPE = re.compile(r"https?://[a-z0-9.-]+(?::\d{1,5})?|https?://\[[0-9a-f:]+\](?::\d{1,5})?")
DEFAULT_PORTS = {"http": 80, "https": 443}


def is_phone(number: str, country: str) -> bool:
    """Whether the number can be dialled; possible is enough, ranges change faster than libraries."""
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(number, country))
    except phonenumbers.NumberParseException:
        return False


def e164(number: str, country: str = "") -> str:
    """The number as it is stored, "" when it is none. country: of numbers written without their own.

    Takes what telephony brings: "+33 1 42...", "0033142...", "tel:+33...", "sip:+33...@host".
    """
    bare = re.sub(r"^(?:tel|sips?):", "", number.strip(), flags=re.IGNORECASE).split("@")[0].split(";")[0]
    if bare.startswith("00"):
        bare = f"+{bare[2:]}"
    try:
        parsed = phonenumbers.parse(bare, country or None)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_possible_number(parsed):
        return ""
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def origin_of(address: str) -> str:
    """The web origin of an address: scheme, host and a port that is not the usual one; "" when it has none."""
    try:
        parts = urlsplit(address.strip())
        port = parts.port
    except ValueError:
        return ""
    host = (parts.hostname or "").lower()
    if parts.scheme not in DEFAULT_PORTS or not host:
        return ""
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + ("" if port in (None, DEFAULT_PORTS[parts.scheme]) else f":{port}")
