"""What a SIP message says of its call: who calls whom, and what it is in a word."""

from gateway.sip.errors import RemoteProtocolError
from gateway.sip.grammar import split_outside
from gateway.sip.headers import NameAddr
from gateway.sip.message import Request
from gateway.sip.uri import SipUri, TelUri, Uri

PRIVATE = frozenset({"id", "user"})
"Values of `Privacy` that ask for the caller not to be told (RFC 3323 section 4.2, RFC 3325 section 9.3)."

MAX_IDENTITIES = 8
"Of P-Asserted-Identity: RFC 3325 section 9.1 knows two."


def dialled(request: Request) -> str:
    """The number in the Request-URI, as it was written."""
    return number_in(request.request_uri)


def caller_in(request: Request) -> str:
    """The number in From, as it was written; nothing where nobody can read it."""
    try:
        return number_of(NameAddr.parse(request.headers.get("From") or ""))
    except RemoteProtocolError:
        return ""


def asserted_in(request: Request) -> list[str]:
    """The numbers in P-Asserted-Identity, as they were written: each value of each line that can be read."""
    found: list[str] = []
    for line in request.headers.get_all("P-Asserted-Identity"):
        try:
            values = split_outside(line, ",")
        except RemoteProtocolError:
            continue
        for value in values:
            try:
                found.append(number_of(NameAddr.parse(value)))
            except RemoteProtocolError:
                # Some write a bare number: what that is, is for whoever reads numbers to say.
                found.append(value)
    return [one for one in found if one][:MAX_IDENTITIES]


def is_private(request: Request) -> bool:
    """Whether the caller asks to be nobody to whoever is called."""
    values = ";".join(request.headers.get_all("Privacy")).replace(",", ";").lower().split(";")
    return not PRIVATE.isdisjoint(value.strip(" \t") for value in values)


def number_of(address: NameAddr) -> str:
    """The number of an address; without angle brackets a `phone-context` looks like the header's own."""
    number = number_in(address.uri)
    context = address.param("phone-context")
    return f"{number};phone-context={context}" if context and _is_local(number) else number


def number_in(uri: Uri) -> str:
    """The user part of a SIP URI, the number of a `tel:` one with what it is local to, or nothing."""
    if isinstance(uri, SipUri):
        return uri.unescaped_user
    if not isinstance(uri, TelUri):
        return ""
    context = uri.param("phone-context")
    return f"{uri.number};phone-context={context}" if context and _is_local(uri.number) else uri.number


def _is_local(number: str) -> bool:
    return not number.startswith("+") and "phone-context=" not in number.lower()


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
