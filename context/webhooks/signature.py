"""The signature of a webhook: made by the sender, checked by whoever receives one in Python.

The signature covers the time and the exact bytes of the body, so that neither a changed nor a recorded and repeated
request passes; while a secret is being replaced there is one signature by each secret. `verify` needs nothing but this
module and is what docs give to receivers.
"""

import base64
import hashlib
import hmac
import secrets as random_secrets
from collections.abc import Iterable, Mapping, Sequence

from context.webhooks.errors import SignatureRefusedError

EVENT_HEADER = "Parley-Event"
TIMESTAMP_HEADER = "Parley-Timestamp"
KEY_HEADER = "Parley-Idempotency-Key"
SIGNATURE_HEADER = "Parley-Signature"

REPLAY_WINDOW_S = 300
"""A request whose time is further away than this, in either direction, is refused."""

SECRET_BYTES = 32
SECRET_PREFIX = "whsec_"
MOST_SIGNATURES = 8
"""More `v1` than this nobody sends: they are not looked at."""


def new_secret() -> str:
    """A random secret; the whole text, prefix included, is the key of the HMAC."""
    return SECRET_PREFIX + base64.urlsafe_b64encode(random_secrets.token_bytes(SECRET_BYTES)).decode().rstrip("=")


def sign(secrets: Sequence[str], body: bytes, now_s: float) -> str:
    """The value of Parley-Signature: `t=<seconds>,v1=<hex>`, one `v1` by each secret. now_s: since the epoch."""
    seconds = int(now_s)
    return ",".join([f"t={seconds}", *(f"v1={_digest(secret, seconds, body)}" for secret in secrets)])


def verify(secret: str | Iterable[str], headers: Mapping[str, str], body: bytes, now: float) -> None:
    """Check a received request; returns when it is genuine and fresh.

    secret: the endpoint's secret, or several that may have signed. headers: of the request, in any case. body: exactly
    as it was received, before any parsing. now: seconds since the epoch. Raises SignatureRefusedError.
    """
    given = next((value for name, value in headers.items() if name.lower() == SIGNATURE_HEADER.lower()), "")
    seconds, signatures = _parsed(given)
    if abs(now - seconds) > REPLAY_WINDOW_S:
        raise SignatureRefusedError(
            f"{SIGNATURE_HEADER} is of {seconds}, more than {REPLAY_WINDOW_S} s away from now ({int(now)})"
        )
    accepted = [secret] if isinstance(secret, str) else list(secret)
    expected = [_digest(each, seconds, body).encode() for each in accepted]
    # Every pair is compared, so that the time tells nothing about which of them is near.
    matches = [hmac.compare_digest(one, two) for one in expected for two in signatures]
    if not any(matches):
        raise SignatureRefusedError(f"no v1 in {SIGNATURE_HEADER} is the signature of this body by this secret")


def _parsed(header: str) -> tuple[int, list[bytes]]:
    fields = [field.strip().partition("=") for field in header.split(",")]
    times = [value for name, _, value in fields if name == "t"]
    signatures = [value.encode(errors="replace") for name, _, value in fields if name == "v1"][:MOST_SIGNATURES]
    if len(times) != 1 or not (times[0].isascii() and times[0].isdigit()) or len(times[0]) > 12 or not signatures:
        raise SignatureRefusedError(f"{SIGNATURE_HEADER} must be t=<seconds>,v1=<hex>[,v1=<hex>]")
    return int(times[0]), signatures


def _digest(secret: str, seconds: int, body: bytes) -> str:
    return hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
