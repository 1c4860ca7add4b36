"""Messages: bytes to values and back."""

from gateway.sip.message import Request, make_response, parse_message, validate_request

INVITE = b"""INVITE sip:+15551230001@gw.example.com SIP/2.0\r
Via: SIP/2.0/UDP 192.0.2.7:5070;branch=z9hG4bK776asdhds;rport\r
f: "Alice" <sip:+15557654321@carrier.example.net>;tag=1928301774\r
To: <sip:+15551230001@gw.example.com>\r
Call-ID: a84b4c76e66710@192.0.2.7\r
CSeq: 314159 INVITE\r
Max-Forwards: 70\r
Contact: <sip:192.0.2.7:5070>\r
Content-Type: application/sdp\r
Content-Length: 5\r
\r
v=0\r
"""


def test_an_invite_is_read_and_answered() -> None:
    """A request's fields come as values, and its response repeats them with our tag."""
    request = parse_message(INVITE)
    assert isinstance(request, Request)
    validate_request(request)
    assert (request.via.branch, request.from_.tag, request.to.tag) == ("z9hG4bK776asdhds", "1928301774", None)
    response = bytes(make_response(request, 180, to_tag="ours"))
    assert response.startswith(
        b"SIP/2.0 180 Ringing\r\nVia: SIP/2.0/UDP 192.0.2.7:5070;branch=z9hG4bK776asdhds;rport\r\n"
    )
    assert b"\r\nTo: <sip:+15551230001@gw.example.com>;tag=ours\r\n" in response
