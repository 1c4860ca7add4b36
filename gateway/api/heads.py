"""HEAD wherever there is GET: its answer without the content (RFC 9110 section 9.3.2)."""

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Heads:
    """An ASGI app around another, which is asked GET in the place of HEAD."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        # Parts there are of GET alone (RFC 9110 section 14.2).
        headers = [header for header in scope["headers"] if header[0] != b"range"]
        await self._app({**scope, "method": "GET", "headers": headers}, receive, _Head(send))


class _Head:
    """Sends where an answer begins, and nothing of what follows."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def __call__(self, message: Message) -> None:
        begins = message["type"] == "http.response.start"
        if begins:
            await self._send(message)
            await self._send({"type": "http.response.body", "body": b""})
        if message.get("more_body") or (begins and not _is_measured(message)):
            # A file, or a stream that perhaps has no end: nobody needs what would come.
            raise ClientDisconnect


def _is_measured(start: Message) -> bool:
    """Whether an answer says how long it will be."""
    return any(name == b"content-length" for name, _ in start["headers"])
