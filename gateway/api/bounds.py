"""What every request passes before and after the routes: the bound of its body, our own mistakes, headers."""

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from fastapi import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api.rate import Standing
from gateway.api.refusal import Answer
from gateway.tell import Tell

READ_OFF_BYTES = 4_194_304
READ_OFF_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Room:
    """Where a request may be larger than elsewhere: a file comes with it."""

    path: re.Pattern[str]
    "Of the requests by POST that are meant, as a whole."
    max_body_bytes: int
    about: str
    "What its bound comes to for whoever sends a file."
    least_bytes_per_second: int = 16_384
    "What comes so fast has the time that it needs: people send files over slow lines."


class Bounds:
    """An ASGI app around the API's: nothing larger than it should be gets in, no exception gets out."""

    def __init__(
        self,
        app: ASGIApp,
        max_body_bytes: int,
        tell: Tell,
        body_seconds: float = 30.0,
        rooms: Sequence[Room] = (),
    ) -> None:
        self._body_seconds = body_seconds
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._tell = tell
        self._rooms = rooms

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})
        answer = _Answering(scope, send)
        room = self._room(scope)
        most = self._max_body_bytes if room is None else room.max_body_bytes
        if _announced(scope) > most:
            await _read_off(receive, most)
            await _too_large(most, room).response()(scope, receive, answer)
            return
        try:
            await self._app(scope, self._counted(receive, most, room), answer)
        except ClientDisconnect:
            pass  # whoever asked does not want to know any more
        except Exception as error:
            self._tell(
                "http.crashed", level="error", method=scope["method"], path=scope["path"], exc_info=error
            )
            if not answer.begun:
                mistake = Answer(500, "Internal server error", "internal_error")
                await mistake.response()(scope, receive, answer)

    def _room(self, scope: Scope) -> Room | None:
        if scope["method"] != "POST":
            return None
        return next((room for room in self._rooms if room.path.fullmatch(scope["path"])), None)

    def _counted(self, receive: Receive, most: int, room: Room | None) -> Receive:
        """Takes the body in pieces, and stops where it grows beyond the bound."""
        taken, complete = 0, False
        began = asyncio.get_running_loop().time()

        async def in_time() -> Message:
            """The next piece of the body; once it is complete, whatever comes whenever it comes."""
            until = began + self._body_seconds + (taken / room.least_bytes_per_second if room else 0)
            try:
                async with asyncio.timeout_at(None if complete else until):
                    return await receive()
            except TimeoutError:
                raise HTTPException(408, self._late(room), {"Connection": "close"}) from None

        async def counting() -> Message:
            nonlocal taken, complete
            message = await in_time()
            complete = not message.get("more_body")
            taken += len(message.get("body", b""))
            if taken > most:
                if message.get("more_body"):
                    await _read_off(receive, most)
                refusal = _too_large(most, room)
                raise HTTPException(413, refusal.message, dict(refusal.headers))
            return message

        return counting

    def _late(self, room: Room | None) -> str:
        pace = f" and {room.least_bytes_per_second} bytes in each further one" if room else ""
        return f"The request did not come within {self._body_seconds:g} seconds{pace}"


class _Answering:
    """Sends what the app sends, with the headers that every answer has."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self.begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            standing = self._scope["state"].get("rate")
            added = standing.headers() if isinstance(standing, Standing) else []
            headers = [*message.get("headers", []), *added, (b"x-content-type-options", b"nosniff")]
            message = {**message, "headers": headers}
        await self._send(message)


def _too_large(most: int, room: Room | None) -> Answer:
    message = f"The request is larger than {most} bytes{f': {room.about}' if room else ''}"
    return Answer(413, message, "too_large", headers={"Connection": "close"})


async def _read_off(receive: Receive, most: int) -> None:
    """Take what is still being sent, within bounds: whoever is cut off in it never reads our answer."""
    left = max(READ_OFF_BYTES, 2 * most)
    with suppress(TimeoutError):
        async with asyncio.timeout(READ_OFF_SECONDS + most / READ_OFF_BYTES):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if not message.get("more_body"):
                    return


def _announced(scope: Scope) -> int:
    """The size that the request says its body has; 0 where it does not say, or nothing that makes sense."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0
