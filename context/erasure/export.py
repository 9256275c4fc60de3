"""Everything kept about a person, in one archive that they can open: their right to a copy.

`data.json` holds what each provider exports, `recordings/` the sound of their calls. Called by the API and the command
line.
"""

import asyncio
import os
import secrets
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from context.erasure.errors import ExportError
from context.erasure.recordings import RecordingFiles
from context.erasure.registry import PersonalDataRegistry, Subject
from context.erasure.subject import with_all_calls
from context.home import PRIVATE_FILE_MODE
from context.store.database import Store

DATA = "data.json"
RECORDINGS = "recordings"


class Export(msgspec.Struct, frozen=True):
    """What `data.json` holds. exported_at: seconds since the epoch, UTC. data: provider -> its rows."""

    tenant_id: str
    contact_id: str
    exported_at: float
    data: dict[str, list[dict[str, Any]]]
    recordings: list[str]


async def export_data(
    store: Store, recordings: Path, registry: PersonalDataRegistry, tenant_id: str, subject: Subject, now_s: float
) -> Export:
    """Everything about the person as of one moment, with the names of their recordings. Raises StoreError."""
    async with store.tenant(tenant_id).reading() as transaction:
        whole = await with_all_calls(transaction, subject)
        data = {provider.name: await provider.export(transaction, whole) for provider in registry.providers}
    names = await asyncio.to_thread(RecordingFiles(recordings).of_calls, whole.call_ids)
    return Export(tenant_id, subject.contact_id, now_s, data, names)


async def export_contact(
    store: Store,
    recordings: Path,
    registry: PersonalDataRegistry,
    tenant_id: str,
    subject: Subject,
    target: Path,
    now_s: float,
) -> Export:
    """Write the archive (zip) to `target`, whole or not at all; readable by its owner alone.

    Raises ExportError when it exists or cannot be written, and StoreError.
    """
    export = await export_data(store, recordings, registry, tenant_id, subject, now_s)
    paths = [RecordingFiles(recordings).path(name) for name in export.recordings]
    try:
        await asyncio.to_thread(_write, target, export, paths)
    except FileExistsError as error:
        raise ExportError(f"file: {target} exists; an export never replaces a file") from error
    except OSError as error:
        raise ExportError(f"{target} cannot be written: {error.strerror or error}") from error
    return export


def _write(target: Path, export: Export, recordings: Sequence[Path]) -> None:
    draft = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, PRIVATE_FILE_MODE)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr(DATA, msgspec.json.format(msgspec.json.encode(export, enc_hook=str)))
                for path in recordings:
                    archive.write(path, f"{RECORDINGS}/{path.name}")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, target)  # unlike a rename it never replaces a file
    finally:
        draft.unlink(missing_ok=True)
