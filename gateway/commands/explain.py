"""`gateway explain`: the routing decision about a call, without the call."""

from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Annotated

import typer

from gateway.commands.output import FAILED
from gateway.commands.session import ConfigOption, JsonOption, Session, run
from gateway.routing.decision import Decision, Rejected
from gateway.routing.inbound import Credentials, CredentialState, route_inbound
from gateway.routing.network import parse_network
from gateway.store.errors import InvalidInput


def explain(
    to: Annotated[str, typer.Option("--to", help="The dialled number, as the carrier writes it.")],
    from_: Annotated[str, typer.Option("--from", help="The caller, as the carrier writes it.")] = "anonymous",
    source: Annotated[str | None, typer.Option(help="The address that the call comes from.")] = None,
    trunk: Annotated[str | None, typer.Option(help="Or: the trunk that it comes by.")] = None,
    username: Annotated[str | None, typer.Option(help="As if it had proven to be this user.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decide about an inbound call as the gateway would, and say why; exit 1 where it would be refused."""

    async def work(session: Session) -> None:
        address = await _source(session, source, trunk)
        decision = await _decide(session, to, from_, address, username)
        session.output.lines({**decision.as_dict(), "source": address}, decision.lines())
        if not decision.allowed:
            raise typer.Exit(FAILED)

    run(config, as_json, work)


async def _source(session: Session, source: str | None, trunk: str | None) -> str:
    """The address that was given, or one that the trunk allows."""
    if (source is None) == (trunk is None):
        raise InvalidInput("--source", source, "should be given, or --trunk, but not both")
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
