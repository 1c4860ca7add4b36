"""What a SIP message says of its call: who calls whom, and what it is in a word."""

from gateway.sip.message import Request
from gateway.sip.uri import SipUri, TelUri, Uri


def dialled(request: Request) -> str:
    """The number in the Request-URI, as it was written."""
    return number_in(request.request_uri)


def caller_in(request: Request) -> str:
    """The number in From, as it was written."""
    return number_in(request.from_.uri)


def number_in(uri: Uri) -> str:
    """The user part of a SIP URI, the number of a `tel:` one, or nothing."""
    if isinstance(uri, SipUri):
        return uri.unescaped_user or ""
    return uri.number if isinstance(uri, TelUri) else ""


def call_id_in(data: bytes) -> str:
    """The Call-ID of a message in the raw, for the ladder alone; "" where there is none."""
    for name in (b"\r\ncall-id:", b"\r\ni:"):
        at = data[:4096].lower().find(name)
        if at >= 0:
            start = at + len(name)
            return data[start : data.find(b"\r\n", start)].strip().decode("utf-8", "replace")
    return ""


def first_line(data: bytes) -> str:
    """`INVITE` or `180 Ringing`: what a rung of the ladder says."""
    line = data[:200].partition(b"\r\n")[0].decode("utf-8", "replace")
    if line.startswith("SIP/2.0 "):
        return line[8:]
    return line.partition(" ")[0]
