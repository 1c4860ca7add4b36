"""Guessing a trunk's password: slow for who guesses, and for nobody else; in virtual time."""

from itertools import count

import pytest

from gateway.call.admission import FREE_GUESSES, FREE_OF_SOURCE, LONGEST_PAUSE, Admission, TrunkGate
from gateway.call.newcomers import Newcomers
from gateway.net.overload import Overload
from gateway.routing.inbound import CredentialState
from gateway.routing.table import Secret, Trunk, Trunks
from gateway.sip.authenticator import Authenticator
from gateway.sip.digest import Challenge, answer
from gateway.sip.message import Request, parse_message
from gateway.sip.screening import Admit, Deny, Screening
from gateway.sip.target import Target

CARRIER, NEIGHBOUR = "192.0.2.1", "192.0.2.2"
URI = "sip:+12125550101@gw.example.com"
TRUNKS = Trunks(
    [
        Trunk(f"trunk_{name}", "org_1", name, sources=("192.0.2.0/24",), username=name, password=Secret(name))
        for name in ("alice", "bob")
    ]
)


class Door:
    """A gate, and who knocks at it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.gate = TrunkGate(
            lambda: TRUNKS,
            Authenticator(b"secret", "here"),
            "ignore",
            Newcomers(10_000, 10_000),
            Overload(1.0, lambda *_, **__: None, lambda: 0, 1),
            lambda *_: None,
        )
        self._counts = count(1)
        self._challenges: dict[str, Challenge] = {}

    def challenge(self, source: str) -> Challenge:
        """What an INVITE without credentials gets."""
        denied = self.send(source)
        assert isinstance(denied, Deny)
        return Challenge.parse(denied.headers[0][1])

    def call(self, password: str, *, user: str = "alice", source: str = CARRIER, uri: str = URI) -> Screening:
        """An INVITE with credentials for the challenge that its source was given."""
        if source not in self._challenges:
            self._challenges[source] = self.challenge(source)
        made = answer(
            self._challenges[source], user, password, "INVITE", uri, b"", "cnonce", next(self._counts)
        )
        return self.send(source, str(made))

    def send(self, source: str, authorization: str | None = None) -> Screening:
        """An INVITE."""
        more = "" if authorization is None else f"Authorization: {authorization}\r\n"
        text = (
            f"INVITE {URI} SIP/2.0\r\nVia: SIP/2.0/UDP {source};branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n"
            f"To: <{URI}>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n{more}\r\n"
        )
        request = parse_message(text.encode())
        assert isinstance(request, Request)
        self.now += 0.001
        return self.gate.screen(request, Target("UDP", source, 5060, heard=True), self.now)


@pytest.fixture
def door() -> Door:
    """A gate for two users behind one carrier's network."""
    return Door()


def state(screening: Screening) -> CredentialState:
    """What came of the credentials of a call that was let in to be routed, or refused there."""
    assert isinstance(screening, Admit)
    assert isinstance(screening.tag, Admission)
    return screening.tag.credentials.state


def test_a_thousand_guesses(door: Door) -> None:
    """After some the password is not looked at, not even the right one, until the wait is over."""
    looked_at = sum(isinstance(door.call(f"guess {number}"), Admit) for number in range(1000))
    assert looked_at == FREE_GUESSES
    denied = door.call("alice")
    assert isinstance(denied, Deny)
    assert (denied.status, denied.headers) == (503, [("Retry-After", "2")])
    door.now += 2
    assert state(door.call("alice")) is CredentialState.VERIFIED


def test_an_hour_of_guesses(door: Door) -> None:
    """In an hour of ten a second fewer than a hundred are looked at, and the wait has a bound."""
    looked_at = 0
    for number in range(36_000):
        door.now += 0.099
        if number % 1000 == 0:
            door._challenges.clear()
        looked_at += isinstance(door.call(f"guess {number}"), Admit)
    assert looked_at < 100
    door.now += LONGEST_PAUSE
    assert state(door.call("alice")) is CredentialState.VERIFIED


def test_nobody_else_waits(door: Door) -> None:
    """Neither another user at that address, nor the same one at another."""
    for number in range(50):
        door.call(f"guess {number}")
    assert state(door.call("bob", user="bob")) is CredentialState.VERIFIED
    assert state(door.call("alice", source=NEIGHBOUR)) is CredentialState.VERIFIED


def test_many_names(door: Door) -> None:
    """Who tries a name once each is slowed down by the address."""
    looked_at = sum(isinstance(door.call("x", user=f"user {number}"), Admit) for number in range(1000))
    assert looked_at == FREE_OF_SOURCE


def test_a_forger_locks_nobody_out(door: Door) -> None:
    """Credentials without a nonce of ours for their source are not looked at, and count for nothing."""
    elsewhere = door.challenge(NEIGHBOUR)
    for number in range(1000):
        for password in ("guess", "alice"):
            made = answer(elsewhere, "alice", password, "INVITE", URI, b"", "c", number + 1)
            denied = door.send(CARRIER, str(made))
            assert isinstance(denied, Deny)
            assert denied.status == 401
            assert Challenge.parse(denied.headers[0][1]).stale
    assert state(door.call("alice")) is CredentialState.VERIFIED


def test_made_for_another_number(door: Door) -> None:
    """Credentials that were made for a call to somebody else are wrong for this one."""
    assert state(door.call("alice", uri="sip:+12125550199@gw.example.com")) is CredentialState.WRONG
    assert state(door.call("alice", uri="sip:+12125550101@proxy.example:5070")) is CredentialState.VERIFIED
