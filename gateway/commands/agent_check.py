"""`gateway agent-check`: calls an agent's runtime as the gateway would, and tells its author what is wrong.

What it says and listens for is in `agent_script`, which loads the media path.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Annotated

import typer

from gateway.commands.check import print_findings
from gateway.commands.finding import Finding, worst
from gateway.commands.output import FAILED, Output, mistakes_told
from gateway.commands.session import JsonOption
from gateway.routing.table import AgentVersion, Dialect, VersionState
from gateway.settings import AgentsSettings
from gateway.store.errors import InvalidInput
from gateway.store.fields import VERSION, parse_fields
from gateway.store.ids import new_id
from gateway.store.rules import checked_version


def agent_check(
    url: Annotated[str, typer.Argument(help="The runtime URL, as in an agent version.")],
    dialect: Annotated[str, typer.Option(help=f"{', '.join(Dialect)}.")] = Dialect.TWILIO.value,
    audio: Annotated[str, typer.Option(help="One of the dialect's formats; empty: its first.")] = "",
    secret: Annotated[str, typer.Option(help="The version's secret.", envvar="AGENT_SECRET")] = "",
    headers: Annotated[str, typer.Option(help="As name: value; name: value.")] = "",
    parameters: Annotated[str, typer.Option(help="As name: value; name: value.")] = "",
    options: Annotated[str, typer.Option(help="Of the dialect, as name: value.")] = "",
    ca: Annotated[str, typer.Option(help="A file of authorities to trust.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Call an agent's runtime as the gateway would, and tell what is wrong; exit 1 where something is.

    About fifteen seconds: it listens for a greeting, interrupts it, speaks, presses keys and hangs up.
    """
    given = {"runtime_url": url, "dialect": dialect, "secret": secret, "headers": headers}
    given |= {"parameters": parameters, "options": options, **({"audio": audio} if audio else {})}
    with mistakes_told():
        version = AgentVersion(new_id("ver"), "agent_check", 1, VersionState.PUBLISHED)
        version = checked_version(replace(version, **parse_fields(VERSION, given)))
        if version.dialect is Dialect.SIP:
            raise InvalidInput("dialect", dialect, "is a telephone: call it with a number, this has no SIP")
    from gateway.commands.agent_script import Trial

    settings = AgentsSettings.model_validate({"connect_attempts": 1, **({"ca": ca} if ca else {})})
    findings = asyncio.run(Trial(version, settings=settings).run())
    _tell(findings, Output(as_json=as_json))
    if worst(findings) == "fail":
        raise typer.Exit(FAILED)


def _tell(findings: Sequence[Finding], output: Output) -> None:
    if output.is_json:
        output.rows([asdict(finding) for finding in findings], (), "")
    else:
        print_findings(findings)
