"""What every request passes before and after the routes: the bound of its body, our own mistakes, headers."""

import asyncio
from contextlib import suppress

from fastapi import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api.rate import Standing
from gateway.api.refusal import Answer
from gateway.store.records.writer import Tell

READ_OFF_BYTES = 4_194_304
READ_OFF_SECONDS = 2.0


class Bounds:
    """An ASGI app around the API's: nothing larger than it should be gets in, no exception gets out."""

    def __init__(self, app: ASGIApp, max_body_bytes: int, tell: Tell, body_seconds: float = 30.0) -> None:
        self._body_seconds = body_seconds
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._tell = tell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})
        answer = _Answering(scope, send)
        if _announced(scope) > self._max_body_bytes:
            await _read_off(receive)
            await self._too_large().response()(scope, receive, answer)
            return
        try:
            await self._app(scope, self._counted(receive), answer)
        except ClientDisconnect:
            pass  # whoever asked does not want to know any more
        except Exception as error:
            self._tell(
                "http.crashed", level="error", method=scope["method"], path=scope["path"], exc_info=error
            )
            if not answer.begun:
                mistake = Answer(500, "Internal server error", "internal_error")
                await mistake.response()(scope, receive, answer)

    def _too_large(self) -> Answer:
        message = f"The request is larger than {self._max_body_bytes} bytes"
        return Answer(413, message, "too_large", headers={"Connection": "close"})

    def _counted(self, receive: Receive) -> Receive:
        """Takes the body in pieces, and stops where it grows beyond the bound."""
        taken, complete = 0, False
        until = asyncio.get_running_loop().time() + self._body_seconds

        async def in_time() -> Message:
            """The next piece of the body; once it is complete, whatever comes whenever it comes."""
            try:
                async with asyncio.timeout_at(None if complete else until):
                    return await receive()
            except TimeoutError:
                message = f"The request did not come within {self._body_seconds:g} seconds"
                raise HTTPException(408, message, {"Connection": "close"}) from None

        async def counting() -> Message:
            nonlocal taken, complete
            message = await in_time()
            complete = not message.get("more_body")
            taken += len(message.get("body", b""))
            if taken > self._max_body_bytes:
                if message.get("more_body"):
                    await _read_off(receive)
                refusal = self._too_large()
                raise HTTPException(413, refusal.message, dict(refusal.headers))
            return message

        return counting


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


async def _read_off(receive: Receive) -> None:
    """Take what is still being sent, within bounds: whoever is cut off in it never reads our answer."""
    left = READ_OFF_BYTES
    with suppress(TimeoutError):
        async with asyncio.timeout(READ_OFF_SECONDS):
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
