"""Boxes in the database: each change a version, no change lost, sure facts remembered."""

import asyncio

import msgspec
import pytest

from context.contacts.box import ContextBox, OpenSlot, Source, key_fact
from context.contacts.box_rows import VERSIONS_KEPT, BoxConflictError
from context.contacts.boxes import ContextBoxes, VersionNotFoundError
from context.contacts.changes import Change, asked, learned, touched
from context.contacts.contact import ContactNotFoundError
from context.contacts.prediction import AgentRole
from context.contacts.states import BoxState, IllegalTransitionError
from context.contacts.store import ContactStore
from context.events.tables import events
from context.store.database import Store
from tests.contacts.conftest import HandClock
from tests.contacts.someone import NOW_MS, OTHER_TENANT, PHONE, SPOKEN_PHONE, TENANT


@pytest.fixture
async def marie(contacts: ContactStore) -> str:
    """Id of a contact without a box yet."""
    return (await contacts.find_or_make(TENANT, (contacts.phone(TENANT, PHONE),), names=("Marie",))).id


def fact_learned(value: str, confidence: float = 0.5) -> Change:
    return lambda box: learned(box, [key_fact("preference", value, Source("call-1", 1), confidence, NOW_MS)])


async def test_of_whom_nothing_is_known_the_box_is_new_and_named(boxes: ContextBoxes, marie: str) -> None:
    box = await boxes.get(TENANT, marie)
    assert (box.version, box.state, box.identity.names) == (0, "new", ("Marie",))
    assert (await boxes.for_caller(TENANT, phone=SPOKEN_PHONE)) == box
    assert await boxes.for_caller(TENANT, phone="withheld") is None
    assert await boxes.for_caller(TENANT) is None
    with pytest.raises(ContactNotFoundError):
        await boxes.get(OTHER_TENANT, marie)


async def test_writers_at_the_same_time_lose_nothing(boxes: ContextBoxes, marie: str) -> None:
    values = [f"value {n}" for n in range(8)]
    await asyncio.gather(
        *(boxes.change(TENANT, marie, fact_learned(value), actor="a", what="learned") for value in values)
    )
    box = await boxes.get(TENANT, marie)
    assert sorted(fact.value for fact in box.facts) == values
    assert box.version == len(values)


async def test_of_two_who_have_read_the_same_version_the_second_is_told(boxes: ContextBoxes, marie: str) -> None:
    async def write(value: str) -> ContextBox:
        return await boxes.change(TENANT, marie, fact_learned(value), actor="a", what="w", expected_version=0)

    done = await asyncio.gather(write("one"), write("two"), return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["BoxConflictError", "ContextBox"]
    assert len((await boxes.get(TENANT, marie)).facts) == 1


async def test_a_change_that_fails_leaves_everything_as_it_was(boxes: ContextBoxes, marie: str, store: Store) -> None:
    with pytest.raises(IllegalTransitionError, match="allowed: engaged"):
        await boxes.transition(TENANT, marie, BoxState.WON, actor="u", reason="wished")
    assert (await boxes.get(TENANT, marie)).version == 0
    async with store.tenant(TENANT).reading() as transaction:
        assert await transaction.count(events) == 0


async def test_a_change_that_changes_nothing_is_no_version(boxes: ContextBoxes, marie: str) -> None:
    for _ in range(2):
        await boxes.change(TENANT, marie, fact_learned("mornings"), actor="a", what="learned")
    assert [version.version for version in await boxes.versions(TENANT, marie)] == [1]


async def test_the_newest_fifty_versions_can_be_read(boxes: ContextBoxes, marie: str) -> None:
    for n in range(VERSIONS_KEPT + 3):
        await boxes.change(TENANT, marie, fact_learned(f"value {n}"), actor="user-1", what=f"fact {n}")
    kept = await boxes.versions(TENANT, marie)
    assert [version.version for version in kept] == list(range(VERSIONS_KEPT + 3, 3, -1))
    assert (kept[0].actor, kept[0].change) == ("user-1", "fact 52")
    assert len((await boxes.version(TENANT, marie, 10)).facts) == 10
    with pytest.raises(VersionNotFoundError, match="newest 50"):
        await boxes.version(TENANT, marie, 3)
    assert [version.version for version in await boxes.versions(TENANT, marie, before=10, limit=2)] == [9, 8]


async def test_sure_facts_become_the_tenants_memory_once_and_it_is_told(
    boxes: ContextBoxes, marie: str, store: Store
) -> None:
    await boxes.change(TENANT, marie, fact_learned("mornings", 0.8), actor="a", what="learned")
    await boxes.change(TENANT, marie, fact_learned("evenings", 0.79), actor="a", what="learned")
    await boxes.change(TENANT, marie, fact_learned("mornings", 0.9), actor="a", what="surer")
    (remembered,) = await boxes.memory(TENANT)
    assert (remembered.value, remembered.contact_id, remembered.call_id, remembered.turn) == (
        "mornings",
        marie,
        "call-1",
        1,
    )
    assert await boxes.memory(TENANT, "budget") == []
    assert await boxes.memory(OTHER_TENANT) == []
    async with store.tenant(TENANT).reading() as transaction:
        rows = await transaction.rows(events, events.c.type == "context.updated", order_by=[events.c.id.asc()])
    payloads = [msgspec.json.decode(row["payload"]) for row in rows]
    assert [payload["promoted_fact_ids"] for payload in payloads] == [[remembered.fact_id], [], []]
    assert all("mornings" not in row["payload"] for row in rows)


async def test_the_bus_is_woken_after_each_commit(store: Store, contacts: ContactStore, marie: str) -> None:
    woken: list[int] = []
    boxes = ContextBoxes(store, wake=lambda: woken.append(1))
    await boxes.change(TENANT, marie, fact_learned("mornings"), actor="a", what="learned")
    await boxes.handoff(TENANT, marie, from_agent="a", to_agent="b", reason="r", actor="u")
    assert len(woken) == 2


async def test_whoever_works_with_a_box_keeps_it_fresh(boxes: ContextBoxes, marie: str, clock: HandClock) -> None:
    box = await boxes.transition(TENANT, marie, BoxState.ENGAGED, actor="u", reason="r")
    assert box.activity_ms == clock.at_ms
    assert touched(box, clock.at_ms - 1) == box


async def test_a_view_of_a_stranger_says_so_little_that_it_fits_anywhere(boxes: ContextBoxes, marie: str) -> None:
    view = await boxes.view(TENANT, marie, 100)
    assert "<data>Marie</data>" in view.text
    assert view.tokens <= 100


async def test_a_slot_is_asked_until_it_is_answered(boxes: ContextBoxes, marie: str) -> None:
    slot = OpenSlot("service", "which service they want")
    package = await boxes.handoff(TENANT, marie, from_agent="a", to_agent="b", reason="r", actor="u")
    assert package.prediction.next_agent is AgentRole.NONE
    await boxes.change(TENANT, marie, lambda box: asked(box, [slot]), actor="a", what="asked")
    package = await boxes.handoff(TENANT, marie, from_agent="b", to_agent="c", reason="r", actor="u")
    assert package.open_slots == (slot,)
    assert [action.subject for action in package.prediction.actions] == ["service"]


async def test_somebody_who_read_an_older_version_cannot_hand_over(boxes: ContextBoxes, marie: str) -> None:
    await boxes.change(TENANT, marie, fact_learned("mornings"), actor="a", what="learned")
    with pytest.raises(BoxConflictError):
        await boxes.handoff(TENANT, marie, from_agent="a", to_agent="b", reason="r", actor="u", expected_version=0)
