"""What a call has left behind, read back from the server's own state as an operator would.

The database is opened beside the running server; nothing here asks the server itself.
"""

import datetime as dt
import stat
from collections import Counter
from pathlib import Path

import agents.demo
from benchmarks.wer import normalise
from context.bookings.desk import Booking
from context.bookings.store import StoredBookingDesk
from context.calls.store import CallStore
from context.home import Home
from context.store.database import Store
from context.tenants.tenant_file import load_tenant
from voice_core.frames import Pcm16
from voice_core.record import CallRecord
from voice_core.voice_to_voice import read_stereo

CLINIC = load_tenant(Path(agents.demo.__path__[0]) / "clinique_du_parc.yaml")


async def stored_record(home: Path, call_id: str) -> CallRecord:
    """The record of a call."""
    store = await Store.open(Home(home).database_url)
    try:
        record = await CallStore(store).get(CLINIC.id, call_id)
    finally:
        await store.aclose()
    assert record is not None, f"call {call_id} has left no record"
    return record


async def stored_bookings(home: Path, call_id: str) -> list[Booking]:
    """The appointments made in a call."""
    store = await Store.open(Home(home).database_url)
    try:
        return await StoredBookingDesk(store, CLINIC).of_call(call_id)
    finally:
        await store.aclose()


async def free_starts(home: Path, booking: Booking) -> list[dt.datetime]:
    """What could still be sold on the day of an appointment."""
    store = await Store.open(Home(home).database_url)
    try:
        return await StoredBookingDesk(store, CLINIC).free_slots(booking.service_id, booking.starts_at.date())
    finally:
        await store.aclose()


def recording(home: Path, call_id: str) -> tuple[Pcm16, Pcm16, int]:
    """Caller, agent and rate of the server's recording of a call."""
    return read_stereo(home / "recordings" / f"{call_id}.wav")


def share_heard(said: str, heard: str, language: str) -> float:
    """Share of the words that were said which recognition hears again in the recording, 0..1.

    A single word may be misheard on any day (the date of the appointment changes); most of them may not.
    """
    words, again = Counter(normalise(said, language)), Counter(normalise(heard, language))
    return sum((words & again).values()) / sum(words.values())


def event_log(home: Path, call_id: str) -> bytes:
    """The event log of a call."""
    return (home / "recordings" / f"{call_id}.events.jsonl").read_bytes()


def said_by(record: CallRecord, role: str) -> str:
    """Everything that one side said."""
    return " ".join(utterance.text for utterance in record.transcript if utterance.role == role)


def open_to_others(home: Path) -> list[str]:
    """Files of the home that somebody but their owner could read."""
    files = (path for path in home.rglob("*") if path.is_file())
    return [str(path.relative_to(home)) for path in files if stat.S_IMODE(path.stat().st_mode) & 0o077]
