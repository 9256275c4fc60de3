"""The text of an API key, `pk_<id>_<secret>`, and what is kept of it.

The id is public (lists, logs, audit), the secret has 256 random bits and only its SHA-256 is stored: with that much
randomness a slow password hash would add nothing but delay. Used by `context.security.keys`.
"""

import hashlib
import re
import secrets

import msgspec

PREFIX = "pk_"
ID_BYTES = 8
SECRET_BYTES = 32
_KEY = re.compile(rf"pk_([0-9a-f]{{{2 * ID_BYTES}}})_([0-9a-f]{{{2 * SECRET_BYTES}}})")


class KeyParts(msgspec.Struct, frozen=True):
    """id: public name. digest: SHA-256 of the secret."""

    id: str
    digest: bytes


def new_key_text() -> str:
    """A key that nobody had before."""
    return f"{PREFIX}{secrets.token_hex(ID_BYTES)}_{secrets.token_hex(SECRET_BYTES)}"


def parsed(key: str) -> KeyParts | None:
    """Its parts, None when this is no key of Parley's."""
    found = _KEY.fullmatch(key)
    if found is None:
        return None
    return KeyParts(id=found[1], digest=hashlib.sha256(found[2].encode()).digest())
