"""A person's contact and box can be taken out and wiped out, and nobody else's with them."""

from context.contacts.boxes import ContextBoxes
from context.contacts.personal_data import BoxData, ContactData
from context.contacts.points import email_point
from context.contacts.store import ContactStore
from context.contacts.subscriber import BoxBuilder
from context.erasure.registry import PersonalData, Subject
from context.store.database import Store
from context.store.schema import whole_schema
from tests.contacts.someone import OTHER_TENANT, PHONE, TENANT, call_payload, event, quiet_call

PROVIDERS: tuple[PersonalData, ...] = (BoxData(), ContactData())
OURS = [table for name, table in whole_schema().tables.items() if name.startswith("cont") or name == "tenant_memory"]


async def a_life(store: Store, contacts: ContactStore, boxes: ContextBoxes, tenant_id: str) -> str:
    """Marie booked, called twice without saying who she was, and was merged; id of her contact."""
    handle = BoxBuilder(lambda tenant_id: "FR").handle
    for payload in (call_payload(), quiet_call("call-2", caller=""), quiet_call("call-3", caller="")):
        async with store.tenant(tenant_id).writing() as transaction:
            await handle(event("call.completed", payload, tenant_id=tenant_id), transaction)
    marie = await contacts.of_call(tenant_id, "call-1")
    assert marie
    for call_id in ("call-2", "call-3"):
        stranger = await contacts.of_call(tenant_id, call_id)
        assert stranger
        await boxes.merge(tenant_id, marie.id, stranger.id, actor="u")
    await contacts.find_or_make(tenant_id, (contacts.phone(tenant_id, PHONE), email_point("marie@example.com")))
    return marie.id


async def rows_of(store: Store, tenant_id: str) -> dict[str, int]:
    async with store.tenant(tenant_id).reading() as transaction:
        return {table.name: await transaction.count(table) for table in OURS}


async def erased(store: Store, subject: Subject) -> int:
    async with store.tenant(TENANT).writing() as transaction:
        return sum([await provider.erase(transaction, subject) for provider in PROVIDERS])


async def test_an_export_holds_what_is_known_of_the_person(
    store: Store, contacts: ContactStore, boxes: ContextBoxes
) -> None:
    marie = await a_life(store, contacts, boxes, TENANT)
    subject = await contacts.subject(TENANT, marie)
    async with store.tenant(TENANT).reading() as transaction:
        exported = [row for provider in PROVIDERS for row in await provider.export(transaction, subject)]
    tables = {row["table"] for row in exported}
    assert tables == {table.name for table in OURS} - {"contact_desks"}
    box = next(row["box"] for row in exported if row["table"] == "context_boxes")
    assert [turn["text"] for turn in box["turns"]].count("Are you open on Saturday?") == 2
    assert {row["value"] for row in exported if row["table"] == "contact_points"} == {PHONE, "marie@example.com"}


async def test_an_erasure_leaves_nothing_of_the_person_and_everything_of_the_others(
    store: Store, contacts: ContactStore, boxes: ContextBoxes
) -> None:
    marie = await a_life(store, contacts, boxes, TENANT)
    await a_life(store, contacts, boxes, OTHER_TENANT)
    theirs = await rows_of(store, OTHER_TENANT)
    subject = await contacts.subject(TENANT, marie)
    assert await erased(store, subject) > 10
    assert {name: count for name, count in (await rows_of(store, TENANT)).items() if count} == {"contact_desks": 1}
    assert await rows_of(store, OTHER_TENANT) == theirs
    assert await erased(store, subject) == 0


async def test_the_other_contacts_of_the_tenant_stay(store: Store, contacts: ContactStore, boxes: ContextBoxes) -> None:
    marie = await a_life(store, contacts, boxes, TENANT)
    paul = await contacts.find_or_make(TENANT, (email_point("paul@example.com"),), names=("Paul",))
    await erased(store, await contacts.subject(TENANT, marie))
    assert await contacts.get(TENANT, paul.id) == paul


def test_every_table_of_contacts_is_answered_for() -> None:
    """A table that is added must be exported and erased as well."""
    names = {table.name for table in OURS}
    assert names == {
        "contact_desks", "contacts", "contact_points", "contact_calls", "contact_merges",
        "context_boxes", "context_versions", "tenant_memory",
    }  # fmt: skip
