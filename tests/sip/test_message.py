"""Messages: bytes to values and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sip.errors import LocalProtocolError, RemoteProtocolError
from gateway.sip.headers import CSeq, Headers
from gateway.sip.message import (
    MAX_HEADERS,
    MAX_MESSAGE,
    Request,
    Response,
    Unparsable,
    make_response,
    parse_message,
    stamp_via,
)
from gateway.sip.uri import OtherUri
from gateway.sip.validation import validate_request, validate_response
from tests.sip.strategies import TEXT, TOKEN

INVITE = b"""INVITE sip:+15551230001@gw.example.com SIP/2.0\r
Via: SIP/2.0/UDP 192.0.2.7:5070;branch=z9hG4bK776asdhds;rport, SIP/2.0/TCP [2001:db8::9]\r
v: SIP/2.0/UDP 198.51.100.7\r
f: "Alice" <sip:+15557654321@carrier.example.net>;tag=1928301774\r
To: <sip:+15551230001@gw.example.com>\r
Call-ID: a84b4c76e66710@192.0.2.7\r
CSeq: 314159 INVITE\r
Max-Forwards: 70\r
Record-Route: <sip:p1;lr>, <sip:p2;lr>\r
Contact: <sip:192.0.2.7:5070>\r
P-Asserted-Identity: "Alice" <sip:+15557654321@carrier.example.net>, <tel:+15557654321>\r
Accept: application/sdp, text/*\r
Expires: 120\r
Content-Type: application/sdp\r
Content-Length: 5\r
\r
v=0\r
"""

FIELDS = """Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1
From: <sip:a@b>;tag=1
To: <sip:c@d>
Call-ID: 1@b
CSeq: 1 OPTIONS
"""


def message(start_line: str = "OPTIONS sip:c@d SIP/2.0", *, fields: str = FIELDS, more: str = "") -> bytes:
    """A message of lines; `more` adds some, and replaces those of the same name."""
    names = [line.partition(":")[0] for line in more.splitlines()]
    kept = [line for line in fields.splitlines() if line.partition(":")[0] not in names]
    return "\r\n".join([start_line, *kept, *more.splitlines(), "", ""]).encode()


def request(data: bytes) -> Request:
    """A request that is one."""
    parsed = parse_message(data)
    assert isinstance(parsed, Request)
    return parsed


def response(data: bytes) -> Response:
    """A response that is one."""
    parsed = parse_message(data)
    assert isinstance(parsed, Response)
    return parsed


def unparsable(data: bytes) -> Unparsable:
    """What is said about a message that is none."""
    with pytest.raises(Unparsable) as caught:
        parse_message(data)
    return caught.value


def refusal(data: bytes) -> str:
    """What is said about a request that is not valid."""
    with pytest.raises(RemoteProtocolError) as caught:
        validate_request(request(data))
    assert caught.value.status == 400
    return caught.value.reason


def test_an_invite_is_read() -> None:
    """A request's fields come as values."""
    invite = request(INVITE)
    validate_request(invite)
    assert (invite.method, invite.uri) == ("INVITE", "sip:+15551230001@gw.example.com")
    assert str(invite.request_uri) == invite.uri
    assert [via.host for via in invite.vias] == ["192.0.2.7", "2001:db8::9", "198.51.100.7"]
    assert invite.via.branch == "z9hG4bK776asdhds"
    assert (invite.from_.display, invite.from_.tag, invite.to.tag) == ("Alice", "1928301774", None)
    assert invite.call_id == "a84b4c76e66710@192.0.2.7"
    assert invite.cseq == CSeq(314159, "INVITE")
    assert (invite.max_forwards, invite.expires) == (70, 120)
    assert [str(route.uri) for route in invite.record_routes] == ["sip:p1;lr", "sip:p2;lr"]
    assert invite.routes == []
    assert str(invite.remote_target) == "sip:192.0.2.7:5070"
    assert invite.content_type is not None
    assert invite.content_type.essence == "application/sdp"
    assert invite.accept is not None
    assert [str(one) for one in invite.accept] == ["application/sdp", "text/*"]
    assert invite.body == b"v=0\r\n"


def test_what_is_absent_is_none() -> None:
    """Optional fields that are not there have no value."""
    options = request(message())
    validate_request(options)
    absent = (
        options.max_forwards,
        options.expires,
        options.remote_target,
        options.content_type,
        options.accept,
    )
    assert absent == (None,) * 5
    assert options.contacts == options.record_routes == []


def test_values_are_parsed_once() -> None:
    """Asking twice gives the same value, until the field is changed."""
    invite = request(INVITE)
    assert invite.from_ is invite.from_
    invite.headers.set("From", "<sip:new@b>;tag=2")
    assert invite.from_.tag == "2"


def test_one_field_can_be_read_in_two_ways() -> None:
    """The same field is a list of addresses and a target, whichever is asked for first."""
    invite = request(INVITE)
    invite.headers.set("Contact", '"A, B" <sip:a,b@c>;tag=1 , sip:d@e')
    assert invite.remote_target == invite.contacts[0].uri == invite.remote_target
    assert [one.display for one in invite.contacts] == ["A, B", ""]
    assert [str(one.uri) for one in invite.contacts] == ["sip:a,b@c", "sip:d@e"]


def test_a_response_is_read() -> None:
    """A response has a status and whatever reason phrase."""
    answer = response(message("SIP/2.0 200 = 2**3 * 5**2 но сто девяносто девять - простое"))
    validate_response(answer)
    assert (answer.status, answer.reason) == (200, "= 2**3 * 5**2 но сто девяносто девять - простое")
    assert [response(message(line)).reason for line in ("SIP/2.0 100 ", "SIP/2.0 100")] == ["", ""]


def test_the_version_is_read_without_case() -> None:
    """RFC 3261 section 7.1 compares versions without case, and writes them in capitals."""
    assert bytes(request(message("OPTIONS sip:c@d sip/2.0"))).startswith(b"OPTIONS sip:c@d SIP/2.0\r\n")
    assert bytes(response(message("sip/2.0 200 OK"))).startswith(b"SIP/2.0 200 OK\r\n")


@given(
    st.lists(st.tuples(TOKEN, TEXT.map(str.strip)), max_size=8),
    st.binary(max_size=20),
    TOKEN.filter(lambda text: text[:4].upper() != "SIP/"),
)
def test_parse_and_bytes_are_inverses(fields: list[tuple[str, str]], body: bytes, method: str) -> None:
    """What is written is read as the same message."""
    fields = [(name, value) for name, value in fields if name.lower() not in {"l", "content-length"}]
    length = str(len(body))
    sent = Request(method, "sip:a@b", Headers([*fields, ("Content-Length", length)]), body)
    assert parse_message(bytes(sent)) == sent
    answer = Response(200, "Fine", Headers([*fields, ("Content-Length", length)]), body)
    assert parse_message(bytes(answer)) == answer


@given(st.binary(max_size=60) | st.text(alphabet="SIP/2.0 \r\n:abv\0é").map(str.encode))
def test_whatever_comes_is_a_message_or_unparsable(data: bytes) -> None:
    """No octets make the parser fail otherwise."""
    try:
        parse_message(data)
    except Unparsable:
        pass


@given(st.integers(0, len(INVITE)), st.binary(max_size=6), st.integers(0, 6))
def test_a_damaged_message_is_answered_or_dropped(position: int, noise: bytes, cut: int) -> None:
    """A message with any damage is read, or refused with a response that is a message itself."""
    data = INVITE[:position] + noise + INVITE[position + cut :]
    reason, status = "OK", 200
    try:
        received: Request | Response | None = parse_message(data)
        if isinstance(received, Request):
            validate_request(received)
    except Unparsable as error:
        received, reason, status = error.request, error.reason, error.status
    except RemoteProtocolError as error:
        reason, status = error.reason, error.status
    if isinstance(received, Request):
        answered = bytes(make_response(received, status, reason, to_tag="ours"))
        assert response(answered).status == status


def test_lines_may_be_folded_and_spaced() -> None:
    """White space around the colon and lines that go on in the next are as good as one space."""
    folded = request(message(more="Subject :\r\n\r\n  long\r\n\t  subject  ".replace("\r\n\r\n", "\r\n")))
    assert folded.headers.get("Subject") is not None
    assert (folded.headers.get("s") or "").split() == ["long", "subject"]


def test_empty_lines_before_a_message_are_ignored() -> None:
    """RFC 3261 section 7.5 wants that of streams, and datagrams are no worse for it."""
    assert request(b"\r\n\r\n" + message()).method == "OPTIONS"


def test_content_length_cuts_the_body() -> None:
    """Octets after the body are ignored; without a length the body is all that is left."""
    assert request(message(more="Content-Length: 3") + b"abcdef").body == b"abc"
    assert request(message() + b"abcdef").body == b"abcdef"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ("Content-Length: 9999", "Content-Length is larger than the body"),
        ("Content-Length: -999", "Content-Length: not a number"),
        ("Content-Length: 5\nContent-Length: 5", "Content-Length: more than one"),
        ("l: 5\nContent-Length: 4", "Content-Length: more than one"),
        ("Content-Length: 5, 5", "Content-Length: not a number"),
        ("Content-Length:", "Content-Length: not a number"),
        ("no colon", "Malformed header field line"),
        (": no name", "Malformed header field line"),
        ("a b: c", "Malformed header field line"),
        ("X: a\rEvil: 1", "Line not ended by CR LF"),
    ],
)
def test_what_cannot_be_framed_is_refused_with_a_reason(more: str, reason: str) -> None:
    """A request with impossible lines or lengths can still be answered, and is told what is wrong."""
    error = unparsable(message()[:-2] + more.replace("\n", "\r\n").encode() + b"\r\n\r\nbody!")
    assert (error.status, error.reason) == (400, reason)
    assert error.request is not None
    assert error.request.method == "OPTIONS"
    assert bytes(make_response(error.request, error.status, error.reason)).startswith(
        f"SIP/2.0 400 {reason}\r\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1\r\n".encode()
    )


@pytest.mark.parametrize(
    ("start_line", "status"),
    [
        ("OPTIONS  sip:c@d SIP/2.0", 400),
        ("OPTIONS sip:c@d  SIP/2.0", 400),
        ("OPTIONS sip:c@d SIP/2.0 ", 400),
        ("OPTIONS sip:c@d; lr SIP/2.0", 400),
        ("OPTIONS sip:c@d", 400),
        ("OPTIONS  SIP/2.0", 400),
        ("OPTIONS", 400),
        ("OPTIONS sip:c@d HTTP/1.1", 400),
        ("OPTIONS sip:c@d SIP/two", 400),
        ("OPTIONS sip:c@d SIP/7.0", 505),
        ("OPTIONS sip:c@d SIP/2.1", 505),
        ("OPTIONS sip:c@d SIP/2.0\r\n folded", 400),
    ],
)
def test_a_malformed_request_line_is_answered(start_line: str, status: int) -> None:
    """One method, one URI and one version with one space between, or 400; another version is 505."""
    error = unparsable(message(start_line))
    assert error.status == status
    assert error.request is not None
    assert error.request.method == "OPTIONS"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        b"\0" * 20,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"OPTIONS sip:c@d SIP/2.0",
        message().replace(b"\r\n", b"\n"),
        message("OPT/IONS sip:c@d SIP/2.0"),
        message("sip:c@d"),
        message("SIP/2.0 4294967301 better not break the receiver"),
        message("SIP/2.0 99 Low"),
        message("SIP/2.0 700 High"),
        message("SIP/2.0 2x0 OK"),
        message("SIP/2.0 ²00 OK"),
        message("SIP/2.0"),
        message("SIP/7.0 200 OK"),
        message("SIP/2.0 200 OK", more="Content-Length: 1"),
        *(
            message("OPTIONS bad", fields=FIELDS.replace(name, "X"))
            for name in ("Via", "From", "To", "Call-ID", "CSeq")
        ),
    ],
)
def test_what_cannot_be_answered_has_no_request(data: bytes) -> None:
    """Noise, responses, and requests without the fields of a response are for dropping."""
    assert unparsable(data).request is None


def test_a_message_without_its_empty_line_is_answered() -> None:
    """A request that was cut off within its header still says who sent it."""
    error = unparsable(message()[:-2])
    assert error.reason == "No empty line after the header fields"
    assert error.request is not None
    assert error.request.call_id == "1@b"


def test_messages_are_bounded() -> None:
    """Too many octets are 513 and too many lines 400, both answered."""
    error = unparsable(message() + b"a" * MAX_MESSAGE)
    assert (error.status, error.request is not None) == (513, True)
    error = unparsable(message(more="X: 1\n" * MAX_HEADERS))
    assert (error.reason, error.request is not None) == ("Too many header fields", True)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ('To: "Mr. J. User <sip:c@d>', "To: unbalanced quote"),
        ("To: <sip:c@d>\nTo: <sip:e@f>", "To: more than one"),
        ("Call-ID: 1\nCall-ID: 2", "Call-ID: more than one"),
        ("Call-ID: a b", "Call-ID: malformed"),
        ("Call-ID: a\0b", "Call-ID: malformed"),
        ("Call-ID:", "Call-ID: malformed"),
        ("CSeq: 1 INVITE", "CSeq: method is not that of the request"),
        ("CSeq: 4294967296 OPTIONS", "CSeq: number too large"),
        ("CSeq: 36893488147419103232 OPTIONS", "CSeq: number too large"),
        ("Via: SIP/2.0/UDP 192.0.2.15;;,;,,", "Via: malformed parameter name"),
        ("Via:", "Via: malformed sent-protocol"),
    ],
)
def test_an_invalid_request_is_refused_with_a_reason(more: str, reason: str) -> None:
    """The reason names the field and what is wrong with it, in words of ours."""
    assert refusal(message(more=more)) == reason


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ("Content-Type: application", "Content-Type: malformed media type"),
        ("Content-Type: a/b\nContent-Type: c/d", "Content-Type: more than one"),
        ("Contact: sip:c@d?Route=%3Csip:e%3E", "Contact: URI needs angle brackets"),
        ("Contact: <sip:c@d", "Contact: unbalanced quote or angle bracket"),
        ("Contact: *", "Contact: malformed URI"),
        ("Contact: <tel:+12025550101>", "Contact: no SIP URI"),
        ("Contact: <sip:c@d>\nRecord-Route: a@b", "Record-Route: malformed URI"),
        ("X: 1", "Contact: missing"),
    ],
)
def test_an_invite_needs_more(more: str, reason: str) -> None:
    """The dialog that an INVITE begins needs its Contact, its route and its body; others do not."""
    assert refusal(message("INVITE sip:c@d SIP/2.0", more=f"CSeq: 1 INVITE\n{more}")) == reason
    validate_request(request(message(more=more.replace("INVITE", "OPTIONS"))))


@pytest.mark.parametrize(
    "more",
    [
        "From: <sip:a@b",
        "Max-Forwards: 256",
        "Max-Forwards: -1",
        "Max-Forwards: 1\nMax-Forwards: 1",
        "Expires: 4294967296",
        "Expires: soon",
        "Date: then\nDate: now",
        "Contact: <sip:c@d>, <tel:+12025550101>",
        'Contact: sip:c@d;+sip.instance="<urn:uuid:1>"',
    ],
)
@pytest.mark.parametrize("method", ["INVITE", "OPTIONS", "BYE", "INFO"])
def test_what_a_request_does_not_need_cannot_cost_it(method: str, more: str) -> None:
    """A field that we never read may hold anything (RFC 3261 section 8.2.2)."""
    contact = "" if more.startswith("Contact") else "Contact: <sip:c@d>\n"
    validate_request(request(message(f"{method} sip:c@d SIP/2.0", more=f"CSeq: 1 {method}\n{contact}{more}")))


@pytest.mark.parametrize("name", ["Via", "From", "To", "Call-ID", "CSeq"])
def test_mandatory_fields_are_missed(name: str) -> None:
    """Without one of the five fields of a response, a request is refused by name."""
    assert refusal(message(fields=FIELDS.replace(f"{name}:", "X:"))) == f"{name}: missing"


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("<sip:c@d>", "Request-URI: malformed URI"),
        ("sip:c@d?Route=%3Csip:e%3E", "Request-URI: header fields are not allowed in it"),
        ("c@d", "Request-URI: malformed URI"),
        ("sip:c\0@d", "Request-URI: malformed user part of the URI"),
    ],
)
def test_an_invalid_request_uri_is_refused(uri: str, reason: str) -> None:
    """The Request-URI is a URI without brackets, and brings no header fields."""
    assert refusal(message(f"OPTIONS {uri} SIP/2.0")) == reason


def test_another_scheme_is_not_invalid() -> None:
    """Whether we serve a scheme is not for the parser to say."""
    options = request(message("OPTIONS nobodyKnowsThis:atall SIP/2.0"))
    validate_request(options)
    assert isinstance(options.request_uri, OtherUri)


def test_an_invite_has_one_contact() -> None:
    """Two Contacts leave open where the rest of the call goes; a REGISTER may have them, or a star."""
    two = "Contact: <sip:a@b>, <sip:c@d>"
    invite = message("INVITE sip:c@d SIP/2.0", more=f"CSeq: 1 INVITE\n{two}")
    assert refusal(invite) == "Contact: more than one"
    for contact in (two, "Contact: *"):
        validate_request(request(message("REGISTER sip:d SIP/2.0", more=f"CSeq: 1 REGISTER\n{contact}")))


def test_an_old_request_is_valid() -> None:
    """RFC 2543 asked for no branch, no tags and no Max-Forwards."""
    old = request(message(more="Via: SIP/2.0/UDP a\nFrom: <sip:a@b>"))
    validate_request(old)
    assert (old.via.branch, old.from_.tag) == (None, None)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ("CSeq: 9292394834772304023312 OPTIONS", "CSeq"),
        ("Via: nonsense", "Via"),
    ],
)
def test_an_invalid_response_is_refused(more: str, reason: str) -> None:
    """A response that does not say whose it is, or where the peer is to be reached, is for dropping."""
    with pytest.raises(RemoteProtocolError, match=reason):
        validate_response(response(message("SIP/2.0 200 OK", more=more)))


def test_a_response_repeats_its_request() -> None:
    """Via, From, To, Call-ID and CSeq come back to the letter, and To gets our tag."""
    invite = request(INVITE)
    answer = make_response(invite, 180, to_tag="ours", headers=[("Server", "us")])
    assert bytes(answer) == (
        b"SIP/2.0 180 Ringing\r\n"
        b"Via: SIP/2.0/UDP 192.0.2.7:5070;branch=z9hG4bK776asdhds;rport, SIP/2.0/TCP [2001:db8::9]\r\n"
        b"Via: SIP/2.0/UDP 198.51.100.7\r\n"
        b'From: "Alice" <sip:+15557654321@carrier.example.net>;tag=1928301774\r\n'
        b"To: <sip:+15551230001@gw.example.com>;tag=ours\r\n"
        b"Call-ID: a84b4c76e66710@192.0.2.7\r\n"
        b"CSeq: 314159 INVITE\r\n"
        b"Server: us\r\n"
        b"Content-Length: 0\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("to", "answered"),
    [
        ("sip:c@d", "sip:c@d;tag=ours"),
        ("<sip:c@d>;x", "<sip:c@d>;x;tag=ours"),
        ("<sip:c@d>;TAG=theirs", "<sip:c@d>;TAG=theirs"),
        ('"tag=" <sip:c@d;tag=1>', '"tag=" <sip:c@d;tag=1>;tag=ours'),
        ('"open <sip:c@d>', '"open <sip:c@d>'),
    ],
)
def test_the_to_tag_is_added_once(to: str, answered: str) -> None:
    """A To that has a tag keeps it, and one that nobody can read is not made worse."""
    answer = make_response(request(message(more=f"To: {to}")), 404, to_tag="ours")
    assert answer.headers.get("To") == answered
    assert answer.reason == "Not Found"


def test_a_response_to_the_unanswerable_repeats_what_there_is() -> None:
    """Doubled fields come back once, missing ones not at all."""
    doubled = request(message(more="To: <sip:c@d>\nTo: <sip:e@f>"))
    assert make_response(doubled, 400).headers.get_all("To") == ["<sip:c@d>"]
    missing = request(message(fields="Via: SIP/2.0/UDP a\nCSeq: 1 OPTIONS\n"))
    assert [name for name, _ in make_response(missing, 400, to_tag="ours").headers] == ["Via", "CSeq"]


def test_a_100_repeats_the_timestamp() -> None:
    """RFC 3261 section 8.2.6.1: only a 100 does."""
    stamped = request(message(more="Timestamp: 54"))
    assert [make_response(stamped, status).headers.get("Timestamp") for status in (100, 180)] == ["54", None]


def test_a_response_has_its_body_measured() -> None:
    """Content-Type and Content-Length are those of the body, whatever the headers said."""
    answer = make_response(
        request(INVITE), 200, headers=[("Content-Length", "7")], body=b"v=0", content_type="application/sdp"
    )
    received = response(bytes(answer))
    assert (received.body, received.headers.get_all("Content-Length")) == (b"v=0", ["3"])
    assert str(received.content_type) == "application/sdp"
    assert make_response(request(INVITE), 299).reason == ""


@pytest.mark.parametrize("text", ["a\r\nEvil: 1", "a\nEvil: 1", "a\0"])
def test_no_text_of_ours_can_add_headers(text: str) -> None:
    """Line ends are refused in reason phrase, fields, type, tag, method and Request-URI."""
    invite = request(INVITE)
    with pytest.raises(LocalProtocolError):
        make_response(invite, 400, text)
    with pytest.raises(LocalProtocolError):
        make_response(invite, 400, headers=[("Warning", text)])
    with pytest.raises(LocalProtocolError):
        make_response(invite, 400, content_type=text)
    with pytest.raises(LocalProtocolError):
        make_response(invite, 400, to_tag=text)
    for unsent in (Request(text, "sip:a@b"), Request("INVITE", text), Response(200, text)):
        with pytest.raises(LocalProtocolError):
            bytes(unsent)


@given(st.binary(max_size=40).filter(lambda data: b"\r" not in data and b"\n" not in data))
def test_values_come_back_to_the_octet(name: bytes) -> None:
    """Whatever octets a display name has, UTF-8 or not, the response has them too."""
    to = b'To: "' + name.replace(b"\\", b"").replace(b'"', b"") + b'" <sip:c@d>'
    data = message(fields=FIELDS.replace("To: <sip:c@d>\n", "")).removesuffix(b"\r\n") + to + b"\r\n\r\n"
    answered = bytes(make_response(request(data), 200, to_tag="ours"))
    assert b"\r\n" + to + b";tag=ours\r\n" in answered


@given(st.binary(max_size=40))
def test_no_text_holds_half_a_character(name: bytes) -> None:
    """What is not UTF-8 becomes text all the same: it can be logged and stored."""
    data = (
        message().removesuffix(b"\r\n")
        + b"Subject: "
        + name.replace(b"\r", b"").replace(b"\n", b"")
        + b"\r\n\r\n"
    )
    for _, value in request(data).headers:
        assert value.encode().decode() == value


@pytest.mark.parametrize(
    ("via", "host", "stamped"),
    [
        ("SIP/2.0/UDP 192.0.2.7:5070;branch=1", "192.0.2.7", "SIP/2.0/UDP 192.0.2.7:5070;branch=1"),
        ("SIP/2.0/UDP pbx.lan;branch=1", "192.0.2.7", "SIP/2.0/UDP pbx.lan;branch=1;received=192.0.2.7"),
        ("SIP/2.0/UDP 10.0.0.1;branch=1", "::1", "SIP/2.0/UDP 10.0.0.1;branch=1;received=::1"),
        (
            "SIP/2.0/UDP 192.0.2.7;rport;branch=1",
            "192.0.2.7",
            "SIP/2.0/UDP 192.0.2.7;rport=40000;branch=1;received=192.0.2.7",
        ),
        (
            "SIP/2.0/UDP a;received=6.6.6.6;rport=6",
            "192.0.2.7",
            "SIP/2.0/UDP a;received=192.0.2.7;rport=40000",
        ),
    ],
)
def test_the_top_via_says_where_a_request_came_from(via: str, host: str, stamped: str) -> None:
    """`received` is added where the address differs, and the port where `rport` asks for it."""
    stamped_request = request(message(more=f"Via: {via}, SIP/2.0/UDP below\nVia: SIP/2.0/UDP last"))
    stamp_via(stamped_request, host, 40000)
    assert stamped_request.headers.get_all("Via") == [f"{stamped}, SIP/2.0/UDP below", "SIP/2.0/UDP last"]
    assert str(stamped_request.via) == stamped
