"""SIP over TCP and TLS: accepted and opened connections, framed, bounded and swept."""

import asyncio
import socket
import ssl
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import count
from typing import cast

from gateway.net.tls import client_context
from gateway.sip.framing import KeepAlive, StreamFramer, Unframable
from gateway.sip.useragent import Target

CONNECT_SECONDS = 5.0
SWEEP_SECONDS = 1.0
SECONDS_A_WAKE = 0.002
"How long messages are answered before the loop, and with it all audio, gets its turn."
ACCEPT_PAUSE = 0.2
"Seconds until the next attempt to accept, where there is no descriptor left for a connection."
BACKLOG = 128
MAX_UNSENT = 1024 * 1024
"Bytes that a peer which does not read may leave with us before it is cut off."


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """What TCP and TLS peers may cost us."""

    connections: int = 1000
    "Accepted at once, all listeners together, those whose TLS handshake goes on too."
    connections_per_source: int = 250
    "The same of one address."
    handshake_seconds: float = 5.0
    "A peer has so long for its TLS handshake."
    idle_seconds: float = 900.0
    "A connection that is silent for so long is closed."
    partial_message_seconds: float = 10.0
    "A peer that has begun a message has this long to finish it; then it is cut off."
    message_bytes: int = 65_535


Address = tuple[str, str, int, str]
"Transport, host and port, and by TLS the name that the peer's certificate was checked for; else nothing."

OnMessage = Callable[[bytes, Target], None]
OnFailure = Callable[[Target, str], None]
OnFault = Callable[[Unframable, Target], None]


class Connection(asyncio.Protocol):
    """One TCP or TLS connection, accepted or opened by us."""

    def __init__(
        self,
        peers: "StreamPeers",
        transport: str,
        listener: str | None,
        proven_name: str = "",
        counted: str | None = None,
    ) -> None:
        """`counted`: the address that it was accepted from, among whose connections it counts."""
        self._counted = counted
        self.number = next(peers.numbers)
        self.proven_name = proven_name
        "What the certificate of a peer that we connected to was checked for."
        self.partial_since: float | None = None
        self.last_heard = peers.loop.time()
        self._peers = peers
        self._listener = listener
        self._sip_transport = transport
        self._framer = StreamFramer(peers.limits.message_bytes)
        self._wire: asyncio.Transport | None = None
        self._waiting: deque[bytes | KeepAlive] = deque()
        self.source: Target | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports behave as asyncio's without being of their class.
        wire = self._wire = cast("asyncio.Transport", transport)
        peer = wire.get_extra_info("peername")
        if peer is None:
            wire.abort()
            return
        host = str(peer[0]).partition("%")[0]
        self.source = Target(self._sip_transport, host, peer[1], self._listener, self.number, heard=True)
        if not self._peers.admit(self):
            wire.abort()

    def data_received(self, data: bytes) -> None:
        source = self.source
        if source is None:
            return
        self.last_heard = self._peers.loop.time()
        try:
            messages = self._framer.feed(data)
        except Unframable as error:
            self._take_all(error.complete, source)
            self._give_up(error)
            return
        self._take(messages, source)
        if not self._framer.pending:
            self.partial_since = None
        elif self.partial_since is None or messages:
            self.partial_since = self.last_heard

    def connection_lost(self, error: Exception | None) -> None:
        if self._counted is not None and self.source is not None:
            self._peers.leave(self._counted)
        self._peers.forget(self, str(error) if error else "the peer closed the connection")

    def send(self, data: bytes) -> None:
        """Queue one message."""
        wire = self._wire
        if wire is None or wire.is_closing():
            return
        if wire.get_write_buffer_size() > MAX_UNSENT:
            self.cut()
            return
        wire.write(data)

    def cut(self) -> None:
        """Close at once, without waiting for what is unsent."""
        if self._wire is not None:
            self._wire.abort()

    def _take(self, messages: Sequence[bytes | KeepAlive], source: Target) -> None:
        """Take what came, as much as there is time for; the rest in the loop's next round."""
        if self._waiting:
            self._waiting += messages
            return
        enough = time.perf_counter() + SECONDS_A_WAKE
        for index, message in enumerate(messages):
            self._take_one(message, source)
            if time.perf_counter() > enough and index + 1 < len(messages):
                self._wait(messages[index + 1 :])
                return

    def _wait(self, messages: Sequence[bytes | KeepAlive]) -> None:
        assert self._wire is not None
        self._waiting += messages
        if not self._wire.is_closing():
            self._wire.pause_reading()
        self._peers.loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        messages, self._waiting = tuple(self._waiting), deque()
        wire, source = self._wire, self.source
        if wire is None or source is None or wire.is_closing():
            return
        self._take(messages, source)
        if not self._waiting and not wire.is_closing():
            wire.resume_reading()

    def _take_all(self, messages: Sequence[bytes | KeepAlive], source: Target) -> None:
        waiting, self._waiting = tuple(self._waiting), deque()
        for message in (*waiting, *messages):
            self._take_one(message, source)

    def _take_one(self, message: bytes | KeepAlive, source: Target) -> None:
        if isinstance(message, KeepAlive):
            # RFC 5626 section 4.4.1: a double CRLF is answered with a single one.
            self.send(b"\r\n")
        else:
            self._peers.on_message(message, source)

    def _give_up(self, error: Unframable) -> None:
        """Where the next message begins can no longer be known (RFC 3261 section 18.3): answer and close."""
        source, wire = self.source, self._wire
        assert source is not None
        assert wire is not None
        self._peers.refused += 1
        self._peers.on_fault(error, source)
        wire.close()


class StreamPeers:
    """Every TCP and TLS connection: by number for answers, by address for requests of ours."""

    def __init__(
        self,
        on_message: OnMessage,
        on_fault: OnFault,
        on_failure: OnFailure,
        knows: Callable[[Target], bool],
        client_tls: ssl.SSLContext | None,
        limits: StreamLimits,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.numbers = count(1)
        self.on_message = on_message
        self.on_fault = on_fault
        self.limits = limits
        self.refused = 0
        "Connections cut for bad framing, for being slow, or for coming from an unknown source."
        self.in_use: Callable[[], Collection[int]] = tuple
        "Connections that calls need, however silent they are."
        self._on_failure = on_failure
        self._knows = knows
        self._client_tls = client_tls or client_context()
        self._listeners: list[socket.socket] = []
        self._accepting: list[asyncio.Task[None]] = []
        self._greeting: set[asyncio.Task[None]] = set()
        "Accepted, and not connections yet."
        self._by_source: Counter[str] = Counter()
        "Accepted connections of each address."
        self._open: dict[int, Connection] = {}
        self._by_address: dict[Address, Connection] = {}
        self._opening: dict[Address, list[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.TimerHandle | None = None

    async def listen(
        self, name: str, transport: str, host: str, port: int, tls: ssl.SSLContext | None
    ) -> int:
        """Accept connections; returns the port."""
        listener = listening_socket(host, port)
        self._listeners.append(listener)
        accepting = self.loop.create_task(self._accept(listener, name, transport, tls))
        self._accepting.append(accepting)
        if self._sweeper is None:
            self._sweeper = self.loop.call_later(SWEEP_SECONDS, self._sweep)
        return int(listener.getsockname()[1])

    async def _accept(
        self, listener: socket.socket, name: str, transport: str, tls: ssl.SSLContext | None
    ) -> None:
        """Look at who comes before anything is spent on it: a TLS handshake costs as much as many packets."""
        while True:
            try:
                wire, address = await self.loop.sock_accept(listener)
            except OSError:  # no descriptor left: those that wait will still be there
                self.refused += 1
                await asyncio.sleep(ACCEPT_PAUSE)
                continue
            source = Target(transport, str(address[0]).partition("%")[0], address[1], name)
            if not self._knows(source) or not self._has_room(source.host):
                self.refused += 1
                wire.close()
                continue
            self._by_source[source.host] += 1
            greeting = self.loop.create_task(self._greet(wire, source, tls))
            self._greeting.add(greeting)
            greeting.add_done_callback(self._greeting.discard)

    def _has_room(self, host: str) -> bool:
        limits = self.limits
        together = len(self._open) + len(self._greeting)
        return together < limits.connections and self._by_source[host] < limits.connections_per_source

    async def _greet(self, wire: socket.socket, source: Target, tls: ssl.SSLContext | None) -> None:
        """Make a connection of an accepted socket, by TLS once its handshake is done."""
        assert source.listener is not None
        wire.setblocking(False)
        connection = Connection(self, source.transport, source.listener, counted=source.host)
        try:
            async with asyncio.timeout(self.limits.handshake_seconds):
                await self.loop.connect_accepted_socket(lambda: connection, wire, ssl=tls)
        except (OSError, TimeoutError):
            self.refused += 1
            wire.close()
        finally:
            if connection.source is None:  # it never was one
                self.leave(source.host)

    def leave(self, host: str) -> None:
        """An accepted connection of this address is gone."""
        self._by_source[host] -= 1
        if self._by_source[host] <= 0:
            del self._by_source[host]

    async def stop(self) -> None:
        """Close listeners and connections."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for task in self._tasks:
            task.cancel()
        for task in (*self._accepting, *self._greeting):
            task.cancel()
        await asyncio.gather(*self._accepting, *self._greeting, return_exceptions=True)
        for listener in self._listeners:
            listener.close()
        for connection in list(self._open.values()):
            connection.cut()
        await asyncio.sleep(0)

    def admit(self, connection: Connection) -> bool:
        """Whether an accepted connection may stay: a known source, and room for it."""
        source = connection.source
        assert source is not None
        if source.listener is not None and not self._knows(source):  # not any more
            self.refused += 1
            return False
        self._open[connection.number] = connection
        self._by_address.setdefault(_address_of(connection, source), connection)
        return True

    def forget(self, connection: Connection, why: str) -> None:
        """A connection is gone: what was to be sent on it has failed."""
        if self._open.pop(connection.number, None) is None or connection.source is None:
            return
        source = connection.source
        key = _address_of(connection, source)
        if self._by_address.get(key) is connection:
            del self._by_address[key]
        self._on_failure(source, why)

    def send(self, data: bytes, target: Target, asked: Target) -> None:
        """Send on the target's connection, else on one to its address, else open one.

        `asked` is the target before its name was resolved: a TLS certificate must be for that name (RFC 5922
        section 7.2), and failures are reported of it. A TLS connection that is open serves other requests
        only for the name that it was proven for (RFC 5923 section 9.2); one that was accepted proves none.
        """
        connection = self._open.get(target.connection) if target.connection is not None else None
        tls = target.transport == "TLS"
        key = (
            target.transport,
            target.host,
            target.port or (5061 if tls else 5060),
            asked.host if tls else "",
        )
        connection = connection or self._by_address.get(key)
        if connection is not None:
            connection.send(data)
        elif key in self._opening:
            self._opening[key].append(data)
        else:
            self._opening[key] = [data]
            task = self.loop.create_task(self._connect(key, asked))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _connect(self, key: Address, asked: Target) -> None:
        transport, host, port, name = key
        tls = self._client_tls if transport == "TLS" else None
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, connection = await self.loop.create_connection(
                    lambda: Connection(self, transport, None, name),
                    host,
                    port,
                    ssl=tls,
                    server_hostname=name if tls else None,
                )
        except (OSError, TimeoutError, ValueError) as error:
            # ValueError: a name that no certificate can be for.
            self._opening.pop(key, None)
            self._on_failure(asked, str(error) or f"no connection within {CONNECT_SECONDS:g} s")
            return
        for data in self._opening.pop(key, []):
            connection.send(data)

    def _sweep(self) -> None:
        now = self.loop.time()
        idle = [one for one in self._open.values() if now - one.last_heard > self.limits.idle_seconds]
        in_use = self.in_use() if idle else ()
        for connection in idle:
            if connection.number not in in_use:
                connection.cut()
        for connection in list(self._open.values()):
            partial = connection.partial_since
            if partial is not None and now - partial > self.limits.partial_message_seconds:
                self.refused += 1
                connection.cut()
        self._sweeper = self.loop.call_later(SWEEP_SECONDS, self._sweep)


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens on a local address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        one.setblocking(False)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind((host, port))
        one.listen(BACKLOG)
    except OSError:
        one.close()
        raise
    return one


def _address_of(connection: Connection, source: Target) -> Address:
    return (source.transport, source.host, source.port or 0, connection.proven_name)
