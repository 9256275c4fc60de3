"""A person asks to be forgotten: afterwards no byte of the installation names them, whatever happens in between."""

import asyncio
import contextlib
import json
import shutil
import stat
import zipfile
from collections.abc import AsyncGenerator, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from context.bookings.store import StoredBookingDesk
from context.calls.completed import CallDetails
from context.calls.store import CallStore
from context.contacts.contact import ContactNotFoundError
from context.contacts.store import ContactStore
from context.contacts.tables import context_boxes
from context.erasure.erase import Certificate, Erasures, ErasureState
from context.erasure.errors import ExportError, SubjectInCallError
from context.erasure.export import export_contact
from context.erasure.providers import all_personal_data
from context.erasure.recordings import RecordingFiles
from context.erasure.registry import Subject
from context.erasure.tables import erasures
from context.home import Home
from context.security.audit import AuditLog
from context.security.tables import audit_entries
from context.store.database import Store
from context.store.schema import whole_schema
from context.store.transaction import Row, TenantTransaction
from tests.context.clinic import CLINIC, NOW, TUESDAY
from tests.postgres_server import TEMPLATE, PostgresServer
from tests.store.a_person import CALL_S, EMAIL, NAME, PHONE, SAID, files_with_traces, move_in, wall_clock_s

EVERYTHING = all_personal_data(wall_clock_s)
ON_SQLITE = pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
"""For what both databases do alike, and what is about SQLite's file."""


@pytest.fixture(scope="module")
def filled_home(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Subject]:
    """An installation on SQLite where she has been."""
    home = Home.open(tmp_path_factory.mktemp("filled") / "home")
    return home, asyncio.run(moved_in(home.database_url, home))


@pytest.fixture(scope="module")
def filled_database(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer
) -> tuple[Home, Subject, str]:
    """The same on Postgres, with the name of the database."""
    home = Home.open(tmp_path_factory.mktemp("filled") / "home")
    database = postgres_server.create(TEMPLATE)
    return home, asyncio.run(moved_in(postgres_server.url(database), home)), database


async def moved_in(url: str, home: Home) -> Subject:
    store = await Store.open(url)
    try:
        return await move_in(store, home.recordings)
    finally:
        await store.aclose()


@pytest.fixture(params=["sqlite", "postgres"])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Home, Subject, str]]:
    """A copy of one of them for one test, with the address of its database."""
    if request.param == "sqlite":
        filled, person = request.getfixturevalue("filled_home")
        home = Home(Path(shutil.copytree(filled.root, tmp_path / "home")))
        yield home, person, home.database_url
        return
    filled, person, template = request.getfixturevalue("filled_database")
    home = Home(Path(shutil.copytree(filled.root, tmp_path / "home")))
    server: PostgresServer = request.getfixturevalue("postgres_server")
    database = server.create(template)
    yield home, person, server.url(database)
    server.drop(database)


@pytest.fixture
def home(installation: tuple[Home, Subject, str]) -> Home:
    return installation[0]


@pytest.fixture
def subject(installation: tuple[Home, Subject, str]) -> Subject:
    return installation[1]


@pytest.fixture
async def store(installation: tuple[Home, Subject, str]) -> AsyncGenerator[Store, None]:
    opened = await Store.open(installation[2])
    yield opened
    await opened.aclose()


def erasures_of(store: Store, home: Home) -> Erasures:
    return Erasures(store, home.recordings, EVERYTHING, wall_clock_s)


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def every_row(store: Store) -> str:
    """All that the database holds, as text."""
    async with store.reading_every_tenant() as transaction:
        found = [await transaction.rows(table) for table in whole_schema().sorted_tables]
    return repr(found)


@ON_SQLITE
async def test_before_it_the_person_is_in_the_database_the_recordings_and_the_event_logs(
    store: Store, home: Home, subject: Subject
) -> None:
    """What the other tests look for can be found."""
    traces = files_with_traces(home.root)
    assert traces >= {"recordings/call1.wav", "recordings/call1.events.jsonl", "recordings/call2.wav"}
    if store.dialect == "sqlite":
        assert traces & {"parley.db", "parley.db-wal"}
    rows = await every_row(store)
    assert rows.count(PHONE) > 5
    assert rows.count(EMAIL) > 3


async def test_after_it_no_byte_of_the_home_names_the_person(store: Store, home: Home, subject: Subject) -> None:
    certificate = await erasures_of(store, home).erase(CLINIC.id, subject, actor="pilot:7")
    assert certificate.state is ErasureState.COMPLETED
    assert files_with_traces(home.root) == set()
    rows = await every_row(store)
    for trace in (PHONE, EMAIL, "Lacombe", "06 12"):
        assert trace not in rows


async def test_what_a_bill_needs_stays_and_so_do_other_people(store: Store, home: Home, subject: Subject) -> None:
    await erasures_of(store, home).erase(CLINIC.id, subject, actor="pilot:7")
    calls = CallStore(store)
    hers, others = await calls.get(CLINIC.id, "call1"), await calls.get(CLINIC.id, "other1")
    assert hers is not None
    assert others is not None
    assert (hers.duration_s, hers.outcome, hers.latency) == (CALL_S, others.outcome, ({"speech": 640.0},))
    assert (hers.transcript, hers.tools, hers.recording) == ((), (), "")
    assert others.transcript[0].text == "Ici Paul Durand 1"
    assert (home.recordings / "other1.wav").is_file()
    desk = StoredBookingDesk(store, CLINIC, lambda: NOW)
    assert [booking.name for booking in await desk.of_call("other1")] == ["Paul Durand"]


@ON_SQLITE
async def test_appointments_to_come_are_given_back(store: Store, home: Home, subject: Subject) -> None:
    desk = StoredBookingDesk(store, CLINIC, lambda: NOW)
    before = {slot.hour for slot in await desk.free_slots("cleaning", TUESDAY)}
    await erasures_of(store, home).erase(CLINIC.id, subject, actor="pilot:7")
    assert {slot.hour for slot in await desk.free_slots("cleaning", TUESDAY)} - before >= {9, 14}
    assert await desk.of_call("call1") == []


async def test_the_certificate_counts_and_names_nobody(store: Store, home: Home, subject: Subject) -> None:
    certificate = await erasures_of(store, home).erase(CLINIC.id, subject, actor="pilot:7")
    counts = certificate.counts
    assert set(counts) == {*(provider.name for provider in EVERYTHING.providers), "recordings"}
    assert (counts["calls"], counts["bookings"], counts["recordings"], counts["webhooks"]) == (2, 2, 4, 1)
    assert counts["events"] >= 6
    assert certificate.completed_at_ms == int(wall_clock_s() * 1000)
    text = msgspec.json.encode(certificate).decode()
    assert subject.contact_id not in text
    assert "call1" not in text
    async with store.tenant(CLINIC.id).reading() as transaction:
        (row,) = await transaction.rows(erasures)
    assert (row["subject"], row["files"]) == ("", "[]")


async def test_erasing_twice_is_erasing_once(store: Store, home: Home, subject: Subject) -> None:
    once = await erasures_of(store, home).erase(CLINIC.id, subject, actor="pilot:7")
    rows = await every_row(store)
    later = Erasures(store, home.recordings, EVERYTHING, lambda: wall_clock_s() + 60)
    assert await later.erase(CLINIC.id, subject, actor="pilot:7") == once
    assert await later.erase(CLINIC.id, Subject(subject.contact_id), actor="pilot:7") == once
    assert await later.certificate(CLINIC.id, subject.contact_id) == once
    assert await every_row(store) == rows
    assert await later.resume() == []


@ON_SQLITE
async def test_the_audit_log_tells_who_erased_whom_without_naming_them(
    store: Store, home: Home, subject: Subject
) -> None:
    certificate = await erasures_of(store, home).erase(CLINIC.id, subject, actor="pilot:7")
    async with store.tenant(CLINIC.id).reading() as transaction:
        (entry,) = await transaction.rows(audit_entries, audit_entries.c.action == "contact.erased")
    assert (entry["actor"], entry["target"]) == ("pilot:7", certificate.subject_hash)
    assert (await AuditLog(store).verify(CLINIC.id)).sound


@ON_SQLITE
async def test_the_contact_is_not_found_any_more(store: Store, home: Home, subject: Subject) -> None:
    await erasures_of(store, home).erase(CLINIC.id, subject, actor="pilot:7")
    with pytest.raises(ContactNotFoundError):
        await ContactStore(store).subject(CLINIC.id, subject.contact_id)


async def test_another_tenants_person_with_the_same_number_stays(store: Store, home: Home, subject: Subject) -> None:
    await CallStore(store).begin("bakery", "call9", started_at=1.0, language="fr", details=CallDetails(caller=PHONE))
    await erasures_of(store, home).erase(CLINIC.id, subject, actor="pilot:7")
    found = await CallStore(store).find("bakery", "call9")
    assert found is not None
    assert found.details.caller == PHONE


@ON_SQLITE
async def test_a_person_who_is_in_a_call_is_not_erased_half(store: Store, home: Home, subject: Subject) -> None:
    await CallStore(store).begin(
        CLINIC.id, "live", started_at=NOW.timestamp(), language="fr", details=CallDetails(caller=PHONE)
    )
    rows = await every_row(store)
    with pytest.raises(SubjectInCallError, match="call live"):
        await erasures_of(store, home).erase(CLINIC.id, subject, actor="pilot:7")
    assert await every_row(store) == rows
    assert (home.recordings / "call1.wav").is_file()


class Killed(BaseException):
    """The process is gone: nothing after this runs."""


class Fuse:
    """Kills at the n-th of the moments that matter: before and after each commit, file and write of the disk."""

    def __init__(self, moments: int) -> None:
        self.left = moments

    def burn(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Killed


def fitted(monkeypatch: pytest.MonkeyPatch, fuse: Fuse) -> None:
    writing_as, remove, outside = Store.writing_as, RecordingFiles.remove, Store.outside_transaction

    @contextlib.asynccontextmanager
    async def fused_writing(self: Store, owner: str) -> AsyncGenerator[AsyncConnection, None]:
        async with writing_as(self, owner) as connection:
            yield connection
            fuse.burn()
        fuse.burn()

    def fused_remove(self: RecordingFiles, names: Sequence[str]) -> None:
        for name in names:
            fuse.burn()
            remove(self, [name])

    async def fused_outside(self: Store, statement: str) -> Sequence[Sequence[Any]]:
        fuse.burn()
        return await outside(self, statement)

    monkeypatch.setattr(Store, "writing_as", fused_writing)
    monkeypatch.setattr(RecordingFiles, "remove", fused_remove)
    monkeypatch.setattr(Store, "outside_transaction", fused_outside)


MOMENTS = 14
"""Four transactions with two moments each, four files, writing the disk anew, emptying the log."""


@ON_SQLITE
@pytest.mark.parametrize("moment", range(MOMENTS))
async def test_killed_at_any_moment_it_is_finished_at_the_next_start(
    store: Store, home: Home, subject: Subject, moment: int
) -> None:
    rows_before = await every_row(store)
    with pytest.MonkeyPatch.context() as patch:
        fitted(patch, Fuse(moment))
        with pytest.raises(Killed):
            await erasures_of(store, home).erase(CLINIC.id, subject, actor="pilot:7")
    restarted = erasures_of(store, home)
    finished = await restarted.resume()
    if not finished and await restarted.certificate(CLINIC.id, subject.contact_id) is None:
        # Nothing was begun, so nothing was promised: everything is as it was.
        assert moment == 0
        assert await every_row(store) == rows_before
        finished = [await restarted.erase(CLINIC.id, subject, actor="pilot:7")]
    assert files_with_traces(home.root) == set()
    certificate = await restarted.certificate(CLINIC.id, subject.contact_id)
    assert isinstance(certificate, Certificate)
    assert certificate.state is ErasureState.COMPLETED
    assert (certificate.counts["calls"], certificate.counts["recordings"]) == (2, 4)
    assert await restarted.resume() == []


@ON_SQLITE
async def test_there_are_as_many_moments_as_the_test_of_them_says(
    store: Store, home: Home, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    fuse = Fuse(1000)
    fitted(monkeypatch, fuse)
    await erasures_of(store, home).erase(CLINIC.id, subject, actor="pilot:7")
    assert 1000 - fuse.left == MOMENTS


@ON_SQLITE
async def test_a_big_database_is_written_anew_by_the_housekeeping(store: Store, home: Home, subject: Subject) -> None:
    big = Erasures(store, home.recordings, EVERYTHING, wall_clock_s, scrub_limit_bytes=1000)
    waiting = await big.erase(CLINIC.id, subject, actor="pilot:7")
    assert (waiting.state, waiting.completed_at_ms) == (ErasureState.FILES_REMOVED, None)
    assert PHONE not in await every_row(store)
    assert not (home.recordings / "call1.wav").exists()
    (certificate,) = await big.resume()
    assert certificate.state is ErasureState.COMPLETED
    assert files_with_traces(home.root) == set()


@ON_SQLITE
async def test_an_export_holds_everything_with_the_recordings_and_is_private(
    store: Store, home: Home, subject: Subject, tmp_path: Path
) -> None:
    target = tmp_path / "zoe.zip"
    await export_contact(store, home.recordings, EVERYTHING, CLINIC.id, subject, target, wall_clock_s())
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with zipfile.ZipFile(target) as archive:
        data = json.loads(archive.read("data.json"))
        assert archive.read("recordings/call1.wav") == (home.recordings / "call1.wav").read_bytes()
        assert len(archive.namelist()) == 1 + 4
    exported = data["data"]
    assert set(exported) == {provider.name for provider in EVERYTHING.providers}
    assert {call["call_id"] for call in exported["calls"]} == {"call1", "call2"}
    assert exported["calls"][0]["record"]["transcript"][0]["text"] == SAID
    assert [booking["name"] for booking in exported["bookings"]] == [NAME, NAME]
    assert "Durand" not in json.dumps(data)
    for name in ("contacts", "context boxes", "events", "conversations", "webhooks"):
        assert exported[name], name


@ON_SQLITE
async def test_an_export_never_replaces_a_file(store: Store, home: Home, subject: Subject, tmp_path: Path) -> None:
    target = tmp_path / "zoe.zip"
    target.write_text("older")
    with pytest.raises(ExportError, match="never replaces"):
        await export_contact(store, home.recordings, EVERYTHING, CLINIC.id, subject, target, wall_clock_s())
    assert target.read_text() == "older"
    assert names_in(tmp_path) == {"home", "zoe.zip"}


HOLD_NO_CALLER = {
    "locks": {"calendars", "contact_desks", "staffs", "vaults"},
    "ids and times": {"booked_grains", "event_places", "unplaced_events", "webhook_deliveries", "retentions"},
    "hashes, and what an erasure empties itself": {"erasures"},
    "ids alone, by contract; kept for ever": {"audit_entries", "audit_heads"},
    "the tenant, its settings and its secrets": {
        *("tenants", "tenant_numbers", "removal_steps", "removed_tenants", "webhook_endpoints", "connections"),
        *("api_keys", "vault_data_keys", "vault_masters", "vault_secrets", "login_providers"),
    },
    "people who work for the tenant": {"memberships", "sessions", "one_time_links", "identities", "oauth_states"},
    "of use for minutes": {"rate_limits"},
}
"""Tables with a tenant's data that no provider is asked about, and why."""


class Watched(TenantTransaction):
    """Notes which tables are asked or changed."""

    asked: set[str]

    async def rows(self, table: sa.Table, *where: sa.ColumnElement[bool], **options: Any) -> Sequence[Row]:
        self.asked.add(table.name)
        return await super().rows(table, *where, **options)

    async def update(self, table: sa.Table, values: Row, *where: sa.ColumnElement[bool]) -> int:
        self.asked.add(table.name)
        return await super().update(table, values, *where)

    async def delete(self, table: sa.Table, *where: sa.ColumnElement[bool]) -> int:
        self.asked.add(table.name)
        return await super().delete(table, *where)


async def test_no_table_is_forgotten(store: Store, home: Home, subject: Subject) -> None:
    """A new table is either asked by a provider or said here to hold nobody's data."""
    async with store.writing_as(CLINIC.id) as connection:
        transaction = Watched(connection, CLINIC.id)
        transaction.asked = set()
        for provider in EVERYTHING.providers:
            await provider.erase(transaction, subject)
    tables = {name for name, table in whole_schema().tables.items() if "tenant_id" in table.columns}
    assert context_boxes.name in transaction.asked
    assert tables - transaction.asked - set[str]().union(*HOLD_NO_CALLER.values()) == set()
