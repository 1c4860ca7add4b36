"""`gateway tail`: what happens in the running gateway, as it happens."""

import sys
from typing import Annotated, Any

import typer

from gateway.commands.output import mistakes_told
from gateway.commands.session import ConfigOption, JsonOption, Session, run


def tail(
    call_id: Annotated[
        str | None, typer.Argument(metavar="CALL", help="call_…; without it, all calls.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Follow a call to its ending, or all of them until interrupted.

    Exits with 0 when the call has ended, 1 when it had ended before or no gateway runs, 2 when there is no
    such call, 130 when interrupted.
    """

    found: list[Any] = []

    async def look(session: Session) -> None:
        from gateway.commands.running import refuse_ended, standing

        found.append(await standing(session, call_id or ""))
        refuse_ended(found[0])

    if call_id is not None:
        run(config, as_json, look)
    with mistakes_told():
        import os

        from gateway.commands.running import follow
        from gateway.config.loading import load_config
        from gateway.events.log import log_sink

        show = log_sink("debug", "json" if as_json or not sys.stdout.isatty() else "console")
        follow(load_config(config, os.environ), found[0] if found else None, show)
