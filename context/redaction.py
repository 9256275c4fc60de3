"""Keeps callers and secrets out of the logs: a structlog processor.

Logs go to files and collectors that nobody guards like the database, so names, numbers, words and
keys are masked whatever a log call passes by mistake. Put last before the renderer, after tracebacks
have become text; set up by the server.
"""

import datetime as dt
import re
from collections.abc import Collection, Mapping, MutableMapping, Sequence, Set
from enum import Enum
from pathlib import Path
from typing import Any, cast

MASK = "[masked]"
PHONE_MASK = "[phone]"
EMAIL_MASK = "[email]"
DEPTH_LIMIT = 8
"""Deeper values are masked whole: nothing we log nests that far, except by mistake."""

FEWEST_PHONE_DIGITS = 7
"""Shorter runs of digits are ports, years, counts and durations."""

SAFE_KEYS = frozenset({"timestamp", "event_id", "call_id", "tenant_id", "booking_id", "reply_id"})
"""Identifiers we make ourselves: random digits in them are no phone number."""

PRIVATE_WORDS = frozenset(
    {"password", "passwd", "secret", "token", "authorization", "authorisation", "cookie", "credential", "credentials"}
    | {"key", "keys", "apikey", "signature", "phone", "phones", "email", "e-mail", "caller", "callee", "name"}
    | {"text", "transcript", "utterance", "words", "said", "heard", "intended", "address", "notes"}
)
"""A value is masked when a word of its key is one of these: `api_key`, `callerPhone`, `to_email`."""

PUBLIC_KEYS = frozenset({"logger_name", "tool_name", "engine_name", "voice_name", "file_name", "bind_address"})
"""Keys with such a word that name our own things."""

_EMAIL = re.compile(r"[^\s@<>\"'(),;:=]+@[^\s@<>\"'(),;:=]+")
_PHONE = rf"\+?\(?\d(?:[\s().\-/]{{0,3}}\d){{{FEWEST_PHONE_DIGITS - 1},}}"
_TIME = r"[T ][0-2]\d:[0-5]\d(?::[0-5]\d(?:[.,]\d{1,9})?)?"
_DATE = rf"(?:19|20)\d\d-[01]\d-[0-3]\d(?:{_TIME})?"
_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_IP_ADDRESS = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_KEY_ID = r"\bpk_[0-9a-f]{16}_"
# Dates and addresses stay readable, unless more digits follow: then they are part of a number. So do ids of API keys.
_NUMBER = re.compile(
    rf"(?P<readable>(?<![\d+(])(?:{_DATE}|{_IP_ADDRESS})(?!\d|[\s().\-/]{{1,3}}\d)|{_KEY_ID})|{_PHONE}"
)
# Secrets in the middle of a text, as in the message of an error: API keys, bearer tokens, JSON Web Tokens, parameters.
_SECRET = re.compile(
    rf"(?P<kept>{_KEY_ID})[0-9a-f]+"
    r"|(?P<scheme>\b(?i:bearer|basic)\s+)[^\s\"',;]+"
    r"|\beyJ[\w\-]{8,}\.[\w\-]+(?:\.[\w\-]*)?"
    r"|(?P<name>\b(?i:(?:access_|refresh_|id_|client_|api_)?(?:token|secret|password|passwd|key))=)[^\s&\"'<>]+"
)
_KEY_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+")


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Return the log entry with personal data and secrets masked, its other values unchanged."""
    return {key: _field(key, value, 0) for key, value in event.items()}


def redact_text(text: str) -> str:
    """Mask every secret, e-mail address and phone number that can be told from other text."""
    return _NUMBER.sub(_masked_number, _EMAIL.sub(EMAIL_MASK, _SECRET.sub(_masked_secret, text)))


def _field(key: str, value: Any, depth: int) -> Any:
    if key in SAFE_KEYS:
        return value if isinstance(value, (str, int)) else _value(value, depth)
    if _is_private(key) and not (value is None or isinstance(value, (bool, float))):
        return MASK  # whole numbers too: a phone number or a code may come as one
    return _value(value, depth)


def _value(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, (bool, int, float, dt.date, dt.time, dt.timedelta)):
        return value
    if depth >= DEPTH_LIMIT:
        return MASK
    if isinstance(value, Enum):
        return _value(value.value, depth)
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, Path):
        return redact_text(str(value))
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {redact_text(str(value))}"
    if isinstance(value, Mapping):
        entries = cast(Mapping[object, Any], value).items()
        return {redact_text(str(key)): _field(str(key), item, depth + 1) for key, item in entries}
    if isinstance(value, (Sequence, Set)) and not isinstance(value, (bytes, bytearray)):
        return [_value(item, depth + 1) for item in cast(Collection[Any], value)]
    # Anything else would be written by its repr, and a Booking's repr is a caller's name and number.
    return f"<{type(value).__name__}>"


def _is_private(key: str) -> bool:
    if key in PUBLIC_KEYS:
        return False
    return not PRIVATE_WORDS.isdisjoint(word.lower() for word in _KEY_WORD.findall(key)) or key.lower() in PRIVATE_WORDS


def _masked_secret(found: re.Match[str]) -> str:
    return (found["kept"] or found["scheme"] or found["name"] or "") + MASK


def _masked_number(found: re.Match[str]) -> str:
    return found["readable"] or PHONE_MASK
