"""A removed tenant leaves no row and no file, whatever table it is in, and its neighbour loses nothing."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from context.bookings.store import StoredBookingDesk
from context.bookings.tables import bookings
from context.calls.store import CallStore
from context.security.audit import AuditLog
from context.security.keys import ApiKeys
from context.security.principal import Scope
from context.security.vault_opening import open_vault
from context.store.database import Store
from context.store.schema import whole_schema
from context.tenants.errors import TenantExistsError, UnknownTenantError
from context.tenants.lifecycle import Change
from context.tenants.removal import PIECE_ROWS, CallRecordings, TenantRemoval, VaultSecrets, is_genuine
from context.tenants.store import StoredTenants
from context.tenants.tables import removed_tenants
from tests.context.clinic import NOW, TUESDAY, at, clinic
from voice_core.record import CallRecord
from voice_core.responder import Outcome

LATER = dt.datetime(2027, 6, 7, 12, 0, tzinfo=dt.UTC)


class Office:
    """Two tenants with calls, recordings, bookings and keys."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store = store
        self.recordings = folder / "recordings"
        self.recordings.mkdir()
        self.tenants = StoredTenants(store, lambda: LATER)

    def removal(self) -> TenantRemoval:
        return TenantRemoval(self.store, self.tenants, lambda: LATER, [CallRecordings(self.store, self.recordings)])

    async def open(self, tenant_id: str, number: str) -> None:
        await self.tenants.create(clinic(id=tenant_id, numbers=(number,)), actor="test")
        await ApiKeys(self.store).create(tenant_id, "api", [Scope.CALLS_READ])
        desk = StoredBookingDesk(self.store, clinic(id=tenant_id), lambda: NOW)
        await desk.book(
            call_id=f"{tenant_id}-1", service_id="cleaning", starts_at=at(TUESDAY, 9), name="Ann", phone="+33612345678"
        )
        await self.call(tenant_id, f"{tenant_id}-1")

    async def call(self, tenant_id: str, call_id: str) -> None:
        path = self.recordings / f"{call_id}.wav"
        path.write_bytes(b"RIFF")
        path.with_suffix(".events.jsonl").write_bytes(b"{}")
        record = CallRecord(
            call_id=call_id,
            started_at=0.0,
            duration_s=1.0,
            language="en",
            outcome=Outcome.BOOKED,
            reason="goodbye",
            transcript=(),
            tools=(),
            latency=(),
            caller_talk_s=0.0,
            agent_talk_s=0.0,
            recording=str(path),
        )
        assert await CallStore(self.store, "node").save(tenant_id, record)

    async def rows(self, tenant_id: str) -> dict[str, int]:
        """Table -> rows of this tenant, certificates aside; tables without any are left out."""
        counts: dict[str, int] = {}
        async with self.store.reading_every_tenant() as transaction:
            for table in whole_schema().sorted_tables:
                if "tenant_id" in table.c and table is not removed_tenants:
                    counts[table.name] = await transaction.count(table, table.c.tenant_id == tenant_id)
        return {name: count for name, count in counts.items() if count}

    def files(self, tenant_id: str) -> list[str]:
        return sorted(path.name for path in self.recordings.glob(f"{tenant_id}-*"))


@pytest.fixture
async def office(store: Store, tmp_path: Path) -> Office:
    return await two_tenants(store, tmp_path)


async def two_tenants(store: Store, folder: Path) -> Office:
    office = Office(store, folder)
    await office.open("clinic", "+33142000001")
    await office.open("other", "+33142000002")
    return office


async def test_nothing_is_left_of_it_and_its_neighbour_has_everything(store_on_each: Store, tmp_path: Path) -> None:
    office = await two_tenants(store_on_each, tmp_path)
    before = await office.rows("other")
    had = await office.rows("clinic")
    certificate = await office.removal().remove("clinic", actor="key-1")
    assert await office.rows("clinic") == {}
    assert office.files("clinic") == []
    assert await office.rows("other") == before
    assert office.files("other") == ["other-1.events.jsonl", "other-1.wav"]
    assert certificate.files == 2
    assert certificate.rows["bookings"] == had["bookings"] == 1
    assert set(certificate.rows) >= set(had) - {"tenants"}


async def test_the_certificate_can_be_checked_and_the_removal_is_in_the_servers_audit_log(office: Office) -> None:
    certificate = await office.removal().remove("clinic", actor="key-1")
    assert is_genuine(certificate)
    assert await office.removal().certificate("clinic") == certificate
    assert await office.removal().remove("clinic", actor="key-2") == certificate
    [entry] = await AuditLog(office.store).entries("")
    assert (entry.action, entry.target, entry.detail["digest"]) == ("tenant.removed", "clinic", certificate.digest)


async def test_a_removal_that_was_killed_before_it_was_noted_is_noted_at_the_next_start(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def killed(*_: object) -> None:
        raise ConnectionError("killed here")

    with monkeypatch.context() as patched:
        patched.setattr(TenantRemoval, "_note", killed)
        with pytest.raises(ConnectionError):
            await office.removal().remove("clinic", actor="key-1")
    assert await AuditLog(office.store).entries("") == []
    for _ in range(2):
        await office.removal().resume_all(actor="start")
    [entry] = await AuditLog(office.store).entries("")
    assert (entry.actor, entry.action) == ("key-1", "tenant.removed")


async def test_the_id_is_not_given_to_anybody_else(office: Office) -> None:
    await office.removal().remove("clinic", actor="test")
    with pytest.raises(TenantExistsError, match="has been removed"):
        await office.tenants.create(clinic(), actor="test")


async def test_a_removal_that_was_broken_off_is_finished_at_the_next_start(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = TenantRemoval._empty

    async def failing(self: TenantRemoval, table: sa.Table, tenant_id: str) -> None:
        if table is bookings:
            raise ConnectionError("killed here")
        await whole(self, table, tenant_id)

    with monkeypatch.context() as patched:
        patched.setattr(TenantRemoval, "_empty", failing)
        with pytest.raises(ConnectionError):
            await office.removal().remove("clinic", actor="test")
    assert "bookings" in await office.rows("clinic")
    [certificate] = await office.removal().resume_all(actor="start")
    assert await office.rows("clinic") == {}
    assert (certificate.rows["bookings"], certificate.rows["booked_grains"], certificate.files) == (1, 10, 2)


async def test_what_a_late_call_leaves_is_swept_away(office: Office) -> None:
    await office.removal().remove("clinic", actor="test")
    await office.call("clinic", "clinic-2")
    assert await office.rows("clinic") != {}
    assert await office.removal().resume_all(actor="start") == []
    assert await office.rows("clinic") == {}
    assert office.files("clinic") == []


async def test_many_rows_go_in_pieces(store: Store, tmp_path: Path) -> None:
    office = Office(store, tmp_path)
    await office.open("clinic", "+33142000001")
    rows: list[dict[str, Any]] = [
        {
            "id": f"b{n}", "call_id": "c", "service_id": "cleaning", "starts_at_s": n, "minutes": 1, "name": "",
            "phone": "", "created_at_s": 0, "cancelled_at_s": 1,
        }
        for n in range(2 * PIECE_ROWS + 1)
    ]  # fmt: skip
    async with store.tenant("clinic").writing() as transaction:
        await transaction.insert(bookings, rows)
    certificate = await office.removal().remove("clinic", actor="test")
    assert certificate.rows["bookings"] == 2 * PIECE_ROWS + 2


async def test_nobody_cannot_be_removed(office: Office) -> None:
    with pytest.raises(UnknownTenantError):
        await office.removal().remove("nobody", actor="test")


async def test_a_call_id_with_signs_in_it_reaches_no_other_file(store: Store, tmp_path: Path) -> None:
    office = Office(store, tmp_path)
    await office.open("clinic", "+33142000001")
    await office.open("other", "+33142000002")
    for call_id in ("*", "[a-z]*", "..", "other-?"):
        await office.call("clinic", call_id)
    await office.removal().remove("clinic", actor="test")
    assert office.files("other") == ["other-1.events.jsonl", "other-1.wav"]


async def test_a_suspended_tenant_can_be_removed(office: Office) -> None:
    await office.tenants.change("clinic", Change.SUSPEND, actor="test")
    assert (await office.removal().remove("clinic", actor="test")).tenant_id == "clinic"


async def test_secrets_are_removed_where_they_are_kept(office: Office, tmp_path: Path) -> None:
    vault = open_vault(office.store, tmp_path, {})
    await vault.put("clinic", "deepgram", "sk-1")
    await vault.put("other", "deepgram", "sk-2")
    removal = TenantRemoval(office.store, office.tenants, lambda: LATER, [VaultSecrets(vault)])
    assert (await removal.remove("clinic", actor="test")).files == 1
    assert await vault.names("clinic") == []
    assert await vault.get("other", "deepgram") == "sk-2"
    await vault.aclose()
