"""Makes sure that what was deleted is gone from the disk, not only from the tables.

SQLite overwrites deleted rows (secure_delete), but when it rearranges pages it leaves copies in their unused parts: of
3,000 deleted rows two to eight could still be read in the file. Only writing the file anew removes them. Used by
`context.erasure`.
"""

import asyncio

from context.errors import StoreError
from context.store.database import Store
from context.store.schema import whole_schema

ATTEMPTS = 20
PAUSE_S = 0.25
"""A reader with an old view keeps the log alive for the moments that it reads."""


async def scrub(store: Store) -> None:
    """Write SQLite's file anew and empty its log; on Postgres vacuum every table.

    Other writers wait meanwhile: 4 s for 100 MB, measured on a busy machine with two cores. Postgres reuses the space
    of deleted rows; its write-ahead log and archives keep them for as long as its operator has told it to. Raises
    StoreError when readers never let go.
    """
    if store.dialect == "postgresql":
        for table in whole_schema().sorted_tables:
            await store.outside_transaction(f'VACUUM "{table.name}"')
        return
    await store.outside_transaction("VACUUM")
    for _ in range(ATTEMPTS):
        if await store.checkpoint():
            return
        await asyncio.sleep(PAUSE_S)
    raise StoreError("the write-ahead log could not be emptied: a reader holds an old view of the database")


def size_bytes(store: Store) -> int:
    """How big SQLite's file is; 0 on Postgres, where scrubbing holds nobody up."""
    return 0 if store.file is None else store.file.stat().st_size
