"""The chain of an audit log: what each entry's hash covers, and a walker that finds where a chain was touched.

What the chain alone shows: an entry changed, removed, inserted or reordered. Who can write the database could make the
whole chain anew, cut its end or set the database back; that shows against an `Anchor`, the end as it was at some time,
kept outside the database: `context.security.audit_anchors` keeps one of each chain in a file every minute, and an
operator may keep signed ones elsewhere. What nothing shows: a change of entries younger than the newest anchor by
somebody who can write the database. No I/O: rows go in, faults come out. Used by `context.security.audit`.
"""

import hashlib
import hmac
from enum import StrEnum
from typing import Any

import msgspec

from context.store.transaction import Row

NO_HASH = "0" * 64
"""Stands before the first entry."""

MOST_FAULTS = 100
"""Faults that a report lists; a chain that is broken everywhere needs no longer list."""


class AuditRecord(msgspec.Struct, frozen=True):
    """An entry as it stands in the chain. seq: 1, 2, 3... within the tenant. at_ms: since the epoch, UTC."""

    tenant_id: str
    seq: int
    at_ms: int
    actor: str
    action: str
    target: str
    detail: dict[str, Any]
    previous_hash: str
    hash: str


class Anchor(msgspec.Struct, frozen=True):
    """The end of a chain at some time, to be kept outside the database. at_ms: when it was made.

    signature: HMAC-SHA256 that makes it worth something in a place that others can write; "" without a key.
    """

    tenant_id: str
    seq: int
    hash: str
    at_ms: int = 0
    signature: str = ""


class FaultKind(StrEnum):
    """What is wrong at a place."""

    CHANGED = "changed"
    MISSING = "missing"
    UNLINKED = "unlinked"
    UNREADABLE = "unreadable"
    END = "end"
    ANCHOR = "anchor"


class Fault(msgspec.Struct, frozen=True):
    """One thing wrong. seq: where. text: for people."""

    kind: FaultKind
    seq: int
    text: str


class ChainReport(msgspec.Struct, frozen=True):
    """What a check found. entries: how many were looked at. end: seq of the last, 0 for none, and its hash.

    anchored: seq up to which an anchor vouches.
    """

    tenant_id: str
    entries: int
    end: int
    end_hash: str
    anchored: int
    faults: tuple[Fault, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing was touched, as far as a check can tell."""
        return not self.faults


def hash_of(record: AuditRecord) -> str:
    """SHA-256 over everything in the entry but its own hash, as canonical JSON (sorted keys, no spaces)."""
    fields = {name: getattr(record, name) for name in record.__struct_fields__ if name != "hash"}
    return hashlib.sha256(msgspec.json.encode(fields, order="sorted")).hexdigest()


def signed(anchor: Anchor, signing_key: bytes | None) -> Anchor:
    """The anchor with its signature, as it is without a key."""
    if signing_key is None:
        return anchor
    message = msgspec.json.encode(["parley audit anchor", anchor.tenant_id, anchor.seq, anchor.hash, anchor.at_ms])
    return msgspec.structs.replace(anchor, signature=hmac.new(signing_key, message, hashlib.sha256).hexdigest())


def record_of(row: Row) -> AuditRecord:
    """An entry from its row. Raises msgspec.DecodeError when somebody made its detail unreadable."""
    fields = {name: row[name] for name in AuditRecord.__struct_fields__ if name != "detail"}
    return AuditRecord(detail=msgspec.json.decode(row["detail"], type=dict[str, Any]), **fields)


class ChainWalker:
    """Follows one chain from its beginning. Give it every row in order, then the end that the database states.

    anchor: an end that was kept elsewhere, None for none. signing_key: None when the anchor needs no signature.
    """

    def __init__(self, tenant_id: str, anchor: Anchor | None = None, signing_key: bytes | None = None) -> None:
        self._tenant_id = tenant_id
        self._anchor = anchor
        self._faults: list[Fault] = []
        self._entries = 0
        self._seq = 0
        self._hash = NO_HASH
        self._anchored = 0
        if anchor is not None:
            self._check_anchor(anchor, signing_key)

    @classmethod
    def following(cls, anchor: Anchor) -> "ChainWalker":
        """A walker that stands at a trusted anchor and wants only the rows after it."""
        walker = cls(anchor.tenant_id)
        walker._seq, walker._hash, walker._anchored = anchor.seq, anchor.hash, anchor.seq
        return walker

    def entry(self, row: Row) -> None:
        """Go one entry on."""
        self._entries += 1
        seq = row["seq"]
        if not isinstance(seq, int):  # SQLite keeps any text in a column of numbers
            self._fault(FaultKind.UNREADABLE, self._seq + 1, f"the number of the entry after {self._seq} is none")
            return
        if seq != self._seq + 1:
            self._fault(FaultKind.MISSING, self._seq + 1, f"entry {seq} stands where {self._seq + 1} should")
        try:
            record = record_of(row)
            right_hash = hash_of(record)
        except (msgspec.DecodeError, TypeError, ValueError):
            self._fault(FaultKind.UNREADABLE, seq, f"the detail of entry {seq} is not what was written")
        else:
            if right_hash != record.hash:
                self._fault(FaultKind.CHANGED, seq, f"entry {seq} does not match its hash: it was changed")
        if row["previous_hash"] != self._hash:
            self._fault(FaultKind.UNLINKED, seq, f"entry {seq} does not follow the one that stands before it")
        self._seq, self._hash = seq, str(row["hash"])
        if self._anchor is not None and self._anchor.seq == seq:
            if self._anchor.hash == self._hash:
                self._anchored = seq
            else:
                self._fault(FaultKind.ANCHOR, seq, f"entry {seq} is not the one that the anchor was made of")

    def finish(self, head: Row | None) -> ChainReport:
        """Compare with the end that the database states (row of `audit_heads`, None when there is none)."""
        stated = (0, NO_HASH) if head is None else (head["seq"], head["hash"])
        if stated != (self._seq, self._hash):
            text = f"the chain ends with entry {self._seq} and should end with {stated[0]}"
            self._fault(FaultKind.END, self._seq, f"{text}, another one" if stated[0] == self._seq else text)
        anchor = self._anchor
        if anchor is not None and anchor.seq > self._seq:
            text = f"the anchor was made of entry {anchor.seq}, which is not there: the chain was cut or set back"
            self._fault(FaultKind.ANCHOR, anchor.seq, text)
        return ChainReport(self._tenant_id, self._entries, self._seq, self._hash, self._anchored, tuple(self._faults))

    def _check_anchor(self, anchor: Anchor, signing_key: bytes | None) -> None:
        if anchor.tenant_id != self._tenant_id:
            self._fault(FaultKind.ANCHOR, anchor.seq, "the anchor belongs to another chain")
        if signing_key is not None and not hmac.compare_digest(
            signed(anchor, signing_key).signature.encode(), anchor.signature.encode()
        ):
            self._fault(FaultKind.ANCHOR, anchor.seq, "the anchor's signature is not ours")

    def _fault(self, kind: FaultKind, seq: int, text: str) -> None:
        if len(self._faults) < MOST_FAULTS:
            self._faults.append(Fault(kind, seq, text))
