"""Header fields by name, and header field values."""

from typing import Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sip.errors import LocalProtocolError, RemoteProtocolError
from gateway.sip.headers import CSeq, Headers, MediaType, NameAddr, Via, header_name
from gateway.sip.uri import SipUri
from tests.sip.strategies import CSEQS, MEDIA_TYPES, NAME_ADDRS, VIAS


class Value(Protocol):
    """What all header field values can do."""

    @classmethod
    def parse(cls, text: str) -> "Value": ...


@given(NAME_ADDRS | VIAS | CSEQS | MEDIA_TYPES)
def test_parse_and_str_are_inverses(value: Value) -> None:
    """Every value is read back as itself."""
    assert type(value).parse(str(value)) == value


@pytest.mark.parametrize("kind", [NameAddr, Via, CSeq, MediaType])
@given(text=st.text(alphabet='<>"\\;,=@:/ \t\r\n\0sipUDP20.a1é') | st.text())
def test_whatever_comes_is_a_value_or_refused(kind: type[Value], text: str) -> None:
    """No text makes a parser fail otherwise, and what passes can be written into a header again."""
    try:
        value = kind.parse(text)
    except RemoteProtocolError:
        return
    Headers().add("X", str(value))
    assert kind.parse(str(value)) == value


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("via", "Via"),
        ("V", "Via"),
        ("v", "Via"),
        ("CALL-ID", "Call-ID"),
        ("call-id  ", "Call-ID"),
        ("i", "Call-ID"),
        ("cseq", "CSeq"),
        ("k", "Supported"),
        ("o", "Event"),
        ("x", "Session-Expires"),
        ("www-AUTHENTICATE", "WWW-Authenticate"),
        ("p-asserted-identity", "P-Asserted-Identity"),
        ("X-carrier-ID\t", "X-Carrier-Id"),
    ],
)
def test_names_have_one_spelling(spelling: str, name: str) -> None:
    """Case, compact forms and white space before the colon make no difference."""
    assert header_name(spelling) == name


@pytest.mark.parametrize("spelling", ["", " ", "a b", "a:b", "é", "a\r\nb", "a\0", "(a)", "a" * 257])
def test_what_is_no_name(spelling: str) -> None:
    """A name that is no token has no spelling, and cannot be written."""
    assert header_name(spelling) is None
    headers = Headers()
    for change in (headers.add, headers.set):
        with pytest.raises(LocalProtocolError):
            change(spelling, "value")
    with pytest.raises(LocalProtocolError):
        headers.remove(spelling)
    assert spelling not in headers
    assert headers.get(spelling) is None


@pytest.mark.parametrize("value", ["a\r\nEvil: 1", "a\nb", "a\rb", "a\0b", "\r\n"])
def test_a_value_cannot_bring_headers_of_its_own(value: str) -> None:
    """Line ends and NUL are refused, however the value gets there."""
    headers = Headers([("To", "before")])
    for change in (headers.add, headers.set, headers.replace_first):
        with pytest.raises(LocalProtocolError):
            change("To", value)
    with pytest.raises(LocalProtocolError):
        Headers([("To", value)])
    assert list(headers) == [("To", "before")]


def test_fields_are_a_multimap_without_case() -> None:
    """Values keep their order under a name, whatever spelling they came by."""
    headers = Headers([("v", "1"), ("To", "a"), ("VIA", "2")])
    headers.add("Via", "3")
    assert headers.get("via") == "1"
    assert headers.get_all("V") == ["1", "2", "3"]
    assert list(headers) == [("Via", "1"), ("Via", "2"), ("Via", "3"), ("To", "a")]
    assert len(headers) == 4
    assert ("tO" in headers, "From" in headers, 5 in headers) == (True, False, False)
    headers.set("t", "b")
    headers.remove("Via")
    headers.remove("Via")
    assert headers == Headers([("To", "b")])
    assert headers != Headers([("To", "a")])
    assert repr(headers) == "Headers([('To', 'b')])"
    assert headers.get("Via") is None
    assert headers.get_all("Via") == []


def test_what_is_handed_out_is_a_copy() -> None:
    """Changing a list of values does not change the headers behind their back."""
    headers = Headers([("Via", "1")])
    headers.get_all("Via").append("2")
    assert headers.get_all("Via") == ["1"]


def test_typed_values_are_parsed_once_and_follow_changes() -> None:
    """A value is parsed when first asked for, and again only after the field has changed."""
    headers = Headers([("To", "a")])
    calls = []

    def parse(values: list[str]) -> str:
        calls.append(values)
        return values[0].upper()

    assert [headers.typed("To", parse) for _ in range(3)] == ["A"] * 3
    assert len(calls) == 1
    headers.set("To", "b")
    assert headers.typed("To", parse) == "B"
    headers.replace_first("To", "c")
    assert headers.typed("To", parse) == "C"
    headers.remove("To")
    headers.add("t", "d")
    assert headers.typed("To", parse) == "D"


def test_elements_are_those_of_all_lines() -> None:
    """A list may be spread over lines, and may have empty elements."""
    headers = Headers([("Require", "a, b,,"), ("Supported", ""), ("require", " c")])
    assert headers.elements("Require") == ["a", "b", "c"]
    assert headers.elements("Supported") == headers.elements("Allow") == []
    with pytest.raises(RemoteProtocolError, match=r"Allow: unbalanced"):
        Headers([("Allow", '"')]).elements("Allow")


def test_the_first_element_is_replaced_alone() -> None:
    """Writing over the topmost Via leaves those below to the letter, in the same line or others."""
    headers = Headers([("Via", "a;x , b;Y=1"), ("Via", "c")])
    headers.replace_first("Via", "z")
    assert headers.get_all("Via") == ["z, b;Y=1", "c"]


def test_a_via() -> None:
    """A hop has a transport, an address, and parameters of which some have names here."""
    via = Via.parse("SIP / 2.0 / udp   [2001:DB8::1] : 5070 ; Branch = z9hG4bK77;rport; received=[::1]")
    assert (via.transport, via.host, via.port) == ("UDP", "2001:db8::1", 5070)
    assert (via.branch, via.has_cookie, via.received, via.param("rport")) == ("z9hG4bK77", True, "::1", "")
    assert str(via) == "SIP/2.0/UDP [2001:db8::1]:5070;Branch=z9hG4bK77;rport;received=[::1]"


def test_a_cookie_in_other_letters() -> None:
    """Parameters that are tokens are the same in upper and lower case (section 7.3.1)."""
    assert Via.parse("SIP/2.0/UDP a;branch=Z9HG4BK7").has_cookie


@pytest.mark.parametrize("branch", ["", ";branch=1", ";branch=z9hG4bK", ";branch=Z9hG4bK"])
def test_a_branch_without_cookie(branch: str) -> None:
    """Without a branch, without the cookie, or with nothing after it, RFC 2543 matching has to do."""
    via = Via.parse(f"SIP/2.0/UDP a{branch}")
    assert not via.has_cookie
    assert via.received is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SIP/2.0/UDP",
        "SIP/2.0/UDP ",
        "SIP/2.0 UDP a",
        "SIP/7.0/UDP a",
        "HTTP/2.0/UDP a",
        "SIP/2.0/U/DP a",
        "SIP/2.0/UDPa",
        "SIP/2.0/UDP a b",
        "SIP/2.0/UDP a,",
        "SIP/2.0/UDP 192.0.2.15;;,;,,",
        "SIP/2.0/UDP 2001:db8::1",
        "SIP/2.0/UDP a:99999",
        'SIP/2.0/UDP a;b="',
    ],
)
def test_malformed_vias(text: str) -> None:
    """What is no hop is refused."""
    with pytest.raises(RemoteProtocolError):
        Via.parse(text)


@pytest.mark.parametrize(
    ("text", "display", "uri", "tag"),
    [
        ("sip:alice@a.b", "", "sip:alice@a.b", None),
        ("sip:alice@a.b ;tag = 1;user=phone", "", "sip:alice@a.b", "1"),
        ("<sip:alice@a.b;user=phone?x=y>;TAG=1", "", "sip:alice@a.b;user=phone?x=y", "1"),
        ('"Bell, Alexander" <sip:a@b>;tag=433423', "Bell, Alexander", "sip:a@b", "433423"),
        ('"J Rosenberg \\\\\\""       <sip:a@b>  ;  tag = 98asjd8', 'J Rosenberg \\"', "sip:a@b", "98asjd8"),
        ("caller<sip:a@b>", "caller", "sip:a@b", None),
        ("  Tom  Watson  <sip:a@b>".strip(), "Tom  Watson", "sip:a@b", None),
        ("A&B (main) <sip:a@b>", "A&B (main)", "sip:a@b", None),
        ("José <tel:+1-201;ext=5>", "José", "tel:+1-201;ext=5", None),
        ('"" <sip:a@b>', "", "sip:a@b", None),
        ("<http://www.example.com>;tag=3", "", "http://www.example.com", "3"),
        ('<sip:a@b>;+sip.instance="<urn:uuid:1>"', "", "sip:a@b", None),
    ],
)
def test_addresses(text: str, display: str, uri: str, tag: str | None) -> None:
    """An address has a display name, quoted or not, a URI with or without brackets, and parameters."""
    address = NameAddr.parse(text)
    assert (address.display, str(address.uri), address.tag) == (display, uri, tag)


def test_parameters_after_a_bare_uri_are_the_headers() -> None:
    """Without angle brackets a semicolon ends the URI."""
    assert NameAddr.parse("sip:a@b;user=phone") == NameAddr("", SipUri("sip", "a", "b"), (("user", "phone"),))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<>",
        "alice",
        '"Mr. J. User <sip:j.user@example.com>',
        '"A" B <sip:a@b>',
        '"A"',
        '"A" sip:a@b',
        "Bell, Alexander <sip:a@b>",
        "A;B <sip:a@b>",
        "< sip:a@b >",
        "<sip:a@b",
        "<sip:a@b> x",
        "<sip:a@b>;;;;",
        "<sip:a@b>,<sip:c@d>",
        "sip:a@b?Route=%3Csip:c%3E",
        "sip:a,b@c",
        "sip:a@b;tag=",
        "*",
        "a\0 <sip:a@b>",
    ],
)
def test_malformed_addresses(text: str) -> None:
    """What is ambiguous or no address is refused."""
    with pytest.raises(RemoteProtocolError):
        NameAddr.parse(text)


@pytest.mark.parametrize(
    ("text", "cseq"),
    [("1 INVITE", CSeq(1, "INVITE")), ("0009  \t INVITE", CSeq(9, "INVITE")), ("0 a", CSeq(0, "a"))],
)
def test_cseqs(text: str, cseq: CSeq) -> None:
    """A number and a method, with any white space between."""
    assert CSeq.parse(text) == cseq


@pytest.mark.parametrize(
    "text",
    ["", "1", "INVITE", "INVITE 1", "-1 INVITE", "4294967296 INVITE", "1 INVITE x", "1 IN<VITE", "1INVITE"],
)
def test_malformed_cseqs(text: str) -> None:
    """Anything else is refused, numbers beyond 32 bits too."""
    with pytest.raises(RemoteProtocolError):
        CSeq.parse(text)


def test_media_types() -> None:
    """Types are compared without case or parameters, and ranges cover what they say."""
    sdp = MediaType.parse("Application / SDP ; charset = UTF-8")
    assert (sdp.essence, str(sdp)) == ("application/sdp", "application/sdp;charset=UTF-8")
    ranges = [
        MediaType.parse(text) for text in ("*/*", "application/*", "application/sdp", "text/*", "a/sdp")
    ]
    assert [one.covers("application/sdp") for one in ranges] == [True, True, True, False, False]


@pytest.mark.parametrize(
    "text", ["", "application", "application/", "/sdp", "a/b/c", "a b/c", "a/b;", "a/b c"]
)
def test_malformed_media_types(text: str) -> None:
    """What is no media type is refused."""
    with pytest.raises(RemoteProtocolError):
        MediaType.parse(text)
