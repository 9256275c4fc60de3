"""The chain of an audit log: what each entry's hash covers, and a walker that finds where a chain was touched.

What a check finds: an entry changed, removed, inserted or reordered, anywhere; entries cut off the end or a whole chain
written anew, because its end is signed with a key that is not in the database. What it cannot find without help: a
database set back as a whole to an earlier state, which is a true state of the past. For that, keep an `Anchor` (the
signed end of a day) somewhere else and check against it. No I/O: rows go in, faults come out. Used by
`context.security.audit`.
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
    """The end of a chain, to be kept elsewhere. signature: "" when it was made without a signing key."""

    tenant_id: str
    seq: int
    hash: str
    signature: str = ""


class FaultKind(StrEnum):
    """What is wrong at a place."""

    CHANGED = "changed"
    MISSING = "missing"
    UNLINKED = "unlinked"
    UNREADABLE = "unreadable"
    END = "end"
    UNSIGNED = "unsigned"
    SIGNATURE = "signature"
    ANCHOR = "anchor"


class Fault(msgspec.Struct, frozen=True):
    """One thing wrong. seq: where. text: for people."""

    kind: FaultKind
    seq: int
    text: str


class ChainReport(msgspec.Struct, frozen=True):
    """What a check found. end: the last entry as it is, signature as stored."""

    tenant_id: str
    entries: int
    end: Anchor
    faults: tuple[Fault, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing was touched, as far as a check can tell."""
        return not self.faults


def hash_of(record: AuditRecord) -> str:
    """SHA-256 over everything in the entry but its own hash, as canonical JSON (sorted keys, no spaces)."""
    fields = {name: getattr(record, name) for name in record.__struct_fields__ if name != "hash"}
    return hashlib.sha256(msgspec.json.encode(fields, order="sorted")).hexdigest()


def signature_of(tenant_id: str, seq: int, end_hash: str, signing_key: bytes | None) -> str:
    """HMAC-SHA256 over the end of a chain, "" without a key."""
    if signing_key is None:
        return ""
    message = msgspec.json.encode(["parley audit head", tenant_id, seq, end_hash])
    return hmac.new(signing_key, message, hashlib.sha256).hexdigest()


def record_of(row: Row) -> AuditRecord:
    """An entry from its row. Raises msgspec.DecodeError when somebody made its detail unreadable."""
    fields = {name: row[name] for name in AuditRecord.__struct_fields__ if name != "detail"}
    return AuditRecord(detail=msgspec.json.decode(row["detail"], type=dict[str, Any]), **fields)


class ChainWalker:
    """Follows one chain from its beginning. Give it every row in order, then the end that the database states.

    anchor: an end that was kept elsewhere, None for none.
    """

    def __init__(self, tenant_id: str, signing_key: bytes | None, anchor: Anchor | None = None) -> None:
        self._tenant_id = tenant_id
        self._signing_key = signing_key
        self._anchor = anchor
        self._faults: list[Fault] = []
        self._entries = 0
        self._seq = 0
        self._hash = NO_HASH
        self._anchor_seen = False
        if anchor is not None:
            self._check_anchor(anchor)

    def entry(self, row: Row) -> None:
        """Go one entry on."""
        self._entries += 1
        seq = row["seq"]
        if not isinstance(seq, int):  # SQLite keeps any text in a column of numbers
            self._fault(FaultKind.UNREADABLE, self._seq + 1, f"the number of the entry after {self._seq} is none")
            return
        if seq != self._seq + 1:
            self._fault(FaultKind.MISSING, self._seq + 1, f"entries {self._seq + 1} to {seq - 1} are missing")
        try:
            record = record_of(row)
            right_hash = hash_of(record)
        except (msgspec.DecodeError, msgspec.ValidationError, TypeError, ValueError):
            self._fault(FaultKind.UNREADABLE, seq, f"the detail of entry {seq} is not what was written")
        else:
            if not hmac.compare_digest(right_hash, str(record.hash)):
                self._fault(FaultKind.CHANGED, seq, f"entry {seq} does not match its hash: it was changed")
        if row["previous_hash"] != self._hash:
            self._fault(FaultKind.UNLINKED, seq, f"entry {seq} does not follow the one that stands before it")
        self._seq, self._hash = seq, str(row["hash"])
        if self._anchor is not None and self._anchor.seq == seq:
            self._anchor_seen = True
            if self._anchor.hash != self._hash:
                self._fault(FaultKind.ANCHOR, seq, f"entry {seq} is not the one that the anchor was made of")

    def finish(self, head: Row | None) -> ChainReport:
        """Compare with the end that the database states (row of `audit_heads`, None when there is none)."""
        end = Anchor(self._tenant_id, self._seq, self._hash)
        if head is None:
            if self._entries:
                self._fault(FaultKind.END, self._seq, "the chain's end was removed")
        else:
            end = Anchor(self._tenant_id, self._seq, self._hash, str(head["signature"]))
            if head["seq"] != self._seq or head["hash"] != self._hash:
                text = f"the chain should end with entry {head['seq']} and ends with entry {self._seq}"
                self._fault(FaultKind.END, self._seq, text if head["seq"] != self._seq else f"{text}, another one")
            self._check_signature(head)
        if self._anchor is not None and not self._anchor_seen and self._anchor.seq:
            text = f"the anchor was made of entry {self._anchor.seq}, which is not there: the chain was cut or set back"
            self._fault(FaultKind.ANCHOR, self._anchor.seq, text)
        return ChainReport(self._tenant_id, self._entries, end, tuple(self._faults))

    def _check_signature(self, head: Row) -> None:
        if self._signing_key is None or not head["seq"]:
            return
        if not head["signature"]:
            self._fault(FaultKind.UNSIGNED, self._seq, "the chain's end is not signed")
            return
        right = signature_of(self._tenant_id, head["seq"], str(head["hash"]), self._signing_key)
        if not hmac.compare_digest(right, str(head["signature"])):
            self._fault(
                FaultKind.SIGNATURE, self._seq, "the signature of the chain's end is not ours: it was rewritten"
            )

    def _check_anchor(self, anchor: Anchor) -> None:
        if anchor.tenant_id != self._tenant_id:
            self._fault(FaultKind.ANCHOR, anchor.seq, "the anchor belongs to another chain")
        if self._signing_key is not None and anchor.seq:
            right = signature_of(anchor.tenant_id, anchor.seq, anchor.hash, self._signing_key)
            if not hmac.compare_digest(right, anchor.signature):
                self._fault(FaultKind.ANCHOR, anchor.seq, "the anchor's signature is not ours")

    def _fault(self, kind: FaultKind, seq: int, text: str) -> None:
        if len(self._faults) < MOST_FAULTS:
            self._faults.append(Fault(kind, seq, text))
