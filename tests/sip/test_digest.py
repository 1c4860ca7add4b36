"""Digest challenges and credentials, and how one answers the other."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sip.digest import Challenge, Credentials, answer, challenges_to_answer
from gateway.sip.errors import LocalProtocolError, RemoteProtocolError
from gateway.sip.headers import Headers
from tests.sip.strategies import TEXT, TOKEN

RFC_2617 = Challenge(
    "testrealm@host.com",
    "dcd98b7102dd2f0e8b11d0f600bfb0c093",
    qop=("auth", "auth-int"),
    opaque="5ccc069c403ebaf9f0171e9517f40e41",
)
RFC_7616 = Challenge(
    "http-auth@example.org",
    "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    qop=("auth", "auth-int"),
    opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",
)
CNONCE_7616 = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


def test_the_example_of_rfc_2617() -> None:
    """Section 3.5: MD5 with qop."""
    credentials = answer(RFC_2617, "Mufasa", "Circle Of Life", "GET", "/dir/index.html", b"", "0a4f113b", 1)
    assert credentials.response == "6629fae49393a05397450978507c4ef1"
    assert str(credentials) == (
        'Digest username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
        'uri="/dir/index.html", response="6629fae49393a05397450978507c4ef1", algorithm=MD5, '
        'cnonce="0a4f113b", opaque="5ccc069c403ebaf9f0171e9517f40e41", qop=auth, nc=00000001'
    )


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_examples_of_rfc_7616(algorithm: str, expected: str) -> None:
    """Section 3.9.1: the same request by either algorithm."""
    challenge = replace(RFC_7616, algorithm=algorithm)
    credentials = answer(challenge, "Mufasa", "Circle of Life", "GET", "/dir/index.html", b"", CNONCE_7616, 1)
    assert credentials.response == expected


@pytest.mark.parametrize(
    ("algorithm", "qop", "expected"),
    [
        ("MD5", (), "7d276475f399fd28be27200e682fd5c3"),
        ("MD5-sess", ("auth",), "19edcbb8399823315a25d0980e92210a"),
        ("SHA-256", ("auth-int",), "c92c1eb7c9fb9ff4cfda5f8287bd63268680059382ce9e1bde7faff0f530a558"),
    ],
)
def test_the_other_ways_to_respond(algorithm: str, qop: tuple[str, ...], expected: str) -> None:
    """Without qop as in RFC 2069, with a session key, and over the body; computed by hand."""
    challenge = Challenge("r", "n0nce", algorithm, qop)
    credentials = answer(challenge, "alice", "pw", "INVITE", "sip:a@b", b"v=0", "cn0nce", 1)
    assert credentials.response == expected


@given(
    st.builds(
        Challenge,
        TEXT,
        TEXT,
        TOKEN,
        st.lists(TOKEN.map(str.lower), max_size=3).map(tuple),
        st.booleans(),
        st.none() | TEXT,
    )
)
def test_challenges_round_trip(challenge: Challenge) -> None:
    """Every challenge is read back as itself."""
    assert Challenge.parse(str(challenge)) == challenge


@given(
    st.builds(Credentials, TEXT, TEXT, TEXT, TEXT, TEXT, TOKEN, st.none() | TEXT)
    | st.builds(
        Credentials,
        *([TEXT] * 5),
        TOKEN,
        st.none() | TEXT,
        TOKEN.map(str.lower),
        st.integers(0, 2**32 - 1).map("{:08x}".format),
        TEXT.filter(bool),
    )
)
def test_credentials_round_trip(credentials: Credentials) -> None:
    """All credentials are read back as themselves."""
    assert Credentials.parse(str(credentials)) == credentials


@pytest.mark.parametrize("kind", [Challenge, Credentials])
@given(text=st.text(alphabet='=,"\\ \t\r\n\0abrealmno') | st.text())
def test_whatever_comes_is_read_or_refused(kind: type[Challenge | Credentials], text: str) -> None:
    """No text makes a parser fail otherwise, and what passes can be written into a header again."""
    try:
        value = kind.parse(f'Digest username="", realm="", nonce="", uri="", response="",{text}')
    except RemoteProtocolError:
        return
    Headers().add("Authorization", str(value))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Digest",
        "Basic YTpi",
        "NoOneKnowsThisScheme opaque-data=here",
        'Digest realm="a"',
        'Digest nonce="a"',
        'Digest realm="a", nonce="b", realm="c"',
        'Digest realm="a, nonce="b"',
        'Digest realm="a" nonce="b"',
        'Digest realm="a", nonce=',
        'Digest realm="a", nonce',
        "Digest " + ",".join(["a=b"] * 100),
    ],
)
def test_malformed_challenges(text: str) -> None:
    """Other schemes, missing and doubled parameters are refused."""
    with pytest.raises(RemoteProtocolError):
        Challenge.parse(text)


def test_a_challenge_as_the_field_writes_it() -> None:
    """Case, white space, quotes and empty elements do not matter."""
    challenge = Challenge.parse(
        'DIGEST  Realm = "a \\"b\\"" ,, NONCE=abc==, qop = " auth-int ,AUTH", algorithm="md5" ,Stale=True,'
    )
    assert challenge == Challenge('a "b"', "abc==", "md5", ("auth-int", "auth"), stale=True)
    assert challenge.supported


@pytest.mark.parametrize("nc", ["", "1", "0000000g", "000000001"])
def test_qop_needs_its_counts(nc: str) -> None:
    """Credentials with qop and no nonce count of eight digits, or no cnonce, are malformed."""
    text = (
        f'Digest username="a", realm="r", nonce="n", uri="u", response="x", qop=auth, cnonce="c", nc="{nc}"'
    )
    with pytest.raises(RemoteProtocolError):
        Credentials.parse(text)
    with pytest.raises(RemoteProtocolError):
        Credentials.parse(text.replace(f'nc="{nc}"', "nc=00000001").replace('cnonce="c"', "x=y"))


def test_the_strongest_challenge_of_the_named_realm_is_answered() -> None:
    """A password goes to its own realm, by the best algorithm that both know; noise is passed over."""
    values = [
        'Digest realm="other", nonce="1", algorithm=SHA-256',
        'Digest realm="ours", nonce="2", algorithm=SHA-512-256, qop="auth"',
        'Digest realm="ours", nonce="3", qop="auth"',
        'Digest realm="ours", nonce="4", algorithm=sha-256, qop="auth"',
        'Digest realm="ours", nonce="5", algorithm=SHA-256, qop="auth"',
        'Digest realm="ours", nonce="6", algorithm=SHA-256, qop="auth-future"',
        'Digest realm="ours"',
        "Basic",
    ]
    assert [one.nonce for one in challenges_to_answer(values, "ours")] == ["4"]
    assert [one.nonce for one in challenges_to_answer(values)] == ["1", "4"]
    assert challenges_to_answer(values, "nobody's") == []


@pytest.mark.parametrize(
    "challenge", [Challenge("r", "n", "SHA-512-256"), Challenge("r", "n", qop=("auth-future",))]
)
def test_what_we_cannot_answer_we_do_not(challenge: Challenge) -> None:
    """Answering by an unknown algorithm or qop is a bug of ours, not a guess."""
    with pytest.raises(LocalProtocolError):
        answer(challenge, "alice", "Circle of Life", "INVITE", "sip:gw.example.com", b"", "c", 1)
