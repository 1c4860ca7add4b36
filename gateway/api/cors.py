"""Pages of other sites that may ask the API: CORS (the Fetch standard, section 3.2); none unless named."""

from collections.abc import Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api.refusal import METHODS

SHARED = ("/v1/", "/recordings/", "/openapi.json")
"What other sites' pages may ask. The dashboard lives by a cookie, and is for its own pages alone."
ALLOWED = b"Authorization, Content-Type, Idempotency-Key, Last-Event-ID, Range"
EXPOSED = (
    b"Content-Disposition, Content-Range, ETag, Location, Retry-After,"
    b" X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset"
)
"Headers of answers that a page may read, beside those that it always may."
KEPT_SECONDS = b"600"
"How long a browser need not ask again."

Headers = list[tuple[bytes, bytes]]


class Cors:
    """An ASGI app around another, whose answers the pages of some sites may read."""

    def __init__(self, app: ASGIApp, origins: Sequence[str], *, credentials: bool = False) -> None:
        """`credentials`: their requests may carry what the browser keeps for us, such as a proxy's cookie."""
        self._app = app
        self._origins = frozenset(origin.encode() for origin in origins)
        self._credentials = credentials

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; the question whether another may be asked is answered here."""
        if scope["type"] != "http" or not scope["path"].startswith(SHARED):
            await self._app(scope, receive, send)
            return
        asked = dict(scope["headers"])
        headers = self._headers(asked.get(b"origin"))
        allowed = headers[0][0] == b"access-control-allow-origin"
        if scope["method"] == "OPTIONS" and b"access-control-request-method" in asked and allowed:
            await self._may(headers, send)
            return

        async def shared(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), *headers]}
            await send(message)

        await self._app(scope, receive, shared)

    def _headers(self, origin: bytes | None) -> Headers:
        """What every answer says to a page of this origin; who may not read it is told nothing."""
        if b"*" in self._origins:
            return [(b"access-control-allow-origin", b"*"), (b"access-control-expose-headers", EXPOSED)]
        # An answer for one origin is none for another: no cache may mix them up.
        varies = (b"vary", b"Origin")
        if origin is None or origin not in self._origins:
            return [varies]
        headers = [(b"access-control-allow-origin", origin), varies]
        headers.append((b"access-control-expose-headers", EXPOSED))
        return [*headers, (b"access-control-allow-credentials", b"true")] if self._credentials else headers

    async def _may(self, headers: Headers, send: Send) -> None:
        about = [
            (b"access-control-allow-methods", ", ".join(METHODS).encode()),
            (b"access-control-allow-headers", ALLOWED),
            (b"access-control-max-age", KEPT_SECONDS),
        ]
        start = {"type": "http.response.start", "status": 204, "headers": [*headers, *about]}
        await send(start)
        await send({"type": "http.response.body", "body": b""})
