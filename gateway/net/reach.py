"""Where others may make us connect to: one rule for runtimes, carriers, webhooks and media.

A tenant names hosts, and carriers and agents name addresses in what they send. Whoever decides by the name
is led astray by the next answer of its DNS, so the rule is asked about the very address that a socket is
about to use.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

NOT_PUBLIC = "leads to no public address"
"What a tenant is told: the address itself would tell it how our network is made."

_SPECIAL_4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network (RFC 791)
        "10.0.0.0/8",  # private (RFC 1918)
        "100.64.0.0/10",  # between a carrier and its customers (RFC 6598)
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, and the metadata of clouds (RFC 3927)
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments (RFC 6890)
        "192.0.2.0/24",  # documentation (RFC 5737)
        "192.88.99.0/24",  # relays of 6to4 (RFC 7526)
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarking (RFC 2544)
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast (RFC 5771)
        "240.0.0.0/4",  # reserved, and the broadcast (RFC 1112, 919)
    )
)
"IANA's special-purpose registry for IPv4, as far as it is not the public network, and multicast."

_GLOBAL_6 = IPv6Network("2000::/3")
"All that is assigned to the public network so far (RFC 4291): loopback, local, multicast … are outside."
_SPECIAL_6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments: Teredo, benchmarking, ORCHID, … (RFC 2928)
        "2001:db8::/32",  # documentation (RFC 3849)
        "3fff::/20",  # documentation (RFC 9637)
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")
"IPv4 addresses as seen from a network without (RFC 6052); 64:ff9b:1::/48 (RFC 8215) is for local ones."
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)
"What stands before the IPv4 address in an interface identifier of ISATAP (RFC 5214)."


class NotAllowed(ValueError):
    """A host that is not to be connected to; the message says why, to whoever named it."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Which addresses may be connected to, or sent to, because somebody else says so."""

    private: bool = False
    "Any: for gateways without tenants, for the demo and for tests."
    networks: tuple[Network, ...] = ()
    "Those beside the public one, such as that of the operator's own carriers."

    @classmethod
    def of(cls, networks: Iterable[str], *, private: bool) -> "Reach":
        """From the texts of a configuration."""
        return cls(private, tuple(ip_network(text) for text in networks))

    def allows(self, host: str) -> bool:
        """Whether an address may be connected to; what is no address in the usual writing may not."""
        return self.private or _is_open(host, self.networks)

    def among(self, host: str, addresses: Iterable[str]) -> list[str]:
        """Those addresses of a host that may be connected to, in their order; `NotAllowed` where none may."""
        allowed = [address for address in addresses if self.allows(address)]
        if not allowed:
            raise NotAllowed(f"{host} {NOT_PUBLIC}")
        return allowed


ANYWHERE = Reach(private=True)
"For what the operator alone says: commands, telephones of ours."


@lru_cache(1024)
def _is_open(host: str, networks: tuple[Network, ...]) -> bool:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    bare = _unmapped(address)
    return is_public(bare) or any(bare in network for network in networks)


def is_public(address: Address) -> bool:
    """Whether an address is one of the public network, also when it is one of IPv4 in the clothes of IPv6."""
    address = _unmapped(address)
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _SPECIAL_4)
    if address in _NAT64:
        return is_public(_lowest(address))
    if address not in _GLOBAL_6 or any(address in network for network in _SPECIAL_6):
        return False
    if address.sixtofour is not None:
        return is_public(address.sixtofour)
    return int(address) >> 32 & 0xFFFF_FFFF not in _ISATAP or is_public(_lowest(address))


def _unmapped(address: Address) -> Address:
    """An IPv4 address that a socket of IPv6 was given (RFC 4291 section 2.5.5.2) is one of IPv4."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _lowest(address: IPv6Address) -> IPv4Address:
    return IPv4Address(int(address) & 0xFFFF_FFFF)
