"""The audit log: gapless whoever writes at once, and whatever is done to it afterwards shows."""

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from context.security.audit import AuditLog, Entry, Query, signing_key
from context.security.audit_chain import (
    NO_HASH,
    Anchor,
    AuditRecord,
    ChainReport,
    ChainWalker,
    FaultKind,
    hash_of,
    signature_of,
)
from context.security.errors import AuditEntryError
from context.security.master_key import MasterKeys
from context.security.tables import THE_SERVER, audit_entries, audit_heads
from context.security.vault import Vault
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
    assert (report.entries, report.end.seq) == (5, 5)
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

    writers = [
        write(store, f"writer-{turn}-{name}")
        for turn in "abc"
        for name, store in (("1", any_store), ("2", second_store))
    ]
    await asyncio.gather(*writers)
    report = await AuditLog(second_store, KEY).verify("clinic")
    assert report.sound
    assert report.entries == report.end.seq == 60


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


Tampering = dict[str, Any]


async def tamper(store: Store, statement: sa.Executable) -> None:
    async with store.writing_every_tenant() as server:
        await server._connection.execute(statement)


ENTRY_3 = (audit_entries.c.tenant_id == "clinic") & (audit_entries.c.seq == 3)
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
        (sa.delete(audit_entries).where(audit_entries.c.seq >= 5), FaultKind.END),
        (sa.delete(audit_entries).where(audit_entries.c.seq <= 2), FaultKind.MISSING),
        (sa.delete(audit_entries).where(audit_entries.c.tenant_id == "clinic"), FaultKind.END),
        (sa.delete(audit_heads).where(CLINIC), FaultKind.END),
        (sa.update(audit_heads).where(CLINIC).values(signature=""), FaultKind.UNSIGNED),
        (sa.update(audit_heads).where(CLINIC).values(signature="0" * 64), FaultKind.SIGNATURE),
    ],
)
async def test_each_way_to_touch_the_log_is_found(store: Store, statement: sa.Executable, kind: FaultKind) -> None:
    log = await written(store, 6)
    await written(store, 6, "garage")
    await tamper(store, statement)
    report = await log.verify("clinic")
    assert kind in kinds(report)
    assert (await log.verify("garage")).sound or "audit_entries.seq" in str(statement)


async def test_a_chain_written_anew_without_the_key_is_found(store: Store) -> None:
    log = await written(store, 4)
    async with store.writing_every_tenant() as server:
        await server.delete(audit_entries)
        await server.delete(audit_heads)
    forger = AuditLog(store, bytes(32))
    async with store.tenant("clinic").writing() as transaction:
        await forger.write(transaction, Entry("user-9", "nothing.happened"))
    assert kinds(await log.verify("clinic")) == {FaultKind.SIGNATURE}


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
    for forged in (
        Anchor("clinic", anchor.seq, "0" * 64, anchor.signature),
        Anchor("garage", anchor.seq, anchor.hash, anchor.signature),
        Anchor("clinic", anchor.seq, anchor.hash, ""),
    ):
        assert FaultKind.ANCHOR in kinds(await log.verify("clinic", forged))


async def test_the_installations_own_chain_is_one_too(store: Store) -> None:
    log = await written(store, 2, THE_SERVER)
    assert (await log.verify("")).entries == 2


async def test_the_signing_key_is_made_once_and_survives_a_master_rotation(store: Store) -> None:
    masters = MasterKeys.random()
    first = await signing_key(Vault.in_store(store, masters))
    assert first == await signing_key(Vault.in_store(store, masters))
    assert len(first) == 32


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


def walked(rows: list[dict[str, Any]], head: dict[str, Any]) -> ChainReport:
    walker = ChainWalker("t", KEY)
    for row in rows:
        walker.entry(row)
    return walker.finish(head)


edits = st.sampled_from(["drop", "swap", "repeat", "renumber", "field", "cut", "rehash"])


@settings(max_examples=300)
@given(length=st.integers(1, 12), edit=edits, data=st.data())
def test_any_edit_of_any_chain_is_found(length: int, edit: str, data: st.DataObject) -> None:
    rows = chain(length)
    head = {
        "seq": length,
        "hash": rows[-1]["hash"],
        "signature": signature_of("t", length, rows[-1]["hash"], KEY),
    }
    assert walked(rows, head).sound
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
            # Every hash from here on made anew: what the signature is for.
            touched[at]["actor"] = "z"
            previous = touched[at]["previous_hash"]
            for row in touched[at:]:
                row["previous_hash"] = previous
                record = AuditRecord(
                    **{**{name: row[name] for name in AuditRecord.__struct_fields__}, "detail": {"n": row["seq"] % 2}}
                )
                previous = row["hash"] = hash_of(record)
            head = {**head, "hash": previous}
    assert touched == rows or not walked(touched, head).sound
