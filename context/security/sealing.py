"""AES-256-GCM: what is sealed can neither be read nor changed nor put in another place without its key.

Each seal says where it belongs (kind, tenant, name, version) as authenticated data, so a row copied to another tenant
or name does not open. Nonces are random: a tenant's data key seals far fewer than the 2^32 values that allows.
"""

import secrets

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from context.security.errors import VaultTamperedError

KEY_BYTES = 32
NONCE_BYTES = 12

Place = tuple[str | int, ...]
"""Where a seal belongs, from the general to the particular."""


def seal(key: bytes, plain: bytes, place: Place) -> bytes:
    """Nonce, ciphertext and tag."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, _bound_to(place))


def unseal(key: bytes, sealed: bytes, place: Place, what: str) -> bytes:
    """What was sealed. what: to name in the error. Raises VaultTamperedError."""
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _bound_to(place))
    except (InvalidTag, ValueError) as error:
        raise VaultTamperedError(
            f"{what} does not open: it was changed or moved in the database, or restored from another one"
        ) from error


def _bound_to(place: Place) -> bytes:
    # JSON of a list has one reading: ("a", "bc") and ("ab", "c") differ.
    return msgspec.json.encode(place)
