"""A sound file in parts: HTTP range requests, so that a player can jump and a broken download goes on.

One range at a time (RFC 9110, section 14); several ranges get the whole file, which the RFC allows. Used by the
recordings of calls.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, BinaryIO

from litestar import Request
from litestar.response import Stream

from server.rest.problems import Problem, not_found

CHUNK_BYTES = 64 * 1024

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


async def sound_file(request: Request[Any, Any, Any], path: Path) -> Stream:
    """The file, or the part that `Range` asks for. Raises Problem 404 and 416."""
    try:
        file = await asyncio.to_thread(path.open, "rb")
    except FileNotFoundError:
        raise not_found("recording") from None
    try:
        stat = await asyncio.to_thread(path.stat)
        size, tag = stat.st_size, f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"'
        wanted = _wanted(request, tag, size)
    except BaseException:
        file.close()
        raise
    first, last = wanted or (0, size - 1)
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": tag,
        "Content-Length": str(last - first + 1),
        "Content-Disposition": f'inline; filename="{path.name}"',
    }
    if wanted:
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    return Stream(
        _chunks(file, first, last - first + 1),
        status_code=206 if wanted else 200,
        media_type="audio/wav",
        headers=headers,
    )


def _wanted(request: Request[Any, Any, Any], tag: str, size: int) -> tuple[int, int] | None:
    """First and last byte asked for, None for the whole file."""
    match = _RANGE.fullmatch(request.headers.get("range", "").strip())
    if match is None or request.headers.get("if-range", tag) != tag:
        return None
    first, last = match.groups()
    if not first and not last:
        return None
    if not first:
        start, end = max(0, size - int(last)), size - 1
    else:
        start, end = int(first), min(int(last) if last else size - 1, size - 1)
        if last and int(last) < start:
            return None
    if start > end:
        raise Problem(
            416,
            "range_not_satisfiable",
            f"Range: the file has {size} bytes.",
            headers={"Content-Range": f"bytes */{size}"},
        )
    return start, end


async def _chunks(file: BinaryIO, first: int, count: int) -> AsyncIterator[bytes]:
    with file:
        await asyncio.to_thread(file.seek, first)
        while count > 0:
            chunk = await asyncio.to_thread(file.read, min(CHUNK_BYTES, count))
            if not chunk:
                # The file ends early: it was cut after the answer began.
                return
            count -= len(chunk)
            yield chunk
