"""The frozen snapshot that decisions are made from: trunks, numbers, agent versions, workspaces.

The store fills it; nothing in here changes afterwards, so that a decision can be made again and explained.
Times are aware datetimes in UTC, durations are seconds, money is `Decimal` in the workspace's currency.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol, TypeVar

from gateway.routing.do_not_call import Listed
from gateway.routing.host_port import HostPort
from gateway.routing.network import Location, NetworkMap, around, located, parse_address
from gateway.routing.number import PLUS, NumberFormat
from gateway.routing.prefixes import PrefixMap

__all__ = [
    "Agent",
    "AgentVersion",
    "Dialect",
    "Increment",
    "NetworkGroup",
    "NumberFormat",
    "NumberStatus",
    "PhoneNumber",
    "RecordingMode",
    "RentalStatus",
    "RoutingTable",
    "Secret",
    "Trunk",
    "TrunkAuthMode",
    "Trunks",
    "VersionState",
    "Workspace",
]

NEAR_DIGITS = 7
"How many last digits two numbers share to be offered as `did you mean`; the store loads a table by them."


class Secret:
    """A password or token that shows itself only when asked, so that no log or traceback ever has it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself: for the digest, the signature or the encrypted column, nowhere else."""
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "Secret('********')"

    __str__ = __repr__


class TrunkAuthMode(StrEnum):
    """How we prove ourselves to a trunk that we dial through."""

    USERPASS = "userpass"
    "By digest credentials."
    IP = "ip"
    "By our signalling address, which the carrier has in its list."


class NumberStatus(StrEnum):
    """Whether a number is ready for production routing."""

    PENDING = "pending"
    ACTIVE = "active"
    UNAVAILABLE = "unavailable"


class RentalStatus(StrEnum):
    """Whether a number is paid for."""

    ACTIVE = "active"
    EXPIRED = "expired"
    AVAILABLE = "available"
    "Given back: free for reassignment."


class VersionState(StrEnum):
    """A draft can change and takes no calls; a published version takes calls and never changes."""

    DRAFT = "draft"
    PUBLISHED = "published"


class Dialect(StrEnum):
    """What the agent's runtime speaks."""

    TWILIO = "twilio"
    NATIVE = "native"
    PLIVO = "plivo"
    TELNYX = "telnyx"
    EXOTEL = "exotel"
    ASTERISK = "asterisk"
    AUDIOSOCKET = "audiosocket"
    SIP = "sip"
    "The runtime is a SIP endpoint: a second dialog, RTP instead of messages."


class RecordingMode(StrEnum):
    """Which calls are recorded."""

    OFF = "off"
    INBOUND = "inbound"
    OUTBOUND = "outbound"
    BOTH = "both"
    ON_DEMAND = "on_demand"
    "Those for which the agent, or somebody by the API, asks for it."


@dataclass(frozen=True, slots=True)
class Increment:
    """How connected time is rounded up for billing: `60/60` bills whole minutes, `6/6` tenths of one."""

    first: int = 60
    "Seconds that every answered call costs at least."
    further: int = 60
    "Seconds of each step after them."

    def __post_init__(self) -> None:
        if self.first < 1 or self.further < 1:
            raise ValueError(f"billing increments are seconds from 1 up, not {self.first}/{self.further}")

    @classmethod
    def parse(cls, text: str) -> "Increment":
        """Read `60/60` or `30`; ValueError where it is neither."""
        first, _, further = text.partition("/")
        if not first.isdecimal() or not (further or first).isdecimal():
            raise ValueError(f"a billing increment is written 60/60, not {text!r}")
        return cls(int(first), int(further or first))

    def __str__(self) -> str:
        return f"{self.first}/{self.further}"


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


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """A number that a workspace rents or brings along."""

    id: str
    "`phn_…`"
    workspace_id: str
    e164: str
    "`+442079460018`"
    country_code: str = ""
    "Calling code without the plus, apart from the local number: `44`."
    local_number: str = ""
    nickname: str = ""
    provider: str = "sip_trunk"
    "`plivo`, `twilio`, … or `sip_trunk`, shown as “SIP trunk”."
    status: NumberStatus = NumberStatus.ACTIVE
    rental_status: RentalStatus = RentalStatus.ACTIVE
    rental_expires_at: datetime | None = None
    "From this moment the rental counts as expired, whatever `rental_status` still says; None: no end."
    renews_at: datetime | None = None
    sip_trunk_enabled: bool = False
    trunk_id: str | None = None
    inbound_version_id: str | None = None
    outbound_version_id: str | None = None
    inbound_latest: bool = False
    "The version is the latest published one of its agent: it moves on when another is published."
    outbound_latest: bool = False
    inbound_split: tuple[tuple[str, float], ...] = ()
    "Versions of one agent with their shares of the callers, which add up to 1; empty: the version alone."
    outbound_split: tuple[tuple[str, float], ...] = ()
    is_default: bool = False
    channel_limit: int | None = None
    "Calls at once to and from this number; None: no limit."
    recording: RecordingMode | None = None
    "None: as the agent version says, or else the trunk."
    recording_announcement: str | None = None
    "WAV file that the caller hears before a recording begins; None: the version's."


@dataclass(frozen=True, slots=True)
class Agent:
    """A voice agent; what it does is in its versions."""

    id: str
    "`agent_…`"
    workspace_id: str
    name: str


@dataclass(frozen=True, slots=True)
class AgentVersion:
    """One version of an agent: where its runtime is, what it speaks, how long its calls may take."""

    id: str
    "`ver_…`"
    agent_id: str
    number: int
    "1, 2, 3, … within the agent."
    state: VersionState = VersionState.DRAFT
    runtime_url: str = ""
    "`ws://…`, `wss://…`; `audiosocket`: `tcp://…`, `tls://…`; `sip`: a SIP URI. `{…}` is filled in."
    dialect: Dialect = Dialect.TWILIO
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    "Sent with the WebSocket upgrade, `{…}` filled in; hidden from repr, since tokens live here."
    secret: Secret | None = None
    "Signs the upgrade."
    audio: str = "ulaw_8k"
    "One of the formats that the dialect has: `ulaw_8k`, `l16_16k`, …"
    options: tuple[tuple[str, str], ...] = ()
    "Other choices that the dialect leaves, such as `control: json`."
    parameters: tuple[tuple[str, str], ...] = ()
    "Handed to the runtime at the start of every call."
    max_call_duration_sec: int = 600
    ring_duration_sec: int = 30
    early_media: bool = False
    "The agent hears what the far end plays before the answer (outbound)."
    fallback_url: str | None = None
    fallback_wav: str | None = None
    recording: RecordingMode | None = None
    "Of calls whose number says nothing; None: as the trunk says."
    recording_announcement: str | None = None
    published_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NetworkGroup:
    """A part of a country's numbers that a workspace may call."""

    country_iso: str
    "ISO 3166 code: `US`, `CA`, `GB`, …"
    name: str
    prefixes: tuple[str, ...] = ()
    "Digits after the calling code; empty: the whole country."
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Workspace:
    """A tenant, with its telephony configuration."""

    id: str
    "`org_…`"
    name: str
    kyc_verified: bool = False
    verification_number: str | None = None
    "The owner's own number: all that may be called before KYC is verified."
    sip_byoc_enabled: bool = False
    "The workspace brings its own carrier: country rules do not apply to it."
    network_groups: tuple[NetworkGroup, ...] = ()
    allow_premium: bool = False
    allow_satellite: bool = False
    allow_shared_cost: bool = False
    verified_caller_ids: tuple[str, ...] = ()
    "Numbers of others that the workspace has proven it may show."
    concurrency_limit: int | None = None
    "Calls at once, ringing ones too; None: no limit."
    currency: str = "INR"
    sip_flat_rate: Decimal | None = None
    "Price of a minute by a SIP trunk that has no rate of its own."
    billing_increment: Increment = Increment()
    recording_keep_days: int | None = None
    "Days that recordings are kept; None: as the gateway is configured."
    timezone: str = "UTC"
    "IANA name, `Asia/Kolkata`: the days and hours of the workspace's people."
    default_country: str | None = None
    "ISO 3166 code of the country whose numbers may be written without their calling code; None: none's."
    enabled_prefixes: Mapping[str, PrefixMap[NetworkGroup]] = field(init=False, repr=False, compare=False)
    "What the enabled network groups open, by country; an empty prefix opens the whole country."

    def __post_init__(self) -> None:
        object.__setattr__(self, "enabled_prefixes", _enabled_prefixes(self.network_groups))


def _enabled_prefixes(groups: Iterable[NetworkGroup]) -> Mapping[str, PrefixMap[NetworkGroup]]:
    """Groups of one country add up; where two have the same prefix, the first one is named."""
    by_country: dict[str, dict[str, NetworkGroup]] = {}
    for group in groups:
        if group.enabled:
            opened = by_country.setdefault(group.country_iso.upper(), {})
            for prefix in group.prefixes or ("",):
                opened.setdefault(prefix, group)
    return MappingProxyType({iso: PrefixMap(opened.items()) for iso, opened in by_country.items()})


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


_T = TypeVar("_T", bound=_Identified)


def _by_id(values: Iterable[_T]) -> Mapping[str, _T]:
    return MappingProxyType({value.id: value for value in values})


NEARBY = {4: 16, 6: 48}
"Prefix length within which an address is close by: a typing error, or another host of the same carrier."

NETWORKS_AT_ONCE = 100

_Place = tuple[int, str]
"Where a trunk stands among all, which is older than which, and its id."


class Trunks:
    """All trunks of one revision, ready to be asked by id and by source address.

    Build it once and share it between tables; ValueError names the trunk with a bad source. It never changes:
    `edit` makes another at a cost that goes by what is different.
    """

    __slots__ = ("_nearby", "_networks", "_places", "by_id", "by_provider")

    def __init__(self, trunks: Iterable[Trunk] = ()) -> None:
        self.by_id: Mapping[str, Trunk] = MappingProxyType({})
        self.by_provider: Mapping[str, tuple[Trunk, ...]] = MappingProxyType({})
        self._places: Mapping[str, _Place] = {}
        self._networks: NetworkMap[_Place] = NetworkMap()
        self._nearby: NetworkMap[_Place] = NetworkMap()
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
        self._places = dict(before._places)
        self._last = max((place for place, _ in self._places.values()), default=0)
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
        place = self._places.setdefault(trunk.id, (self._last, trunk.id))
        if before is None or before.sources != trunk.sources:
            with _naming(trunk):
                yield from self._moving(place, () if before is None else before.sources, trunk.sources)
        self._by_id[trunk.id] = trunk
        self._offer(before, trunk)

    def dropping(self, trunk_id: str) -> Iterator[None]:
        """Leave a trunk out, if it is there; in such steps too."""
        before = self._by_id.pop(trunk_id, None)
        if before is not None:
            yield from self._moving(self._places.pop(trunk_id), before.sources, ())
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
        made._places = self._places
        made._networks, made._nearby = self._networks.done(), self._nearby.done()

    def _moving(self, place: _Place, before: Sequence[str], after: Sequence[str]) -> Iterator[None]:
        """Take it from the networks that it lists no more, and put it to those that are new."""
        were, are = dict.fromkeys(before), dict.fromkeys(after)
        was: set[Location] = set()
        now: set[Location] = set()
        for part in _slices(tuple(were)):
            for source in part:
                where = located(source)
                was.add(around(where, NEARBY))
                if source not in are:
                    self._networks.remove_at(where, source, place)
            yield
        for part in _slices(tuple(are)):
            for source in part:
                where = located(source)
                now.add(around(where, NEARBY))
                if source not in were:
                    self._networks.add_at(where, source, place)
            yield
        for where in was - now:
            self._nearby.remove_at(where, "", place)
        for where in now - was:
            self._nearby.add_at(where, "", place)

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


@dataclass(frozen=True, slots=True)
class RoutingTable:
    """What one decision needs, as it stood at one revision of the configuration.

    A table for an inbound call holds all trunks, the numbers whose last `NEAR_DIGITS` digits are those of the
    called one, and the versions, agents and workspaces of these. One for an outbound call holds the number
    that is to be called from, the best one where none was named, the newest published versions of the agent
    that is to speak, and those that are named or assigned. Neither grows with what a workspace has.
    """

    trunks: Trunks = field(default_factory=Trunks)
    numbers: tuple[PhoneNumber, ...] = ()
    versions: tuple[AgentVersion, ...] = ()
    agents: tuple[Agent, ...] = ()
    workspaces: tuple[Workspace, ...] = ()
    revision: int = 0
    has_do_not_call: bool = False
    "Whether the workspace that calls out has numbers that it does not call."
    listed: Listed | None = None
    "What its list says of the number that is to be called; None: it is not on it."
    number_by_e164: Mapping[str, PhoneNumber] = field(init=False, repr=False, compare=False)
    version_by_id: Mapping[str, AgentVersion] = field(init=False, repr=False, compare=False)
    agent_by_id: Mapping[str, Agent] = field(init=False, repr=False, compare=False)
    workspace_by_id: Mapping[str, Workspace] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        indices = {
            "number_by_e164": MappingProxyType({number.e164: number for number in self.numbers}),
            "version_by_id": _by_id(self.versions),
            "agent_by_id": _by_id(self.agents),
            "workspace_by_id": _by_id(self.workspaces),
        }
        for name, index in indices.items():
            object.__setattr__(self, name, index)

    def versions_of(self, agent_id: str) -> list[AgentVersion]:
        """All versions of one agent, oldest first."""
        return sorted((v for v in self.versions if v.agent_id == agent_id), key=lambda v: v.number)
