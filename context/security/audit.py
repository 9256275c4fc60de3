"""The audit log: who did what to what, chained by hashes so that a change of the past shows.

An entry is written in the transaction of the action that it tells of: both are there or neither is. It holds ids and
never a name, a number or an address, so it can be kept when a person is erased. Each entry's hash covers the one
before; `context.security.audit_chain` says what that shows and what not. Written by every store that changes something,
read by REST and `parley audit`.
"""

import re
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import msgspec

from context.security.audit_chain import (
    NO_HASH,
    Anchor,
    AuditRecord,
    ChainReport,
    ChainWalker,
    hash_of,
    record_of,
    signed,
)
from context.security.errors import AuditEntryError
from context.security.tables import THE_SERVER, audit_entries, audit_heads
from context.security.vault import Vault
from context.store.database import Store
from context.store.transaction import Row, TenantTransaction

LONGEST_ID = 200
LONGEST_DETAIL_BYTES = 4_000
LONGEST_WORD = 200
PAGE = 100
CHECKED_AT_ONCE = 1_000
SIGNING_KEY_NAME = "audit/signing-key"

_ACTION = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_WORD = re.compile(rf"[A-Za-z0-9_.:/@*+#=\-]{{1,{LONGEST_WORD}}}")
_EMAIL = re.compile(r"[^@]+@[^@]+\.[^@]+")
_PHONE = re.compile(r"\+\d{7,}")
_FIELD = re.compile(r"[a-z][a-z0-9_]{0,63}")

Detail = Mapping[str, "str | int | float | bool | Sequence[str] | None"]
"""Field -> an id, a number or a list of ids. No prose: prose is where personal data hides."""


class Entry(msgspec.Struct, frozen=True):
    """What is to be written. actor: id of the key, user or part. action: "key.revoked". target: id of what it was
    done to, or "". detail: ids and numbers."""

    actor: str
    action: str
    target: str = ""
    detail: Detail = {}


class Query(msgspec.Struct, frozen=True):
    """Which entries to read. Empty text and None do not restrict. before_seq, after_seq: exclusive."""

    actor: str = ""
    action: str = ""
    target: str = ""
    since_ms: int | None = None
    until_ms: int | None = None
    before_seq: int | None = None
    after_seq: int | None = None


class AuditLog:
    """The chains of all tenants, and of the installation (tenant_id ""). Reading raises StoreError.

    signing_key: from `signing_key`, for anchors that are kept where others can write. now: seconds since the epoch.
    """

    def __init__(self, store: Store, signing_key: bytes | None = None, *, now: Callable[[], float] = time.time) -> None:
        self._store = store
        self._signing_key = signing_key
        self._now = now

    async def write(self, transaction: TenantTransaction, entry: Entry) -> int:
        """Lengthen the chain of the transaction's tenant; the entry's seq.

        Holds the end of the chain until the transaction ends: write last. Raises AuditEntryError.
        """
        checked(entry)
        taken = await transaction.update(audit_heads, {"seq": audit_heads.c.seq + 1})
        if not taken:
            await transaction.insert_once(audit_heads, {"seq": 0, "hash": NO_HASH})
            await transaction.update(audit_heads, {"seq": audit_heads.c.seq + 1})
        head = await transaction.row(audit_heads)
        assert head is not None
        record = AuditRecord(
            tenant_id=transaction.tenant_id,
            seq=head["seq"],
            at_ms=round(self._now() * 1000),
            actor=entry.actor,
            action=entry.action,
            target=entry.target,
            detail=dict(entry.detail),
            previous_hash=head["hash"],
            hash="",
        )
        record = msgspec.structs.replace(record, hash=hash_of(record))
        await transaction.insert(audit_entries, [_row_of(record)])
        await transaction.update(audit_heads, {"hash": record.hash})
        return record.seq

    async def entries(
        self, tenant_id: str, query: Query | None = None, *, newest_first: bool = True, limit: int = PAGE
    ) -> list[AuditRecord]:
        """Entries that match, one page of them."""
        column = audit_entries.c.seq
        async with self._store.tenant(tenant_id or THE_SERVER).reading() as transaction:
            rows = await transaction.rows(
                audit_entries,
                *_conditions(query or Query()),
                order_by=[column.desc() if newest_first else column],
                limit=limit,
            )
        return [record_of(row) for row in rows]

    async def verify(self, tenant_id: str, anchor: Anchor | None = None) -> ChainReport:
        """Walk the whole chain and say what was touched. anchor: an end that was kept elsewhere, to be found again.

        An anchor that bears a signature must bear ours.
        """
        key = self._signing_key if anchor is not None and anchor.signature else None
        return await self._walk(ChainWalker(tenant_id or THE_SERVER, anchor, key), tenant_id, -(2**62))

    async def verify_since(self, anchor: Anchor) -> ChainReport:
        """Walk what was written after an anchor, which is trusted: quick, however long the chain is."""
        return await self._walk(ChainWalker.following(anchor), anchor.tenant_id, anchor.seq)

    async def _walk(self, walker: ChainWalker, tenant_id: str, after: int) -> ChainReport:
        column = audit_entries.c.seq
        async with self._store.tenant(tenant_id or THE_SERVER).reading() as transaction:
            head = await transaction.row(audit_heads)
            while True:
                rows = await transaction.rows(audit_entries, column > after, order_by=[column], limit=CHECKED_AT_ONCE)
                for row in rows:
                    walker.entry(row)
                    after = row["seq"]
                if len(rows) == CHECKED_AT_ONCE:
                    continue
                # Postgres shows what was written meanwhile: the end is true once it did not move during a look.
                newer = await transaction.row(audit_heads)
                if newer == head:
                    return walker.finish(head)
                head = newer

    async def anchor(self, tenant_id: str) -> Anchor:
        """The end of a chain as it is, signed when there is a key, to be kept where nobody can change it."""
        async with self._store.tenant(tenant_id or THE_SERVER).reading() as transaction:
            head = await transaction.row(audit_heads)
        seq, end_hash = (0, NO_HASH) if head is None else (head["seq"], head["hash"])
        return self.anchored(tenant_id or THE_SERVER, seq, end_hash)

    def anchored(self, tenant_id: str, seq: int, end_hash: str) -> Anchor:
        """An anchor of this end of a chain, signed when there is a key."""
        return signed(Anchor(tenant_id, seq, end_hash, round(self._now() * 1000)), self._signing_key)

    async def export(self, tenant_id: str) -> AsyncIterator[AuditRecord]:
        """Every entry, oldest first."""
        after: int | None = None
        while records := await self.entries(tenant_id, Query(after_seq=after), newest_first=False, limit=PAGE):
            for record in records:
                yield record
            after = records[-1].seq


async def signing_key(vault: Vault) -> bytes:
    """The key that signs anchors, made the first time. It stays the same when master keys are rotated."""
    return bytes.fromhex(await vault.get_or_make("", SIGNING_KEY_NAME))


def checked(entry: Entry) -> Entry:
    """The entry, when it may be written. Raises AuditEntryError, whose message repeats no value."""
    if not _ACTION.fullmatch(entry.action) or len(entry.action) > LONGEST_ID:
        raise AuditEntryError("action: words of a-z, 0-9 and _ with dots between are allowed, such as key.revoked")
    for field, value in (("actor", entry.actor), ("target", entry.target)):
        if value or field == "actor":
            _check_word(field, value)
    for field, value in entry.detail.items():
        if not _FIELD.fullmatch(field):
            raise AuditEntryError("detail: names of fields are words of a-z, 0-9 and _")
        for one in (value,) if value is None or isinstance(value, (str, int, float)) else value:
            if isinstance(one, str) and one:
                _check_word(f"detail.{field}", one)
    if len(msgspec.json.encode(entry.detail)) > LONGEST_DETAIL_BYTES:
        raise AuditEntryError(f"detail: at most {LONGEST_DETAIL_BYTES} bytes of JSON are allowed")
    return entry


def _check_word(field: str, value: str) -> None:
    if not _WORD.fullmatch(value) or _EMAIL.fullmatch(value) or _PHONE.fullmatch(value):
        raise AuditEntryError(
            f"{field}: an id is allowed (letters, digits and _.:/@*+#=-, at most {LONGEST_WORD}), no text, no name, "
            "no address, no phone number: the log outlives the people in it"
        )


def _row_of(record: AuditRecord) -> Row:
    fields = {name: getattr(record, name) for name in record.__struct_fields__}
    return {**fields, "detail": msgspec.json.encode(record.detail, order="sorted").decode()}


def _conditions(query: Query) -> list[Any]:
    columns = audit_entries.c
    conditions: list[Any] = []
    if query.actor:
        conditions.append(columns.actor == query.actor)
    if query.action:
        conditions.append(columns.action == query.action)
    if query.target:
        conditions.append(columns.target == query.target)
    if query.since_ms is not None:
        conditions.append(columns.at_ms >= query.since_ms)
    if query.until_ms is not None:
        conditions.append(columns.at_ms < query.until_ms)
    if query.before_seq is not None:
        conditions.append(columns.seq < query.before_seq)
    if query.after_seq is not None:
        conditions.append(columns.seq > query.after_seq)
    return conditions
