"""SIP's sockets: UDP, TCP and TLS listeners, whole messages in and out, and names looked up on the way out.

They decide nothing and know no user agent: whoever has them is told what came and what could not be sent.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from gateway.net.reach import ANYWHERE, NOT_PUBLIC, Reach
from gateway.net.streams import SECONDS_A_WAKE, StreamLimits, StreamPeers
from gateway.sip.framing import Unframable
from gateway.sip.target import Listener, Target

MAX_DATAGRAM = 65_535
DATAGRAMS_A_WAKE = 32
"Datagrams read before the loop gets its turn: a burst is answered together, media is not kept waiting."

RESOLUTION_SECONDS = 32.0
"How long a name keeps its address: the retransmissions of one transaction go to one place (64*T1)."

DEFAULT_LIMITS = StreamLimits()

Trace = Callable[[bool, bytes, Target], None]
"Sees each message: whether it was sent, its bytes, the peer."


class Resolves(Protocol):
    """Turns a name into addresses in the order in which to try them (RFC 3263)."""

    async def resolve(self, target: Target) -> Sequence[Target]:
        """Addresses of `target`; raises OSError where there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Binding:
    """One listener as configured: where it binds, and what the peer is told."""

    name: str
    transport: str
    bind: str
    port: int
    advertised_host: str | None = None
    advertised_port: int | None = None
    tls: ssl.SSLContext | None = None


class SocketsUser(Protocol):
    """Who has the sockets."""

    def knows(self, source: Target) -> bool:
        """Whether anybody there may connect to us."""
        ...

    def received(self, data: bytes, source: Target) -> None:
        """A message came."""

    def unframable(self, fault: Unframable, source: Target) -> None:
        """A stream broke off where a message could not be told from the next: the connection closes."""

    def failed(self, target: Target, why: str) -> None:
        """What went to `target` could not be sent; never told while `send` runs."""

    @property
    def connections(self) -> Collection[int]:
        """Numbers of the stream connections that are needed, however silent they are."""
        ...


class SipSockets:
    """Listeners and connections of one SIP address, and how messages leave. `start` it, then `send`."""

    def __init__(
        self,
        bindings: Sequence[Binding],
        user: SocketsUser,
        resolver: Resolves,
        *,
        client_tls: ssl.SSLContext | None = None,
        limits: StreamLimits = DEFAULT_LIMITS,
        trace: Trace | None = None,
        reach: Reach = ANYWHERE,
    ) -> None:
        """`reach` says where messages may go to that nobody was heard from."""
        self._bindings = bindings
        self._user = user
        self._resolver = resolver
        self._trace = trace
        self._reach = reach
        self._loop = asyncio.get_running_loop()
        self._resolved: dict[Target, tuple[float, Target]] = {}
        self._resolving: dict[Target, list[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._udp: dict[str, tuple[socket.socket, int]] = {}
        self.streams = StreamPeers(self._receive, user.unframable, self._fail, user.knows, client_tls, limits)
        self.streams.in_use = lambda: user.connections
        self.not_allowed = 0
        "Messages that were not sent, since they would have gone where nobody may make us send to."

    async def start(self) -> tuple[Listener, ...]:
        """Bind every listener; raises OSError naming the address that could not be bound."""
        listeners = []
        for binding in self._bindings:
            port = await self._bind(binding)
            host = binding.advertised_host or binding.bind
            listeners.append(Listener(binding.name, binding.transport, host, binding.advertised_port or port))
        return tuple(listeners)

    async def stop(self) -> None:
        """Close every socket; what is still on its way out is lost."""
        for task in self._tasks:
            task.cancel()
        for one, _ in self._udp.values():
            self._loop.remove_reader(one.fileno())
            one.close()
        self._udp.clear()
        await self.streams.stop()

    def send(self, data: bytes, target: Target) -> None:
        """Send a message, as soon as it is known where its target is."""
        if target.connection is not None or (target.port is not None and is_literal(target.host)):
            self._transmit(data, target, target)
        else:
            self._resolve_and_send(data, target)

    def _receive(self, data: bytes, source: Target) -> None:
        if self._trace is not None:
            self._trace(False, data, source)
        self._user.received(data, source)

    async def _bind(self, binding: Binding) -> int:
        try:
            if binding.transport == "UDP":
                return self._bind_udp(binding)
            return await self.streams.listen(
                binding.name, binding.transport, binding.bind, binding.port, binding.tls
            )
        except OSError as error:
            where = f"{binding.transport} {binding.bind} port {binding.port}"
            raise OSError(error.errno, f"SIP listener {binding.name} ({where}): {error.strerror}") from error

    def _bind_udp(self, binding: Binding) -> int:
        family = socket.AF_INET6 if ":" in binding.bind else socket.AF_INET
        one = socket.socket(family, socket.SOCK_DGRAM)
        one.setblocking(False)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)
        try:
            one.bind((binding.bind, binding.port))
        except OSError:
            one.close()
            raise
        self._udp[binding.name] = (one, family)
        self._loop.add_reader(one.fileno(), self._udp_readable, one, binding.name)
        return int(one.getsockname()[1])

    def _udp_readable(self, one: socket.socket, listener: str) -> None:
        enough = time.perf_counter() + SECONDS_A_WAKE
        for _ in range(DATAGRAMS_A_WAKE):
            try:
                data, source = one.recvfrom(MAX_DATAGRAM)
            except OSError:
                return
            self._receive(data, Target("UDP", plain_host(source[0]), source[1], listener, heard=True))
            if time.perf_counter() > enough:
                return

    def _transmit(self, data: bytes, target: Target, asked: Target) -> None:
        if not target.heard and not self._reach.allows(target.host):
            self.not_allowed += 1
            self._fail(asked, f"{asked.host} {NOT_PUBLIC}")
            return
        if self._trace is not None:
            self._trace(True, data, target)
        if target.transport == "UDP":
            self._send_datagram(data, target, asked)
        else:
            self.streams.send(data, target, asked)

    def _send_datagram(self, data: bytes, target: Target, asked: Target) -> None:
        one = self._udp_socket(target)
        if one is None:
            self._fail(asked, "no UDP listener of that address family")
            return
        try:
            one.sendto(data, (target.host, target.port or 5060))
        except BlockingIOError:
            # The kernel's buffer is full: as good as lost on the way, the transaction sends it again.
            return
        except OSError as error:
            self._fail(asked, error.strerror or str(error))

    def _udp_socket(self, target: Target) -> socket.socket | None:
        chosen = self._udp.get(target.listener or "")
        family = socket.AF_INET6 if ":" in target.host else socket.AF_INET
        if chosen is not None and chosen[1] == family:
            return chosen[0]
        return next((one for one, kind in self._udp.values() if kind == family), None)

    def _fail(self, target: Target, why: str) -> None:
        # Not at once: who sends is in the middle of handing out what it queued.
        self._loop.call_soon(self._user.failed, target, why)

    def _resolve_and_send(self, data: bytes, target: Target) -> None:
        known = self._resolved.get(target)
        if known is not None and known[0] > self._loop.time():
            self._transmit(data, known[1], target)
        elif target in self._resolving:
            self._resolving[target].append(data)
        else:
            self._resolving[target] = [data]
            task = self._loop.create_task(self._resolve(target))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _resolve(self, target: Target) -> None:
        try:
            targets = await self._resolver.resolve(target)
        except OSError as error:
            self._resolving.pop(target)
            self._user.failed(target, str(error))
            return
        waiting = self._resolving.pop(target)
        if not targets:
            self._user.failed(target, f"{target.host} has no address")
            return
        now = self._loop.time()
        if len(self._resolved) > 1000:
            self._resolved = {name: kept for name, kept in self._resolved.items() if kept[0] > now}
        chosen = next((one for one in targets if self._reach.allows(one.host)), targets[0])
        self._resolved[target] = (now + RESOLUTION_SECONDS, chosen)
        for data in waiting:
            self._transmit(data, chosen, target)


@lru_cache(1024)
def is_literal(host: str) -> bool:
    """Whether `host` is an address that needs no look-up."""
    for family in (socket.AF_INET6, socket.AF_INET):
        try:
            socket.inet_pton(family, host)
        except (OSError, ValueError):
            continue
        return True
    return False


def plain_host(host: str) -> str:
    """A source address without its IPv6 zone, as the trunks' lists write it."""
    return host.partition("%")[0]
