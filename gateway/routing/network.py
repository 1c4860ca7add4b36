"""Which values stand behind an address: CIDR look-up whose cost does not grow with the number of networks."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Generic, Protocol, TypeVar


class _Ordered(Protocol):
    def __lt__(self, other: Any, /) -> bool: ...


T = TypeVar("T", bound=_Ordered)

_MAPPED_BITS = 96
"An IPv4 address is the last 32 of the 128 bits of its IPv4-mapped form (RFC 4291 section 2.5.5.2)."

Location = tuple[int, int, int]
"Version, shift and prefix of a network; a shift is the bits of an address that are no part of the network."

_OCTETS = {str(value): value for value in range(256)}
_LENGTHS = frozenset(map(str, range(33)))

_SHARDS = 64
"A power of two. A change copies the parts of a map that it falls into, not the whole."

_Entries = tuple[tuple[str, T], ...]
_Shard = dict[int, _Entries[T]]
_Level = list[_Shard[T]]
_Levels = Mapping[tuple[int, int], _Level[T]]
"By version and shift, narrowest first."


@lru_cache(4096)  # the same few peers send all messages; what is kept is an address, and short
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

    A look-up costs one dictionary access for each prefix length in use, however many networks there are. It
    never changes: `edit` makes another, which shares with this one all that is the same.
    """

    __slots__ = ("_levels", "_shifts")

    def __init__(self, entries: Iterable[tuple[str, T]] = ()) -> None:
        edit: NetworkEdit[T] = NetworkEdit({})
        for text, value in entries:
            edit.add(text, value)
        self._settle(edit.levels)

    def _settle(self, levels: _Levels[T]) -> None:
        self._levels = {key: levels[key] for key in sorted(levels) if any(levels[key])}
        shifts: dict[int, list[tuple[int, _Level[T]]]] = {4: [], 6: []}
        for (version, shift), level in self._levels.items():
            shifts[version].append((shift, level))
        self._shifts = shifts

    def find(self, address: IPv4Address | IPv6Address) -> list[tuple[str, T]]:
        """Every network that the address is in, with its value; the narrowest first, then by value."""
        bits = int(address)
        values: list[tuple[str, T]] = []
        for shift, level in self._shifts[address.version]:
            prefix = bits >> shift
            values += level[prefix % _SHARDS].get(prefix, ())
        return values

    def covers(self, address: IPv4Address | IPv6Address) -> bool:
        """Whether the address is in any network at all, however many values stand behind it."""
        bits = int(address)
        for shift, level in self._shifts[address.version]:
            prefix = bits >> shift
            if prefix in level[prefix % _SHARDS]:
                return True
        return False

    def edit(self) -> "NetworkEdit[T]":
        """Begin another map from this one."""
        return NetworkEdit(self._levels)


class NetworkEdit(Generic[T]):
    """A map in the making. What it costs goes by what is added and removed, not by what there is."""

    __slots__ = ("_own", "levels")

    def __init__(self, levels: _Levels[T]) -> None:
        self.levels = dict(levels)
        self._own: set[tuple[int, int, int]] = set()
        "Shards that were copied and may be written to; -1: the level's list of them."

    def add(self, text: str, value: T) -> None:
        """Put a value behind a network, in its order among those that are there."""
        self.add_at(located(text), text, value)

    def add_at(self, where: Location, text: str, value: T) -> None:
        """The same where the network was read already; `text` is what a look-up gives for it."""
        shard, prefix = self._shard(where)
        known = shard.get(prefix, ())
        entries = (*known, (text, value))
        if known and value < known[-1][1]:
            entries = tuple(sorted(entries, key=lambda entry: entry[1]))
        shard[prefix] = entries

    def remove_at(self, where: Location, text: str, value: T) -> None:
        """Take a value away that was put there with the same text."""
        shard, prefix = self._shard(where)
        left = tuple(entry for entry in shard.get(prefix, ()) if entry != (text, value))
        if left:
            shard[prefix] = left
        else:
            shard.pop(prefix, None)

    def done(self) -> NetworkMap[T]:
        """The finished map; it is not edited any more."""
        made: NetworkMap[T] = NetworkMap()
        made._settle(self.levels)
        return made

    def _shard(self, where: Location) -> tuple[_Shard[T], int]:
        version, shift, prefix = where
        key, part = (version, shift), prefix % _SHARDS
        if (version, shift, -1) not in self._own:
            self._own.add((version, shift, -1))
            known = self.levels.get(key)
            self.levels[key] = [{} for _ in range(_SHARDS)] if known is None else list(known)
        level = self.levels[key]
        if (version, shift, part) not in self._own:
            self._own.add((version, shift, part))
            level[part] = dict(level[part])
        return level[part], prefix


def located(text: str) -> Location:
    """Where a network is looked for; ValueError if the text is neither address nor network."""
    version, bits, length = _bits_of(text)
    shift = (32 if version == 4 else 128) - length
    return version, shift, bits >> shift


def around(where: Location, lengths: Mapping[int, int]) -> Location:
    """The network of its version's length that a narrower one lies in; a wider one is itself."""
    version, shift, prefix = where
    wider = max(0, (32 if version == 4 else 128) - lengths[version] - shift)
    return version, shift + wider, prefix >> wider


def _bits_of(text: str) -> tuple[int, int, int]:
    """Version, address and prefix length; the usual writing of IPv4 in a tenth of `parse_network`'s time."""
    address, slash, length = text.partition("/")
    octets = address.split(".")
    if len(octets) == 4 and (not slash or length in _LENGTHS):
        try:
            one, two, three, four = map(_OCTETS.__getitem__, octets)
        except KeyError:
            pass  # no address, or one in a writing that `parse_network` may know
        else:
            return 4, one << 24 | two << 16 | three << 8 | four, int(length or 32)
    network = parse_network(text)
    return network.version, int(network.network_address), network.prefixlen
