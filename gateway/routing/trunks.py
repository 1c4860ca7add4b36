"""SIP trunks: who may call in by which, how calls go out by it, and which of all an address belongs to."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType

from gateway.routing.host_port import HostPort
from gateway.routing.network import Location, NetworkMap, around, located, parse_address
from gateway.routing.number import PLUS, NumberFormat
from gateway.routing.values import RecordingMode, Secret, TrunkAuthMode


@dataclass(frozen=True, slots=True)
class Trunk:
    """A SIP trunk: who may call in by it, and how calls go out by it."""

    id: str
    "`trunk_…`"
    workspace_id: str | None
    "None: the operator's own trunk (a number provider's, say), which carries numbers of every workspace."
    name: str
    enabled: bool = True

    # in: who may call, and how they write numbers
    sources: tuple[str, ...] = ()
    "Addresses and CIDRs, IPv4 or IPv6, that calls may come from; empty: nobody calls in by this trunk."
    username: str | None = None
    "Where set, a call needs digest credentials too."
    password: Secret | None = None
    trust_pai: bool = False
    "Take the caller from P-Asserted-Identity (RFC 3325) where there is one."
    reveal_withheld: bool = False
    "Show callers who asked to be nobody (`Privacy: id`): for emergency services and the like."

    # either direction
    codecs: tuple[str, ...] = ("PCMU", "PCMA")
    "Names in order of preference."
    transport: str = "UDP"
    "`UDP`, `TCP` or `TLS`."
    number_format: NumberFormat = PLUS
    channel_limit: int | None = None
    "Calls at once, ringing ones too; None: no limit."
    calls_per_second: float | None = None
    "New calls a second, in or out; None: no limit."

    # out
    termination_uri: str | None = None
    "`host[:port]`, without `sip:`; None: no calls go out by this trunk."
    auth_mode: TrunkAuthMode = TrunkAuthMode.IP
    outbound_username: str | None = None
    outbound_password: Secret | None = None
    outbound_realm: str | None = None
    "The only realm whose challenge is answered; None: the realm that the termination host names first."
    outbound_format: NumberFormat | None = None
    "None: as `number_format`."
    provider: str | None = None
    "Numbers of this provider (`plivo`) that have no trunk of their own go out by this one."
    flat_rate: Decimal | None = None
    "Price of a minute by this trunk; None: the workspace's SIP flat rate."
    recording: RecordingMode | None = None
    "Of calls whose number and version say nothing; None: not recorded."
    linked: bool = False
    "Made by linking a number, and removed with it."
    termination: HostPort | None = field(init=False, repr=False, compare=False)
    "`termination_uri` taken apart; None: there is none, or it is written wrongly, and no calls go out."

    def __post_init__(self) -> None:
        object.__setattr__(self, "termination", _termination(self.termination_uri))


def _termination(uri: str | None) -> HostPort | None:
    """No error: the rules tell people what is wrong, and a row that passed others must not stop the rest."""
    try:
        return None if uri is None else HostPort.parse(uri)
    except ValueError:
        return None


NEARBY = {4: 16, 6: 48}
"Prefix length within which an address is close by: a typing error, or another host of the same carrier."

NETWORKS_AT_ONCE = 100

_Rank = tuple[int, str]
"Where a trunk stands among all, which is older than which, and its id."


class Trunks:
    """All trunks of one revision, ready to be asked by id and by source address.

    Build it once and share it between tables; ValueError names the trunk with a bad source. It never changes:
    `edit` makes another at a cost that goes by what is different.
    """

    __slots__ = ("_nearby", "_networks", "_ranks", "by_id", "by_provider")

    def __init__(self, trunks: Iterable[Trunk] = ()) -> None:
        self.by_id: Mapping[str, Trunk] = MappingProxyType({})
        self.by_provider: Mapping[str, tuple[Trunk, ...]] = MappingProxyType({})
        self._ranks: Mapping[str, _Rank] = {}
        self._networks: NetworkMap[_Rank] = NetworkMap()
        self._nearby: NetworkMap[_Rank] = NetworkMap()
        edit = TrunksEdit(self)
        for trunk in trunks:
            edit.put(trunk)
        edit.fill(self)

    def __iter__(self) -> Iterator[Trunk]:
        return iter(self.by_id.values())

    def __len__(self) -> int:
        return len(self.by_id)

    def __repr__(self) -> str:
        return f"Trunks({tuple(self)!r})"

    def knows(self, source: str) -> bool:
        """Whether any trunk, a disabled one too, lists this address.

        Asked before anything else of a datagram is read, so its cost does not grow with the number of trunks.
        """
        try:
            return self._networks.covers(parse_address(source))
        except ValueError:
            return False

    def at(self, source: str) -> list[tuple[str, Trunk]]:
        """The trunks, disabled ones too, that list this address, each with the CIDR; narrowest first."""
        try:
            address = parse_address(source)
        except ValueError:
            return []
        return [(text, self.by_id[trunk_id]) for text, (_, trunk_id) in self._networks.find(address)]

    def near(self, source: str) -> Iterator[Trunk]:
        """The trunks with a network close by this address, or around it."""
        try:
            address = parse_address(source)
        except ValueError:
            return iter(())
        return (self.by_id[trunk_id] for _, (_, trunk_id) in self._nearby.find(address))

    def edit(self) -> "TrunksEdit":
        """Begin the next ones from these."""
        return TrunksEdit(self)


class TrunksEdit:
    """The next `Trunks` in the making, a trunk at a time: whoever must not be long pauses between."""

    def __init__(self, before: Trunks) -> None:
        self._by_id = dict(before.by_id)
        self._by_provider = dict(before.by_provider)
        self._ranks = dict(before._ranks)
        self._last = max((rank for rank, _ in self._ranks.values()), default=0)
        self._networks = before._networks.edit()
        self._nearby = before._nearby.edit()

    def put(self, trunk: Trunk) -> None:
        """Add a trunk, after those that are there, or put it in the place of the one with its id."""
        for _ in self.putting(trunk):
            pass

    def putting(self, trunk: Trunk) -> Iterator[None]:
        """The same in steps of less than a millisecond: it is put when they are through."""
        before = self._by_id.get(trunk.id)
        if before is None:
            self._last += 1
        rank = self._ranks.setdefault(trunk.id, (self._last, trunk.id))
        if before is None or before.sources != trunk.sources:
            with _naming(trunk):
                yield from self._moving(rank, () if before is None else before.sources, trunk.sources)
        self._by_id[trunk.id] = trunk
        self._offer(before, trunk)

    def dropping(self, trunk_id: str) -> Iterator[None]:
        """Leave a trunk out, if it is there; in such steps too."""
        before = self._by_id.pop(trunk_id, None)
        if before is not None:
            yield from self._moving(self._ranks.pop(trunk_id), before.sources, ())
            self._offer(before, None)

    def done(self) -> Trunks:
        """The finished trunks."""
        made = Trunks()
        self.fill(made)
        return made

    def fill(self, made: Trunks) -> None:
        """Put everything where `made` has it."""
        made.by_id = MappingProxyType(self._by_id)
        made.by_provider = MappingProxyType(self._by_provider)
        made._ranks = self._ranks
        made._networks, made._nearby = self._networks.done(), self._nearby.done()

    def _moving(self, rank: _Rank, before: Sequence[str], after: Sequence[str]) -> Iterator[None]:
        """Take it from the networks that it lists no more, and put it to those that are new."""
        were, are = dict.fromkeys(before), dict.fromkeys(after)
        was: set[Location] = set()
        now: set[Location] = set()
        for part in _slices(tuple(were)):
            for source in part:
                where = located(source)
                was.add(around(where, NEARBY))
                if source not in are:
                    self._networks.remove_at(where, source, rank)
            yield
        for part in _slices(tuple(are)):
            for source in part:
                where = located(source)
                now.add(around(where, NEARBY))
                if source not in were:
                    self._networks.add_at(where, source, rank)
            yield
        for where in was - now:
            self._nearby.remove_at(where, "", rank)
        for where in now - was:
            self._nearby.add_at(where, "", rank)

    def _offer(self, before: Trunk | None, after: Trunk | None) -> None:
        """Keep the lists of providers' trunks in the order of `by_id`."""
        for provider in {trunk.provider for trunk in (before, after) if trunk is not None} - {None}:
            own = tuple(trunk for trunk in self._by_id.values() if trunk.provider == provider)
            self._by_provider[str(provider)] = own


def _slices(sources: Sequence[str]) -> Iterator[Sequence[str]]:
    return (sources[at : at + NETWORKS_AT_ONCE] for at in range(0, len(sources), NETWORKS_AT_ONCE))


@contextmanager
def _naming(trunk: Trunk) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise ValueError(f"trunk {trunk.name!r}: source {error}") from error
