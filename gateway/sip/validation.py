"""What a message has to have before it is acted on (RFC 3261 sections 8.1.1, 17.1.3)."""

from gateway.sip.errors import RemoteProtocolError
from gateway.sip.message import Request, Response, name_addr_of, sip_contacts_of
from gateway.sip.uri import SipUri


def validate_request(request: Request) -> None:
    """Check what the request's own method needs (RFC 3261 section 8.1.1); raises RemoteProtocolError.

    What it does not need cannot cost it (section 8.2.2): a BYE with an unreadable Contact ends its call. What
    RFC 2543 allowed passes: no branch, no From tag, no Max-Forwards. Whether we know the method, the URI
    scheme or the extensions is for the user agent to say.
    """
    headers = request.headers
    fields = headers._fields
    for name in _SINGLE:
        if len(fields.get(name, ())) > 1:
            raise RemoteProtocolError(f"{name}: more than one")
    _ = request.via, request.from_, request.call_id
    if request.to.tag is None:
        _ = headers.typed("To", name_addr_of)  # within a dialog its tag is all that is needed of it
    if request.cseq.method != request.method:
        raise RemoteProtocolError("CSeq: method is not that of the request")
    uri = request.request_uri
    if isinstance(uri, SipUri) and uri.headers:
        raise RemoteProtocolError("Request-URI: header fields are not allowed in it")
    if request.method == "INVITE":
        _validate_invite(request)


def _validate_invite(invite: Request) -> None:
    """An INVITE begins a dialog, which cannot be ended without a Contact (sections 8.1.1.8, 12.1.1)."""
    if len(invite.headers.get_all("Content-Type")) > 1:
        raise RemoteProtocolError("Content-Type: more than one")
    _ = invite.content_type
    targets = invite.headers.typed("Contact", sip_contacts_of)
    if len(targets) > 1:
        raise RemoteProtocolError("Contact: more than one")
    if invite.to.tag is not None:
        return  # one within a dialog changes the target where it names one that can be used
    _ = invite.record_routes
    if "Contact" in invite.headers and not targets:
        _ = invite.contacts  # says what is wrong, unless it is only no SIP URI
        raise RemoteProtocolError("Contact: no SIP URI")
    if not targets and not _is_of_rfc_2543(invite):
        raise RemoteProtocolError("Contact: missing")


def _is_of_rfc_2543(invite: Request) -> bool:
    """Whether the sender knows neither branches nor tags: then From is where it can be reached."""
    return not invite.via.has_cookie and invite.from_.tag is None


def validate_response(response: Response) -> None:
    """Check what is needed to know which request is answered (section 17.1.3); raises RemoteProtocolError.

    Nothing else may cost a response: the callee who has picked up waits for the ACK.
    """
    _ = response.via, response.cseq


_SINGLE = (
    "From",
    "To",
    "Call-ID",
    "CSeq",
    "Content-Length",
)
"Fields that mean something only once, of those that every request needs."
