"""Boxes that nothing happened to for a day are compacted, marked and told of, by a job that really runs."""

import datetime as dt

import msgspec
import pytest

from context.contacts import stale
from context.contacts.box import Source, Turn, key_fact
from context.contacts.boxes import ContextBoxes
from context.contacts.changes import learned, said
from context.contacts.points import external_point
from context.contacts.stale import StaleJob
from context.contacts.states import BoxState
from context.contacts.store import ContactStore
from context.events.tables import events
from context.store.database import Store
from tests.contacts.conftest import HandClock
from tests.contacts.someone import NOW_MS, OTHER_TENANT, TENANT

DAY_MS = 24 * 3_600_000


def at(now_ms: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(now_ms / 1_000, dt.UTC)


async def box_of(contacts: ContactStore, boxes: ContextBoxes, name: str, tenant_id: str = TENANT) -> str:
    """A box with forty turns and a fact; id of its contact."""
    contact = await contacts.find_or_make(tenant_id, (external_point(name),))
    turns = [Turn("caller", f"My order number {n} is late.", Source("call-1", n), NOW_MS - n) for n in range(40)]
    fact = key_fact("budget", "500 €", Source("call-1", 1), 0.7, NOW_MS)
    await boxes.change(tenant_id, contact.id, lambda box: said(learned(box, [fact]), turns), actor="a", what="w")
    return contact.id


async def test_a_day_later_the_box_is_marked_compacted_and_told_of(
    store: Store, contacts: ContactStore, boxes: ContextBoxes
) -> None:
    marie = await box_of(contacts, boxes, "marie")
    woken: list[int] = []
    job = StaleJob(store, lambda: woken.append(1))
    assert await job.run(at(NOW_MS + DAY_MS)) == 0
    assert await job.run(at(NOW_MS + DAY_MS + 1)) == 1
    box = await boxes.get(TENANT, marie)
    assert (box.stale_ms, box.version) == (NOW_MS + DAY_MS + 1, 2)
    assert len(box.turns) < 40
    assert "order number" in box.summary
    assert [fact.value for fact in box.facts] == ["500 €"]
    async with store.tenant(TENANT).reading() as transaction:
        rows = await transaction.rows(events, order_by=[events.c.id.desc()], limit=1)
    assert msgspec.json.decode(rows[0]["payload"])["change"] == "stale"
    assert woken == [1]


async def test_it_is_marked_once_until_they_are_heard_of_again(
    store: Store, contacts: ContactStore, boxes: ContextBoxes, clock: HandClock
) -> None:
    marie = await box_of(contacts, boxes, "marie")
    job = StaleJob(store)
    assert [await job.run(at(NOW_MS + days * DAY_MS)) for days in (2, 3)] == [1, 0]
    clock.at_ms = NOW_MS + 3 * DAY_MS
    box = await boxes.transition(TENANT, marie, BoxState.ENGAGED, actor="u", reason="called")
    assert box.stale_ms == 0
    assert [await job.run(at(NOW_MS + days * DAY_MS)) for days in (3, 5)] == [0, 1]


async def test_every_box_of_every_tenant_is_found_however_many(
    store: Store, contacts: ContactStore, boxes: ContextBoxes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stale, "BATCH", 2)
    for n in range(5):
        await box_of(contacts, boxes, f"marie {n}")
    theirs = await box_of(contacts, boxes, "paul", OTHER_TENANT)
    assert await StaleJob(store).run(at(NOW_MS + 2 * DAY_MS)) == 6
    assert (await boxes.get(OTHER_TENANT, theirs)).stale_ms > 0


async def test_a_box_without_turns_is_marked_too(store: Store, contacts: ContactStore, boxes: ContextBoxes) -> None:
    contact = await contacts.find_or_make(TENANT, (external_point("paul"),))
    await boxes.transition(TENANT, contact.id, BoxState.ENGAGED, actor="u", reason="r")
    assert await StaleJob(store).run(at(NOW_MS + 2 * DAY_MS)) == 1
