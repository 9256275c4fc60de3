"""Remembers what was answered to a request with an idempotency key, so that its repetition changes nothing.

A request is taken before it is done and its answer kept after it: the same key and body get the kept answer, another
body is refused, and a repetition that comes too early is told to wait. Answers are sealed (AES-256-GCM) under a key
made from the client's credential and idempotency key, neither of which is stored, because an answer may hold a new
API key or a customer's number. Used by the middleware of `server.rest.idempotency`.

A process that dies between doing and keeping leaves a request `running`; after `ABANDONED_S` a repetition is done
again. What must not happen twice even then has a key of its own in its table (a booking: call, service and start).
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from enum import StrEnum

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from context.idempotency.tables import idempotent_requests as table
from context.store.database import Store

KEPT_S = 24 * 3600
"""How long a key is remembered."""

ABANDONED_S = 90
"""After so long without an answer the process that took the request is taken to be dead."""

LARGEST_ANSWER_BYTES = 256_000
NONCE_BYTES = 12
ATTEMPT_BYTES = 8


class State(StrEnum):
    """Of one request. running -> answered | unkept | forgotten (the row is deleted)."""

    RUNNING = "running"
    ANSWERED = "answered"
    UNKEPT = "unkept"
    """Done, but its answer was too large or is erased."""


class Answer(msgspec.Struct, frozen=True):
    """What was answered: status, headers as sent, body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Taken(msgspec.Struct, frozen=True):
    """The request is this process's to do. attempt: proves it when the answer is kept."""

    attempt: str


class Refused(StrEnum):
    """Why a request is neither done nor answered again."""

    OTHER_REQUEST = "other_request"
    STILL_RUNNING = "still_running"
    ANSWER_GONE = "answer_gone"


class Sealer:
    """Hashes and seals for one client and one idempotency key.

    credential: what the client proved itself with. key: the idempotency key that it sent.
    """

    def __init__(self, credential: str, key: str) -> None:
        secret = hashlib.sha256(credential.encode()).digest() + hashlib.sha256(key.encode()).digest()
        derived = HKDF(SHA256(), 96, salt=None, info=b"parley idempotency").derive(secret)
        self.key_hash = derived[:32].hex()
        self._mac_key = derived[32:64]
        self._box = AESGCM(derived[64:])

    def request_hash(self, request: bytes) -> str:
        """A digest of the request that says nothing without the key."""
        return hmac.new(self._mac_key, request, hashlib.sha256).hexdigest()

    def sealed(self, answer: Answer) -> str:
        """The answer as it is stored."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return base64.b64encode(nonce + self._box.encrypt(nonce, msgspec.json.encode(answer), None)).decode()

    def opened(self, sealed: str) -> Answer | None:
        """The stored answer, None when it was changed or sealed by another."""
        data = base64.b64decode(sealed)
        try:
            plain = self._box.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], None)
        except (InvalidTag, ValueError):
            return None
        return msgspec.json.decode(plain, type=Answer)


class IdempotentRequests:
    """The requests of every tenant that carried a key. now: seconds since the epoch. Raises StoreError."""

    def __init__(self, store: Store, now: Callable[[], float]) -> None:
        self._store = store
        self._now = now

    async def take(self, tenant_id: str, sealer: Sealer, request: bytes) -> Taken | Answer | Refused:
        """Take the request, or say what became of it before."""
        request_hash = sealer.request_hash(request)
        now_ms = int(self._now() * 1000)
        attempt = secrets.token_hex(ATTEMPT_BYTES)
        row = {
            "key_hash": sealer.key_hash,
            "request_hash": request_hash,
            "taken_at_ms": now_ms,
            "attempt": attempt,
            "state": State.RUNNING,
            "answer": "",
        }
        async with self._store.tenant(tenant_id).writing() as transaction:
            await transaction.delete(table, table.c.taken_at_ms < now_ms - KEPT_S * 1000)
            if await transaction.insert_once(table, row):
                return Taken(attempt)
            found = await transaction.row(table, table.c.key_hash == sealer.key_hash)
            if found is None or not hmac.compare_digest(found["request_hash"], request_hash):
                return Refused.OTHER_REQUEST
            if found["state"] == State.RUNNING:
                taken_over = await transaction.update(
                    table,
                    {"attempt": attempt, "taken_at_ms": now_ms},
                    table.c.key_hash == sealer.key_hash,
                    table.c.attempt == found["attempt"],
                    table.c.taken_at_ms <= now_ms - ABANDONED_S * 1000,
                )
                return Taken(attempt) if taken_over else Refused.STILL_RUNNING
        answer = sealer.opened(found["answer"]) if found["state"] == State.ANSWERED else None
        return answer or Refused.ANSWER_GONE

    async def keep(self, tenant_id: str, sealer: Sealer, taken: Taken, answer: Answer) -> None:
        """Keep what was answered."""
        kept = len(answer.body) <= LARGEST_ANSWER_BYTES
        values = {
            "state": State.ANSWERED if kept else State.UNKEPT,
            "answer": sealer.sealed(answer) if kept else "",
        }
        async with self._store.tenant(tenant_id).writing() as transaction:
            await transaction.update(
                table, values, table.c.key_hash == sealer.key_hash, table.c.attempt == taken.attempt
            )

    async def forget(self, tenant_id: str, sealer: Sealer, taken: Taken) -> None:
        """The request was not done (Parley failed): it may be tried again at once."""
        async with self._store.tenant(tenant_id).writing() as transaction:
            await transaction.delete(table, table.c.key_hash == sealer.key_hash, table.c.attempt == taken.attempt)
