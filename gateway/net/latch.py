"""Which source of RTP is taken for the peer: symmetric RTP (RFC 4961) and latching (RFC 7362), decided.

Plain values and times: `RtpPort` has the sockets.
"""

from collections.abc import Callable
from enum import IntEnum
from functools import lru_cache
from typing import TypeAlias

from gateway.routing.network import NetworkMap, parse_address, parse_network

Address: TypeAlias = tuple[str, int]
"Host and port, the host as an address."

RUN = 3
"Packets in a row of a source, with none of another newcomer between, that make a stream."

UNRELATED, ON_PURPOSE = 2, 20
"""How many times longer than `patience` ours has to be silent before a stream takes over that does not go on
with it; the second where ours has said that its silence is on purpose."""

CHANGING = 2.0
"Seconds behind a negotiation for which the source of the session before it gives way to an equal one."

MOST_HOSTS = 4
"Hosts of earlier SDPs of the call that are remembered."


class Standing(IntEnum):
    """How good the reasons are to take a source for the peer; from the second on it may be taken."""

    STRANGER = 0
    NETWORK = 1
    "It is in a network that media may come from: the trunk's sources, or `media.networks`."
    SIGNALLING = 2
    "It is the host that the signalling comes from: behind NAT the only one that is known."
    HOST = 3
    "It is the host of the SDP, with another port."
    ADDRESS = 4
    "It is what the SDP says."


class Latch:
    """Who is heard, and sent to, of all who send to a port.

    The best source so far, the first one among equals. A better one takes over whenever it comes. An equal or
    worse one does only when ours has been silent for `patience` seconds: then with a stream that goes on with
    ours, or, after `UNRELATED` times as long, with any. A stranger never does.
    """

    __slots__ = (
        "_before",
        "_candidate",
        "_changing_until",
        "_expected",
        "_hosts",
        "_networks",
        "_old",
        "_run",
        "_signalling",
        "on_purpose",
        "patience",
        "silent_since",
        "source",
        "standing",
    )

    def __init__(self) -> None:
        self._networks: NetworkMap[str] | None = None
        self._signalling = ""
        self._expected: Address | None = None
        self._hosts: tuple[str, ...] = ()
        "Those of earlier SDPs of the call: not every peer moves its audio when it says so."
        self._old: Address | None = None
        "Who was heard before the last negotiation, and gives way to an equal one until `_changing_until`."
        self._changing_until = 0.0
        self._before: Address | None = None
        "Whom ours took over from because that was silent: it is taken back when it turns out to be alive."
        self._candidate: Address | None = None
        self._run = 0
        self.standing = Standing.STRANGER
        "That of `source`."
        self.patience = 0.5
        self.source: Address | None = None
        "Who is heard; None before anyone is."
        self.silent_since: float | None = None
        "When `source` was heard last, set by whoever misses it; None as long as nobody does."
        self.on_purpose = False
        "Whether it had said that it would be silent."

    def restrict(self, networks: NetworkMap[str], patience: float) -> None:
        """The networks that media may come from, whoever signals, and how long silence is borne."""
        self._networks, self.patience = networks, patience

    @property
    def expected(self) -> Address | None:
        """Where the peer's SDP says that its RTP is."""
        return self._expected

    @property
    def final(self) -> bool:
        """Whether nobody could be better than `source`."""
        return self.standing is Standing.ADDRESS

    def signalled_by(self, host: str) -> None:
        """The host that the peer's signalling comes from; a name says nothing."""
        self._signalling = canonical(host)
        self._stand()

    def expect(self, address: Address, now: float) -> None:
        """The peer's SDP says so: look for its source anew."""
        if self._expected is not None and self._expected[0] not in (address[0], *self._hosts):
            self._hosts = (*self._hosts[1 - MOST_HOSTS :], self._expected[0])
        self._expected = address
        self._old, self._changing_until = self.source, now + CHANGING
        self.source = self.silent_since = self._before = self._candidate = None

    def refine(self, address: Address) -> None:
        """The same SDP: only now is it known which address the name in it stands for."""
        self._expected = address
        self._stand()

    def standing_of(self, address: Address) -> Standing:
        """How good the reasons are to take that source for the peer."""
        expected, host = self._expected, address[0]
        if address == expected:
            return Standing.ADDRESS
        if expected is not None and host == expected[0]:
            return Standing.HOST
        if host == self._signalling:
            return Standing.SIGNALLING
        if host in self._hosts or (self._networks is not None and self._networks.find(parse_address(host))):
            return Standing.NETWORK
        return Standing.STRANGER

    def hears(self, address: Address, now: float, goes_on: Callable[[], bool]) -> bool:
        """Whether a packet of media from there is the peer's; then it is `source` from here on.

        `goes_on` says whether the packet goes on with the stream of our source.
        """
        if address == self.source:
            self.silent_since = None
            return True
        standing = self.standing_of(address)
        if standing is Standing.STRANGER or not self._takes_over(address, standing, now, goes_on):
            return False
        moved = self.source not in (None, self._old) and standing <= self.standing
        self._before = self.source if moved else None
        self.source, self.standing = address, standing
        self.silent_since = self._candidate = None
        return True

    def _takes_over(
        self, address: Address, standing: Standing, now: float, goes_on: Callable[[], bool]
    ) -> bool:
        if self.source is None:
            return True
        if address == self._before:
            return self._runs(address)
        gives_way = self.source == self._old and now < self._changing_until
        if standing > self.standing or (gives_way and standing == self.standing):
            return True
        silent = 0.0 if self.silent_since is None else now - self.silent_since
        if silent < self.patience:
            return False
        enough = (ON_PURPOSE if self.on_purpose else UNRELATED) * self.patience
        return goes_on() or (self._runs(address) and silent >= enough)

    def _runs(self, address: Address) -> bool:
        self._run = self._run + 1 if address == self._candidate else 1
        self._candidate = address
        return self._run >= RUN

    def _stand(self) -> None:
        if self.source is not None:
            self.standing = self.standing_of(self.source)


@lru_cache(maxsize=1024)
def canonical(host: str) -> str:
    """An address as the kernel writes it, without brackets and scope; empty for what is none."""
    try:
        return str(parse_address(host))
    except ValueError:
        return ""


@lru_cache(maxsize=256)
def networks_of(networks: tuple[str, ...]) -> NetworkMap[str]:
    """Networks that media may come from, ready to be asked; what is none is left out."""
    return NetworkMap((network, network) for network in networks if is_network(network))


def is_network(text: str) -> bool:
    """Whether it is an address or a CIDR."""
    try:
        parse_network(text)
    except ValueError:
        return False
    return True
