"""`gateway explain`: the routing decision about a call, without the call."""

from collections.abc import Mapping
from typing import Annotated

import typer

from gateway.commands.output import FAILED
from gateway.commands.price_quotes import mend_lines, offer_lines
from gateway.commands.session import ConfigOption, JsonOption, Session, WorkspaceOption, run
from gateway.store.engine.errors import InvalidInput

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

        from gateway.commands.explaining import decide, source_of

        _not_with("an inbound call", about_outbound)
        address = await source_of(session, source, trunk)
        decision = await decide(session, to, from_ or ANYBODY, address, username)
        mend = mend_lines(decision.reason)
        session.output.lines({**decision.as_dict(), "source": address}, [*decision.lines(), *mend])
        _fail_where_refused(decision.allowed)

    async def outbound_call(session: Session) -> None:
        from gateway.commands.explaining import facts, offer_of

        _not_with("an outbound call", about_inbound)
        offer = await offer_of(session, to, from_, agent, version, workspace)
        session.output.lines(facts(offer), offer_lines(offer))
        _fail_where_refused(offer.refusal is None)

    run(config, as_json, outbound_call if outbound else inbound_call)


def _not_with(what: str, options: Mapping[str, object]) -> None:
    for option, given in options.items():
        if given is not None:
            raise InvalidInput(option, str(given), f"says nothing about {what}")


def _fail_where_refused(allowed: bool) -> None:
    if not allowed:
        raise typer.Exit(FAILED)
