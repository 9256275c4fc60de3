"""Killed at random moments and at the edges of commits, again and again: no promise to a caller is broken."""

import asyncio
from pathlib import Path

import pytest

from context.calls.tables import calls
from context.events.tables import event_deliveries
from context.security.tables import audit_entries
from context.store.database import Store
from context.webhooks.tables import webhook_deliveries
from tests.crash.harness import Outcome, Plan, crash
from tests.crash.verify import verify
from tests.crash.world import TENANTS, ledger


@pytest.fixture(params=["sqlite", "postgres"])
def crashed(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Outcome]:
    """A database after a dozen crashes of two processes, and what happened."""
    if request.param == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path / 'parley.db'}"
        plan = Plan(kills=12, seed=6, random_life_s=1.5, first_edge=11, edge_step=17, acknowledged=100)
    else:
        url = request.getfixturevalue("postgres_url")
        plan = Plan(kills=8, seed=7, random_life_s=2.5, first_edge=22, edge_step=25, acknowledged=100)
    return url, crash(url, tmp_path, plan)


def test_nothing_acknowledged_is_lost_and_nothing_is_applied_twice(
    crashed: tuple[str, Outcome], tmp_path: Path
) -> None:
    url, outcome = crashed
    assert outcome.findings.faults == []
    assert outcome.findings.acknowledged >= 100
    assert outcome.findings.effects == outcome.findings.calls >= 15
    assert outcome.edges >= 3
    _break_every_promise(url)
    broken = asyncio.run(verify(url, tmp_path, 2)).faults
    for words in ("lost: saved", "billed 0 times", "billed 2 times", "2 webhooks planned", "dead: ", "the audit chain"):
        assert any(words in fault for fault in broken), (words, broken)


def _break_every_promise(url: str) -> None:
    """What a bug would do: the checks above must see each of these."""

    async def damage() -> None:
        store = await Store.open(url)
        tenant_id = TENANTS[0].id
        async with store.tenant(tenant_id).writing() as transaction:
            first, second, *_ = await transaction.rows(ledger)
            await transaction.delete(ledger, ledger.c.id == first["id"])
            await transaction.insert(ledger, [{**second, "id": "again"}])
            third = (await transaction.rows(audit_entries, limit=1))[0]
            await transaction.update(audit_entries, {"actor": "nobody"}, audit_entries.c.seq == third["seq"])
            await transaction.update(
                event_deliveries, {"state": "dead"}, event_deliveries.c.event_id == second["event_id"]
            )
            await transaction.delete(calls, calls.c.call_id == first["call_id"])
            plan = await transaction.row(webhook_deliveries, webhook_deliveries.c.event_id == second["event_id"])
            await transaction.insert(webhook_deliveries, [{**dict(plan or {}), "id": "again"}])
        await store.aclose()

    asyncio.run(damage())
