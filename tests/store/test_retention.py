"""History grows old: what was said goes, what bills rest on stays, each tenant by its own number of days."""

import os
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from context.bookings.tables import bookings
from context.calls.completed import CallDetails
from context.calls.store import CallStore
from context.erasure import retention
from context.erasure.providers import said_in_calls
from context.erasure.registry import Subject
from context.erasure.retention import DAY_S, RetentionJob
from context.events.tables import events
from context.home import Home
from context.store.database import Store
from context.store.transaction import TenantTransaction
from voice_core.record import CallRecord, Utterance
from voice_core.responder import Outcome

NOW_S = 1_812_600_000.0
DAYS = {"clinic": 30, "bakery": 90}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.open(tmp_path / "home")


@pytest.fixture
async def store(database_url: str) -> AsyncGenerator[Store, None]:
    opened = await Store.open(database_url)
    yield opened
    await opened.aclose()


def call_id(tenant_id: str, age_days: float) -> str:
    return f"{tenant_id}-{age_days * 24:.0f}h"


def file(home: Home, name: str, written_at: float) -> None:
    (home.recordings / name).write_bytes(b"RIFF")
    os.utime(home.recordings / name, (written_at, written_at))


async def call(store: Store, home: Home, tenant_id: str, age_days: float, which: str = "") -> None:
    started_at, this = NOW_S - age_days * DAY_S, call_id(tenant_id, age_days) + which
    for ending in ("wav", "events.jsonl"):
        file(home, f"{this}.{ending}", started_at)
    calls = CallStore(store)
    details = CallDetails(caller="+33612345678")
    await calls.begin(tenant_id, this, started_at=started_at, language="fr", details=details)
    said = (Utterance("caller", "Je m'appelle Zoé", 0.0, 900.0, "fr"),)
    record = CallRecord(
        call_id=this,
        started_at=started_at,
        duration_s=60.0,
        language="fr",
        outcome=Outcome.BOOKED,
        reason="hangup",
        transcript=said,
        tools=(),
        latency=(),
        caller_talk_s=1.0,
        agent_talk_s=1.0,
    )
    await calls.save(tenant_id, record)


def job(store: Store, home: Home) -> RetentionJob:
    return RetentionJob(store, home.recordings, DAYS.get, said_in_calls())


async def words(store: Store, tenant_id: str, age_days: float) -> int:
    record = await CallStore(store).get(tenant_id, call_id(tenant_id, age_days))
    assert record is not None
    assert (record.duration_s, record.outcome) == (60.0, Outcome.BOOKED)
    return len(record.transcript)


def recorded(home: Home) -> set[str]:
    return {path.stem for path in home.recordings.glob("*.wav")}


async def test_each_tenant_forgets_at_its_own_age_and_keeps_what_bills_need(store: Store, home: Home) -> None:
    for tenant_id in DAYS:
        for age in (29.9, 30.1, 89.9, 90.1):
            await call(store, home, tenant_id, age)
    forgotten = await job(store, home).run(NOW_S)
    assert forgotten.calls == {"clinic": 3, "bakery": 1}
    assert forgotten.files == 8
    assert [await words(store, "clinic", age) for age in (29.9, 30.1, 89.9, 90.1)] == [1, 0, 0, 0]
    assert [await words(store, "bakery", age) for age in (29.9, 30.1, 89.9, 90.1)] == [1, 1, 1, 0]
    kept = {"clinic": (29.9,), "bakery": (29.9, 30.1, 89.9)}
    assert recorded(home) == {call_id(tenant_id, age) for tenant_id, ages in kept.items() for age in ages}


async def test_events_of_old_calls_lose_their_words_and_stay_for_the_bill(store: Store, home: Home) -> None:
    await call(store, home, "clinic", 31)
    await call(store, home, "clinic", 29)
    await job(store, home).run(NOW_S)
    async with store.tenant("clinic").reading() as transaction:
        rows = {row["id"]: row["payload"] for row in await transaction.rows(events)}
    assert len(rows) == 4
    assert "Zoé" in rows[f"{call_id('clinic', 29)}.completed"]
    assert "Zoé" not in rows[f"{call_id('clinic', 31)}.completed"]
    assert '"duration_s":60' in rows[f"{call_id('clinic', 31)}.completed"]


async def test_a_second_run_finds_only_what_has_grown_old_since(store: Store, home: Home) -> None:
    for age in (40, 29):
        await call(store, home, "clinic", age)
    assert (await job(store, home).run(NOW_S)).calls == {"clinic": 1}
    assert (await job(store, home).run(NOW_S)).calls == {"clinic": 0}
    assert (await job(store, home).run(NOW_S + 2 * DAY_S)).calls == {"clinic": 1}


async def test_more_calls_than_one_transaction_takes(store: Store, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "CALLS_AT_A_TIME", 3)
    for number in range(9):
        await call(store, home, "clinic", 40 + number // 5, which=str(number))  # five began at the same moment
    assert (await job(store, home).run(NOW_S)).calls == {"clinic": 9}
    assert recorded(home) == set()


class Killed(BaseException):
    pass


async def test_killed_in_the_middle_the_next_run_finishes(
    store: Store, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "CALLS_AT_A_TIME", 2)
    for age in (31, 32, 33, 34, 35):
        await call(store, home, "clinic", age)

    class Deadly:
        name = "deadly"
        runs = 0

        async def export(self, transaction: TenantTransaction, subject: Subject) -> list[dict[str, object]]:
            return []

        async def erase(self, transaction: TenantTransaction, subject: Subject) -> int:
            self.runs += 1
            if self.runs == 2:
                raise Killed
            return 0

    dying = RetentionJob(store, home.recordings, DAYS.get, [*said_in_calls(), Deadly()])
    with pytest.raises(Killed):
        await dying.run(NOW_S)
    assert [await words(store, "clinic", age) for age in (35, 34, 33, 32, 31)] == [0, 0, 1, 1, 1]
    await job(store, home).run(NOW_S)
    assert [await words(store, "clinic", age) for age in (35, 34, 33, 32, 31)] == [0, 0, 0, 0, 0]
    assert recorded(home) == set()


async def test_a_tenant_that_keeps_its_history_for_ever_keeps_it(store: Store, home: Home) -> None:
    await call(store, home, "museum", 4000)
    assert (await job(store, home).run(NOW_S)).calls == {}
    assert await words(store, "museum", 4000) == 1
    assert recorded(home) == {call_id("museum", 4000)}


async def test_files_of_calls_that_left_no_row_go_when_everybodys_history_is_over(store: Store, home: Home) -> None:
    for tenant_id in DAYS:
        await call(store, home, tenant_id, 1)
    file(home, "lost-old.wav", NOW_S - 91 * DAY_S)
    file(home, "lost-new.wav", NOW_S - 89 * DAY_S)
    assert (await job(store, home).run(NOW_S)).files == 1
    assert recorded(home) == {call_id("clinic", 1), call_id("bakery", 1), "lost-new"}


async def test_a_call_that_goes_on_is_left_alone(store: Store, home: Home) -> None:
    started = NOW_S - 40 * DAY_S
    await CallStore(store).begin(
        "clinic", "live", started_at=started, language="fr", details=CallDetails(caller="+33612345678")
    )
    await job(store, home).run(NOW_S)
    found = await CallStore(store).find("clinic", "live")
    assert found is not None
    assert found.details.caller == "+33612345678"


async def test_appointments_are_not_history(store: Store, home: Home) -> None:
    await call(store, home, "clinic", 40)
    row = dict.fromkeys(("service_id", "name", "phone"), "x")
    async with store.tenant("clinic").writing() as transaction:
        times = {"starts_at_s": 0, "minutes": 30, "created_at_s": 0}
        await transaction.insert(bookings, [{"id": "b", "call_id": call_id("clinic", 40), **row, **times}])
    await job(store, home).run(NOW_S)
    async with store.tenant("clinic").reading() as transaction:
        (booking,) = await transaction.rows(bookings)
    assert booking["name"] == "x"
