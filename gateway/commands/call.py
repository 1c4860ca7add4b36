"""`gateway call`: place a call through the running gateway, and follow it to its end."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from gateway.commands.output import mistakes_told
from gateway.commands.session import ConfigOption, JsonOption, WorkspaceOption, user_name
from gateway.store.engine.errors import InvalidInput


def call(
    to: Annotated[str, typer.Argument(metavar="NUMBER", help="Whom to call: +, calling code, number.")],
    from_: Annotated[
        str | None, typer.Option("--from", help="The number to call from. Default: one of the agent's.")
    ] = None,
    agent: Annotated[
        str | None, typer.Option(help="Who speaks, by name or id. Default: the agent of --from.")
    ] = None,
    version: Annotated[int | None, typer.Option(help="A published version. Default: the latest.")] = None,
    ring_seconds: Annotated[int | None, typer.Option(help="How long it may ring.")] = None,
    max_seconds: Annotated[int | None, typer.Option(help="How long it may last.")] = None,
    data: Annotated[
        list[str] | None, typer.Option("--data", metavar="NAME=VALUE", help="Metadata; the agent gets it.")
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option("--header", metavar="NAME=VALUE", help="A SIP header of the INVITE.")
    ] = None,
    category: Annotated[str | None, typer.Option(help="workflow, where one asks for the call.")] = None,
    category_id: Annotated[str | None, typer.Option(help="Your own name for the workflow.")] = None,
    workspace: WorkspaceOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Place a call and follow it; an interrupt hangs up.

    Exits with 0 when it was answered, 4 when it was not, 3 when a rule refuses it, 2 when it was asked for
    wrongly, 1 when something failed.
    """
    with mistakes_told():
        asked = {
            "phone_number": to,
            "from_number": from_,
            "agent_id": agent,
            "agent_version_number": version,
            "ring_duration_sec": ring_seconds,
            "max_call_duration_sec": max_seconds,
            "category": category,
            "category_id": category_id,
            "metadata": _pairs("--data", data),
            "headers": _pairs("--header", header),
        }
        raise typer.Exit(_place(config, agent, asked, workspace, as_json=as_json))


def _place(
    config: Path | None,
    agent: str | None,
    asked: Mapping[str, object],
    workspace: str | None,
    *,
    as_json: bool,
) -> int:
    """Ask the running gateway for it, and show what becomes of it; returns the exit status."""
    from urllib.parse import quote

    from rich.console import Console

    from gateway.commands.calling import place_and_follow
    from gateway.commands.following import line_sink
    from gateway.config.loading import load_config
    from gateway.events.log import log_sink

    read = load_config(config, os.environ)
    body = {name: value for name, value in asked.items() if value is not None}
    who = {"X-Operator": user_name()} | ({} if workspace is None else {"X-Workspace": quote(workspace)})
    is_json = as_json or not sys.stdout.isatty()
    show = log_sink("debug", "json") if is_json else line_sink(Console(emoji=False))
    return place_and_follow(read, agent, body, who, show)


def _pairs(option: str, given: list[str] | None) -> dict[str, str]:
    pairs = [text.partition("=") for text in given or []]
    for name, equals, _ in pairs:
        if not name or not equals:
            raise InvalidInput(option, name, "should be written NAME=VALUE")
    return {name: value for name, _, value in pairs}
