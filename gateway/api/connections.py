"""The HTTP server's connections: how many, from whom, and how long they may take to say what they want."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["ConnectionBounds", "Connections", "protocol_for"]

SWEEP_SECONDS = 1.0
FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n"
    b"Content-Type: text/plain\r\nContent-Length: 21\r\n\r\nToo many connections\n"
)


@dataclass(frozen=True, slots=True)
class ConnectionBounds:
    """What connections may cost us."""

    most: int = 1000
    "At once."
    per_address: int = 200
    "Of one address. A proxy's, with everybody behind it, has no bound of its own, and loopback may be one."
    header_seconds: float = 10.0
    "From its first moment, or the last answer, to the end of a request's headers."
    proxies: tuple[str, ...] = ()
    "Addresses and networks of proxies."


class Connections:
    """Those that are open: `enter` and `leave` one, `overdue` ones are closed by whoever sweeps."""

    def __init__(self, bounds: ConnectionBounds) -> None:
        self._bounds = bounds
        self._proxies = [ip_network(one, strict=False) for one in bounds.proxies]
        self._open: dict[Any, float | None] = {}
        "Each with the moment since when it owes us a request; None: one is being served."
        self._by_address: Counter[str] = Counter()
        self.refused = 0
        "Turned away since there were too many, since the start."
        self.overdue_closed = 0
        "Closed since they did not say what they wanted, since the start."

    def enter(self, one: object, address: str, now: float) -> bool:
        """A connection has come; False: it is one too many."""
        bounds = self._bounds
        crowded = not self._is_proxy(address) and self._by_address[address] >= bounds.per_address
        if crowded or len(self._open) >= bounds.most:
            self.refused += 1
            return False
        self._open[one] = now
        self._by_address[address] += 1
        return True

    def leave(self, one: object, address: str) -> None:
        """It is gone, or something else than HTTP now; twice does nothing."""
        if one in self._open:
            del self._open[one]
            self._by_address[address] -= 1
            if self._by_address[address] <= 0:
                del self._by_address[address]

    def owes(self, one: object, since: float | None) -> None:
        """It owes us a request since then; None: it has said what it wants."""
        if one in self._open:
            self._open[one] = since

    def overdue(self, now: float) -> list[Any]:
        """Those that owe us a request for too long."""
        limit = now - self._bounds.header_seconds
        late = [one for one, since in self._open.items() if since is not None and since < limit]
        self.overdue_closed += len(late)
        return late

    def _is_proxy(self, address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return False  # a UNIX socket has none
        return parsed.is_loopback or any(parsed in network for network in self._proxies)


def protocol_for(connections: Connections) -> type[asyncio.Protocol]:
    """uvicorn's protocol of a connection, bounded."""

    class Bounded(H11Protocol):
        """One connection."""

        _address = ""
        _is_in = False

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            self._address = str((transport.get_extra_info("peername") or ("",))[0])
            self._is_in = connections.enter(self, self._address, self.loop.time())
            if self._is_in:
                super().connection_made(transport)
            else:
                transport.write(FULL)
                transport.close()

        def data_received(self, data: bytes) -> None:
            if not self._is_in:
                return
            super().data_received(data)
            if self.cycle is not None and not self.cycle.response_complete:
                connections.owes(self, None)

        def on_response_complete(self) -> None:
            connections.owes(self, self.loop.time())
            super().on_response_complete()
            if self.cycle is not None and not self.cycle.response_complete:
                connections.owes(self, None)  # the next request was here already

        def handle_websocket_upgrade(self, event: Any) -> None:
            connections.leave(self, self._address)
            super().handle_websocket_upgrade(event)

        def connection_lost(self, exc: Exception | None) -> None:
            if self._is_in:
                connections.leave(self, self._address)
                super().connection_lost(exc)

    return Bounded
