"""Two contacts that are one person: nothing that either knew is lost, and the old id always leads to them."""

import msgspec
import pytest
from hypothesis import given, settings

from context.contacts.box import ContextBox, HistoryKind, Source, key_fact
from context.contacts.boxes import ContextBoxes
from context.contacts.changes import learned
from context.contacts.contact import ContactConflictError, ContactNotFoundError
from context.contacts.merging import MergeRecord, merged_box
from context.contacts.points import external_point
from context.contacts.states import BoxState, further
from context.contacts.store import ContactStore
from context.contacts.tables import contact_merges, tenant_memory
from context.store.database import Store
from tests.contacts.someone import BOXES, NOW_MS, OTHER_TENANT, PHONE, TENANT

SURE = key_fact("service", "cleaning", Source("call-1", 1), 0.9, NOW_MS)
SURE_TOO = key_fact("service", "surgery", Source("call-2", 1), 0.9, NOW_MS)


async def two(contacts: ContactStore) -> tuple[str, str]:
    """Marie by her number and Marie by the id that the tenant's own system gave her."""
    by_phone = await contacts.find_or_make(TENANT, (contacts.phone(TENANT, PHONE),), names=("Marie Curie",))
    by_id = await contacts.find_or_make(TENANT, (external_point("crm-7"),), names=("M. Curie",), languages=("fr",))
    await contacts.link_call(TENANT, "call-1", by_phone.id)
    await contacts.link_call(TENANT, "call-2", by_id.id)
    return by_phone.id, by_id.id


async def test_the_one_that_is_left_has_everything_of_both(contacts: ContactStore, boxes: ContextBoxes) -> None:
    kept, other = await two(contacts)
    await boxes.change(TENANT, kept, lambda box: learned(box, [SURE]), actor="u", what="learned")
    await boxes.change(TENANT, other, lambda box: learned(box, [SURE, SURE_TOO]), actor="u", what="learned")
    await boxes.transition(TENANT, other, BoxState.ENGAGED, actor="u", reason="spoke")
    marie = await boxes.merge(TENANT, kept, other, actor="user-1")
    assert (marie.names, marie.languages) == (("Marie Curie", "M. Curie"), ("fr",))
    assert (marie.phones, marie.external_ids) == ((PHONE,), ("crm-7",))
    assert sorted(await contacts.calls(TENANT, kept)) == ["call-1", "call-2"]
    box = await boxes.get(TENANT, kept)
    assert [fact.source.call_id for fact in box.facts] == ["call-1", "call-2"]
    merge = next(entry for entry in box.history if entry.kind is HistoryKind.MERGE)
    assert (merge.actor, merge.reference, merge.from_state, merge.to_state) == ("user-1", other, "new", "engaged")
    remembered = [(memory.contact_id, memory.value) for memory in await boxes.memory(TENANT)]
    assert remembered == [(kept, "cleaning"), (kept, "surgery")]


async def test_the_old_id_leads_to_the_person_through_any_number_of_merges(
    contacts: ContactStore, boxes: ContextBoxes
) -> None:
    first, second = await two(contacts)
    third = (await contacts.find_or_make(TENANT, (external_point("crm-8"),))).id
    await boxes.merge(TENANT, second, first, actor="u")
    await boxes.merge(TENANT, third, second, actor="u")
    for old in (first, second, third):
        assert (await contacts.get(TENANT, old)).id == third
        assert (await boxes.get(TENANT, old)).contact_id == third
        assert (await boxes.view(TENANT, old)).contact_id == third
    assert [contact.id for contact in await contacts.page(TENANT)] == [third]
    subject = await contacts.subject(TENANT, first)
    assert (subject.contact_id, subject.call_ids) == (third, {"call-1", "call-2"})


async def test_how_both_were_is_kept_to_take_a_wrong_merge_apart(
    store: Store, contacts: ContactStore, boxes: ContextBoxes
) -> None:
    kept, other = await two(contacts)
    before = await contacts.get(TENANT, kept), await contacts.get(TENANT, other)
    box = await boxes.change(TENANT, other, lambda box: learned(box, [SURE]), actor="u", what="learned")
    await boxes.merge(TENANT, kept, other, actor="user-1")
    async with store.tenant(TENANT).reading() as transaction:
        row = await transaction.row(contact_merges, contact_merges.c.merged_id == other)
    assert row is not None
    record = msgspec.json.decode(row["before"], type=MergeRecord)
    assert (record.kept, record.merged) == before
    assert (record.calls, record.merged_box) == (("call-2",), box)


async def test_a_contact_is_not_merged_with_itself_nor_twice(contacts: ContactStore, boxes: ContextBoxes) -> None:
    kept, other = await two(contacts)
    with pytest.raises(ContactConflictError):
        await boxes.merge(TENANT, kept, kept, actor="u")
    await boxes.merge(TENANT, kept, other, actor="u")
    version = (await boxes.get(TENANT, kept)).version
    for one, two_ in ((kept, other), (other, kept)):
        with pytest.raises(ContactConflictError, match=kept):
            await boxes.merge(TENANT, one, two_, actor="u")
    assert (await boxes.get(TENANT, kept)).version == version


async def test_another_tenants_contact_cannot_be_merged(
    contacts: ContactStore, boxes: ContextBoxes, store: Store
) -> None:
    kept, _ = await two(contacts)
    theirs = await contacts.find_or_make(OTHER_TENANT, (contacts.phone(OTHER_TENANT, PHONE),))
    with pytest.raises(ContactNotFoundError):
        await boxes.merge(TENANT, kept, theirs.id, actor="u")
    with pytest.raises(ContactNotFoundError):
        await boxes.merge(OTHER_TENANT, theirs.id, kept, actor="u")
    async with store.reading_every_tenant() as transaction:
        assert await transaction.count(contact_merges) == 0
        assert await transaction.count(tenant_memory) == 0


@settings(max_examples=20)
@given(BOXES, BOXES)
def test_a_merged_box_holds_everything_that_either_held(one: ContextBox, other: ContextBox) -> None:
    both = merged_box(one, other)
    for name in ("facts", "commitments"):
        assert {kept.id for kept in getattr(both, name)} == {
            kept.id for box in (one, other) for kept in getattr(box, name)
        }
    assert {slot.name for slot in both.open_slots} == {slot.name for box in (one, other) for slot in box.open_slots}
    assert sorted(map(repr, both.history)) == sorted(map(repr, (*one.history, *other.history)))
    assert {turn.source for turn in both.turns} == {turn.source for box in (one, other) for turn in box.turns}
    assert both.state is further(one.state, other.state)
    surest = {
        fact.id: max(f.confidence for box in (one, other) for f in box.facts if f.id == fact.id) for fact in both.facts
    }
    assert all(fact.confidence == surest[fact.id] for fact in both.facts)
