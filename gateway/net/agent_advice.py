"""What to look at when a runtime cannot be reached, or leaves a call otherwise than by hanging up: one table.

The sentences are for the owner of the runtime, who sees neither our machine nor our configuration.
"""

from enum import StrEnum

CLEAN_CLOSES = frozenset({1000, 1001, 1005})
"Close codes by which a runtime hangs up (RFC 6455 section 7.4.1); with any other it has died."


class Unreachable(StrEnum):
    """Why there is no connection to a runtime."""

    INVALID = "invalid"
    "Its URL or a header cannot be sent."
    DNS = "dns"
    REFUSED = "refused"
    NETWORK = "network"
    NOT_ALLOWED = "not_allowed"
    "It leads to where nobody may make us connect to (`[security] allow_private`)."
    TIMEOUT = "timeout"
    TLS = "tls"
    STATUS = "status"
    "Another HTTP status than 101."
    BAD_UPGRADE = "bad_upgrade"
    "A 101 that is not as RFC 6455 section 4.1 wants it, or no HTTP at all."
    CLOSED = "closed"
    "It closed the connection before the upgrade was done."


_REACHING = {
    Unreachable.INVALID: "mend the runtime’s URL, or the version’s headers",
    Unreachable.DNS: "look at the host in the URL, and whether its DNS has an address for it",
    Unreachable.REFUSED: "start the runtime, or look at the port in the URL and at what the runtime binds to",
    Unreachable.NETWORK: "look at routes and firewalls between the gateway and the runtime",
    Unreachable.NOT_ALLOWED: "give it a public address, or ask whoever runs the gateway to allow its network",
    Unreachable.TIMEOUT: "look at firewalls, and whether it answers before it loads anything",
    Unreachable.TLS: "look at the certificate: its names, its dates, and its whole chain",
    Unreachable.STATUS: "look at the path, the secret and the headers: the runtime refused the upgrade",
    Unreachable.BAD_UPGRADE: "let a WebSocket server answer there, and have it choose only what was offered",
    Unreachable.CLOSED: "look at the runtime’s own log: it closed before the upgrade was done",
}

_STATUSES = {
    400: "look whether a proxy before the runtime passes Upgrade and Connection on",
    401: "look at the version’s headers and signing secret: the runtime wants to know who calls",
    403: "look at the version’s headers and signing secret, and whom the runtime or a proxy lets in",
    404: "look at the path in the runtime’s URL: there is nothing",
    405: "look at the path in the runtime’s URL: it takes no WebSocket there",
    407: "look at the proxy before the runtime: it wants credentials of its own",
    408: "look whether the runtime answers the upgrade before it loads anything",
    426: "look at the runtime’s version of WebSocket, and whether a proxy speaks HTTP/2 alone",
    429: "look at the limits of the runtime, or of a proxy before it",
    500: "look at the runtime’s own log: its code failed in the upgrade",
    501: "look whether the server at this URL knows WebSocket at all",
    502: "look whether the runtime runs: the proxy before it got no good answer",
    503: "look whether the runtime runs and has room: it, or the proxy before it, takes no calls now",
    504: "look whether the runtime hangs: the proxy before it waited in vain",
}

_CLOSES = {
    1002: "it says that the protocol was broken: look at its log, and whether its dialect is the version’s",
    1003: "it does not take such messages: look whether its dialect is the version’s",
    1006: "it left without a goodbye: look whether its process died, or a proxy between cut the connection",
    1007: "it could not read a message: look whether its dialect and its JSON are the version’s",
    1008: "its policy refused the call: look at the version’s headers and secret, and whom it lets in",
    1009: "a message was too big for it: look at its limit, the audio format, and the parameters",
    1010: "it wants an extension of WebSocket that is not offered: look at its settings for compression",
    1011: "its code failed: look at the runtime’s own log of this moment for an exception",
    1012: "it was restarted: look whether it was deployed meanwhile, and let its calls end first",
    1013: "it has too much to do: look at its load, and how many calls one instance takes",
    1014: "a proxy before it got no good answer: look whether the runtime behind it still runs",
    1015: "its TLS failed: look at its certificate, and at proxies between",
    3000: "it does not know who calls: look at the version’s headers and signing secret",
    3003: "it does not let the call in: look at the version’s headers and signing secret",
    3008: "it waited too long for something: look at the runtime’s own log for what",
}
"RFC 6455 section 7.4.1, and IANA's registry of close codes."

LOST = "it left without a goodbye: look whether its process died, or a proxy between cut an idle connection"


def reaching_advice(why: Unreachable, status: int | None = None) -> str:
    """What to look at when there is no connection; `status`: the answer to the upgrade, if there was one."""
    if why is not Unreachable.STATUS or status is None:
        return _REACHING[why]
    if status in _STATUSES:
        return _STATUSES[status]
    if 200 <= status < 300:
        return "look at the path in the runtime’s URL: an ordinary web page answers there"
    if 300 <= status < 400:
        return "write the address that it redirects to into the runtime’s URL: redirects are not followed"
    return _STATUSES[500] if status >= 500 else _REACHING[why]


def closing_advice(code: int | None) -> str:
    """What to look at when a runtime has closed with a code, or with none; empty: it has hung up."""
    if code in CLEAN_CLOSES:
        return ""
    if not code:
        return LOST
    if code in _CLOSES:
        return _CLOSES[code]
    if 4000 <= code < 5000:
        return "the code is its own: look at the runtime’s code for what it means by it"
    if 3000 <= code < 4000:
        return "the code is its framework’s: look at the framework’s documents, and the runtime’s own log"
    return "look at the runtime’s own log of this moment"
