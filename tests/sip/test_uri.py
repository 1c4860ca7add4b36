"""URIs as values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sip.errors import RemoteProtocolError
from gateway.sip.uri import OtherUri, SipUri, TelUri, Uri, parse_uri
from tests.sip.strategies import URIS


@given(URIS)
def test_parse_and_str_are_inverses(uri: Uri) -> None:
    """Every URI is read back as itself."""
    assert parse_uri(str(uri)) == uri


@given(st.text(alphabet='sip:tel@;?&=%<>"[]. \t\r\n\0ab1é') | st.text())
def test_whatever_comes_is_a_uri_or_refused(text: str) -> None:
    """No text makes the parser fail otherwise, and none that passes could end a header line."""
    try:
        uri = parse_uri(text)
    except RemoteProtocolError:
        return
    assert str(uri).isascii()
    assert str(uri).isprintable()
    assert parse_uri(str(uri)) == uri


def test_a_sip_uri_has_all_its_parts() -> None:
    """User, password, host, port, parameters and headers are told apart."""
    uri = parse_uri("SIP:alice:secret@Example.COM:5070;transport=TCP;lr?Subject=x&Priority=")
    assert uri == SipUri(
        "sip",
        "alice",
        "example.com",
        5070,
        (("transport", "TCP"), ("lr", None)),
        (("Subject", "x"), ("Priority", "")),
        "secret",
    )
    assert isinstance(uri, SipUri)
    assert (uri.param("transport"), uri.param("lr"), uri.param("maddr")) == ("TCP", "", None)
    assert not uri.secure
    assert str(uri) == "sip:alice:secret@example.com:5070;transport=TCP;lr?Subject=x&Priority="


@pytest.mark.parametrize(
    ("text", "user", "says"),
    [
        ("sip:+15551230001@h", "+15551230001", "+15551230001"),
        ("sip:%2B15551230001@h", "%2B15551230001", "+15551230001"),
        ("sip:sips%3Auser%40example.com@h", "sips%3Auser%40example.com", "sips:user@example.com"),
        ("sip:user;par=u%40example.net@h", "user;par=u%40example.net", "user;par=u@example.net"),
        ("sip:null-%00-null@h", "null-%00-null", "null-\ufffd-null"),
        ("sip:%C3%A9%FF@h", "%C3%A9%FF", "é\ufffd"),
        ("sip:*72#31@h", "*72#31", "*72#31"),
        ("sip:h", None, ""),
    ],
)
def test_the_user_part_is_kept_and_understood(text: str, user: str | None, says: str) -> None:
    """The user part stays as written; its escapes are undone only in what it says."""
    uri = parse_uri(text)
    assert isinstance(uri, SipUri)
    assert (uri.user, uri.unescaped_user, str(uri)) == (user, says, text)


def test_a_user_part_may_look_like_anything() -> None:
    """The torture user of RFC 4475 ends at its @."""
    uri = parse_uri(
        "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d@example.com"
    )
    assert isinstance(uri, SipUri)
    assert (uri.user, uri.host) == ("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*", "example.com")
    assert uri.password == "&it+has=1,weird!*pas$wo~d"


def test_an_ipv6_reference() -> None:
    """An IPv6 address comes without brackets and goes out with them."""
    uri = parse_uri("sips:a@[2001:DB8::1]:5061")
    assert isinstance(uri, SipUri)
    assert (uri.host, uri.port, uri.secure) == ("2001:db8::1", 5061, True)
    assert str(uri) == "sips:a@[2001:db8::1]:5061"


def test_a_tel_uri() -> None:
    """A telephone number keeps its separators, and can be had without."""
    uri = parse_uri("tel:+1-(201)-555.0123;phone-context=example.com")
    assert uri == TelUri("+1-(201)-555.0123", (("phone-context", "example.com"),))
    assert isinstance(uri, TelUri)
    assert (uri.digits, uri.param("phone-context")) == ("+12015550123", "example.com")


@pytest.mark.parametrize(
    "text",
    [
        "nobodyKnowsThisScheme:totallyopaquecontent",
        "soap.beep://192.0.2.103:3002",
        "urn:service:sos",
        "isbn:2983792873",
    ],
)
def test_other_schemes_are_told_apart(text: str) -> None:
    """A URI of another scheme is a URI all the same: the answer is 416, not 400."""
    assert isinstance(parse_uri(text), OtherUri)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sip",
        "sip:",
        "sip:@host",
        "sip:user@",
        "sip:a@b@c",
        "sip:user@host; lr",
        "sip:user name@host",
        " sip:user@host",
        "<sip:user@host>",
        "sip:user@host;",
        "sip:user@host;;lr",
        "sip:user@host;=1",
        "sip:user@host;a=",
        "sip:user@host?",
        "sip:user@host?a",
        "sip:user@host?a=b&",
        "sip:us%4er%4@host",
        "sip:user%@host",
        "sip:user@host:port",
        "sip:user@host:",
        "sip:user@ho st",
        "sip:user@[::1",
        "sip:usér@host",
        "sip:a\r\nEvil: 1@host",
        "tel:",
        "tel:alice",
        "1tel:5",
        ":5",
        "urn:",
        "urn:a b",
    ],
)
def test_malformed_uris(text: str) -> None:
    """What is no URI is refused."""
    with pytest.raises(RemoteProtocolError):
        parse_uri(text)
