"""The frozen snapshot that decisions are made from: trunks, numbers, agent versions, workspaces.

The store fills it; nothing in here changes afterwards, so that a decision can be made again and explained.
Times are aware datetimes in UTC, durations are seconds, money is `Decimal` in the workspace's currency.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Protocol, TypeVar

from gateway.routing.do_not_call import Listed
from gateway.routing.number import NumberFormat
from gateway.routing.prefixes import PrefixMap
from gateway.routing.trunks import Trunk, Trunks
from gateway.routing.values import (
    Dialect,
    Increment,
    NumberStatus,
    RecordingMode,
    RentalStatus,
    Secret,
    TrunkAuthMode,
    VersionState,
)

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
    billing_increment: Increment = field(default_factory=Increment)
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
