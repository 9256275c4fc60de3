"""What must be true after any number of crashes: nothing acknowledged is lost, nothing is applied twice.

Reads the database as it is and the files in which the workers noted what they were promised; every broken promise is
one line of text. Called by `harness` at the end.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

from context.bookings.tables import bookings
from context.calls.store import CallStore
from context.events.tables import event_deliveries, events, unplaced_events
from context.security.audit import AuditLog
from context.security.tables import audit_entries
from context.store.database import Store
from context.store.transaction import ServerTransaction
from context.webhooks.tables import webhook_deliveries
from tests.crash.worker import AUDIT_KEY
from tests.crash.world import LANES, NOTED, TENANTS, Call, acknowledgements, ledger, told_outside, whole_lines


class Findings(msgspec.Struct, frozen=True):
    """What was found. faults: promises that were broken, none when all is well."""

    faults: Sequence[str]
    acknowledged: int
    calls: int
    effects: int
    deliveries: int
    audit_entries: int
    told_outside: int
    told_again: int


async def verify(url: str, folder: Path, workers: int) -> Findings:
    """Check everything that the workers of `folder` did."""
    store = await Store.open(url)
    try:
        return await _verify(store, folder, workers)
    finally:
        await store.aclose()


async def _verify(store: Store, folder: Path, workers: int) -> Findings:
    promised = [
        line.split() for lane in range(workers * LANES) for line in whole_lines(acknowledgements(folder, lane)) if line
    ]
    faults = await _lost(store, promised)
    told = Counter(
        line.split()[0] for worker in range(workers) for line in whole_lines(told_outside(folder, worker)) if line
    )
    async with store.reading_every_tenant() as server:
        stored = await server.rows(events)
        billed = await server.rows(ledger)
        faults += await _not_once(server, {(row["tenant_id"], row["id"]): row["type"] for row in stored}, told)
        faults += await _unfinished(server)
        entries = await server.count(audit_entries)
        deliveries = await server.count(webhook_deliveries)
    expected_entries = len(billed) + sum(row["type"] == NOTED for row in stored)
    if entries != expected_entries:
        faults.append(f"the audit log has {entries} entries and should have {expected_entries}")
    audit = AuditLog(store, AUDIT_KEY)
    for tenant in TENANTS:
        report = await audit.verify(tenant.id)
        if not report.sound:
            faults.append(f"the audit chain of {tenant.id} is broken: {report}")
    return Findings(
        faults=faults,
        acknowledged=len(promised),
        calls=sum(row["type"] == "call.completed" for row in stored),
        effects=len(billed),
        deliveries=deliveries,
        audit_entries=entries,
        told_outside=len(told),
        told_again=sum(told.values()) - len(told),
    )


async def _lost(store: Store, promised: Sequence[Sequence[str]]) -> list[str]:
    """Promises that the database does not know of."""
    async with store.reading_every_tenant() as server:
        sold = {row["id"]: row for row in await server.rows(bookings)}
        published = {row["id"] for row in await server.rows(events, columns=[events.c.id])}
    calls = CallStore(store)
    faults: list[str] = []
    for what, lane, number, *rest in promised:
        call = Call(int(lane), int(number))
        if what == "booked":
            kept = rest[0] in sold and sold[rest[0]]["call_id"] == call.id
        elif what == "saved":
            kept = await calls.get(call.tenant.id, call.id) == call.record and f"{call.id}.completed" in published
        else:
            kept = f"{call.id}.{'started' if what == 'begun' else 'noted'}" in published
        if not kept:
            faults.append(f"lost: {what} {call.id}")
    twice = [call_id for call_id, times in Counter(row["call_id"] for row in sold.values()).items() if times > 1]
    return faults + [f"booked twice: {call_id}" for call_id in twice]


async def _not_once(server: ServerTransaction, stored: dict[tuple[str, str], str], told: Counter[str]) -> list[str]:
    """Effects that are missing, or there more than once."""
    billed = Counter((row["tenant_id"], row["event_id"]) for row in await server.rows(ledger))
    planned = Counter((row["tenant_id"], row["event_id"]) for row in await server.rows(webhook_deliveries))
    faults: list[str] = []
    for key, event_type in stored.items():
        if billed[key] != (event_type == "call.completed"):
            faults.append(f"billed {billed[key]} times: {key[1]}")
        if planned[key] != 1:
            faults.append(f"{planned[key]} webhooks planned: {key[1]}")
        if event_type.startswith("call.") and not told[key[1]]:
            faults.append(f"never told outside: {key[1]}")
    strangers = (billed.keys() | planned.keys()) - stored.keys()
    return faults + [f"an effect of no event: {key[1]}" for key in strangers]


async def _unfinished(server: ServerTransaction) -> list[str]:
    """What the bus has not finished, or given up."""
    waiting = await server.count(unplaced_events)
    left = await server.rows(event_deliveries, event_deliveries.c.state != "handled")
    faults = [f"{row['state']}: {row['event_id']} for {row['subscriber']} ({row['error_class']})" for row in left]
    return faults + ([f"{waiting} events were never placed"] if waiting else [])
