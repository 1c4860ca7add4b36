"""CSV files that people download: written while they are read, and named by what a person has typed."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

LINES = 500
"Of the file, that are made in one go."


def csv_file(content: AsyncIterator[bytes], name: str) -> Response:
    """The answer that a browser keeps as a file (RFC 6266), whatever is in its name."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "file"
    full = quote(f"{name}.csv", safe="")
    given = f"attachment; filename=\"{plain}.csv\"; filename*=UTF-8''{full}"
    headers = {"Content-Disposition": given, "Cache-Control": "no-store"}
    return StreamingResponse(content, media_type="text/csv; charset=utf-8", headers=headers)


async def lines_of(lines: Iterator[str]) -> AsyncIterator[bytes]:
    """Lines as they are read off a disk, beside the event loop."""
    while True:
        part = await asyncio.to_thread(lambda: "".join(islice(lines, LINES)))
        if not part:
            return
        yield part.encode()
