"""Publishing: with the change or not at all, once for each id, and only what can be kept."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from context.events.log import EventLog
from context.events.outbox import PAYLOAD_LIMIT_BYTES, EventRefusedError, event_of, publish
from context.events.tables import events
from context.store.database import Store
from tests.events.small_bus import LAKE, PARK, an_event, note, noted


async def test_an_event_comes_back_as_it_was_published_with_fields_and_types_that_nobody_knows(store: Store) -> None:
    event = replace(
        an_event("e1", kind="their.own_type", call="c1", words="Où ça ?\x00", deep={"list": [1, None, 2.5]}),
        schema_version=7,
        causation_id="e0",
    )
    async with store.tenant(PARK).writing() as transaction:
        assert await publish(transaction, event)
    assert await EventLog(store).get(PARK, "e1") == event


async def test_the_second_publication_of_an_id_changes_nothing(store: Store) -> None:
    for words, new in (("first", True), ("second", False)):
        async with store.tenant(PARK).writing() as transaction:
            assert await publish(transaction, an_event("e1", words=words)) is new
    kept = await EventLog(store).get(PARK, "e1")
    assert kept is not None
    assert kept.payload == {"words": "first"}


async def test_a_change_that_is_undone_leaves_no_event(store: Store) -> None:
    async def sell() -> None:
        async with store.tenant(PARK).writing() as transaction:
            await note(transaction, "change", an_event("e1"))
            await publish(transaction, an_event("e1"))
            raise _UndoneError

    with pytest.raises(_UndoneError):
        await sell()
    assert await noted(store, "change") == []
    assert await EventLog(store).get(PARK, "e1") is None


async def test_two_tenants_may_use_the_same_id_and_see_their_own_event_only(store: Store) -> None:
    for tenant in (PARK, LAKE):
        async with store.tenant(tenant).writing() as transaction:
            assert await publish(transaction, an_event("same", tenant=tenant, whose=tenant))
    for tenant in (PARK, LAKE):
        kept = await EventLog(store).get(tenant, "same")
        assert kept is not None
        assert kept.payload == {"whose": tenant}


async def test_an_event_of_another_tenant_is_refused(file_store: Store) -> None:
    async with file_store.tenant(PARK).writing() as transaction:
        with pytest.raises(EventRefusedError, match="tenant_id"):
            await publish(transaction, an_event("e1", tenant=LAKE))
    assert await EventLog(file_store).get(LAKE, "e1") is None


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"id": ""}, "id"),
        ({"id": "x" * 201}, "id"),
        ({"correlation_id": "line\nbreak"}, "correlation_id"),
        ({"type": "nodot"}, "type"),
        ({"type": "Call.Started"}, "type"),
        ({"type": "call.*"}, "type"),
        ({"type": "call." + "x" * 100}, "type"),
        ({"payload": {"thing": object()}}, "payload"),
        ({"payload": {"text": "x" * PAYLOAD_LIMIT_BYTES}}, "payload"),
    ],
)
async def test_what_cannot_be_kept_is_refused_by_the_name_of_its_field(
    file_store: Store, changes: dict[str, object], named: str
) -> None:
    async with file_store.tenant(PARK).writing() as transaction:
        with pytest.raises(EventRefusedError, match=f"^{named}:"):
            await publish(transaction, replace(an_event("e1"), **changes))
        assert await transaction.count(events) == 0


@settings(max_examples=25)
@given(ids=st.lists(st.sampled_from("abcdef"), max_size=12), undone=st.sets(st.integers(0, 11)))
def test_publishing_any_sequence_of_ids_keeps_the_first_of_each_that_was_committed(
    ids: list[str], undone: set[int]
) -> None:
    async def law(folder: str) -> None:
        store = await Store.open(f"sqlite+aiosqlite:///{Path(folder) / 'law.db'}")
        first: dict[str, int] = {}
        for at, event_id in enumerate(ids):
            try:
                async with store.tenant(PARK).writing() as transaction:
                    assert await publish(transaction, an_event(event_id, at=at)) is (event_id not in first)
                    if at in undone:
                        raise _UndoneError
            except _UndoneError:
                continue
            first.setdefault(event_id, at)
        async with store.tenant(PARK).reading() as transaction:
            kept = [event_of(row) for row in await transaction.rows(events)]
        assert {event.id: event.payload["at"] for event in kept} == first
        await store.aclose()

    with TemporaryDirectory() as folder:
        asyncio.run(law(folder))


class _UndoneError(Exception):
    pass
