"""What SIP tests stand on: two user agents and a list are the network, and a phone that speaks in bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count

import pytest

from gateway.sip.events import Event, InviteReceived
from gateway.sip.message import Request, Response, parse_message
from gateway.sip.screening import MessageRefused
from gateway.sip.useragent import Admit, Dialog, Listener, Screening, Settings, Target, UserAgent

OURS = "192.0.2.1"
THEIRS = "198.51.100.2"


class Gate:
    """A gatekeeper that knows everybody but `strangers`, and says `verdict` to all it is asked about."""

    def __init__(self) -> None:
        self.strangers: set[str] = set()
        self.verdict: Screening = Admit("trunk")
        self.screened: list[str] = []
        self.told: list[MessageRefused] = []

    def knows(self, source: Target) -> bool:
        return source.host not in self.strangers

    def turned_away(self, request: Request, source: Target, now: float) -> None:
        """Nobody to tell."""

    def refused(self, refusal: MessageRefused, now: float) -> None:
        self.told.append(refusal)

    def screen(self, request: Request, source: Target, now: float) -> Screening:
        self.screened.append(request.method)
        return self.verdict


def make_agent(name: str, host: str, gate: Gate | None = None, settings: Settings | None = None) -> UserAgent:
    """A user agent on all three transports whose tokens are its name and a number."""
    numbers = count(1)
    listeners = [
        Listener("udp", "UDP", host, 5060),
        Listener("tcp", "TCP", host, 5060),
        Listener("tls", "TLS", host, 5061),
    ]
    return UserAgent(
        listeners, gate or Gate(), lambda: f"{name}{next(numbers)}", settings=settings or Settings()
    )


def first_line(data: bytes) -> str:
    """What a ladder shows of a message: the method, or the status with the CSeq method."""
    message = parse_message(data)
    if isinstance(message, Request):
        return message.method
    return f"{message.status} {message.cseq.method}"


class Phone:
    """A peer of one user agent, in bytes: what the test sends it, and what it answers."""

    def __init__(self, agent: UserAgent, gate: Gate, transport: str = "UDP") -> None:
        self.agent = agent
        self.gate = gate
        self.source = Target(transport, THEIRS, 5060, transport.lower(), None if transport == "UDP" else 1)
        self.now = 0.0
        self.sent_to: list[Target] = []

    def send(self, data: bytes, source: Target | None = None) -> list[Request | Response]:
        """Give the user agent one message and take what it sends."""
        self.agent.receive(data, source or self.source, self.now)
        return self.heard()

    def heard(self) -> list[Request | Response]:
        """What the user agent has sent since the last time; where it went is in `sent_to`."""
        messages = self.agent.messages_to_send()
        self.sent_to = [target for _, target in messages]
        return [parse_message(data) for data, _ in messages]

    def statuses(self) -> list[int | str]:
        """The same, as statuses and methods."""
        return [one.status if isinstance(one, Response) else one.method for one in self.heard()]

    def wait(self, seconds: float) -> list[tuple[float, int | str]]:
        """Let time pass; returns what was sent when, as statuses and methods."""
        heard: list[tuple[float, int | str]] = []
        end = self.now + seconds
        while (due := self.agent.next_timeout()) is not None and due <= end:
            self.now = max(due, self.now)
            self.agent.handle_timeout(self.now)
            heard += [(round(self.now, 3), status) for status in self.statuses()]
        self.now = end
        return heard

    def events(self) -> list[Event]:
        """The events since the last time."""
        events = []
        while (event := self.agent.next_event()) is not None:
            events.append(event)
        return events

    def names(self) -> list[str]:
        """The events since the last time, by name."""
        return [type(event).__name__ for event in self.events()]

    def request(
        self,
        method: str,
        *,
        uri: str = f"sip:+14155550100@{OURS}",
        branch: str | None = "z9hG4bK-1",
        tag: str = ";tag=theirs",
        to_tag: str = "",
        number: int = 1,
        call_id: str = "call-1",
        headers: Sequence[str] = (),
        body: bytes = b"",
        contact: str | None = f"<sip:phone@{THEIRS}>",
    ) -> bytes:
        """A request as a carrier would send it; what a test is about is an argument."""
        via = f"SIP/2.0/{self.source.transport} {THEIRS}:5060"
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: {via};branch={branch}" if branch else f"Via: {via}",
            "Max-Forwards: 70",
            f"From: <sip:+12125550111@{THEIRS}>{tag}",
            f"To: <sip:+14155550100@{OURS}>{to_tag}",
            f"Call-ID: {call_id}",
            f"CSeq: {number} {method}",
            *([f"Contact: {contact}"] if contact and method == "INVITE" else []),
            *headers,
            f"Content-Length: {len(body)}",
        ]
        if body and not any(line.lower().startswith("content-type") for line in headers):
            lines.insert(-1, "Content-Type: application/sdp")
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + body

    def respond(
        self,
        request: Request | Response,
        status: int,
        *,
        tag: str | None = "theirs",
        headers: Sequence[str] = (),
        body: bytes = b"",
        contact: str | None = f"<sip:phone@{THEIRS}>",
    ) -> bytes:
        """A response to a request that the user agent sent."""
        assert isinstance(request, Request)
        to = request.headers.get("To") or ""
        if tag and status > 100 and ";tag=" not in to:
            to += f";tag={tag}"
        lines = [
            f"SIP/2.0 {status} Some Reason",
            f"Via: {request.headers.get('Via')}",
            f"From: {request.headers.get('From')}",
            f"To: {to}",
            f"Call-ID: {request.call_id}",
            f"CSeq: {request.headers.get('CSeq')}",
            *([f"Contact: {contact}"] if contact and 100 < status < 300 else []),
            *headers,
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + body

    def call(self, **changes: object) -> Dialog:
        """Send an INVITE and return the dialog that it makes."""
        self.send(self.request("INVITE", body=b"offer", **changes))  # type: ignore[arg-type]  # as request takes
        event = self.agent.next_event()
        assert isinstance(event, InviteReceived)
        return event.dialog

    def acknowledge(self, dialog: Dialog, number: int = 1, body: bytes = b"") -> None:
        """Send the ACK of a 2xx."""
        tag = f";tag={dialog.local_tag}"
        self.send(
            self.request(
                "ACK",
                branch=f"z9hG4bK-ack{number}",
                to_tag=tag,
                number=number,
                call_id=dialog.call_id,
                body=body,
            )
        )

    def within(self, dialog: Dialog, method: str, number: int = 2, **changes: object) -> bytes:
        """A request within a dialog of a call that this phone made."""
        tag = f";tag={dialog.local_tag}"
        return self.request(
            method,
            branch=f"z9hG4bK-{method}{number}",
            to_tag=tag,
            number=number,
            **changes,  # type: ignore[arg-type]  # as request takes
        )

    def answered_call(self, **changes: object) -> Dialog:
        """A call of this phone's, answered and acknowledged."""
        dialog = self.call(**changes)
        dialog.accept(self.now, b"answer")
        self.heard()
        self.acknowledge(dialog)
        assert self.names() == ["Acknowledged"]
        return dialog

    def called(self, **changes: object) -> tuple[Dialog, Request]:
        """A call of the user agent's to this phone, and its INVITE."""
        arguments: dict[str, object] = {
            "targets": [Target(self.source.transport, THEIRS, 5060)],
            "from_": f"<sip:+14155550100@{OURS}>",
            "contact_user": "gateway",
            "body": b"offer",
            "now": self.now,
        }
        dialog = self.agent.invite(
            f"sip:+12125550111@{THEIRS}",
            **(arguments | changes),  # type: ignore[arg-type]  # as invite takes
        )
        (invite,) = self.heard()
        assert isinstance(invite, Request)
        return dialog, invite

    def idle(self) -> bool:
        """Whether the user agent keeps nothing."""
        return not (self.agent.dialog_count or self.agent.transaction_count or self.agent.next_timeout())


@pytest.fixture
def gate() -> Gate:
    """The gatekeeper of `agent`."""
    return Gate()


@pytest.fixture
def agent(gate: Gate) -> UserAgent:
    """A user agent with the default settings."""
    return make_agent("ours", OURS, gate)


@pytest.fixture
def phone(agent: UserAgent, gate: Gate) -> Phone:
    """A peer of `agent` on UDP."""
    return Phone(agent, gate)


@pytest.fixture
def make_phone() -> Callable[..., Phone]:
    """Make a user agent with other settings, or another transport, and return its peer."""

    def make(transport: str = "UDP", **settings: object) -> Phone:
        gate = Gate()
        agent = make_agent("ours", OURS, gate, Settings(**settings))  # type: ignore[arg-type]  # as named
        return Phone(agent, gate, transport)

    return make


class Wire:
    """Two user agents and the list between them."""

    def __init__(self) -> None:
        self.caller = make_agent("caller", OURS)
        self.callee = make_agent("callee", THEIRS)
        self.now = 0.0
        self.ladder: list[str] = []
        self.in_flight: list[tuple[UserAgent, bytes, Target]] = []

    def collect(self) -> None:
        """Put what both want to send on the list."""
        for sender, receiver, host in (
            (self.caller, self.callee, OURS),
            (self.callee, self.caller, THEIRS),
        ):
            for data, target in sender.messages_to_send():
                arrow = ">" if sender is self.caller else "<"
                self.ladder.append(f"{arrow} {first_line(data)}")
                source = Target(target.transport, host, 5060, target.transport.lower())
                self.in_flight.append((receiver, data, source))

    def run(self) -> None:
        """Deliver everything, and what it leads to, in order."""
        self.collect()
        while self.in_flight:
            receiver, data, source = self.in_flight.pop(0)
            receiver.receive(data, source, self.now)
            self.collect()

    def next_timeout(self) -> float | None:
        """The earlier of both timers."""
        due = [when for one in (self.caller, self.callee) if (when := one.next_timeout()) is not None]
        return min(due, default=None)

    def handle_timeout(self, now: float) -> None:
        """Let both do what is due."""
        self.now = now
        self.caller.handle_timeout(now)
        self.callee.handle_timeout(now)
        self.collect()

    def idle(self) -> bool:
        """Whether neither keeps anything."""
        return all(
            one.dialog_count == one.transaction_count == 0 and one.next_timeout() is None
            for one in (self.caller, self.callee)
        )


@pytest.fixture
def wire() -> Wire:
    """Two user agents that know each other."""
    return Wire()


@pytest.fixture
def make_wire() -> Callable[[], Wire]:
    """As many pairs of them as a test wants."""
    return Wire
