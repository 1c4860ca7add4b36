"""Challenges of ours, and what credentials for them prove."""

from dataclasses import replace

import pytest

from gateway.sip.authenticator import Authenticator, Stale, Verified, Wrong
from gateway.sip.digest import Challenge, Credentials, answer

SOURCE = "192.0.2.7"

URI = "sip:+15551230001@gw.example.com"

PASSWORDS = {"alice": "Circle of Life"}.get


def respond(challenge: Challenge, **changes: object) -> Credentials:
    """The credentials of alice for an INVITE, as a peer with the right password makes them."""
    arguments: dict[str, object] = {
        "username": "alice",
        "password": "Circle of Life",
        "method": "INVITE",
        "uri": URI,
        "body": b"",
        "cnonce": "c",
        "nonce_count": 1,
    }
    return answer(challenge, **(arguments | changes))  # type: ignore[arg-type]  # as answer takes


class Server:
    """An authenticator, a clock, and the requests that come to it."""

    def __init__(self, **settings: object) -> None:
        self.authenticator = Authenticator(b"secret", "here", **settings)  # type: ignore[arg-type]  # as named
        self.now = 1000.0

    def challenge(self, number: int = 0) -> Challenge:
        """A fresh challenge, as the peer reads it."""
        return Challenge.parse(str(self.authenticator.challenge(self.now, SOURCE)[number]))

    def verify(
        self, credentials: Credentials | str, method: str = "INVITE", source: str = SOURCE, body: bytes = b""
    ) -> Verified | Stale | Wrong:
        """What becomes of a request with these credentials."""
        return self.authenticator.verify(str(credentials), method, URI, PASSWORDS, self.now, source, body)


@pytest.fixture
def server() -> Server:
    """A server with the default settings."""
    return Server()


@pytest.mark.parametrize("number", [0, 1])
def test_right_credentials_are_verified(server: Server, number: int) -> None:
    """A peer that knows the password gets in, by SHA-256 or by MD5."""
    assert [one.algorithm for one in server.authenticator.challenge(0.0, SOURCE)] == ["SHA-256", "MD5"]
    assert server.verify(respond(server.challenge(number))) == Verified("alice", same_uri=True)


def test_another_request_uri_is_told(server: Server) -> None:
    """Proxies may change the Request-URI: the credentials are still good, but it can be seen."""
    assert server.verify(respond(server.challenge(), uri="sip:gw")) == Verified("alice", same_uri=False)


@pytest.mark.parametrize("qop", [(), ("auth",), ("auth-int",), ("auth", "auth-int")])
@pytest.mark.parametrize("algorithm", ["SHA-256", "MD5", "SHA-256-SESS", "MD5-SESS"])
def test_both_sides_agree(qop: tuple[str, ...], algorithm: str) -> None:
    """What our client says, our server understands, in every combination."""
    server = Server(algorithms=(algorithm,), qop=qop)
    challenge = server.challenge()
    assert server.verify(respond(challenge, body=b"v=0"), body=b"v=0") == Verified("alice", same_uri=True)


def test_auth_int_covers_the_body() -> None:
    """With auth-int another body is a wrong password; with auth it is not looked at."""
    server = Server(qop=("auth-int",))
    assert isinstance(server.verify(respond(server.challenge(), body=b"v=0"), body=b"v=1"), Wrong)
    server = Server()
    assert isinstance(server.verify(respond(server.challenge(), body=b"v=0"), body=b"v=1"), Verified)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"password": "circle of life"}, "a wrong password"),
        ({"method": "BYE"}, "a wrong password"),
        ({"username": "bob"}, "an unknown user name"),
        ({"username": "bob", "password": ""}, "an unknown user name"),
    ],
)
def test_wrong_credentials_prove_nothing(server: Server, change: dict[str, object], why: str) -> None:
    """Another password, method or user name is wrong, and we know which."""
    username = str(change.get("username", "alice"))
    assert server.verify(respond(server.challenge(), **change)) == Wrong(username, why)


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("realm", "elsewhere", "another realm"),
        ("algorithm", "SHA-512-256", "an algorithm that was not offered"),
        ("algorithm", "MD5-sess", "an algorithm that was not offered"),
        ("qop", "auth-int", "a qop that was not offered"),
        ("response", "", "a wrong password"),
        ("response", "é", "a wrong password"),
        ("uri", "x", "a wrong password"),
        ("cnonce", "x", "a wrong password"),
        ("nc", "00000002", "a wrong password"),
    ],
)
def test_changed_credentials_prove_nothing(server: Server, field: str, value: str, why: str) -> None:
    """Every part of the credentials is covered by the response, or has to be one that we offered."""
    credentials = respond(server.challenge())
    assert server.verify(replace(credentials, **{field: value})) == Wrong("alice", why)
    assert isinstance(server.verify(credentials), Verified)


def test_unreadable_credentials_prove_nothing(server: Server) -> None:
    """What cannot be read has no user name."""
    assert server.verify("Basic YTpi") == Wrong("", "scheme is not Digest")
    assert server.verify('Digest username="alice"') == Wrong("", "realm missing")


def test_credentials_for_others_are_as_good_as_absent(server: Server) -> None:
    """Of several headers, the one for our realm is ours; unknown schemes are passed over."""
    ours = str(respond(server.challenge()))
    others = ["NoOneKnowsThisScheme opaque-data=here", ours.replace("here", "there")]
    assert server.authenticator.pick([*others, ours]) == ours
    assert server.authenticator.pick(others) is None


def test_a_nonce_is_good_for_its_lifetime(server: Server) -> None:
    """After it, right credentials are stale, and so are wrong ones: an old one tells nothing."""
    challenge = server.challenge()
    server.now += 300
    assert isinstance(server.verify(respond(challenge)), Verified)
    server.now += 0.01
    assert server.verify(respond(challenge, nonce_count=2)) == Stale("alice")
    assert server.verify(respond(challenge, nonce_count=3, password="x")) == Stale("alice")


def test_a_nonce_is_good_for_its_source_and_server(server: Server) -> None:
    """A nonce given to another address, by another server, or forged, is stale at best."""
    credentials = respond(server.challenge())
    assert server.verify(credentials, source="192.0.2.8") == Stale("alice")
    assert isinstance(server.verify(credentials), Verified)
    other = Server()
    other.authenticator = Authenticator(b"another secret", "here")
    assert server.verify(respond(other.challenge())) == Stale("alice")
    assert server.verify(respond(other.challenge(), password="a guess")) == Stale("alice")
    for nonce in ("", "é", "=", "A" * 37, "A" * 38, "A" * 39, server.challenge().nonce + "=", "*" * 38):
        assert server.verify(respond(replace(server.challenge(), nonce=nonce))) == Stale("alice")


def test_every_challenge_has_its_own_nonce(server: Server) -> None:
    """Two calls challenged in the same instant do not use up each other's nonce."""
    challenges = [server.challenge() for _ in range(100)]
    assert len({challenge.nonce for challenge in challenges}) == 100
    assert all(isinstance(server.verify(respond(challenge)), Verified) for challenge in challenges)


def test_credentials_are_good_once(server: Server) -> None:
    """A replay is stale: whoever has only listened gets a new nonce and can do nothing with it."""
    credentials = respond(server.challenge())
    assert isinstance(server.verify(credentials), Verified)
    assert server.verify(credentials) == Stale("alice")


def test_counts_may_come_out_of_order_but_once(server: Server) -> None:
    """Of one nonce, each count within the window of 64 below the highest is taken once."""
    challenge = server.challenge()
    counts = [1, 3, 2, 3, 100, 36, 37, 37, 101, 165, 10_000, 9_936, 9_937]
    taken = [isinstance(server.verify(respond(challenge, nonce_count=count)), Verified) for count in counts]
    assert taken == [True, True, True, False, True, False, True, False, True, True, True, False, True]


def test_without_counts_a_nonce_is_good_once() -> None:
    """A peer that knows only RFC 2069 asks for a nonce each time."""
    server = Server(qop=())
    challenge = server.challenge()
    assert isinstance(server.verify(respond(challenge)), Verified)
    assert server.verify(respond(challenge)) == Stale("alice")


def test_what_is_forgotten_is_not_trusted() -> None:
    """With more nonces in use than are remembered, the oldest become stale, never good again."""
    server = Server(remembered=2)
    used = []
    for _ in range(3):
        server.now += 1
        used.append(respond(server.challenge()))
        assert isinstance(server.verify(used[-1]), Verified)
    assert [server.verify(one) for one in used] == [Stale("alice")] * 3
    server.now += 1
    assert isinstance(server.verify(respond(server.challenge())), Verified)


def test_a_stale_challenge_says_so(server: Server) -> None:
    """The peer need not ask its user for another password."""
    (challenge, _) = server.authenticator.challenge(0.0, SOURCE, stale=True)
    assert "stale=TRUE" in str(challenge)
    assert Challenge.parse(str(challenge)).stale


@pytest.mark.parametrize(
    ("made_for", "same"),
    [
        (URI, True),
        ("sip:+15551230001@10.0.0.1:5070;transport=udp", True),
        ("sips:15551230001@elsewhere.example", True),
        ("sip:+15551230001;npdi@gw.example.com", True),
        ("tel:+15551230001", True),
        ("sip:+15551230002@gw.example.com", False),
        ("sip:gw.example.com", True),
        ("sip:GW.example.com:5060", True),
        ("sip:elsewhere.example.com", False),
        ("tel:+15551230002", False),
        ("/dir/index.html", False),
        ("", False),
    ],
)
def test_whom_they_were_made_for(server: Server, made_for: str, same: bool) -> None:
    """The number counts; what a proxy may have rewritten around it does not."""
    assert server.verify(respond(server.challenge(), uri=made_for)) == Verified("alice", same_uri=same)
