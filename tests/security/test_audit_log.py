"""The audit log: gapless whoever writes at once, and whatever is done to it afterwards shows."""

import asyncio
import stat
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from context.errors import HomeError
from context.security.audit import AuditLog, Entry, Query, signing_key
from context.security.audit_anchors import ANCHORS_FILE, AnchorFile, AnchorKeeper
from context.security.audit_chain import (
    NO_HASH,
    Anchor,
    AuditRecord,
    ChainReport,
    ChainWalker,
    FaultKind,
    hash_of,
    signed,
)
from context.security.errors import AuditEntryError
from context.security.master_key import MasterKeyFile
from context.security.tables import THE_SERVER, audit_entries, audit_heads
from context.security.vault import Vault
from context.security.vault_store import StoredSecrets
from context.store.database import Store
from tests.security.conftest import Clock

KEY = bytes(range(32))


async def written(store: Store, entries: int, tenant_id: str = "clinic") -> AuditLog:
    log = AuditLog(store, KEY, now=Clock())
    for number in range(entries):
        async with store.tenant(tenant_id).writing() as transaction:
            await log.write(transaction, Entry("user-1", "booking.moved", f"b{number}", {"from_s": number}))
    return log


def kinds(report: ChainReport) -> set[FaultKind]:
    return {fault.kind for fault in report.faults}


async def test_what_was_written_is_read_and_sound(any_store: Store) -> None:
    log = await written(any_store, 5)
    entries = await log.entries("clinic", Query(target="b3"))
    assert [(entry.seq, entry.actor, entry.action, entry.detail) for entry in entries] == [
        (4, "user-1", "booking.moved", {"from_s": 3})
    ]
    report = await log.verify("clinic")
    assert report.sound
    assert (report.entries, report.end) == (5, 5)
    assert (await log.verify("nobody")).sound
    assert [entry.seq async for entry in log.export("clinic")] == [1, 2, 3, 4, 5]


async def test_an_action_that_is_undone_leaves_no_entry(any_store: Store) -> None:
    log = await written(any_store, 1)

    async def fail() -> None:
        async with any_store.tenant("clinic").writing() as transaction:
            await log.write(transaction, Entry("user-1", "booking.moved"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    report = await log.verify("clinic")
    assert (report.sound, report.entries) == (True, 1)


async def test_writers_at_once_in_two_processes_make_one_gapless_chain(any_store: Store, second_store: Store) -> None:
    async def write(store: Store, name: str) -> None:
        log = AuditLog(store, KEY)
        for _ in range(10):
            async with store.tenant("clinic").writing() as transaction:
                await log.write(transaction, Entry(name, "booking.moved"))

    stores = {"1": any_store, "2": second_store}
    await asyncio.gather(*(write(store, f"writer-{turn}-{name}") for turn in "abc" for name, store in stores.items()))
    report = await AuditLog(second_store, KEY).verify("clinic")
    assert report.sound
    assert report.entries == report.end == 60


async def test_a_check_during_writing_finds_nothing_wrong(any_store: Store, second_store: Store) -> None:
    log = await written(any_store, 3)
    writing = asyncio.create_task(written(second_store, 25))
    reports = 0
    while not writing.done():
        assert (await log.verify("clinic")).faults == ()
        reports += 1
    await writing
    assert reports > 0
    assert (await log.verify("clinic")).entries == 28


async def tamper(store: Store, statement: sa.Executable) -> None:
    async with store.writing_every_tenant() as server:
        await server._connection.execute(statement)


OWN = audit_entries.c.tenant_id == "clinic"
ENTRY_3 = OWN & (audit_entries.c.seq == 3)
CLINIC = audit_heads.c.tenant_id == "clinic"


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        (sa.update(audit_entries).where(ENTRY_3).values(actor="user-2"), FaultKind.CHANGED),
        (sa.update(audit_entries).where(ENTRY_3).values(at_ms=1), FaultKind.CHANGED),
        (sa.update(audit_entries).where(ENTRY_3).values(detail='{"from_s":3}'), FaultKind.CHANGED),
        (sa.update(audit_entries).where(ENTRY_3).values(detail="{"), FaultKind.UNREADABLE),
        (sa.update(audit_entries).where(ENTRY_3).values(hash="0" * 64), FaultKind.CHANGED),
        (sa.delete(audit_entries).where(ENTRY_3), FaultKind.MISSING),
        (sa.delete(audit_entries).where(OWN, audit_entries.c.seq >= 5), FaultKind.END),
        (sa.delete(audit_entries).where(OWN, audit_entries.c.seq <= 2), FaultKind.MISSING),
        (sa.delete(audit_entries).where(OWN), FaultKind.END),
        (sa.delete(audit_heads).where(CLINIC), FaultKind.END),
        (sa.update(audit_heads).where(CLINIC).values(seq=7), FaultKind.END),
        (sa.update(audit_heads).where(CLINIC).values(hash="0" * 64), FaultKind.END),
    ],
)
async def test_each_way_to_touch_the_log_is_found(store: Store, statement: sa.Executable, kind: FaultKind) -> None:
    log = await written(store, 6)
    await written(store, 6, "garage")
    await tamper(store, statement)
    report = await log.verify("clinic")
    assert kind in kinds(report)
    assert (await log.verify("garage")).sound


async def test_a_chain_written_anew_is_found_by_an_anchor_of_the_old_one(store: Store) -> None:
    log = await written(store, 4)
    anchor = await log.anchor("clinic")
    async with store.writing_every_tenant() as server:
        await server.delete(audit_entries)
        await server.delete(audit_heads)
    await written(store, 5)
    assert (await log.verify("clinic", anchor)).sound  # the same entries are the same chain
    async with store.writing_every_tenant() as server:
        await server.delete(audit_entries)
        await server.delete(audit_heads)
    for _ in range(6):
        async with store.tenant("clinic").writing() as transaction:
            await log.write(transaction, Entry("user-9", "nothing.happened"))
    assert (await log.verify("clinic")).sound
    assert kinds(await log.verify("clinic", anchor)) == {FaultKind.ANCHOR}


async def test_a_log_set_back_to_yesterday_is_found_by_yesterdays_anchor_alone(store: Store) -> None:
    log = await written(store, 3)
    async with store.tenant("clinic").reading() as transaction:
        old_head = await transaction.row(audit_heads)
    assert old_head is not None
    await written(store, 2)
    anchor = await log.anchor("clinic")
    async with store.tenant("clinic").writing() as transaction:
        await transaction.delete(audit_entries, audit_entries.c.seq > 3)
        await transaction.upsert(audit_heads, old_head)
    assert (await log.verify("clinic")).sound  # a true state of the past
    assert kinds(await log.verify("clinic", anchor)) == {FaultKind.ANCHOR}


async def test_an_anchor_is_found_again_when_the_log_has_grown(store: Store) -> None:
    log = await written(store, 3)
    anchor = await log.anchor("clinic")
    await written(store, 3)
    assert (await log.verify("clinic", anchor)).sound
    for changes in ({"hash": "0" * 64}, {"tenant_id": "garage"}, {"at_ms": 1}, {"signature": "é"}, {"seq": 2}):
        forged = msgspec.structs.replace(anchor, **changes)
        assert FaultKind.ANCHOR in kinds(await log.verify("clinic", forged))


async def test_the_installations_own_chain_is_one_too(store: Store) -> None:
    log = await written(store, 2, THE_SERVER)
    assert (await log.verify("")).entries == 2


async def test_the_signing_key_is_made_once_and_survives_a_master_rotation(store: Store, tmp_path: Path) -> None:
    file = MasterKeyFile(tmp_path / "master.key").ensure()
    first = await signing_key(Vault.in_store(store, file))
    file.begin_rotation()
    await StoredSecrets(store, file, Clock()).rotate_master()
    file.finish_rotation()
    assert first == await signing_key(Vault.in_store(store, file))
    assert len(first) == 32


@pytest.fixture
def keeper(store: Store, tmp_path: Path, clock: Clock) -> AnchorKeeper:
    return AnchorKeeper(store, AuditLog(store, KEY, now=clock), AnchorFile(tmp_path))


async def test_sound_chains_move_their_anchors(keeper: AnchorKeeper, store: Store, tmp_path: Path) -> None:
    assert await keeper.advance() == []
    await written(store, 3)
    await written(store, 2, "garage")
    assert await keeper.advance() == []
    await written(store, 2)
    assert await keeper.advance() == []
    kept = {tenant_id: anchor.seq for tenant_id, anchor in AnchorFile(tmp_path).load().items()}
    assert kept == {"clinic": 5, "garage": 2}
    assert stat.S_IMODE((tmp_path / ANCHORS_FILE).stat().st_mode) == 0o600
    report = await AuditLog(store, KEY).verify("clinic", keeper.anchor_of("clinic"))
    assert (report.sound, report.anchored) == (True, 5)


@pytest.mark.parametrize("how", ["anew", "cut", "gone", "changed"])
async def test_a_broken_chain_is_reported_until_a_person_accepts_it(
    keeper: AnchorKeeper, store: Store, how: str
) -> None:
    await written(store, 3)
    assert await keeper.advance() == []
    await written(store, 2)
    async with store.tenant("clinic").writing() as transaction:
        match how:
            case "anew":
                await transaction.delete(audit_entries)
                await transaction.delete(audit_heads)
                log = AuditLog(store)
                for _ in range(5):
                    await log.write(transaction, Entry("user-9", "nothing.happened"))
            case "cut":
                await transaction.delete(audit_entries, audit_entries.c.seq > 2)
                second = await transaction.row(audit_entries, audit_entries.c.seq == 2)
                assert second is not None
                await transaction.update(audit_heads, {"seq": 2, "hash": second["hash"]})
            case "gone":
                await transaction.delete(audit_entries)
                await transaction.delete(audit_heads)
            case _:
                await transaction.update(audit_entries, {"actor": "user-9"}, audit_entries.c.seq == 4)
    for _ in range(2):
        assert [report.tenant_id for report in await keeper.advance()] == ["clinic"]
    await keeper.accept("clinic", actor="operator-1")
    assert await keeper.advance() == []
    entries = await AuditLog(store).entries("", Query(action="audit.accepted"))
    assert [(entry.actor, entry.target) for entry in entries] == [("operator-1", "clinic")]


async def test_a_removed_tenant_takes_its_chain_along_and_may_begin_again(
    keeper: AnchorKeeper, store: Store, tmp_path: Path, clock: Clock
) -> None:
    await written(store, 3)
    assert await keeper.advance() == []
    clock.pass_s(10)
    async with store.tenant("clinic").writing() as transaction:
        await transaction.delete(audit_entries)
        await transaction.delete(audit_heads)
    log = AuditLog(store, now=clock)
    async with store.tenant(THE_SERVER).writing() as transaction:
        await log.write(transaction, Entry("operator-1", "tenant.removed", "clinic"))
    assert await keeper.advance() == []
    assert set(AnchorFile(tmp_path).load()) == {THE_SERVER}
    await written(store, 1)
    assert await keeper.advance() == []
    assert AnchorFile(tmp_path).load()["clinic"].seq == 1


def test_unreadable_anchors_are_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / ANCHORS_FILE).write_text("{")
    with pytest.raises(HomeError, match=ANCHORS_FILE):
        AnchorFile(tmp_path).load()


@pytest.mark.parametrize(
    "entry",
    [
        Entry("Marie Curie", "booking.moved"),
        Entry("", "booking.moved"),
        Entry("marie@curie.example", "booking.moved"),
        Entry("user-1", "moved"),
        Entry("user-1", "Booking.Moved"),
        Entry("user-1", "booking.moved", "+33612345678"),
        Entry("user-1", "booking.moved", "b1", {"to": "Marie Curie"}),
        Entry("user-1", "booking.moved", "b1", {"to": ["b2", "marie@curie.example"]}),
        Entry("user-1", "booking.moved", "b1", {"To": 1}),
        Entry("user-1", "booking.moved", "b1", {f"f{number}": "x" * 200 for number in range(40)}),
    ],
)
async def test_people_and_prose_are_kept_out(store: Store, entry: Entry) -> None:
    log = AuditLog(store)
    with pytest.raises(AuditEntryError) as caught:
        async with store.tenant("clinic").writing() as transaction:
            await log.write(transaction, entry)
    assert not any(word in str(caught.value) for word in ("Marie", "marie@", "336123"))
    assert await log.entries("clinic") == []


def chain(length: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    previous = NO_HASH
    for seq in range(1, length + 1):
        record = AuditRecord("t", seq, 1000 + seq, "a", "b.c", f"x{seq % 3}", {"n": seq % 2}, previous, "")
        previous = hash_of(record)
        row = {name: getattr(record, name) for name in record.__struct_fields__}
        rows.append({**row, "hash": previous, "detail": f'{{"n":{seq % 2}}}'})
    return rows


def walked(rows: list[dict[str, Any]], head: dict[str, Any], anchor: Anchor) -> ChainReport:
    walker = ChainWalker("t", anchor, KEY)
    for row in rows:
        walker.entry(row)
    return walker.finish(head)


edits = st.sampled_from(["drop", "swap", "repeat", "renumber", "field", "cut", "rehash"])


@settings(max_examples=300)
@given(length=st.integers(1, 12), edit=edits, data=st.data())
def test_any_edit_of_any_chain_is_found(length: int, edit: str, data: st.DataObject) -> None:
    rows = chain(length)
    head = {"seq": length, "hash": rows[-1]["hash"]}
    anchor = signed(Anchor("t", length, rows[-1]["hash"]), KEY)
    assert walked(rows, head, anchor).sound
    at = data.draw(st.integers(0, length - 1))
    touched = [dict(row) for row in rows]
    match edit:
        case "drop":
            del touched[at]
        case "swap":
            other = data.draw(st.integers(0, length - 1))
            touched[at], touched[other] = touched[other], touched[at]
        case "repeat":
            touched.insert(at, dict(touched[at]))
        case "renumber":
            touched = [*touched[:at], *({**row, "seq": row["seq"] - 1} for row in touched[at + 1 :])]
        case "field":
            field = data.draw(st.sampled_from(["actor", "action", "target", "previous_hash", "at_ms"]))
            touched[at][field] = 7 if field == "at_ms" else "z"
        case "cut":
            touched = touched[:at]
        case _:
            # Every hash from here on made anew: what the anchor is for.
            touched[at]["actor"] = "z"
            previous = touched[at]["previous_hash"]
            for row in touched[at:]:
                row["previous_hash"] = previous
                fields = {name: row[name] for name in AuditRecord.__struct_fields__ if name != "detail"}
                record = AuditRecord(**fields, detail={"n": row["seq"] % 2})
                previous = row["hash"] = hash_of(record)
            head = {**head, "hash": previous}
    assert touched == rows or not walked(touched, head, anchor).sound
