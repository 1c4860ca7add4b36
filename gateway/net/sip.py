"""SIP sockets: UDP, TCP and TLS listeners around one UserAgent.

The endpoint gives what arrives to the UserAgent, sends what it queued, hands its events on and keeps its one
timer. It decides nothing: trust, answers and state are the UserAgent's and its gatekeeper's.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Protocol

from gateway.net.reach import ANYWHERE, NOT_PUBLIC, Reach
from gateway.net.streams import SECONDS_A_WAKE, StreamLimits, StreamPeers
from gateway.sip.events import Event, OptionsAnswered
from gateway.sip.framing import Unframable
from gateway.sip.useragent import Gatekeeper, Listener, Login, Settings, Target, UserAgent

MAX_DATAGRAM = 65_535
DATAGRAMS_A_WAKE = 32
"Datagrams read before the loop gets its turn: a burst is answered together, media is not kept waiting."

RESOLUTION_SECONDS = 32.0
"How long a name keeps its address: the retransmissions of one transaction go to one place (64*T1)."

DEFAULT_LIMITS = StreamLimits()

OnEvent = Callable[[Event], None]
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


class SipEndpoint:
    """Sockets around one UserAgent. `start` it; then use a dialog's verbs, each followed by `flush`."""

    def __init__(
        self,
        bindings: Sequence[Binding],
        gatekeeper: Gatekeeper,
        token: Callable[[], str],
        resolver: Resolves,
        on_event: OnEvent,
        *,
        settings: Settings | None = None,
        client_tls: ssl.SSLContext | None = None,
        limits: StreamLimits = DEFAULT_LIMITS,
        trace: Trace | None = None,
        reach: Reach = ANYWHERE,
    ) -> None:
        """`reach` says where messages may go to that nobody was heard from."""
        self._bindings = bindings
        self.reach = reach
        self._gatekeeper = gatekeeper
        self._token = token
        self._resolver = resolver
        self._on_event = on_event
        self._settings = replace(settings or Settings(), reaches=reach.allows)
        self._trace = trace
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._armed: float | None = None
        self._resolved: dict[Target, tuple[float, Target]] = {}
        self._resolving: dict[Target, list[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._udp: dict[str, tuple[socket.socket, int]] = {}
        self._flushing = False
        self._asked: dict[str, asyncio.Future[OptionsAnswered]] = {}
        self.streams = StreamPeers(
            self._receive, self._refuse, self._stream_failed, gatekeeper.knows, client_tls, limits
        )
        self.streams.in_use = lambda: self.user_agent.connections
        self.listeners: tuple[Listener, ...] = ()
        self.not_allowed = 0
        "Messages that were not sent, since they would have gone where nobody may make us send to."
        self.user_agent: UserAgent

    async def start(self) -> None:
        """Bind every listener; raises OSError naming the address that could not be bound."""
        listeners = []
        for binding in self._bindings:
            port = await self._bind(binding)
            host = binding.advertised_host or binding.bind
            listeners.append(Listener(binding.name, binding.transport, host, binding.advertised_port or port))
        self.listeners = tuple(listeners)
        self.user_agent = UserAgent(self.listeners, self._gatekeeper, self._token, settings=self._settings)

    async def stop(self) -> None:
        """Close every socket; what is still queued is lost, and nothing more happens."""
        self._flushing = True
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        for one, _ in self._udp.values():
            self._loop.remove_reader(one.fileno())
            one.close()
        self._udp.clear()
        await self.streams.stop()

    def now(self) -> float:
        """The loop's time, which every verb of a dialog takes."""
        return self._loop.time()

    def flush(self) -> None:
        """Send what is queued, hand on the events, re-arm the one timer. To be called after each verb."""
        if self._flushing:
            # An event's receiver used a verb: the outer flush sends it.
            return
        self._flushing = True
        try:
            self._drain()
        finally:
            self._flushing = False
        self._arm()

    async def ask_options(
        self, request_uri: str, *, target: Target, from_: str, credentials: Login | None = None
    ) -> OptionsAnswered:
        """What a peer answers to OPTIONS; raises LocalProtocolError when no listener has the transport."""
        agent = self.user_agent
        return await self._answer_to(
            agent.options(
                request_uri, target=target, from_=from_, credentials=credentials, now=self._loop.time()
            )
        )

    async def ask_bindings(
        self, request_uri: str, *, target: Target, address: str, credentials: Login
    ) -> OptionsAnswered:
        """What a registrar answers to a REGISTER that changes nothing; as `ask_options`."""
        agent = self.user_agent
        return await self._answer_to(
            agent.bindings(
                request_uri, target=target, address=address, credentials=credentials, now=self._loop.time()
            )
        )

    async def _answer_to(self, call_id: str) -> OptionsAnswered:
        answer: asyncio.Future[OptionsAnswered] = self._loop.create_future()
        self._asked[call_id] = answer
        try:
            self.flush()
            return await answer
        finally:
            self._asked.pop(call_id, None)

    def _drain(self) -> None:
        while True:
            messages = self.user_agent.messages_to_send()
            for data, target in messages:
                self._send(data, target)
            event = self.user_agent.next_event()
            if isinstance(event, OptionsAnswered) and event.call_id in self._asked:
                self._asked.pop(event.call_id).set_result(event)
            elif event is not None:
                self._on_event(event)
            elif not messages:
                return

    def _arm(self) -> None:
        due = self.user_agent.next_timeout()
        if due == self._armed:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._armed = due
        self._timer = None if due is None else self._loop.call_at(due, self._timeout)

    def _timeout(self) -> None:
        self._timer = self._armed = None
        self.user_agent.handle_timeout(self._loop.time())
        self.flush()

    def _receive(self, data: bytes, source: Target) -> None:
        if self._trace is not None:
            self._trace(False, data, source)
        self.user_agent.receive(data, source, self._loop.time())
        self.flush()

    def _refuse(self, fault: Unframable, source: Target) -> None:
        self.user_agent.refuse(fault, source, self._loop.time())
        self.flush()

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

    def _send(self, data: bytes, target: Target) -> None:
        if target.connection is not None or (target.port is not None and is_literal(target.host)):
            self._transmit(data, target, target)
        else:
            self._resolve_and_send(data, target)

    def _transmit(self, data: bytes, target: Target, asked: Target) -> None:
        if not target.heard and not self.reach.allows(target.host):
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
        # Not at once: the UserAgent is in the middle of handing out what it queued.
        self._loop.call_soon(self._report_failure, target, why)

    def _report_failure(self, target: Target, why: str) -> None:
        self.user_agent.transport_failed(target, self._loop.time(), why=why)
        self.flush()

    def _stream_failed(self, target: Target, why: str) -> None:
        self._fail(target, why)

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
            found = await self._resolver.resolve(target)
        except OSError as error:
            self._resolving.pop(target)
            self._report_failure(target, str(error))
            return
        waiting = self._resolving.pop(target)
        if not found:
            self._report_failure(target, f"{target.host} has no address")
            return
        now = self._loop.time()
        if len(self._resolved) > 1000:
            self._resolved = {name: kept for name, kept in self._resolved.items() if kept[0] > now}
        chosen = next((one for one in found if self.reach.allows(one.host)), found[0])
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
