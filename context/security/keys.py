"""API keys: made, shown once, checked at every request, rotated with overlap, revoked.

Only a digest of the secret is stored. A checked key is remembered for `REMEMBERED_S`, so that a request costs no
query and yet a key revoked by another process stops working within two seconds. Made once by the server; asked by
REST, the voice socket and the `parley key` commands.
"""

import asyncio
import contextlib
import hashlib
import hmac
import time
from collections.abc import Callable, Collection, Iterable
from enum import StrEnum

import msgspec
import structlog

from context.errors import StoreError
from context.security.audit import AuditLog, Entry
from context.security.errors import KeyEndedError, KeyNotFoundError, KeyRequestError
from context.security.key_text import new_key_text, parsed
from context.security.origins import checked_origins, normalised_origin
from context.security.principal import Principal, PrincipalKind, Scope
from context.security.tables import THE_SERVER, api_keys
from context.store.database import Store
from context.store.transaction import Row, TenantTransaction

REMEMBERED_S = 1.5
"""How long a checked key is trusted without asking the database again. A revocation takes effect within this."""

REMEMBERED_KEYS = 10_000
USES_WRITTEN_EVERY_S = 60.0
LONGEST_NAME = 100
MOST_ORIGINS = 50
DEFAULT_OVERLAP_S = 24 * 3600.0
LONGEST_OVERLAP_S = 30 * 24 * 3600.0

_NO_DIGEST = bytes(32)

log = structlog.get_logger(__name__)


class KeyKind(StrEnum):
    """SECRET: for servers, kept secret. WIDGET: stands in a web page, works from its origins only."""

    SECRET = "secret"
    WIDGET = "widget"


WIDGET_SCOPES = frozenset({Scope.CALLS_PLACE})
"""All that a key which anybody can read in a page may do."""

TENANT_SCOPES = frozenset(Scope) - {Scope.SERVER_ADMIN}
"""What a key of a tenant may be given."""


class ApiKey(msgspec.Struct, frozen=True):
    """A key without its secret. Instants: seconds since the epoch, None for never. tenant_id: "" for the operator's.

    replaced_by: id of the key that its rotation made.
    """

    id: str
    tenant_id: str
    name: str
    kind: KeyKind
    scopes: tuple[Scope, ...]
    origins: tuple[str, ...]
    created_at: float
    expires_at: float | None
    revoked_at: float | None
    last_used_at: float | None
    replaced_by: str | None

    def works_at(self, now: float) -> bool:
        """Whether it is accepted at that instant."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class NewKey(msgspec.Struct, frozen=True):
    """A key just made. key: the whole text, shown this once and never stored."""

    id: str
    key: str
    details: ApiKey

    def __repr__(self) -> str:
        return f"NewKey(id={self.id!r})"


class _Checked(msgspec.Struct, frozen=True):
    """A key that was found good. until: of the monotonic clock."""

    key: ApiKey
    until: float


class ApiKeys:
    """The keys of every tenant and of the operator (tenant_id ""). Every method raises StoreError besides.

    now: seconds since the epoch. audit: the log that changes are written to. clock: monotonic seconds.
    """

    def __init__(
        self,
        store: Store,
        now: Callable[[], float] = time.time,
        *,
        audit: AuditLog | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._now = now
        self._clock = clock
        self.audit = audit or AuditLog(store, now=now)
        self._checked: dict[bytes, _Checked] = {}
        self._endings = 0
        self._used: dict[tuple[str, str], int] = {}
        self._writing_uses: asyncio.Task[None] | None = None

    async def create(
        self,
        tenant_id: str,
        name: str,
        scopes: Collection[Scope],
        *,
        origins: Iterable[str] = (),
        expires_at: float | None = None,
        kind: KeyKind = KeyKind.SECRET,
        actor: str = "system",
    ) -> NewKey:
        """Make a key. tenant_id: "" for an operator's. expires_at: seconds since the epoch, None for never.

        actor: id of who asked for it, for the audit log. Raises KeyRequestError.
        """
        now = self._now()
        details = ApiKey(
            id="",
            tenant_id=tenant_id,
            name=_checked_name(name),
            kind=kind,
            scopes=_checked_scopes(scopes, kind, tenant_id),
            origins=_checked_binding(checked_origins(origins), kind),
            created_at=now,
            expires_at=_checked_expiry(expires_at, now),
            revoked_at=None,
            last_used_at=None,
            replaced_by=None,
        )
        async with self._store.tenant(tenant_id or THE_SERVER).writing() as transaction:
            made = await self._insert(transaction, details)
            entry = Entry(actor, "key.created", made.id, {"kind": kind.value, "scopes": list(made.details.scopes)})
            await self.audit.write(transaction, entry)
        return made

    async def authenticate(self, key: str, origin: str | None) -> Principal | None:
        """Whom this key speaks for; None when it is unknown, wrong, ended or not for this origin.

        origin: the request's `Origin` header; only widget keys are bound to one. A wrong secret and an unknown id do
        the same work, so that the time tells nothing.
        """
        parts = parsed(key)
        if parts is None:
            return None
        name = hashlib.sha256(key.encode()).digest()
        checked = self._checked.get(name)
        if checked is None or self._clock() >= checked.until:
            asked_at, endings = self._clock(), self._endings
            async with self._store.reading_every_tenant() as transaction:
                row = await transaction.row(api_keys, api_keys.c.id == parts.id)
            stored = _NO_DIGEST if row is None else bytes(row["secret_sha256"])
            if not hmac.compare_digest(parts.digest, stored) or row is None:
                self._checked.pop(name, None)
                return None
            checked = _Checked(_key_of(row), asked_at + REMEMBERED_S)
            if endings == self._endings:  # else what was read may be older than a revocation of this process
                self._remember(name, checked)
        found, now = checked.key, self._now()
        if not found.works_at(now) or not _origin_allowed(found, origin):
            return None
        self._used[found.tenant_id, found.id] = _ms(now)
        kind = PrincipalKind.KEY if found.tenant_id else PrincipalKind.OPERATOR
        return Principal(kind=kind, id=found.id, tenant_id=found.tenant_id, scopes=frozenset(found.scopes))

    async def get(self, tenant_id: str, key_id: str) -> ApiKey:
        """One key of this tenant. Raises KeyNotFoundError."""
        async with self._store.tenant(tenant_id or THE_SERVER).reading() as transaction:
            return await _existing(transaction, key_id)

    async def list(self, tenant_id: str) -> list[ApiKey]:
        """Every key of this tenant, ended ones too, oldest first."""
        oldest_first = (api_keys.c.created_at_ms, api_keys.c.id)
        async with self._store.tenant(tenant_id or THE_SERVER).reading() as transaction:
            return [_key_of(row) for row in await transaction.rows(api_keys, order_by=oldest_first)]

    async def rotate(
        self, tenant_id: str, key_id: str, *, overlap_s: float = DEFAULT_OVERLAP_S, actor: str = "system"
    ) -> NewKey:
        """Make a key that may do the same; the old one works for `overlap_s` more, and not longer than before.

        Raises KeyNotFoundError, KeyEndedError when it was rotated before or has ended, KeyRequestError.
        """
        if not 0 <= overlap_s <= LONGEST_OVERLAP_S:
            raise KeyRequestError(f"overlap_s: {overlap_s} is not allowed; 0 to {LONGEST_OVERLAP_S:.0f} seconds are")
        now = self._now()
        async with self._store.tenant(tenant_id or THE_SERVER).writing() as transaction:
            old = await _existing(transaction, key_id)
            if old.replaced_by is not None:
                raise KeyEndedError(f"key {key_id} was rotated before, to {old.replaced_by}: rotate that one")
            if not old.works_at(now):
                raise KeyEndedError(f"key {key_id} has ended and cannot be rotated: make a new one")
            made = await self._insert(transaction, msgspec.structs.replace(old, created_at=now, last_used_at=None))
            ends_at = min(now + overlap_s, now + overlap_s if old.expires_at is None else old.expires_at)
            replaced = await transaction.update(
                api_keys,
                {"replaced_by": made.id, "expires_at_ms": _ms(ends_at)},
                api_keys.c.id == key_id,
                api_keys.c.replaced_by.is_(None),
                api_keys.c.revoked_at_ms.is_(None),
            )
            if not replaced:
                raise KeyEndedError(f"key {key_id} was rotated or revoked at the same moment")
            entry = Entry(actor, "key.rotated", key_id, {"replaced_by": made.id, "overlap_s": overlap_s})
            await self.audit.write(transaction, entry)
        self._forget(key_id)
        return made

    async def revoke(self, tenant_id: str, key_id: str, *, actor: str = "system") -> ApiKey:
        """End a key: here at once, in other processes within `REMEMBERED_S`. Again is fine and changes nothing.

        Raises KeyNotFoundError.
        """
        async with self._store.tenant(tenant_id or THE_SERVER).writing() as transaction:
            revoked = await transaction.update(
                api_keys,
                {"revoked_at_ms": _ms(self._now())},
                api_keys.c.id == key_id,
                api_keys.c.revoked_at_ms.is_(None),
            )
            key = await _existing(transaction, key_id)
            if revoked:
                await self.audit.write(transaction, Entry(actor, "key.revoked", key_id))
        self._forget(key_id)
        return key

    def start(self) -> None:
        """Begin to write when keys were last used, every `USES_WRITTEN_EVERY_S`."""
        self._writing_uses = self._writing_uses or asyncio.create_task(self._write_uses(), name="key uses")

    async def aclose(self) -> None:
        """Write what is known of uses and stop."""
        if self._writing_uses is not None:
            self._writing_uses.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._writing_uses
            self._writing_uses = None
        await self.write_last_used()

    async def write_last_used(self) -> None:
        """Write when keys were last used, one short transaction a tenant. What fails is tried the next time."""
        used, self._used = self._used, {}
        by_tenant: dict[str, list[tuple[str, int]]] = {}
        for (tenant_id, key_id), at_ms in used.items():
            by_tenant.setdefault(tenant_id, []).append((key_id, at_ms))
        for tenant_id, uses in by_tenant.items():
            try:
                async with self._store.tenant(tenant_id or THE_SERVER).writing() as transaction:
                    for key_id, at_ms in sorted(uses):
                        newer = api_keys.c.last_used_at_ms.is_(None) | (api_keys.c.last_used_at_ms < at_ms)
                        await transaction.update(api_keys, {"last_used_at_ms": at_ms}, api_keys.c.id == key_id, newer)
            except StoreError as error:
                log.warning("key_uses_not_written", code=error.code)
                for key_id, at_ms in uses:
                    self._used.setdefault((tenant_id, key_id), at_ms)

    async def _write_uses(self) -> None:
        while True:
            await asyncio.sleep(USES_WRITTEN_EVERY_S)
            await self.write_last_used()

    async def _insert(self, transaction: TenantTransaction, details: ApiKey) -> NewKey:
        text = new_key_text()
        parts = parsed(text)
        assert parts is not None
        key = msgspec.structs.replace(details, id=parts.id)
        await transaction.insert(api_keys, [{**_row_of(key), "secret_sha256": parts.digest}])
        return NewKey(parts.id, text, key)

    def _remember(self, name: bytes, checked: _Checked) -> None:
        while len(self._checked) >= REMEMBERED_KEYS:
            del self._checked[next(iter(self._checked))]
        self._checked.pop(name, None)
        self._checked[name] = checked

    def _forget(self, key_id: str) -> None:
        self._endings += 1
        self._checked = {name: checked for name, checked in self._checked.items() if checked.key.id != key_id}


def _origin_allowed(key: ApiKey, origin: str | None) -> bool:
    return key.kind is KeyKind.SECRET or (origin is not None and normalised_origin(origin) in key.origins)


def _checked_name(name: str) -> str:
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise KeyRequestError(
            f"name: 1 to {LONGEST_NAME} printable characters are allowed, not {name[:LONGEST_NAME]!r}"
        )
    return name.strip()


def _checked_scopes(scopes: Collection[Scope], kind: KeyKind, tenant_id: str) -> tuple[Scope, ...]:
    allowed = WIDGET_SCOPES if kind is KeyKind.WIDGET else TENANT_SCOPES if tenant_id else frozenset(Scope)
    if not scopes:
        raise KeyRequestError(f"scopes: none given; allowed are {', '.join(sorted(allowed))}")
    for scope in scopes:
        if scope not in allowed:
            raise KeyRequestError(
                f"scopes: {str(scope)!r} is not allowed for this {kind.value} key; "
                f"allowed are {', '.join(sorted(allowed))}"
            )
    return tuple(sorted({Scope(scope) for scope in scopes}))


def _checked_binding(origins: tuple[str, ...], kind: KeyKind) -> tuple[str, ...]:
    if kind is KeyKind.SECRET and origins:
        raise KeyRequestError("origins: only a widget key has origins; leave them out or make a widget key")
    if kind is KeyKind.WIDGET and not 1 <= len(origins) <= MOST_ORIGINS:
        raise KeyRequestError(f"origins: a widget key has 1 to {MOST_ORIGINS} origins, not {len(origins)}")
    return origins


def _checked_expiry(expires_at: float | None, now: float) -> float | None:
    if expires_at is not None and not now < expires_at < 1e11:
        raise KeyRequestError(
            f"expires_at: {expires_at} is not allowed; seconds since the epoch, later than now, or none for never"
        )
    return expires_at


async def _existing(transaction: TenantTransaction, key_id: str) -> ApiKey:
    row = await transaction.row(api_keys, api_keys.c.id == key_id)
    if row is None:
        raise KeyNotFoundError(f"there is no key {key_id!r}")
    return _key_of(row)


def _ms(instant: float) -> int:
    return round(instant * 1000)


def _row_of(key: ApiKey) -> Row:
    return {
        "id": key.id,
        "name": key.name,
        "kind": key.kind.value,
        "scopes": msgspec.json.encode(key.scopes).decode(),
        "origins": msgspec.json.encode(key.origins).decode(),
        "created_at_ms": _ms(key.created_at),
        "expires_at_ms": None if key.expires_at is None else _ms(key.expires_at),
    }


def _key_of(row: Row) -> ApiKey:
    def instant(column: str) -> float | None:
        return None if row[column] is None else row[column] / 1000

    return ApiKey(
        id=row["id"],
        tenant_id="" if row["tenant_id"] == THE_SERVER else row["tenant_id"],
        name=row["name"],
        kind=KeyKind(row["kind"]),
        # A scope that a newer Parley knew means nothing here, which is the safe reading of it.
        scopes=tuple(Scope(scope) for scope in msgspec.json.decode(row["scopes"]) if scope in _KNOWN_SCOPES),
        origins=tuple(msgspec.json.decode(row["origins"], type=list[str])),
        created_at=row["created_at_ms"] / 1000,
        expires_at=instant("expires_at_ms"),
        revoked_at=instant("revoked_at_ms"),
        last_used_at=instant("last_used_at_ms"),
        replaced_by=row["replaced_by"],
    )


_KNOWN_SCOPES = frozenset(scope.value for scope in Scope)
