"""Posting to addresses that strangers gave us: only to public ones, and only to what was looked at.

The name is resolved here, every address it has is checked, and the connection goes to one of these addresses:
a name that points elsewhere a moment later cannot lead us into our own network.
"""

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit, urlunsplit

import httpx2

from gateway import __version__
from gateway.net.tls import http_context

USER_AGENT = f"Trunkline-Webhook/{__version__}"
MAX_ANSWER = 4096
"Bytes of an answer that are read; only its status counts."
NAT64 = IPv6Network("64:ff9b::/96")
"IPv4 addresses as seen from a network without (RFC 6052)."
LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")
"The same, for addresses that need not be public (RFC 8215)."
NOT_PUBLIC = "leads to {address}, which is no public address"


class NotAllowed(ValueError):
    """An address that is not to be called; the message says why."""


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

    def __init__(self, *, allow_private: bool, timeout_seconds: float) -> None:
        """`allow_private` is for receivers on the operator's own network, and for tests."""
        self._allow_private = allow_private
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
        literal = f"[{address}]" if address.version == 6 else str(address)
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

    async def _address_of(self, host: str, port: int) -> IPv4Address | IPv6Address:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise NotAllowed(f"{host} has no address: {error.strerror or error}") from error
        addresses = [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
        for address in addresses:
            if not self._allow_private and not is_public(address):
                raise NotAllowed(f"{host} {NOT_PUBLIC.format(address=address)}")
        return addresses[0]


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is one of the public network, also when it is one of IPv4 in the clothes of IPv6."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is not None:
            return is_public(inner)
        if address in NAT64:
            return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
        if address.teredo is not None or address in LOCAL_NAT64:
            return False
    return address.is_global and not address.is_multicast
