"""A carrier's SIP side on loopback: answers OPTIONS and REGISTER, challenges where the test wants it."""

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from gateway.net.dns import Resolver
from gateway.net.sip import Binding, SipEndpoint
from gateway.phones.telephone import AnybodyMayCall
from gateway.provisioning.trial import Trials
from gateway.sip.authenticator import Authenticator, Verified
from gateway.sip.events import Event
from gateway.sip.message import Request
from gateway.sip.screening import Admit, Deny, Ignore, MessageRefused, Screening
from gateway.sip.target import Target

REALM = "carrier.example"


@dataclass
class Carrier:
    """What the peer does, and what it was asked."""

    password: str | None = None
    "Of the user `acme`; None: nobody is asked for one."
    challenged: tuple[str, ...] = ("OPTIONS", "REGISTER")
    answers: dict[str, tuple[int, str]] = field(default_factory=dict)
    "By method, once credentials are settled; 0: silence."
    asked: list[Request] = field(default_factory=list)
    port: int = 0

    def __post_init__(self) -> None:
        self._authenticator = Authenticator(secrets.token_bytes(32), REALM, lifetime=60, algorithms=("MD5",))

    @property
    def uri(self) -> str:
        """The termination URI."""
        return f"127.0.0.1:{self.port}"

    def knows(self, source: Target) -> bool:
        """Everybody gets an answer."""
        return True

    def turned_away(self, request: Request, source: Target, now: float) -> None:
        """Never happens."""

    def refused(self, refusal: MessageRefused, now: float) -> None:
        """Nobody to tell."""

    def screen(self, request: Request, source: Target, now: float) -> Screening:
        """Challenge, check, answer."""
        self.asked.append(request)
        if self.password is not None and request.method in self.challenged:
            header = self._authenticator.pick(request.headers.get_all("Authorization"))
            if header is None:
                challenges = self._authenticator.challenge(now, source.host, stale=False)
                return Deny(401, "Unauthorized", [("WWW-Authenticate", str(one)) for one in challenges])
            known = {"acme": self.password}
            verdict = self._authenticator.verify(
                header, request.method, request.uri, known.get, now, source.host
            )
            if not isinstance(verdict, Verified):
                return Deny(403, "Forbidden")
        status, phrase = self.answers.get(request.method, (200, "OK"))
        if status == 0:
            return Ignore("silence")
        return Admit() if status == 200 and request.method == "OPTIONS" else Deny(status, phrase)


@asynccontextmanager
async def carrier_on(carrier: Carrier, transport: str = "UDP") -> AsyncIterator[Carrier]:
    """The carrier on a port of its own."""
    endpoint = _endpoint(carrier, transport)
    await endpoint.start()
    carrier.port = endpoint.listeners[0].port
    try:
        yield carrier
    finally:
        await endpoint.stop()


@asynccontextmanager
async def trials_on(
    resolver: Callable[[Callable[[str], None]], Resolver], *transports: str, seconds: float = 1.0
) -> AsyncIterator[Trials]:
    """Our side."""
    endpoint = _endpoint(AnybodyMayCall(), *(transports or ("UDP",)))
    await endpoint.start()
    try:
        yield Trials(endpoint, resolver, seconds)
    finally:
        await endpoint.stop()


def _endpoint(gatekeeper: Carrier | AnybodyMayCall, *transports: str) -> SipEndpoint:
    def ignore(_event: Event) -> None:
        """Nobody calls."""

    return SipEndpoint(
        [Binding(f"{one}-1", one, "127.0.0.1", 0) for one in transports],
        gatekeeper,
        lambda: secrets.token_hex(10),
        Resolver(),
        ignore,
    )
