"""Keeps an anchor of every audit chain outside the database, so that a chain made anew or cut shows.

Now and then each chain that grew is checked from its last anchor on, and only a sound one moves its anchor. A broken
one keeps it and is reported again and again until a person accepts it, as after restoring a backup. The anchors lie in
`PARLEY_HOME/audit-anchors.json` (mode 600). A job of the server's housekeeping; read by REST and `parley audit`.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec
import structlog

from context.errors import HomeError
from context.security.audit import AuditLog, Entry, Query
from context.security.audit_chain import Anchor, ChainReport
from context.security.private_file import replace_private_file
from context.security.tables import THE_SERVER, audit_heads
from context.store.database import Store

ANCHORS_FILE = "audit-anchors.json"
MOVED_EVERY_S = 60.0
"""How often the server should run `AnchorKeeper.advance`."""

REMOVAL = "tenant.removed"
"""The action, in the installation's own chain, after which a tenant's chain may be gone or begin again."""

ACCEPTED = "audit.accepted"

log = structlog.get_logger(__name__)


class AnchorFile:
    """The anchors of all chains, by tenant."""

    def __init__(self, home: Path) -> None:
        self._path = home / ANCHORS_FILE

    def load(self) -> dict[str, Anchor]:
        """Every anchor; none when there is no file yet. Raises HomeError."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, Anchor])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.DecodeError) as error:
            raise HomeError(
                f"cannot read {self._path}: {error}; restore it, or remove it and check the audit log by hand"
            ) from error

    def save(self, anchors: Mapping[str, Anchor]) -> None:
        """Replace all anchors. Raises HomeError."""
        try:
            replace_private_file(self._path, msgspec.json.encode(anchors, order="sorted").decode())
        except OSError as error:
            raise HomeError(f"cannot write {self._path}: {error.strerror}") from error


class AnchorKeeper:
    """Checks chains that grew and moves their anchors."""

    def __init__(self, store: Store, audit: AuditLog, file: AnchorFile) -> None:
        self._store = store
        self._audit = audit
        self._file = file

    def anchor_of(self, tenant_id: str) -> Anchor | None:
        """The anchor that is kept of a chain, None when there is none yet. Raises HomeError."""
        return self._file.load().get(tenant_id or THE_SERVER)

    async def advance(self) -> list[ChainReport]:
        """Check every chain that is not where its anchor says; the reports of those that are broken.

        Raises HomeError, StoreError.
        """
        anchors = self._file.load()
        async with self._store.reading_every_tenant() as server:
            heads = {row["tenant_id"]: row for row in await server.rows(audit_heads)}
        broken: list[ChainReport] = []
        moved: dict[str, Anchor | None] = {}
        for tenant_id in sorted({*heads, *anchors}):
            anchor, head = anchors.get(tenant_id), heads.get(tenant_id)
            if anchor is not None and head is not None and (anchor.seq, anchor.hash) == (head["seq"], head["hash"]):
                continue
            if anchor is not None and await self._removed_since(anchor):
                moved[tenant_id] = anchor = None
            if head is None and anchor is None:
                continue
            check = self._audit.verify(tenant_id) if anchor is None else self._audit.verify_since(anchor)
            report = await check
            if report.sound:
                moved[tenant_id] = self._audit.anchored(tenant_id, report.end, report.end_hash)
            else:
                broken.append(report)
                log.error("audit_chain_broken", tenant_id=tenant_id, faults=[fault.text for fault in report.faults[:5]])
        self._save(moved)
        return broken

    async def accept(self, tenant_id: str, *, actor: str) -> Anchor:
        """Take a chain as it is from now on, after a person looked at it; that is itself an entry of the
        installation's chain. Raises HomeError, StoreError."""
        async with self._store.tenant(THE_SERVER).writing() as transaction:
            await self._audit.write(transaction, Entry(actor, ACCEPTED, tenant_id or THE_SERVER))
        anchor = await self._audit.anchor(tenant_id)
        self._save({anchor.tenant_id: anchor})
        return anchor

    async def _removed_since(self, anchor: Anchor) -> bool:
        removal = Query(action=REMOVAL, target=anchor.tenant_id, since_ms=anchor.at_ms)
        return bool(await self._audit.entries("", removal, limit=1))

    def _save(self, moved: Mapping[str, Anchor | None]) -> None:
        if not moved:
            return
        # Read again: another process may have moved other anchors meanwhile.
        kept = {**self._file.load(), **moved}
        self._file.save({tenant_id: anchor for tenant_id, anchor in kept.items() if anchor is not None})
