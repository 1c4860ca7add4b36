"""`gateway check`: everything that can be known to be wrong before the first call comes."""

import os
from typing import Annotated

import typer

from gateway.commands.finding import tell_findings
from gateway.commands.output import Output
from gateway.commands.session import ConfigOption, JsonOption


def check(
    config: ConfigOption = None,
    connect: Annotated[bool, typer.Option("--connect", help="Dial the agents' runtimes too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Look for everything that would keep calls from working; exit 1 where something would."""
    import asyncio

    from gateway.commands.checks import gather

    tell_findings(asyncio.run(gather(config, os.environ, connect=connect)), Output(as_json=as_json))
