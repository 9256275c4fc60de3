"""When a call is too old, boxes no longer quote it, and still know what was learned from it."""

from hypothesis import given, settings

from context.contacts.box import ContextBox
from context.contacts.boxes import ContextBoxes
from context.contacts.spoken_words import WordsInBoxes, without_words
from context.contacts.store import ContactStore
from context.contacts.subscriber import BoxBuilder
from context.contacts.tables import contact_merges, context_boxes, context_versions
from context.erasure.registry import Subject
from context.store.database import Store
from tests.contacts.someone import BOXES, TENANT, call_payload, event, line, quiet_call

SAID = [line("caller", "My cat is called Schrödinger. I prefer mornings because of Schrödinger.", 1)]


async def erased(store: Store, *call_ids: str) -> int:
    async with store.tenant(TENANT).writing() as transaction:
        return await WordsInBoxes().erase(transaction, Subject("", call_ids=frozenset(call_ids)))


async def everything(store: Store) -> str:
    async with store.tenant(TENANT).reading() as transaction:
        tables = (context_boxes, context_versions, contact_merges)
        return repr([row for table in tables for row in await transaction.rows(table)])


async def test_the_words_go_and_what_was_learned_stays(
    store: Store, contacts: ContactStore, boxes: ContextBoxes
) -> None:
    handle = BoxBuilder(lambda tenant_id: "FR").handle
    for payload in (
        quiet_call("call-1", transcript=SAID),
        quiet_call("call-2", transcript=SAID, caller=""),
        call_payload("call-3"),
    ):
        async with store.tenant(TENANT).writing() as transaction:
            await handle(event("call.completed", payload), transaction)
    marie, stranger = await contacts.of_call(TENANT, "call-1"), await contacts.of_call(TENANT, "call-2")
    assert marie
    assert stranger
    await boxes.merge(TENANT, marie.id, stranger.id, actor="u")
    assert "Schr" in await everything(store)
    assert await erased(store, "call-1", "call-2") > 4
    assert "Schr" not in (await everything(store)).replace("because of Schr", "")
    box = await boxes.get(TENANT, marie.id)
    assert {turn.source.call_id for turn in box.turns} == {"call-3"}
    assert sum(fact.type == "preference" for fact in box.facts) == 2
    assert box.state == "booked"
    assert await erased(store, "call-1", "call-2") == 0
    assert await erased(store) == 0


@settings(max_examples=25)
@given(BOXES)
def test_nothing_of_other_calls_is_touched(box: ContextBox) -> None:
    assert without_words(box, {"no such call"}) == box
    all_calls = {turn.source.call_id for turn in box.turns} | {fact.source.call_id for fact in box.facts}
    wordless = without_words(box, all_calls)
    assert wordless.turns == ()
    assert [fact.value for fact in wordless.facts] == [fact.value for fact in box.facts]
    assert not any(fact.quote for fact in wordless.facts)
    assert without_words(wordless, all_calls) == wordless
