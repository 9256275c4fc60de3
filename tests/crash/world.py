"""What a crash test is about: two tenants, a table that counts effects, and what one process does in its life.

Nothing here is random: the harness says when to die. Shared by `worker`, `verify` and `harness`.
"""

import datetime as dt
from enum import StrEnum
from pathlib import Path

import msgspec
import sqlalchemy as sa

from context.events.settings import BusSettings
from context.tenants.config import BookingPolicy, OpeningHours, Service, TenantConfig
from tests.context.clinic import NOW, clinic
from voice_core.record import CallRecord, Utterance
from voice_core.responder import Outcome

LANES = 2
"""Calls at the same time in one worker."""

SLOT_MINUTES = 5
SLOTS_A_DAY = 280
SERVICE = "visit"
ENDPOINT = "we_crash"
NOTED = "crash.noted"

BUS = BusSettings(
    first_pause_s=0.05,
    poll_s=0.05,
    round_s=0.01,
    batch=10,
    worker_lease_s=2.0,
    housekeeping_s=0.3,
    orphan_s=2.0,
    stop_s=2.0,
)

TENANTS: tuple[TenantConfig, ...] = tuple(
    clinic(
        id=tenant_id,
        hours={
            day: (OpeningHours(dt.time(0), dt.time(23, 55)),)
            for day in ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
        },
        services=(Service(id=SERVICE, name={"en": "a visit"}, words={}, minutes=SLOT_MINUTES),),
        booking=BookingPolicy(slot_minutes=SLOT_MINUTES, buffer_minutes=0, notice_hours=0, per_day=999, days_ahead=360),
    )
    for tenant_id in ("crash-north", "crash-south")
)

ledger = sa.Table(
    "crash_ledger",
    sa.MetaData(),
    sa.Column("tenant_id", sa.String, primary_key=True),
    # Random, so that an effect that is applied twice makes two rows and not an error.
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("event_id", sa.String, nullable=False),
    sa.Column("call_id", sa.String, nullable=False),
)
"""Effects of call.completed, as billing will have them."""


class Mode(StrEnum):
    """LOAD: take calls until death. DRAIN: handle what is left, then end."""

    LOAD = "load"
    DRAIN = "drain"


class Life(msgspec.Struct, frozen=True):
    """One life of one worker. boundary: die at this commit's edge (see `worker`), None to be killed from outside."""

    url: str
    folder: Path
    worker: int
    mode: Mode = Mode.LOAD
    boundary: int | None = None


class Call(msgspec.Struct, frozen=True):
    """One made-up call: which it is, whose, and when its appointment is."""

    lane: int
    number: int

    @property
    def id(self) -> str:
        """The call's id."""
        return f"call-{self.lane}-{self.number}"

    @property
    def tenant(self) -> TenantConfig:
        """Whose it is: tenants take turns."""
        return TENANTS[self.number % len(TENANTS)]

    @property
    def starts_at(self) -> dt.datetime:
        """The start that it books, which no other call books."""
        slot = self.number * 4 + self.lane
        day = NOW.date() + dt.timedelta(days=1 + slot // SLOTS_A_DAY)
        return dt.datetime.combine(day, dt.time(), NOW.tzinfo) + dt.timedelta(minutes=slot % SLOTS_A_DAY * SLOT_MINUTES)

    @property
    def record(self) -> CallRecord:
        """What it leaves."""
        return CallRecord(
            call_id=self.id,
            started_at=NOW.timestamp() + self.number,
            duration_s=30.0,
            language="en",
            outcome=Outcome.BOOKED,
            reason="agent_ended",
            transcript=(Utterance("caller", f"number {self.number} of lane {self.lane}", 0.0, 900.0, "en"),),
            tools=(),
            latency=(),
            caller_talk_s=0.9,
            agent_talk_s=2.0,
        )


def acknowledgements(folder: Path, lane: int) -> Path:
    """Where a lane writes what was acknowledged to it: one line each."""
    return folder / f"acknowledged-{lane}.txt"


def told_outside(folder: Path, worker: int) -> Path:
    """Where a worker's external subscriber writes the ids of events that it was given."""
    return folder / f"outside-{worker}.txt"


def whole_lines(path: Path) -> list[str]:
    """The lines of a file whose last line may be cut."""
    return path.read_text().rpartition("\n")[0].splitlines() if path.exists() else []
