"""The package with which one agent hands a person to another: everything it needs, and proof that nothing changed.

A package is canonical JSON (keys sorted, no spaces) with a SHA-256 over all of it but the checksum itself, so it can go
through a queue, a file or another system and still be told from one that was altered. Made by
`context.contacts.boxes`, which also writes the handoff into the box; verified by whoever receives it.
"""

import hashlib

import msgspec

from context.contacts.box import Commitment, ContextBox, KeyFact, OpenSlot
from context.contacts.prediction import Prediction, predicted
from context.errors import ContextError

FORMAT = 1


class HandoffDamagedError(ContextError):
    """The package is not what was handed over."""

    code = "handoff_damaged"


class HandoffPackage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the receiving agent gets.

    version: of the box, the handoff itself included. box: whole. prediction: what to do next. at_ms: since the epoch.
    checksum: SHA-256 in hex over the canonical JSON of everything else.
    """

    format: int = FORMAT
    tenant_id: str
    contact_id: str
    version: int
    from_agent: str
    to_agent: str
    reason: str
    at_ms: int
    box: ContextBox
    prediction: Prediction
    checksum: str = ""

    @property
    def facts(self) -> tuple[KeyFact, ...]:
        """Everything that is known."""
        return self.box.facts

    @property
    def commitments(self) -> tuple[Commitment, ...]:
        """Every promise, kept or not."""
        return self.box.commitments

    @property
    def open_slots(self) -> tuple[OpenSlot, ...]:
        """What is still to be asked."""
        return self.box.open_slots


def packed(box: ContextBox, *, from_agent: str, to_agent: str, reason: str, at_ms: int) -> HandoffPackage:
    """The package of this box, with its checksum."""
    package = HandoffPackage(
        tenant_id=box.tenant_id,
        contact_id=box.contact_id,
        version=box.version,
        from_agent=from_agent,
        to_agent=to_agent,
        reason=reason,
        at_ms=at_ms,
        box=box,
        prediction=predicted(box),
    )
    return msgspec.structs.replace(package, checksum=checksum(package))


def encoded(package: HandoffPackage) -> bytes:
    """The package as it travels: canonical JSON."""
    return msgspec.json.encode(package, order="sorted")


def checksum(package: HandoffPackage) -> str:
    """SHA-256 in hex over the package without its checksum."""
    return hashlib.sha256(encoded(msgspec.structs.replace(package, checksum=""))).hexdigest()


def verify(data: bytes) -> HandoffPackage:
    """The package that these bytes hold. Raises HandoffDamagedError when a byte differs from what was packed."""
    try:
        package = msgspec.json.decode(data, type=HandoffPackage)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
        raise HandoffDamagedError(f"package: not a handoff package ({type(error).__name__})") from error
    if package.format != FORMAT:
        raise HandoffDamagedError(f"format: {package.format} is not known; {FORMAT} is")
    # Written anew it must be the same bytes: JSON that only means the same is not what was handed over.
    if encoded(package) != data or checksum(package) != package.checksum:
        raise HandoffDamagedError("checksum: the package was changed after it was handed over")
    return package
