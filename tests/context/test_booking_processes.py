"""Several servers on one database: no slot is sold twice whichever process is asked."""

import asyncio
import itertools
import json
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

from context.bookings.tables import bookings
from context.store.database import Store
from tests.context.clinic import CLINIC

PROJECT = Path(__file__).resolve().parents[2]

SELLER = """
import asyncio, json, sys
from context.bookings.store import StoredBookingDesk
from context.bookings.desk import SlotTaken
from context.store.database import Store
from tests.context.clinic import NOW, TUESDAY, at, clinic

async def main(url, seller):
    print("ready", flush=True)
    sys.stdin.readline()
    store = await Store.open(url)
    desk = StoredBookingDesk(store, clinic(), lambda: NOW)
    sold = []
    for hour in (17, 9, 16, 10, 15, 11, 14):
        for service in ("cleaning", "surgery"):
            try:
                booking = await desk.book(
                    call_id=f"{seller}-{hour}-{service}", service_id=service, starts_at=at(TUESDAY, hour), name="N",
                    phone="P",
                )
                sold.append(booking.id)
            except SlotTaken:
                pass
    await store.aclose()
    print(json.dumps(sold))

asyncio.run(main(sys.argv[1], sys.argv[2]))
"""


async def test_processes_that_open_a_new_database_at_once_and_sell_the_same_day_never_sell_twice(
    database_url: str,
) -> None:
    sellers = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", SELLER, database_url, f"seller{number}"), cwd=PROJECT, stdin=PIPE, stdout=PIPE
        )
        for number in range(3)
    ]
    for seller in sellers:
        assert seller.stdout
        assert await seller.stdout.readline() == b"ready\n"
    answers = await asyncio.gather(*(seller.communicate(b"go\n") for seller in sellers))
    assert [seller.returncode for seller in sellers] == [0, 0, 0]
    acknowledged = sorted(booking_id for out, _ in answers for booking_id in json.loads(out))

    store = await Store.open(database_url)
    async with store.tenant(CLINIC.id).reading() as transaction:
        stored = await transaction.rows(bookings, order_by=[bookings.c.starts_at_s.asc()])
    await store.aclose()
    assert sorted(row["id"] for row in stored) == acknowledged
    assert len(stored) == CLINIC.booking.per_day
    for sooner, later in itertools.pairwise(stored):
        held_until_s = sooner["starts_at_s"] + (sooner["minutes"] + CLINIC.booking.buffer_minutes) * 60
        assert held_until_s <= later["starts_at_s"]
