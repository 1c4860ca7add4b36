"""`gateway explain`: the routing decision about a call, without the call."""

from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Annotated

import typer

from gateway.commands.offers import mend_lines, offer_lines, offers_of
from gateway.commands.output import FAILED
from gateway.commands.session import ConfigOption, JsonOption, Session, WorkspaceOption, run
from gateway.routing.calling import OutboundRequest
from gateway.routing.decision import Decision, Rejected
from gateway.routing.inbound import Credentials, CredentialState, route_inbound
from gateway.routing.network import parse_network
from gateway.routing.quoting import Offer
from gateway.routing.typed import cleaned
from gateway.store.errors import InvalidInput

ANYBODY = "anonymous"


def explain(
    to: Annotated[str, typer.Option("--to", help="The number that is called, as it is written.")],
    from_: Annotated[str | None, typer.Option("--from", help="The number that calls.")] = None,
    source: Annotated[str | None, typer.Option(help="Inbound: the address that the call comes from.")] = None,
    trunk: Annotated[str | None, typer.Option(help="Inbound: or the trunk that it comes by.")] = None,
    username: Annotated[
        str | None, typer.Option(help="Inbound: as if it had proven to be this user.")
    ] = None,
    outbound: Annotated[
        bool, typer.Option("--outbound", help="A call that somebody asks the gateway for.")
    ] = False,
    agent: Annotated[str | None, typer.Option(help="Outbound: who would speak, by name or id.")] = None,
    version: Annotated[int | None, typer.Option(help="Outbound: a version of the agent.")] = None,
    workspace: WorkspaceOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decide about a call as the gateway would, and say why; exit 1 where it would be refused.

    An inbound call, unless --outbound is given: then one that is asked for, with its price.
    """
    about_inbound = {"--source": source, "--trunk": trunk, "--username": username}
    about_outbound = {"--agent": agent, "--version": version, "--workspace": workspace}

    async def inbound_call(session: Session) -> None:
        _not_with("an inbound call", about_outbound)
        address = await _source(session, source, trunk)
        decision = await _decide(session, cleaned(to), cleaned(from_ or ANYBODY), address, username)
        mend = mend_lines(decision.reason)
        session.output.lines({**decision.as_dict(), "source": address}, [*decision.lines(), *mend])
        _fail_where_refused(decision.allowed)

    async def outbound_call(session: Session) -> None:
        _not_with("an outbound call", about_inbound)
        offer = await _offer(session, to, from_, agent, version, workspace)
        session.output.lines(_facts(offer), offer_lines(offer))
        _fail_where_refused(offer.refusal is None)

    run(config, as_json, outbound_call if outbound else inbound_call)


def _not_with(what: str, options: Mapping[str, object]) -> None:
    for option, given in options.items():
        if given is not None:
            raise InvalidInput(option, str(given), f"says nothing about {what}")


def _fail_where_refused(allowed: bool) -> None:
    if not allowed:
        raise typer.Exit(FAILED)


async def _source(session: Session, source: str | None, trunk: str | None) -> str:
    """The address that was given, or one that the trunk allows."""
    if (source is None) == (trunk is None):
        right = "should be given, or --trunk, but not both; --outbound for a call that is asked for"
        raise InvalidInput("--source", source, right)
    if source is not None:
        try:
            return str(ip_address(source.strip("[]")))
        except ValueError:
            raise InvalidInput("--source", source, "should be an IP address, such as 192.0.2.7") from None
    found = await session.there.trunks.find(trunk or "")
    if not found.sources:
        raise InvalidInput("--trunk", found.name, "has no sources: nobody can call in by it")
    network = parse_network(found.sources[0])
    return str(network[1] if network.num_addresses > 2 else network[0])


async def _decide(session: Session, called: str, caller: str, source: str, username: str | None) -> Decision:
    table = await session.store.routing_table(called)
    credentials = Credentials() if username is None else Credentials(CredentialState.VERIFIED, username)
    try:
        route = route_inbound(
            table,
            called=called,
            caller=caller,
            source=source,
            now_utc=datetime.now(UTC),
            credentials=credentials,
        )
    except Rejected as refusal:
        return refusal.decision
    return route.decision


async def _offer(
    session: Session,
    to: str,
    from_: str | None,
    agent: str | None,
    version: int | None,
    workspace: str | None,
) -> Offer:
    owner = await session.there.workspaces.find(workspace)
    speaker = None if agent is None else (await session.there.agents.find(agent, owner.id)).id
    asked = OutboundRequest(owner.id, to, speaker, version_number=version, from_number=from_)
    return await (await offers_of(session)).of(asked)


def _facts(offer: Offer) -> dict[str, object]:
    """The decision with its near misses, and the price beside it."""
    decision = {} if offer.decision is None else offer.decision.as_dict()
    priced = {name: value for name, value in offer.as_dict().items() if name != "decision"}
    return {**priced, **decision}
