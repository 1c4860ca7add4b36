"""The way that a request takes: out by a route set (RFC 3261 section 12.2.1.1), back by Via (18.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from gateway.sip.message import stamp_via
from gateway.sip.settings import anywhere
from gateway.sip.target import Target
from gateway.sip.uri import SipUri, Uri

if TYPE_CHECKING:
    from gateway.sip.headers import NameAddr, Via
    from gateway.sip.message import Request

DEFAULT_PORTS = {"UDP": 5060, "TCP": 5060, "TLS": 5061}


@dataclass(frozen=True, slots=True)
class Path:
    """A remote target and the proxies on the way to it."""

    remote_target: Uri
    route_set: tuple[NameAddr, ...] = ()

    @property
    def strict(self) -> bool:
        """Whether the first proxy routes as RFC 2543 did: it wants itself in the Request-URI."""
        if not self.route_set:
            return False
        first = self.route_set[0].uri
        return isinstance(first, SipUri) and first.param("lr") is None

    @property
    def request_uri(self) -> str:
        """What stands in the request line."""
        return str(_without_headers(self.route_set[0].uri if self.strict else self.remote_target))

    @property
    def routes(self) -> list[str]:
        """The values of the Route headers."""
        if self.strict:
            return [*map(str, self.route_set[1:]), f"<{_without_headers(self.remote_target)}>"]
        return [str(route) for route in self.route_set]

    @property
    def next_hop(self) -> Uri:
        """Who gets the request first."""
        return self.route_set[0].uri if self.route_set else self.remote_target


def _without_headers(uri: Uri) -> Uri:
    """Header fields have no place in a request line or a Route (section 19.1.1, table 1)."""
    return replace(uri, headers=()) if isinstance(uri, SipUri) and uri.headers else uri


def target_of(uri: Uri, heard_from: Target, reaches: Callable[[str], bool] = anywhere) -> Target:
    """Where a request for `uri` goes, given where the dialog's peer was heard from.

    A URI that names no transport means the one that the dialog already uses: RFC 3263 says UDP, and
    peers on TCP that leave the parameter out are many. An address that leads nowhere from here, such as a
    private one given by a peer that has a public one, is on the other side of a NAT or nobody's: the only
    way there is the way by which the peer came. So it is to an address that may not be reached.
    """
    if not isinstance(uri, SipUri):
        return heard_from
    host = _maddr(uri)
    if host != heard_from.host and (_leads_nowhere(host, heard_from.host) or _is_beyond(host, reaches)):
        return heard_from
    transport = (uri.param("transport") or heard_from.transport).upper()
    if uri.secure:
        transport = "TLS"
    same = transport == heard_from.transport and host == heard_from.host
    return Target(
        transport,
        host,
        uri.port,
        heard_from.listener if transport == heard_from.transport else None,
        heard_from.connection if same and heard_from.reliable else None,
        heard=heard_from.heard and host == heard_from.host,
    )


def _maddr(uri: SipUri) -> str:
    return (uri.param("maddr") or uri.host).strip("[]")


def _is_beyond(host: str, reaches: Callable[[str], bool]) -> bool:
    return is_address(host) and not reaches(host)


_SHARED = ip_network("100.64.0.0/10")
"Between customers and a carrier's NAT (RFC 6598): neither private nor public to `ipaddress`."


def _leads_nowhere(host: str, seen: str) -> bool:
    """Whether an address that a peer gives cannot be reached by whoever sees it at `seen`.

    A name may be anything: whether it leads somewhere shows when it is looked up.
    """
    if host == seen:
        return False
    try:
        named, came = ip_address(host), ip_address(seen)
    except ValueError:
        return False
    if named.is_unspecified or named.is_multicast or named.is_link_local or named == _BROADCAST:
        return True
    if named.is_loopback or named in _SHARED:
        return not (came.is_loopback if named.is_loopback else came in _SHARED)
    return named.is_private and not came.is_private


_BROADCAST = ip_address("255.255.255.255")


def same_place(one: Target, other: Target) -> bool:
    """Whether two targets are one, where a port is the transport's unless it is named."""
    return (one.transport, one.host, _port_of(one)) == (other.transport, other.host, _port_of(other))


def _port_of(target: Target) -> int:
    return target.port or DEFAULT_PORTS.get(target.transport, 5060)


def stamp(request: Request, source: Target) -> Via:
    """Note in the topmost Via where the request came from (sections 18.2.1, RFC 3581 section 4)."""
    assert source.port is not None, "a message that came in came from a port"
    stamp_via(request, source.host, source.port)
    return request.via


def reply_target(via: Via, source: Target, trusts: Callable[[Target], bool]) -> Target:
    """Where the responses to a request go (RFC 3261 section 18.2.2, RFC 3581 section 4).

    `maddr` could turn us against a third party, and is obeyed only towards addresses that we trust.
    """
    port = via.port or DEFAULT_PORTS.get(source.transport, 5060)
    if source.reliable:
        return replace(source, port=port)
    maddr = via.param("maddr")
    if maddr:
        elsewhere = Target(source.transport, maddr.strip("[]"), port, source.listener)
        if is_address(elsewhere.host) and trusts(elsewhere):
            return elsewhere
    return source if via.param("rport") is not None else replace(source, port=port)


def is_address(host: str) -> bool:
    """Whether it is an address, and no name that has to be looked up."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
