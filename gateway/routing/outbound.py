"""Which calls may go out: the destination's rules, then number, version, trunk and price."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from gateway.routing.assignment import number_is_ready, owner
from gateway.routing.calling import (
    NOT_FOUND,
    Calling,
    OutboundRequest,
    calling_number,
    from_number,
    version_for,
)
from gateway.routing.decision import Decision, Reason, Rejected, Trail
from gateway.routing.destination import Destination, validate_destination
from gateway.routing.do_not_call import may_be_called
from gateway.routing.number import format_for
from gateway.routing.plan import NumberingPlan
from gateway.routing.rating import Quote, RateDecks, quote_by_prefix, quote_flat
from gateway.routing.recording import NOT_RECORDED, RecordingRule, recording_rule
from gateway.routing.table import (
    Agent,
    AgentVersion,
    PhoneNumber,
    RoutingTable,
    Trunk,
    Trunks,
    Workspace,
)

NO_DECKS = RateDecks()
COUNTRY_RULES = {Reason.NO_ENABLED_COUNTRIES, Reason.COUNTRY_NOT_ENABLED, Reason.PREFIX_NOT_ENABLED}
"The rules that a SIP trunk number is not asked about."

MAX_SECONDS = 5400
"Longer than this no version may speak."

NO_WAY_OUT = "Phone number {number} has no trunk that calls can go out by"
NO_RATE = "There is no rate for this destination"
NO_BALANCE = "Insufficient billing wallet balance"


__all__ = ["OutboundRequest", "OutboundRoute", "route_outbound"]


@dataclass(frozen=True, slots=True)
class OutboundRoute:
    """A call that may go out, and how."""

    trunk: Trunk
    number: PhoneNumber
    version: AgentVersion
    agent: Agent
    workspace: Workspace
    destination: Destination
    caller_id: str
    "E.164; the calling number, or one that the workspace has verified."
    dialled: str
    "The destination as the trunk wants it written."
    ring_seconds: float
    max_seconds: float
    quote: Quote | None
    "None: no rate deck is loaded, so nothing is charged."
    paid_seconds: float | None
    "How long the balance lasts; None: there is no wallet."
    decision: Decision
    recording: RecordingRule = NOT_RECORDED


def route_outbound(
    table: RoutingTable,
    request: OutboundRequest,
    *,
    plan: NumberingPlan,
    now_utc: datetime,
    decks: RateDecks = NO_DECKS,
    balance: Decimal | None = None,
) -> OutboundRoute:
    """Decide whether a call may go out, before anything is recorded or sent; raises Rejected.

    The destination's rules come first, in their order. The number's provider decides which of the `decks`
    has the price. `balance` is what is left in the workspace's wallet, where it has one. Concurrency and
    calls per second are `limits`' to say, once the route is known.
    """
    trail = Trail()
    workspace = _workspace(trail, table, request)
    calling = calling_number(table, workspace, request, now_utc)
    destination = _destination(trail, request, workspace, calling, plan)
    may_be_called(trail, destination.number, table.listed, has_list=table.has_do_not_call)
    number = from_number(trail, calling)
    number_is_ready(trail, number, now_utc)
    version = version_for(trail, table, request, number, destination.e164)
    agent, _ = owner(trail, table, number, version)
    trunk = _trunk(trail, table, number)
    quote = _quote(trail, destination, number, trunk, workspace, decks)
    paid_seconds = _paid_seconds(trail, quote, balance)
    recording = recording_rule(trail, number, version, trunk, "outbound")
    how = f"by trunk “{trunk.name}”, as version {version.number} of agent “{agent.name}”"
    return OutboundRoute(
        trunk=trunk,
        number=number,
        version=version,
        agent=agent,
        workspace=workspace,
        destination=destination,
        caller_id=calling.caller_id,
        dialled=format_for(destination.e164, trunk.outbound_format or trunk.number_format),
        ring_seconds=float(request.ring_seconds or version.ring_duration_sec),
        max_seconds=float(min(version.max_call_duration_sec, request.max_seconds or MAX_SECONDS)),
        quote=quote,
        paid_seconds=paid_seconds,
        decision=trail.decided(f"{number.e164} calls {destination.e164} {how}"),
        recording=recording,
    )


def _workspace(trail: Trail, table: RoutingTable, request: OutboundRequest) -> Workspace:
    workspace = table.workspace_by_id.get(request.workspace_id)
    if workspace is None:
        found = "no such workspace"
        raise trail.refused(Reason.AGENT_MISSING, "workspace", request.workspace_id, found, message=NOT_FOUND)
    return workspace


def _destination(
    trail: Trail, request: OutboundRequest, workspace: Workspace, calling: Calling, plan: NumberingPlan
) -> Destination:
    """Where it goes; without a number to call from, the rules of a provider's route hold."""
    is_sip_trunk = calling.number is not None and calling.number.sip_trunk_enabled
    try:
        return validate_destination(
            request.destination, workspace=workspace, plan=plan, is_sip_trunk=is_sip_trunk, trail=trail
        )
    except Rejected as refusal:
        if calling.number is not None or refusal.reason not in COUNTRY_RULES:
            raise
        # Whoever mistyped an agent should not be sent looking at countries.
        near = f"there is no number to call from either: {calling.found}"
        decision = replace(refusal.decision, near_misses=(*refusal.decision.near_misses, near))
        raise Rejected(decision, message=refusal.message, subject=refusal.subject) from None


def _trunk(trail: Trail, table: RoutingTable, number: PhoneNumber) -> Trunk:
    """A SIP trunk number's own trunk, or that of the number's provider: never the one for the other."""
    name, looked_at = ("SIP trunk", number.trunk_id or "none")
    if not number.sip_trunk_enabled:
        name, looked_at = ("provider's trunk", number.provider)
    candidates = trunks_for(table.trunks, number)
    trunk, trouble = way_out(candidates, number)
    if trunk is not None:
        trail.passed(name, f"“{trunk.name}”", f"to {trunk.termination_uri} ({trunk.id})")
        return trunk
    message = NO_WAY_OUT.format(number=number.e164)
    raise trail.refused(Reason.NO_OUTBOUND_TRUNK, name, looked_at, trouble, message=message)


def trunks_for(trunks: Trunks, number: PhoneNumber) -> tuple[Trunk, ...]:
    """The trunks that a number's calls could go out by, before it is asked whether they can."""
    if number.sip_trunk_enabled:
        own = trunks.by_id.get(number.trunk_id or "")
        return () if own is None else (own,)
    return trunks.by_provider.get(number.provider, ())


NO_TRUNK = "there is none"
"Why calls cannot go out: no trunk of theirs is there at all."


def way_out(candidates: Sequence[Trunk], number: PhoneNumber) -> tuple[Trunk | None, str]:
    """The first trunk that calls of a number can go out by; or None, and why not by the last one."""
    trouble = NO_TRUNK
    for trunk in candidates:
        trouble = _trunk_trouble(trunk, number)
        if not trouble:
            return trunk, ""
    return None, trouble


def _trunk_trouble(trunk: Trunk, number: PhoneNumber) -> str:
    if trunk.workspace_id not in (None, number.workspace_id):
        return "the trunk belongs to another workspace"
    if not trunk.enabled:
        return f"trunk “{trunk.name}” is disabled"
    if trunk.termination_uri is None:
        return f"trunk “{trunk.name}” has no termination URI, so it only takes calls in"
    if trunk.termination is None:
        return f"the termination URI of trunk “{trunk.name}” is no host or host:port"
    return ""


def _quote(
    trail: Trail,
    destination: Destination,
    number: PhoneNumber,
    trunk: Trunk,
    workspace: Workspace,
    decks: RateDecks,
) -> Quote | None:
    deck = decks.of(number.provider)
    if number.sip_trunk_enabled:
        quote: Quote | None = quote_flat(trunk, workspace)
    elif deck is None:
        trail.noted("price", destination.e164, "no rate deck is loaded, so nothing is charged")
        return None
    elif deck.currency != workspace.currency:
        found = f"the rate deck is in {deck.currency}, the workspace in {workspace.currency}"
        raise trail.refused(Reason.NO_RATE, "price", destination.e164, found, message=NO_RATE)
    else:
        quote = quote_by_prefix(destination.number, deck, workspace)
    if quote is None:
        found = "no prefix of the rate deck begins it"
        raise trail.refused(Reason.NO_RATE, "price", destination.e164, found, message=NO_RATE)
    trail.passed("price", destination.e164, f"{quote.per_minute} {quote.currency} a minute: {quote.why}")
    return quote


def _paid_seconds(trail: Trail, quote: Quote | None, balance: Decimal | None) -> float | None:
    """How long the wallet lasts; a wallet that does not cover the first step refuses the call."""
    if quote is None or balance is None:
        return None
    seconds = quote.affordable_seconds(balance)
    if seconds <= 0:
        found = f"does not cover the first {quote.increment.first} s"
        looked_at = f"{balance} {quote.currency}"
        raise trail.refused(Reason.INSUFFICIENT_BALANCE, "wallet", looked_at, found, message=NO_BALANCE)
    lasts = "without an end" if seconds == float("inf") else f"for {seconds:.0f} s"
    trail.passed("wallet", f"{balance} {quote.currency}", f"lasts {lasts}")
    return seconds
