"""SIP on this machine: `SipSockets` around one `UserAgent`.

The endpoint gives what arrives to the UserAgent, sends what it queued, hands its events on and keeps its one
timer. It decides nothing: trust, answers and state are the UserAgent's and its gatekeeper's.
"""

import asyncio
import ssl
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from gateway.net.reach import ANYWHERE, Reach
from gateway.net.sip_sockets import DEFAULT_LIMITS, Binding, Resolves, SipSockets, Trace
from gateway.net.streams import StreamLimits
from gateway.sip.events import Event, OptionsAnswered
from gateway.sip.framing import Unframable
from gateway.sip.useragent import Gatekeeper, Listener, Login, Settings, Target, UserAgent

__all__ = ["Binding", "Resolves", "SipEndpoint"]

OnEvent = Callable[[Event], None]


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
        self.reach = reach
        self._gatekeeper = gatekeeper
        self._token = token
        self._on_event = on_event
        self._settings = replace(settings or Settings(), reaches=reach.allows)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._armed: float | None = None
        self._flushing = False
        self._asked: dict[str, asyncio.Future[OptionsAnswered]] = {}
        self.sockets = SipSockets(
            bindings, self, resolver, client_tls=client_tls, limits=limits, trace=trace, reach=reach
        )
        self.listeners: tuple[Listener, ...] = ()
        self.user_agent: UserAgent

    async def start(self) -> None:
        """Bind every listener; raises OSError naming the address that could not be bound."""
        self.listeners = await self.sockets.start()
        self.user_agent = UserAgent(self.listeners, self._gatekeeper, self._token, settings=self._settings)

    async def stop(self) -> None:
        """Close every socket; what is still queued is lost, and nothing more happens."""
        self._flushing = True
        if self._timer is not None:
            self._timer.cancel()
        await self.sockets.stop()

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
                self.sockets.send(data, target)
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

    # What the sockets tell, as their `SocketsUser`.

    def knows(self, source: Target) -> bool:
        """Whether anybody there may connect to us: the gatekeeper says so."""
        return self._gatekeeper.knows(source)

    @property
    def connections(self) -> Collection[int]:
        """Stream connections that calls need."""
        return self.user_agent.connections

    def received(self, data: bytes, source: Target) -> None:
        """Give a message to the user agent, and do what follows of it."""
        self.user_agent.receive(data, source, self._loop.time())
        self.flush()

    def unframable(self, fault: Unframable, source: Target) -> None:
        """Have the user agent answer what it can of a broken stream."""
        self.user_agent.refuse(fault, source, self._loop.time())
        self.flush()

    def failed(self, target: Target, why: str) -> None:
        """Tell the user agent that nothing gets there."""
        self.user_agent.transport_failed(target, self._loop.time(), why=why)
        self.flush()
