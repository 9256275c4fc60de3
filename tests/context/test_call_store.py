"""Call records: counted once, kept apart by tenant, still there after the process is killed."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import msgspec

from context.calls.store import CallStore
from context.store.database import Store
from voice_core.record import CallRecord, ToolUse, Utterance
from voice_core.responder import Outcome

PROJECT = Path(__file__).resolve().parents[2]

RECORD = CallRecord(
    call_id="call-1",
    started_at=1_800_000_000.5,
    duration_s=42.25,
    language="fr",
    outcome=Outcome.BOOKED,
    reason="agent_ended",
    transcript=(
        Utterance("agent", "Bonjour", 10.0, 900.5, "fr", intended="Bonjour, clinique du parc"),
        Utterance("caller", "مرحبا, je voudrais un rendez-vous", 1200.0, 2400.0, "fr"),
    ),
    tools=(ToolUse("create_booking", {"slot": "10:00", "n": 1}, {"id": "b", "nested": [1, None]}, True, 3000.0),),
    latency=({"endpoint": 210.5, "first_audio": 320.0},),
    caller_talk_s=1.2,
    agent_talk_s=0.9,
    recording="recordings/call-1.wav",
)

SAVER = """
import asyncio, sys
import msgspec
from context.calls.store import CallStore
from context.store.database import Store
from tests.context.test_call_store import RECORD

async def main(url):
    calls = CallStore(await Store.open(url))
    number = 0
    while True:
        number += 1
        await calls.save("clinic", msgspec.structs.replace(RECORD, call_id=f"call-{number}"))
        print(f"call-{number}", flush=True)

asyncio.run(main(sys.argv[1]))
"""


async def test_a_record_is_read_back_whole(store: Store) -> None:
    calls = CallStore(store)
    assert await calls.save("clinic", RECORD)
    assert await calls.get("clinic", "call-1") == RECORD


async def test_a_call_saved_twice_even_at_once_counts_once_and_stays_as_it_was(store: Store) -> None:
    calls = CallStore(store)
    later = msgspec.structs.replace(RECORD, duration_s=1.0)
    saved = await asyncio.gather(*(calls.save("clinic", RECORD) for _ in range(5)))
    assert sorted(saved) == [False, False, False, False, True]
    assert not await calls.save("clinic", later)
    assert await calls.recent("clinic") == [RECORD]


async def test_a_tenant_does_not_find_the_calls_of_another(store: Store) -> None:
    calls = CallStore(store)
    await calls.save("clinic", RECORD)
    assert await calls.get("rival", "call-1") is None
    assert await calls.recent("rival") == []


async def test_recent_calls_come_newest_first_and_no_more_than_asked(store: Store) -> None:
    calls = CallStore(store)
    for age in (2, 0, 3, 1):
        await calls.save(
            "clinic", msgspec.structs.replace(RECORD, call_id=f"age-{age}", started_at=RECORD.started_at - age)
        )
    assert [record.call_id for record in await calls.recent("clinic", limit=3)] == ["age-0", "age-1", "age-2"]


async def test_every_call_that_was_acknowledged_survives_a_kill_right_after(database_url: str) -> None:
    saver = await asyncio.create_subprocess_exec(sys.executable, "-c", SAVER, database_url, cwd=PROJECT, stdout=PIPE)
    assert saver.stdout
    for _ in range(10):
        await saver.stdout.readline()
    saver.kill()
    rest, _ = await saver.communicate()
    acknowledged = 10 + rest.count(b"\n")

    store = await Store.open(database_url)
    for number in range(1, acknowledged + 1):
        assert await CallStore(store).get("clinic", f"call-{number}") is not None
    await store.aclose()
