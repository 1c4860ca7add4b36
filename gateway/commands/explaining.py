"""The decisions that `gateway explain` asks for."""

from datetime import UTC, datetime
from ipaddress import ip_address

from gateway.commands.price_quotes import price_quotes_of
from gateway.commands.session import Session
from gateway.routing.calling import OutboundRequest
from gateway.routing.decision import Decision, Rejected
from gateway.routing.inbound import Credentials, CredentialState, route_inbound
from gateway.routing.network import parse_network
from gateway.routing.quoting import Offer
from gateway.routing.typed import cleaned
from gateway.store.engine.errors import InvalidInput


async def source_of(session: Session, source: str | None, trunk: str | None) -> str:
    """The address that was given, or one that the trunk allows."""
    if (source is None) == (trunk is None):
        right = "should be given, or --trunk, but not both; --outbound for a call that is asked for"
        raise InvalidInput("--source", source, right)
    if source is not None:
        try:
            return str(ip_address(source.strip("[]")))
        except ValueError:
            raise InvalidInput("--source", source, "should be an IP address, such as 192.0.2.7") from None
    found = await session.configuration.trunks.find(trunk or "")
    if not found.sources:
        raise InvalidInput("--trunk", found.name, "has no sources: nobody can call in by it")
    network = parse_network(found.sources[0])
    return str(network[1] if network.num_addresses > 2 else network[0])


async def decide(session: Session, called: str, caller: str, source: str, username: str | None) -> Decision:
    """The decision about an inbound call from an address."""
    called, caller = cleaned(called), cleaned(caller)
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


async def offer_of(
    session: Session,
    to: str,
    from_: str | None,
    agent: str | None,
    version: int | None,
    workspace: str | None,
) -> Offer:
    """The decision about a call that is asked for, and its price."""
    owner = await session.configuration.workspaces.find(workspace)
    speaker = None if agent is None else (await session.configuration.agents.find(agent, owner.id)).id
    asked = OutboundRequest(owner.id, to, speaker, version_number=version, from_number=from_)
    return await (await price_quotes_of(session)).of(asked)


def facts(offer: Offer) -> dict[str, object]:
    """The decision with its near misses, and the price beside it."""
    decision = {} if offer.decision is None else offer.decision.as_dict()
    priced = {name: value for name, value in offer.as_dict().items() if name != "decision"}
    return {**priced, **decision}
