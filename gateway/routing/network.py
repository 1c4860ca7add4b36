"""Which values stand behind an address: CIDR look-up whose cost does not grow with the number of networks."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Generic, TypeVar

T = TypeVar("T")

_MAPPED_BITS = 96
"An IPv4 address is the last 32 of the 128 bits of its IPv4-mapped form (RFC 4291 section 2.5.5.2)."


def parse_address(text: str) -> IPv4Address | IPv6Address:
    """An address literal, brackets and scope left out, IPv4-mapped IPv6 as IPv4; ValueError if it is none."""
    address = ip_address(text.strip("[]").partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def parse_network(text: str) -> IPv4Network | IPv6Network:
    """An address or CIDR, host bits ignored, IPv4-mapped IPv6 as IPv4; ValueError if it is neither."""
    network = ip_network(text.strip(), strict=False)
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    if mapped is not None and network.prefixlen >= _MAPPED_BITS:
        return IPv4Network((mapped, network.prefixlen - _MAPPED_BITS))
    return network


class NetworkMap(Generic[T]):
    """Values by the networks they belong to: built once, then asked for every datagram.

    A look-up costs one dictionary access for each prefix length in use, however many networks there are.
    """

    __slots__ = ("_by_version",)

    def __init__(self, entries: Iterable[tuple[str, T]] = ()) -> None:
        tables: dict[int, dict[int, dict[int, list[tuple[str, T]]]]] = {4: {}, 6: {}}
        for text, value in entries:
            network = parse_network(text)
            shift = network.max_prefixlen - network.prefixlen
            key = int(network.network_address) >> shift
            tables[network.version].setdefault(shift, {}).setdefault(key, []).append((text, value))
        self._by_version = {version: sorted(table.items()) for version, table in tables.items()}

    def find(self, address: IPv4Address | IPv6Address) -> list[tuple[str, T]]:
        """Every network that the address is in, with its value; the narrowest network first."""
        bits = int(address)
        found: list[tuple[str, T]] = []
        for shift, networks in self._by_version[address.version]:
            found += networks.get(bits >> shift, ())
        return found
