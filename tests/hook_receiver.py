"""A receiver of webhooks on loopback."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any


class Receiver:
    """An HTTP server that keeps what is posted to it, and answers as it is told."""

    def __init__(self) -> None:
        self.posts: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        "Statuses of the next answers; then 200."
        self.delay = 0.0
        self.server: asyncio.Server

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}/hook"

    def bodies(self) -> list[dict[str, Any]]:
        """What was posted, but for verifications."""
        read = [json.loads(body) for _, body in self.posts]
        return [body for body in read if body.get("event_type") != "verification"]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request a connection."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = [line.partition(": ") for line in head.split("\r\n")[1:] if line]
        headers = {name.lower(): value for name, _, value in lines}
        body = await reader.readexactly(int(headers["content-length"]))
        self.posts.append((headers, body))
        await asyncio.sleep(self.delay)
        status = self.answers.pop(0) if self.answers else 200
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver that listens."""
    made = Receiver()
    made.server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    yield made
    made.server.close()
    await made.server.wait_closed()
