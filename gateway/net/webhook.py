"""Posting to addresses that strangers gave us: to those that may be reached, and only to what was looked at.

The name is resolved here, its addresses are checked, and the connection goes to one of these: a name that
points elsewhere a moment later cannot lead us into our own network.
"""

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import httpx2

from gateway import __version__
from gateway.net.reach import ANYWHERE, NotAllowed, Reach
from gateway.net.tls import http_context

USER_AGENT = f"Trunkline-Webhook/{__version__}"
MAX_ANSWER = 4096
"Bytes of an answer that are read; only its status counts."


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt."""

    status: int | None
    "The HTTP status; None: there was no answer."
    error: str = ""

    @property
    def succeeded(self) -> bool:
        """A 2xx."""
        return self.status is not None and 200 <= self.status < 300


class WebhookSender:
    """Posts bodies; `close` it at the end."""

    def __init__(
        self, *, allow_private: bool = False, timeout_seconds: float, reach: Reach | None = None
    ) -> None:
        """`allow_private` lets webhooks alone lead anywhere; else `reach` decides."""
        self._reach = ANYWHERE if allow_private else reach or Reach()
        self._seconds = timeout_seconds
        self._client = httpx2.AsyncClient(
            timeout=timeout_seconds,
            follow_redirects=False,
            trust_env=False,
            verify=http_context(),
            limits=httpx2.Limits(max_connections=64),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Outcome:
        """Post once; whatever goes wrong is an outcome."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._post(url, body, headers)
        except TimeoutError:
            return Outcome(None, f"no answer within {self._seconds:g} s")
        except NotAllowed as error:
            return Outcome(None, f"{error}")
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            return Outcome(None, str(error) or type(error).__name__)

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Outcome:
        parts = urlsplit(url)
        host = parts.hostname or ""
        address = await self._address_of(host, parts.port or (443 if parts.scheme == "https" else 80))
        literal = f"[{address}]" if ":" in address else address
        at = literal if parts.port is None else f"{literal}:{parts.port}"
        request = self._client.build_request(
            "POST",
            urlunsplit((parts.scheme, at, parts.path or "/", parts.query, "")),
            content=body,
            headers={
                "Host": parts.netloc.rpartition("@")[2],
                "User-Agent": USER_AGENT,
                "Content-Type": "application/json",
                **headers,
            },
            # The certificate has to be for the name, whatever address the name has.
            extensions={"sni_hostname": host} if parts.scheme == "https" else None,
        )
        answer = await self._client.send(request, stream=True)
        try:
            status = answer.status_code
            read = 0
            async for piece in answer.aiter_raw():
                read += len(piece)
                if read > MAX_ANSWER:
                    break
        finally:
            await answer.aclose()
        return Outcome(status, "" if 200 <= status < 300 else f"answered {status}")

    async def _address_of(self, host: str, port: int) -> str:
        loop = asyncio.get_running_loop()
        try:
            entries = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, ValueError) as error:
            # ValueError: a name that cannot even be asked for, such as one with a label of 64 letters.
            raise NotAllowed(f"{host} has no address: {getattr(error, 'strerror', None) or error}") from error
        return self._reach.among(host, (str(entry[4][0]) for entry in entries))[0]
