"""What the parts of one user agent share: settings, tables, queues, and how requests are written."""

from __future__ import annotations

import hashlib
import zlib
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from gateway.sip.authorization import KnownRealms
from gateway.sip.errors import LocalProtocolError
from gateway.sip.grammar import format_host_port
from gateway.sip.layer import Key, TransactionLayer, hop_of
from gateway.sip.message import Headers, Request, make_response
from gateway.sip.path import is_address

if TYPE_CHECKING:
    from gateway.sip.dialog import Dialog
    from gateway.sip.events import Event
    from gateway.sip.settings import Settings
    from gateway.sip.target import Listener, Target


class Core:
    """The user agent core of RFC 3261 section 6, without its verbs."""

    def __init__(self, listeners: Sequence[Listener], token: Callable[[], str], settings: Settings) -> None:
        self.settings = settings
        self.token = token
        self.counters: Counter[str] = Counter()
        self.layer = TransactionLayer(settings, self.counters)
        self.events: deque[Event] = deque()
        self.dialogs: dict[tuple[str, str], Dialog] = {}
        self.realms = KnownRealms()
        self._listeners = {listener.name: listener for listener in listeners}
        self._named: dict[Key, set[Dialog]] = {}
        "The dialogs whose next hop is a name, by that."
        self._salt = token().encode()

    def watch(self, dialog: Dialog, target: Target) -> None:
        """Remember whose requests go to a name: whether it leads anywhere is for the shell to find out."""
        hop = None if is_address(target.host) else hop_of(target)
        if hop != dialog.named_hop and self.dialogs.get(dialog.key) is dialog:
            self.unwatch(dialog)
            if hop is not None:
                self._named.setdefault(hop, set()).add(dialog)
                dialog.named_hop = hop

    def unwatch(self, dialog: Dialog) -> None:
        """Its requests go there no more."""
        hop, dialog.named_hop = dialog.named_hop, None
        if hop is not None and hop in self._named:
            self._named[hop].discard(dialog)
            if not self._named[hop]:
                del self._named[hop]

    def lost(self, target: Target, now: float) -> None:
        """Nothing gets to `target`: the dialogs whose requests went there by a name take another way."""
        for dialog in self._named.pop(hop_of(target), ()):
            dialog.take_detour(now)

    def emit(self, event: Event) -> None:
        """Queue an event for the application."""
        self.events.append(event)

    def listener_for(self, target: Target) -> Listener:
        """The listener that a message to `target` leaves by."""
        if target.listener is not None and target.listener in self._listeners:
            return self._listeners[target.listener]
        fitting = [one for one in self._listeners.values() if one.transport == target.transport]
        if not fitting:
            raise LocalProtocolError(f"no listener for {target.transport}")
        family = [one for one in fitting if (":" in one.host) == (":" in target.host)]
        return (family or fitting)[0]

    def pin(self, target: Target, otherwise: Target | None = None) -> Target:
        """Settle by which listener a message leaves.

        A target whose transport no listener has gives way to `otherwise`: the peer named a transport
        that we do not speak, and was heard from by one that we do.
        """
        if otherwise is not None and not any(
            one.transport == target.transport for one in self._listeners.values()
        ):
            target = otherwise
        return replace(target, listener=self.listener_for(target).name)

    def pin_all(self, targets: Sequence[Target]) -> tuple[Target, ...]:
        """Settle it for each of them, in order; those are left out whose transport no listener has.

        LocalProtocolError where that leaves none.
        """
        pinned: list[Target] = []
        fault = LocalProtocolError("there is no target")
        for target in targets:
            try:
                pinned.append(self.pin(target))
            except LocalProtocolError as error:
                fault = error
        if not pinned:
            raise fault
        return tuple(pinned)

    def contact(self, target: Target, user: str | None, secure: bool) -> str:
        """Our Contact as the peer at `target` can reach it."""
        listener = self.listener_for(target)
        host = format_host_port(listener.host, listener.port)
        address = f"{user}@{host}" if user else host
        if secure:
            return f"<sips:{address}>"
        parameter = "" if listener.transport == "UDP" else f";transport={listener.transport.lower()}"
        return f"<sip:{address}{parameter}>"

    def request(
        self,
        method: str,
        uri: str,
        target: Target,
        *,
        from_: str,
        to: str,
        call_id: str,
        number: int,
        routes: Sequence[str] = (),
    ) -> Request:
        """Begin a request of ours with a branch of its own (section 8.1.1); `target` is pinned."""
        headers = Headers()
        headers.add("Via", self._via(target))
        for route in routes:
            headers.add("Route", route)
        headers.add("Max-Forwards", "70")
        headers.add("From", from_)
        headers.add("To", to)
        headers.add("Call-ID", call_id)
        headers.add("CSeq", f"{number} {method}")
        headers.add("User-Agent", self.settings.user_agent)
        return Request(method, uri, headers)

    def _via(self, target: Target) -> str:
        listener = self.listener_for(target)
        sent_by = format_host_port(listener.host, listener.port)
        return f"SIP/2.0/{target.transport} {sent_by};branch=z9hG4bK{self.token()};rport"

    def fraction(self) -> float:
        """A random number from 0 up to 1, made of a token."""
        return zlib.crc32(self.token().encode()) / 2**32

    def capabilities(self) -> list[tuple[str, str]]:
        """What we say of ourselves in the answers to OPTIONS and INVITE (section 11.2)."""
        settings = self.settings
        return [
            ("Allow", ", ".join(settings.allow)),
            ("Accept", ", ".join(settings.accept)),
            ("Supported", ", ".join(settings.supported)),
        ]

    def reply(
        self,
        request: Request,
        target: Target,
        status: int,
        reason: str | None = None,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Answer and forget (section 8.2.7): the same request would get the same answer again."""
        fields = [*headers, ("Server", self.settings.user_agent)]
        response = make_response(request, status, reason, to_tag=self._tag_for(request), headers=fields)
        self.counters[f"answered.{status}"] += 1
        self.layer.send(bytes(response), target)

    def _tag_for(self, request: Request) -> str:
        """A To tag that repetitions of the request get too, and that nobody can foretell."""
        text = "\n".join(request.headers.get(name) or "" for name in ("Call-ID", "CSeq", "From"))
        return hashlib.blake2b(text.encode(), digest_size=8, key=self._salt[:64]).hexdigest()
