"""Erases a person: every row, every file, every trace on the disk; and certifies it.

First the rows of all providers, in one transaction with a note of what is left to do; then the files; at last the disk.
A process that is killed in between loses nothing of that: `resume` goes on from the note, and the note itself is
emptied with the last file. What stays of the person is a hash. Called by the API and the command line; `resume` by
the start of the server and by its housekeeping.
"""

import asyncio
import hashlib
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
import structlog

from context.erasure.recordings import RecordingFiles
from context.erasure.registry import PersonalDataRegistry, Subject
from context.erasure.subject import require_no_live_call, with_all_calls
from context.erasure.tables import erasures
from context.security.audit import AuditLog, Entry
from context.store.database import Store
from context.store.scrub import scrub, size_bytes
from context.store.transaction import Row

SCRUB_AT_ONCE_BYTES = 50_000_000
"""A bigger SQLite file is written anew by the nightly housekeeping, once for all erasures: writers wait meanwhile."""

FILES = "recordings"
"""Under this name a certificate counts the files."""

NO_FILES = "[]"

log = structlog.get_logger(__name__)


class ErasureState(StrEnum):
    """How far an erasure is."""

    ROWS_ERASED = "rows_erased"
    FILES_LISTED = "files_listed"
    FILES_REMOVED = "files_removed"
    COMPLETED = "completed"


NEXT = {
    ErasureState.ROWS_ERASED: ErasureState.FILES_LISTED,
    ErasureState.FILES_LISTED: ErasureState.FILES_REMOVED,
    ErasureState.FILES_REMOVED: ErasureState.COMPLETED,
}
"""Each step is written before the next begins. The list of files is written before the first is removed, so that the
certificate counts them all whatever happens."""


class Certificate(msgspec.Struct, frozen=True):
    """What proves an erasure; nothing in it is personal.

    subject_hash: SHA-256 of tenant id and contact id. counts: provider -> rows changed, and files. state: COMPLETED
    when nothing is left on the disk either. Instants: ms since the epoch, UTC.
    """

    tenant_id: str
    subject_hash: str
    state: ErasureState
    counts: dict[str, int]
    requested_at_ms: int
    completed_at_ms: int | None


def subject_hash(tenant_id: str, contact_id: str) -> str:
    """What stays of a person: contact ids are random, so it leads back to nobody."""
    return hashlib.sha256(msgspec.json.encode([tenant_id, contact_id])).hexdigest()


class Erasures:
    """Erases people from one installation. now_s: seconds since the epoch. scrub_limit_bytes: up to which size of a
    SQLite file `erase` itself writes it anew."""

    def __init__(
        self,
        store: Store,
        recordings: Path,
        registry: PersonalDataRegistry,
        now_s: Callable[[], float],
        scrub_limit_bytes: int = SCRUB_AT_ONCE_BYTES,
    ) -> None:
        self._store = store
        self._files = RecordingFiles(recordings)
        self._registry = registry
        self._now_s = now_s
        self._scrub_limit_bytes = scrub_limit_bytes
        self._audit = AuditLog(store, now=now_s)

    async def erase(self, tenant_id: str, subject: Subject, *, actor: str) -> Certificate:
        """Erase a person. Erasing again finds nothing and gives the same certificate. actor: for the audit log.

        Raises SubjectInCallError, and StoreError; what was begun then goes on with `resume`.
        """
        key = subject_hash(tenant_id, subject.contact_id)
        async with self._store.tenant(tenant_id).writing() as transaction:
            before = await transaction.row(erasures, erasures.c.subject_hash == key)
            whole = await with_all_calls(transaction, _joined(subject, before))
            await require_no_live_call(transaction, whole)
            erased = {provider.name: await provider.erase(transaction, whole) for provider in self._registry.providers}
            row = {
                "subject_hash": key,
                "state": ErasureState.ROWS_ERASED.value,
                "subject": msgspec.json.encode(whole).decode(),
                # Those that an interrupted erasure had listed: of their calls nothing else may be left.
                "files": before["files"] if before else NO_FILES,
                "counts": _json(_sum(_counts(before), erased)),
                "requested_at_ms": before["requested_at_ms"] if before else self._now_ms(),
                "completed_at_ms": None if before is None or any(erased.values()) else before["completed_at_ms"],
            }
            await transaction.upsert(erasures, row)
            if before is None or any(erased.values()):
                detail = {name.replace(" ", "_"): rows for name, rows in erased.items()}
                await self._audit.write(transaction, Entry(actor, "contact.erased", key, detail))
        await self._remove_files(tenant_id, key)
        if await asyncio.to_thread(size_bytes, self._store) > self._scrub_limit_bytes:
            return await self._certificate(tenant_id, key)
        await scrub(self._store)
        return await self._complete(tenant_id, key)

    async def resume(self) -> list[Certificate]:
        """Finish every erasure that was begun, writing the database anew once for all; their certificates.

        Raises StoreError.
        """
        async with self._store.reading_every_tenant() as transaction:
            begun = await transaction.rows(erasures, erasures.c.state != ErasureState.COMPLETED.value)
        for row in begun:
            await self._remove_files(row["tenant_id"], row["subject_hash"])
        if begun:
            await scrub(self._store)
        return [await self._complete(row["tenant_id"], row["subject_hash"]) for row in begun]

    async def certificate(self, tenant_id: str, contact_id: str) -> Certificate | None:
        """The certificate of an erasure, also of one that goes on; None when nobody asked for one."""
        key = subject_hash(tenant_id, contact_id)
        async with self._store.tenant(tenant_id).reading() as transaction:
            row = await transaction.row(erasures, erasures.c.subject_hash == key)
        return None if row is None else _certificate(row)

    async def _remove_files(self, tenant_id: str, key: str) -> None:
        row = await self._row(tenant_id, key)
        if row["state"] == ErasureState.ROWS_ERASED:
            subject = msgspec.json.decode(row["subject"], type=Subject)
            names = await asyncio.to_thread(self._files.of_calls, subject.call_ids)
            listed = sorted({*msgspec.json.decode(row["files"]), *names})
            row = await self._step(tenant_id, row, {"files": _json(listed)})
        if row["state"] == ErasureState.FILES_LISTED:
            names = msgspec.json.decode(row["files"])
            await asyncio.to_thread(self._files.remove, names)
            values: dict[str, Any] = {
                "subject": "",
                "files": NO_FILES,
                "counts": _json(_sum(_counts(row), {FILES: len(names)})),
            }
            if names:
                values["completed_at_ms"] = None
            await self._step(tenant_id, row, values)

    async def _complete(self, tenant_id: str, key: str) -> Certificate:
        """For what is scrubbed: say so."""
        row = await self._row(tenant_id, key)
        if row["state"] == ErasureState.FILES_REMOVED:
            row = await self._step(tenant_id, row, {"completed_at_ms": row["completed_at_ms"] or self._now_ms()})
            log.info("person_erased", tenant_id=tenant_id, subject_hash=key)
        return _certificate(row)

    async def _step(self, tenant_id: str, row: Row, values: Row) -> Row:
        """Write the next state, unless another process was faster; the erasure as it is then."""
        key, state = row["subject_hash"], ErasureState(row["state"])
        async with self._store.tenant(tenant_id).writing() as transaction:
            here = (erasures.c.subject_hash == key, erasures.c.state == state.value)
            await transaction.update(erasures, {**values, "state": NEXT[state].value}, *here)
        return await self._row(tenant_id, key)

    async def _certificate(self, tenant_id: str, key: str) -> Certificate:
        return _certificate(await self._row(tenant_id, key))

    async def _row(self, tenant_id: str, key: str) -> Row:
        async with self._store.tenant(tenant_id).reading() as transaction:
            (row,) = await transaction.rows(erasures, erasures.c.subject_hash == key)
        return row

    def _now_ms(self) -> int:
        return int(self._now_s() * 1000)


def _joined(subject: Subject, before: Row | None) -> Subject:
    """The subject with what an erasure that was interrupted knew: its tables may be empty already."""
    if before is None or not before["subject"]:
        return subject
    known = msgspec.json.decode(before["subject"], type=Subject)
    return Subject(
        subject.contact_id,
        subject.phones | known.phones,
        subject.emails | known.emails,
        subject.call_ids | known.call_ids,
    )


def _counts(row: Row | None) -> dict[str, int]:
    return msgspec.json.decode(row["counts"], type=dict[str, int]) if row else {}


def _sum(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _certificate(row: Row) -> Certificate:
    return Certificate(
        tenant_id=row["tenant_id"],
        subject_hash=row["subject_hash"],
        state=ErasureState(row["state"]),
        counts=_counts(row),
        requested_at_ms=row["requested_at_ms"],
        completed_at_ms=row["completed_at_ms"],
    )
