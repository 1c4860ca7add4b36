"""Who may call in, and which agent version answers: source, then credentials, then number."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from gateway.routing.assignment import assigned_version, number_is_ready, owner
from gateway.routing.decision import Decision, Reason, Rejected, Subject, Trail
from gateway.routing.near_misses import carries, near_numbers, near_sources, readings_in_table
from gateway.routing.number import NumberFormat, Reading, normalise
from gateway.routing.recording import NOT_RECORDED, RecordingRule, recording_rule
from gateway.routing.table import Agent, AgentVersion, PhoneNumber, RoutingTable, Trunk, Trunks, Workspace

MAX_NAMES = 3


class CredentialState(StrEnum):
    """What came of a peer's digest credentials."""

    ABSENT = "absent"
    VERIFIED = "verified"
    WRONG = "wrong"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the peer proved about itself, before routing was asked."""

    state: CredentialState = CredentialState.ABSENT
    username: str | None = None
    "As whom it was verified, or as whom it tried."


NO_CREDENTIALS = Credentials()


@dataclass(frozen=True, slots=True)
class TrunkMatch:
    """The trunks that a source address may be calling by."""

    source: str
    found: tuple[tuple[str, Trunk], ...]
    "Enabled trunks, each with the CIDR that the source is in; narrowest first."
    disabled: tuple[Trunk, ...] = ()
    "Those that would match, if they were enabled."

    def __bool__(self) -> bool:
        return bool(self.found)

    @property
    def trunks(self) -> tuple[Trunk, ...]:
        """The trunks alone."""
        return tuple(trunk for _, trunk in self.found)

    @property
    def needs_credentials(self) -> bool:
        """True when every trunk that the source may be calling by wants credentials: challenge first."""
        return bool(self.found) and all(trunk.username for _, trunk in self.found)

    def password_of(self, username: str) -> str | None:
        """What the digest of a user of these trunks is checked with."""
        for _, trunk in self.found:
            if trunk.username == username and trunk.password is not None:
                return trunk.password.reveal()
        return None


def match_source(trunks: Trunks, source: str) -> TrunkMatch:
    """Whose address this is; the first question about every datagram, at a cost that is bounded."""
    found = trunks.at(source)
    enabled = tuple((cidr, trunk) for cidr, trunk in found if trunk.enabled)
    return TrunkMatch(source, enabled, tuple(trunk for _, trunk in found if not trunk.enabled))


@dataclass(frozen=True, slots=True)
class InboundRoute:
    """A call that may be answered, and by whom."""

    trunk: Trunk
    number: PhoneNumber
    version: AgentVersion
    agent: Agent
    workspace: Workspace
    caller: str | None
    "E.164; None: withheld, or not a number."
    caller_raw: str
    "The caller as the trunk wrote it, or `anonymous`."
    called: str
    "E.164"
    max_seconds: float
    decision: Decision
    recording: RecordingRule = NOT_RECORDED
    withheld: str = ""
    "Who it is that asked to be nobody: for the operator's eyes alone, sealed at rest."


def route_inbound(
    table: RoutingTable,
    *,
    called: str,
    caller: str,
    source: str,
    now_utc: datetime,
    credentials: Credentials = NO_CREDENTIALS,
    asserted: Sequence[str] = (),
    private: bool = False,
) -> InboundRoute:
    """Decide who answers a call; raises Rejected, and either way there is a Decision that says why.

    `called` and `caller` are the user parts of the Request-URI and of From, or these URIs whole; `asserted`
    are the identities in P-Asserted-Identity, which count only where the trunk is trusted with them.
    `private`: the caller asked that nobody be told who it is (`Privacy: id`, RFC 3325 section 9.3).
    """
    trail = Trail()
    near = _by_source(trail, table, source, called)
    trail.subject = _whose(table, called, near)
    proven = _by_credentials(trail, near, credentials)
    trunk, number, reading = _by_number(trail, table, called, proven, near, credentials)
    trail.subject = Subject(number.workspace_id, trunk.id, number.id)
    number_is_ready(trail, number, now_utc)
    who = _caller_of(trunk, caller, asserted, reading)
    version = _answering_version(trail, table, number, lambda: who.party)
    agent, workspace = owner(trail, table, number, version)
    _note_caller(trail, trunk, who, asserted, private=private)
    withheld = private and not trunk.reveal_withheld
    recording = recording_rule(trail, number, version, trunk, "inbound")
    summary = f"{number.e164} is answered by version {version.number} of agent “{agent.name}”"
    return InboundRoute(
        trunk=trunk,
        number=number,
        version=version,
        agent=agent,
        workspace=workspace,
        caller=None if withheld else who.e164,
        caller_raw=ANONYMOUS if withheld else who.raw,
        withheld=(who.e164 or who.raw) if withheld else "",
        called=number.e164,
        max_seconds=float(version.max_call_duration_sec),
        decision=trail.decided(summary),
        recording=recording,
    )


def _by_source(trail: Trail, table: RoutingTable, source: str, called: str) -> tuple[Trunk, ...]:
    match = match_source(table.trunks, source)
    if match:
        trail.passed("source address", source, lambda reader: _listed(match, reader))
        return match.trunks
    if match.disabled:
        found = trail.told(
            lambda reader: f"belongs only to trunk {_names(match.disabled, reader)}, which is disabled"
        )
        raise trail.refused(Reason.TRUNK_DISABLED, "source address", source, found)
    trail.near(near_sources(table, source, called))
    raise trail.refused(Reason.UNKNOWN_SOURCE, "source address", source, "in the list of no trunk")


def _by_credentials(trail: Trail, matched: tuple[Trunk, ...], credentials: Credentials) -> tuple[Trunk, ...]:
    """The matched trunks that ask for no credentials, or for those that were verified."""
    proven = tuple(trunk for trunk in matched if _satisfied(trunk, credentials))
    if not proven:
        raise _unproven(trail, matched, credentials)
    asking = tuple(trunk for trunk in proven if trunk.username)

    def found(reader: str | None) -> str:
        if asking:
            return f"verified for trunk {_names(asking, reader)}"
        return f"trunk {_names(proven, reader)} asks for none"

    trail.passed("credentials", _told(credentials), found)
    return proven


def _whose(table: RoutingTable, called: str, matched: tuple[Trunk, ...]) -> Subject:
    """Whose call it is should it be refused: the number's, and never that of whoever lists the same carrier.

    The number's workspace has to list the source too, or the operator. A call to a number that nobody has
    belongs to the source's workspace, if there is but one.
    """
    dialled = readings_in_table(table, matched, called)
    for _, number, trunk in dialled:
        if trunk.workspace_id in (None, number.workspace_id):
            return Subject(number.workspace_id, trunk.id, number.id)
    workspaces = {trunk.workspace_id for trunk in matched}
    if dialled or len(workspaces) > 1:
        return Subject()
    return Subject(workspaces.pop(), matched[0].id if len(matched) == 1 else None)


def _satisfied(trunk: Trunk, credentials: Credentials) -> bool:
    verified = credentials.state is CredentialState.VERIFIED
    return trunk.username is None or (verified and credentials.username == trunk.username)


_CREDENTIAL_REFUSALS = {
    CredentialState.ABSENT: (Reason.CREDENTIALS_REQUIRED, "asks for digest credentials, and none were sent"),
    CredentialState.WRONG: (Reason.BAD_CREDENTIALS, "asks for other credentials than were sent"),
    CredentialState.VERIFIED: (Reason.BAD_CREDENTIALS, "belongs to another user name"),
    CredentialState.STALE: (Reason.STALE_CREDENTIALS, "asks again: the nonce of the answer has run out"),
}


def _unproven(trail: Trail, trunks: Sequence[Trunk], credentials: Credentials) -> Rejected:
    reason, found = _CREDENTIAL_REFUSALS[credentials.state]

    def told(reader: str | None) -> str:
        return f"trunk {_names(trunks, reader)} {found}"

    return trail.refused(reason, "credentials", _told(credentials), told)


def _told(credentials: Credentials) -> str:
    if credentials.state is CredentialState.ABSENT:
        return "none sent"
    return f"user {credentials.username}, {credentials.state.value}"


def _by_number(
    trail: Trail,
    table: RoutingTable,
    called: str,
    proven: tuple[Trunk, ...],
    matched: tuple[Trunk, ...],
    credentials: Credentials,
) -> tuple[Trunk, PhoneNumber, Reading]:
    """The number that was dialled, the trunk it came by, the first proven one that carries it, and how the
    number was written."""
    known = readings_in_table(table, proven, called)
    for reading, number, trunk in known:
        if carries(trunk, number):
            trail.passed("dialled number", called, _as_read(reading, trunk))
            trail.passed("number", reading.e164, f"by trunk “{trunk.name}” ({trunk.id}), number {number.id}")
            return trunk, number, reading
    for trunk in matched:
        if any(carries(trunk, number) for _, number, _ in known):
            raise _unproven(trail, (trunk,), credentials)
    if known:
        raise _number_elsewhere(trail, table, called, known[0], proven)
    raise _number_nowhere(trail, table, called, proven[0])


def _as_read(reading: Reading, trunk: Trunk) -> str:
    lenient = (
        f"; read leniently, since the trunk's format is {trunk.number_format}" if reading.lenient else ""
    )
    return f"{reading.e164}, {reading.how}{lenient}"


def _number_elsewhere(
    trail: Trail,
    table: RoutingTable,
    called: str,
    known: tuple[Reading, PhoneNumber, Trunk],
    proven: tuple[Trunk, ...],
) -> Rejected:
    """The number exists, but not for whoever dialled it. Other workspaces are never named."""
    reading, number, trunk = known
    trail.passed("dialled number", called, _as_read(reading, trunk))
    reader = trail.subject.workspace_id
    if all(trunk.workspace_id not in (None, number.workspace_id) for trunk in proven):
        found = f"belongs to another workspace than trunk {_names(proven, reader)}"
        reason = Reason.NUMBER_IN_OTHER_WORKSPACE
    else:
        own = [trunk for trunk in [table.trunks.by_id.get(number.trunk_id or "")] if trunk is not None]
        found = f"comes in by trunk {_names(own, reader)}, not by {_names(proven, reader)}"
        reason = Reason.NUMBER_ON_OTHER_TRUNK
    return trail.refused(reason, "number", number.e164, found, summary=f"{number.e164} {found}")


def _number_nowhere(trail: Trail, table: RoutingTable, called: str, trunk: Trunk) -> Rejected:
    normalised = normalise(called, trunk.number_format)
    raw = normalised.raw
    trail.near(near_numbers(table, trunk, raw))
    if not normalised.readings:
        summary = f"{raw!r} is not a telephone number: {normalised.why_not}"
        return trail.refused(
            Reason.MALFORMED_NUMBER, "dialled number", raw, normalised.why_not, summary=summary
        )
    reading = normalised.readings[0]
    trail.passed("dialled number", raw, _as_read(reading, trunk))
    found = "no workspace has this number"
    return trail.refused(
        Reason.UNKNOWN_NUMBER, "number", reading.e164, found, summary=f"{reading.e164}: {found}"
    )


@dataclass(frozen=True, slots=True)
class _Caller:
    """Who calls, as far as the trunk may say so."""

    raw: str
    e164: str | None
    found: str
    asserted: bool
    party: str
    "Whoever it is, in one writing: what a split goes by, where a likely reading is as good as a sure one."


def _caller_of(trunk: Trunk, caller: str, asserted: Sequence[str], called: Reading) -> _Caller:
    """The first asserted identity that carries a number, where the trunk is trusted with them; else From."""
    readings = (
        [_read_caller(trunk, one, called, asserted=True) for one in asserted] if trunk.trust_pai else []
    )
    numbers = [one for one in readings if one.e164]
    if numbers:
        return numbers[0]
    plain = _read_caller(trunk, caller, called, asserted=False)
    return plain if plain.e164 or not readings else readings[0]


def _read_caller(trunk: Trunk, written: str, called: Reading, *, asserted: bool) -> _Caller:
    """A caller's number as E.164 where there is evidence for it, else as it was written.

    Nothing tells a national number without its zero from an international one without its plus, and nobody
    has a table to look a caller up in. Evidence is the trunk's own format, a plus or a context, the access
    code that no national number begins with, and the called number of the same request.
    """
    normalised = normalise(written, _without_tech_prefix(trunk.number_format))
    party = normalised.e164 or normalised.raw
    evident = {_EVERYWHERE, called.how.partition(",")[0]}
    for reading in normalised.readings:
        if not reading.lenient or reading.how in evident:
            return _Caller(normalised.raw, reading.e164, reading.e164, asserted, party)
    why_not = normalised.why_not or "not shown as an international number: nothing says that it is one"
    return _Caller(normalised.raw, None, why_not, asserted, party)


_EVERYWHERE = "behind access code 00"

ANONYMOUS = "anonymous"
"What a caller is called who asked to be nobody (RFC 3323 section 4.1.1.3)."


def _note_caller(trail: Trail, trunk: Trunk, who: _Caller, asserted: Sequence[str], *, private: bool) -> None:
    """Say in the decision who calls, or that it is not to be said. Callers without a number are welcome."""
    if private and not trunk.reveal_withheld:
        trail.noted("caller", ANONYMOUS, "the caller withholds its number (Privacy)")
        return
    if asserted and not trunk.trust_pai:
        found = "ignored: the trunk is not trusted to say who calls"
        trail.noted("asserted caller", ", ".join(asserted), found)
    trail.noted("asserted caller" if who.asserted else "caller", who.raw, who.found)


def _answering_version(
    trail: Trail, table: RoutingTable, number: PhoneNumber, party: Callable[[], str]
) -> AgentVersion:
    """The inbound assignment alone counts: the outbound one never answers a call."""
    if number.inbound_version_id is not None:
        return assigned_version(trail, table, number, "inbound", party() if number.inbound_split else "")
    if number.outbound_version_id is not None:
        trail.near(["an outbound version is assigned, but it never answers inbound calls"])
    found = "no inbound agent version is assigned"
    summary = f"{number.e164}: {found}"
    raise trail.refused(Reason.NO_INBOUND_VERSION, "inbound version", "none", found, summary=summary)


def _visible(trunk: Trunk, reader: str | None) -> bool:
    """Whether a workspace may know of a trunk: its own, or a shared one; None: the operator, of all."""
    return reader is None or trunk.workspace_id in (None, reader)


def _names(trunks: Sequence[Trunk], reader: str | None) -> str:
    """Their names; many trunks can share the addresses of one carrier, so only the first few."""
    known = [trunk for trunk in trunks if _visible(trunk, reader)]
    if not known:
        return "of another workspace"
    names = ", ".join(f"“{trunk.name}”" for trunk in known[:MAX_NAMES])
    return names if len(known) <= MAX_NAMES else f"{names} and {len(known) - MAX_NAMES} more"


def _listed(match: TrunkMatch, reader: str | None) -> str:
    """By which network a source is known, and of which trunks."""
    networks = (cidr for cidr, trunk in match.found if _visible(trunk, reader))
    return f"in {next(networks, match.found[0][0])} of trunk {_names(match.trunks, reader)}"


def _without_tech_prefix(writing: NumberFormat) -> NumberFormat:
    """Tech prefixes stand before called numbers only."""
    return replace(writing, tech_prefix="") if writing.tech_prefix else writing
