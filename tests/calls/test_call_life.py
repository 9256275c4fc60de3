"""The life of a stored call: begun, followed, completed once, also when the process that carried it died."""

import asyncio
import datetime as dt
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from context.bookings.store import StoredBookingDesk
from context.calls.completed import CallDetails
from context.calls.life import OVER, TRANSITIONS, CallState, CallTransitionError, require_transition
from context.calls.nodes import SILENT_AFTER_S, CallNode
from context.calls.store import CallFilter, CallNotFoundError, CallStore
from context.events.outbox import event_of
from context.events.tables import events
from context.store.database import Store
from context.store.transaction import Row
from tests.context.clinic import CLINIC
from tests.context.test_call_store import RECORD

PHONE = CallDetails(channel="phone", direction="inbound", persona_id="camille", caller="+33612345678")


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now_s


async def published(store: Store, tenant_id: str) -> list[Row]:
    async with store.tenant(tenant_id).reading() as transaction:
        return list(await transaction.rows(events, order_by=[events.c.published_at_ms.asc(), events.c.type.desc()]))


async def begin(calls: CallStore, call_id: str = "call-1", started_at: float = 1_800_000_000.5) -> bool:
    return await calls.begin("clinic", call_id, started_at=started_at, language="fr", details=PHONE)


async def test_a_call_is_told_of_when_it_starts_and_when_it_is_over(store: Store) -> None:
    calls = CallStore(store, node="n")
    assert await begin(calls)
    found = await calls.find("clinic", "call-1")
    assert found is not None
    assert (found.state, found.record, found.details) == (CallState.ACTIVE, None, PHONE)
    assert await calls.recent("clinic") == []
    assert await calls.save("clinic", RECORD)
    found = await calls.find("clinic", "call-1")
    assert found is not None
    assert (found.state, found.record, found.details) == (CallState.ENDED, RECORD, PHONE)
    started, completed = [event_of(row) for row in await published(store, "clinic")]
    assert (started.type, completed.type) == ("call.started", "call.completed")
    assert completed.correlation_id == "call-1"
    assert completed.causation_id == started.id
    payload: dict[str, Any] = completed.payload
    assert (payload["channel"], payload["caller"], payload["outcome"]) == ("phone", "+33612345678", "booked")
    assert payload["talk_time_s"] == {"caller": 1.2, "agent": 0.9}
    assert payload["transcript"] == list(msgspec.to_builtins(RECORD.transcript))
    assert payload["ended_at"] == RECORD.started_at + RECORD.duration_s


async def test_a_call_begun_or_saved_twice_even_at_once_counts_once(store: Store) -> None:
    calls = CallStore(store)
    assert sorted(await asyncio.gather(*(begin(calls) for _ in range(5)))) == [False] * 4 + [True]
    assert sorted(await asyncio.gather(*(calls.save("clinic", RECORD) for _ in range(5)))) == [False] * 4 + [True]
    other = msgspec.structs.replace(RECORD, reason="another")
    assert not await calls.save("clinic", other)
    assert await calls.get("clinic", "call-1") == RECORD
    assert [row["type"] for row in await published(store, "clinic")] == ["call.started", "call.completed"]


async def test_a_finished_call_names_the_appointments_made_in_it(store: Store) -> None:
    noon = dt.datetime(2027, 1, 11, 8, 0, tzinfo=dt.UTC)
    desk = StoredBookingDesk(store, CLINIC, lambda: noon)
    service = next(service.id for service in CLINIC.services if service.bookable)
    day = noon.date() + dt.timedelta(days=3)
    starts = (await desk.free_slots(service, day))[0]
    kept, given_back = [
        await desk.book(call_id="call-1", service_id=service, starts_at=moment, name="Marie", phone="+33612345678")
        for moment in (starts, (await desk.free_slots(service, day))[3])
    ]
    await desk.cancel(given_back.id)
    await desk.cancel(given_back.id)
    calls = CallStore(store)
    await calls.save(CLINIC.id, RECORD)
    told = [event_of(row) for row in await published(store, CLINIC.id)]
    assert sorted(event.type for event in told) == sorted(
        ["booking.confirmed", "booking.confirmed", "booking.cancelled", "call.completed"]
    )
    (completed,) = [event for event in told if event.type == "call.completed"]
    (sold,) = completed.payload["bookings"]
    assert (sold["id"], sold["starts_at_s"]) == (kept.id, int(starts.timestamp()))


async def test_calls_are_listed_newest_first_a_page_at_a_time_as_filtered(store: Store) -> None:
    calls = CallStore(store)
    for number in range(7):
        # Two calls of one instant are told apart by their ids.
        await begin(calls, f"call-{number}", started_at=1_800_000_000.0 + number // 2)
    await calls.save("clinic", msgspec.structs.replace(RECORD, call_id="call-3", started_at=1_800_000_001.0))
    assert await calls.begin("other", "call-3", started_at=1.0, language="en", details=PHONE)
    seen: list[str] = []
    after: tuple[float, str] | None = None
    while page := await calls.page("clinic", after=after, limit=3):
        seen += [call.call_id for call in page]
        after = (page[-1].started_at, page[-1].call_id)
    assert seen == ["call-6", "call-5", "call-4", "call-3", "call-2", "call-1", "call-0"]

    async def found(only: CallFilter) -> list[str]:
        return [call.call_id for call in await calls.page("clinic", only)]

    assert await found(CallFilter(state=CallState.ENDED)) == ["call-3"]
    assert await found(CallFilter(outcome="booked", language="fr", channel="phone")) == ["call-3"]
    assert await found(CallFilter(since=1_800_000_001.0, until=1_800_000_002.0)) == ["call-3", "call-2"]
    assert await found(CallFilter(call_ids=frozenset({"call-1", "call-9"}))) == ["call-1"]
    assert await found(CallFilter(channel="browser")) == []


async def test_the_state_of_a_call_follows_the_table(store: Store) -> None:
    calls = CallStore(store)
    await begin(calls)
    await calls.change_state("clinic", "call-1", CallState.ON_HOLD)
    with pytest.raises(CallTransitionError, match="'answered' cannot follow 'on_hold'; allowed: active"):
        await calls.change_state("clinic", "call-1", CallState.ANSWERED)
    found = await calls.find("clinic", "call-1")
    assert found is not None
    assert found.state is CallState.ON_HOLD
    with pytest.raises(CallNotFoundError):
        await calls.change_state("other", "call-1", CallState.ACTIVE)


async def test_the_calls_of_a_killed_process_are_completed_by_another(store: Store) -> None:
    clock = Clock()
    killed, living = CallNode(store, "killed", clock), CallNode(store, "living", clock)
    await killed.beat()
    await begin(CallStore(store, node=killed.id), "lost", clock() - 30)
    await living.beat()
    await begin(CallStore(store, node=living.id), "going-on", clock())
    assert await living.complete_lost_calls() == 0, "it may still live"

    clock.now_s += SILENT_AFTER_S + 1
    await living.beat()
    assert sorted(await asyncio.gather(living.complete_lost_calls(), living.complete_lost_calls())) == [0, 1]

    calls = CallStore(store)
    lost, going_on = await calls.find("clinic", "lost"), await calls.find("clinic", "going-on")
    assert lost is not None
    assert going_on is not None
    assert (lost.state, lost.reason, lost.duration_s) == (CallState.FAILED, "server_lost", 30.0)
    assert going_on.state is CallState.ACTIVE
    told = [row["id"] for row in await published(store, "clinic") if row["type"] == "call.completed"]
    assert told == ["lost.completed"]
    assert not await calls.save("clinic", msgspec.structs.replace(RECORD, call_id="lost"))


async def test_a_process_that_says_goodbye_leaves_its_calls_at_once(store: Store) -> None:
    clock = Clock()
    leaving, living = CallNode(store, "leaving", clock), CallNode(store, "living", clock)
    await leaving.start()
    await living.beat()
    await begin(CallStore(store, node=leaving.id), "left", clock())
    await leaving.stop()
    assert await living.complete_lost_calls() == 1


@given(st.lists(st.sampled_from(CallState), max_size=12))
def test_a_call_that_is_over_stays_over(wanted: list[CallState]) -> None:
    state, ended = CallState.RINGING, False
    for following in wanted:
        try:
            require_transition(state, following)
        except CallTransitionError:
            assert following not in TRANSITIONS[state]
            continue
        assert not ended
        state = following
        ended = state in OVER
