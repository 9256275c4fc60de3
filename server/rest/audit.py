"""The audit log over REST: who did what, and whether the log is whole.

Reads only: entries are written by what they tell of. They hold ids, never names. Part of `server.rest.api`.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from litestar import Controller, get
from litestar.params import Parameter
from litestar.types import ControllerRouterHandler

from context.security.audit import LONGEST_WORD, Query
from context.security.audit_chain import AuditRecord, ChainReport, FaultKind
from context.security.principal import Principal, Scope
from server.rest.auth import requires, tenant_of
from server.rest.paging import Page, PageQuery
from server.rest.services import Services


class AuditEntryView(msgspec.Struct, frozen=True):
    """An entry. seq: 1, 2, 3... actor: id of the key, user or part. target: id of what it was done to, or "".

    hash: SHA-256 over the entry and the hash before it.
    """

    seq: int
    at: dt.datetime
    actor: str
    action: str
    target: str
    detail: dict[str, Any]
    previous_hash: str
    hash: str


class AuditFaultView(msgspec.Struct, frozen=True):
    """Something wrong with the log. seq: where."""

    kind: FaultKind
    seq: int
    text: str


class AuditReportView(msgspec.Struct, frozen=True):
    """What a check of the whole log found. end: seq of the last entry. anchored: seq up to which a record outside the
    database vouches for the log."""

    sound: bool
    entries: int
    end: int
    end_hash: str
    anchored: int
    faults: list[AuditFaultView]


class Audit(Controller):
    """The tenant's audit log."""

    path = "/audit"
    tags: Sequence[str] = ["audit"]  # pyright: ignore[reportIncompatibleVariableOverride]

    @get("/", guards=[requires(Scope.AUDIT_READ)], summary="List audit entries, newest first")
    async def list_entries(
        self,
        principal: Principal,
        services: Services,
        page: PageQuery,
        actor: Annotated[str, Parameter(description="Done by this key, user or part.", max_length=LONGEST_WORD)] = "",
        action: Annotated[str, Parameter(description="Such as key.revoked.", max_length=LONGEST_WORD)] = "",
        target: Annotated[str, Parameter(description="Done to this id.", max_length=LONGEST_WORD)] = "",
        since: Annotated[dt.datetime | None, Parameter(description="Then or later.")] = None,
        until: Annotated[dt.datetime | None, Parameter(description="Before then.")] = None,
    ) -> Page[AuditEntryView]:
        """What was done in the tenant's name. Without a time zone an instant is UTC."""
        after = page.key(int)
        query = Query(
            actor=actor,
            action=action,
            target=target,
            since_ms=_ms(since),
            until_ms=_ms(until),
            before_seq=None if after is None else int(after[0]),
        )
        records = await services.keys.audit.entries(tenant_of(principal), query, limit=page.limit + 1)
        return page.page(records, lambda record: (record.seq,), _view)

    @get("/verification", guards=[requires(Scope.AUDIT_READ)], summary="Check the whole audit log")
    async def verify_log(self, principal: Principal, services: Services) -> AuditReportView:
        """Walk the chain from its first entry and report every place where it was touched."""
        tenant_id = tenant_of(principal)
        anchor = None if services.anchors is None else services.anchors.anchor_of(tenant_id)
        return _report_view(await services.keys.audit.verify(tenant_id, anchor))


def _view(record: AuditRecord) -> AuditEntryView:
    return AuditEntryView(
        seq=record.seq,
        at=dt.datetime.fromtimestamp(record.at_ms / 1000, dt.UTC),
        actor=record.actor,
        action=record.action,
        target=record.target,
        detail=record.detail,
        previous_hash=record.previous_hash,
        hash=record.hash,
    )


def _report_view(report: ChainReport) -> AuditReportView:
    return AuditReportView(
        sound=report.sound,
        entries=report.entries,
        end=report.end,
        end_hash=report.end_hash,
        anchored=report.anchored,
        faults=[AuditFaultView(fault.kind, fault.seq, fault.text) for fault in report.faults],
    )


def _ms(instant: dt.datetime | None) -> int | None:
    if instant is None:
        return None
    return round((instant if instant.tzinfo else instant.replace(tzinfo=dt.UTC)).timestamp() * 1000)


handlers: Sequence[ControllerRouterHandler] = [Audit]

_FIRST = "9d0c1c2f0d0b6f1b9f7c0f6a6a0de1d0a2b1a6c0f5f4f3e2d1c0b9a897867564"

EXAMPLES = (
    AuditEntryView(
        seq=2,
        at=dt.datetime(2026, 11, 20, 9, 30, tzinfo=dt.UTC),
        actor="u_7d1e4a6b8c2d",
        action="key.revoked",
        target="5f0c9a3b7d1e4a6b",
        detail={},
        previous_hash=_FIRST,
        hash=_FIRST[::-1],
    ),
    AuditReportView(True, 2, 2, _FIRST[::-1], 1, []),
)
