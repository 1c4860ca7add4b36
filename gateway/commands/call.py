"""`gateway call`: place a call through the running gateway, and follow it to its end."""

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Annotated, Any
from urllib.parse import quote

import httpx2
import typer
from rich.console import Console

from gateway.commands.asking import address_of, credentials_of, events_from
from gateway.commands.following import line_sink
from gateway.commands.output import BAD_INPUT, FAILED, escaped, fail, mistakes_told
from gateway.commands.session import ConfigOption, JsonOption, WorkspaceOption, user_name
from gateway.config import Config, load_config
from gateway.events.bus import Sink
from gateway.events.log import log_sink
from gateway.events.recall import ENDING
from gateway.store import InvalidInput

REFUSED = 3
NOT_ANSWERED = 4
STATUSES = {"completed": 0, "cancelled": NOT_ANSWERED, "did_not_pick": NOT_ANSWERED} | {
    "busy": NOT_ANSWERED,
    "no_answer": NOT_ANSWERED,
}
"What the command exits with, by the call's status; 1 for any other."
INTERRUPTED = 130
"Interrupted a second time, before the call had ended."
ASKED_WRONGLY = {400, 404, 409, 413}
"HTTP statuses that mean a wrong argument, not a rule."
PAGE = 100
ASKING_SECONDS = 60.0
"A call may wait for its trunk's pace before the gateway answers."
MARKS = {"pass": "[green]✓[/green]", "fail": "[red]✗[/red]", "grant": "◆"}


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
    workspace: WorkspaceOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Place a call and follow it; an interrupt hangs up.

    Exits with 0 when it was answered, 4 when it was not, 3 when a rule refuses it, 2 when it was asked for
    wrongly, 1 when something failed.
    """
    with mistakes_told():
        read = load_config(config, os.environ)
        asked = {
            "phone_number": to,
            "from_number": from_,
            "agent_id": agent,
            "agent_version_number": version,
            "ring_duration_sec": ring_seconds,
            "max_call_duration_sec": max_seconds,
            "metadata": _pairs("--data", data),
            "headers": _pairs("--header", header),
        }
        body: dict[str, object] = {name: value for name, value in asked.items() if value is not None}
        who = {"X-Operator": user_name()} | ({} if workspace is None else {"X-Workspace": quote(workspace)})
        is_json = as_json or not sys.stdout.isatty()
        show = log_sink("debug", "json") if is_json else line_sink(Console(emoji=False))
        try:
            if agent is not None:
                body["agent_id"] = _agent_id(read, agent, who)
            call_id = _place(read, body, who)
            status = _follow(read, call_id, who, show)
        except (httpx2.ReadError, httpx2.RemoteProtocolError):
            fail(f"the gateway at {address_of(read)} has ended", FAILED)
        except httpx2.HTTPError as error:
            fail(f"no gateway to ask at {address_of(read)}: {error}", FAILED)
        raise typer.Exit(status)


def _pairs(option: str, given: list[str] | None) -> dict[str, str]:
    pairs = [text.partition("=") for text in given or []]
    for name, equals, _ in pairs:
        if not name or not equals:
            raise InvalidInput(option, name, "should be written NAME=VALUE")
    return {name: value for name, _, value in pairs}


def _agent_id(config: Config, agent: str, who: Mapping[str, str]) -> str:
    """The id of the workspace's agent of this name; what is no name of one is taken for an id."""
    for page in count(1):
        answer = httpx2.get(
            f"{address_of(config)}/v1/agents",
            params={"page": page, "limit": PAGE},
            headers={**credentials_of(config), **who},
            timeout=ASKING_SECONDS,
        )
        if not answer.is_success:
            break  # placing the call says what is wrong
        items = answer.json()["items"]
        for item in items:
            if item["name"].casefold() == agent.casefold():
                return str(item["id"])
        if len(items) < PAGE:
            break
    return agent


def _place(config: Config, body: Mapping[str, object], who: Mapping[str, str]) -> str:
    """The id of the call that was placed; ends the command, and says why, where it was refused."""
    answer = httpx2.post(
        f"{address_of(config)}/v1/calls",
        json=dict(body),
        headers={**credentials_of(config), **who},
        timeout=ASKING_SECONDS,
    )
    said = answer.json()
    if answer.is_success:
        return str(said["id"])
    _show_refusal(said)
    raise typer.Exit(BAD_INPUT if answer.status_code in ASKED_WRONGLY else REFUSED)


def _show_refusal(said: Mapping[str, Any]) -> None:
    """The gateway's own words, and on a terminal every check that was made."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    messages = said["message"] if isinstance(said["message"], list) else [said["message"]]
    for message in messages:
        console.print(f"[red]error:[/red] {escaped(message)}")
    decision = said.get("decision") or {"checks": []}
    for check in decision["checks"]:
        mark = MARKS.get(check["outcome"], "·")
        console.print(f"  {mark} {escaped('{name}: {looked_at} → {found}'.format_map(check))}")
    for miss in decision.get("near_misses", []):
        console.print(f"  ? {escaped(miss)}")
    if mend := said.get("mend"):
        console.print(f"  > {escaped(mend['owner'])} {escaped(mend['command'])}")


def _follow(config: Config, call_id: str, who: Mapping[str, str], show: Sink) -> int:
    """Show the call's events to the ending; what the command exits with."""
    seen = 0
    interrupts = 0
    while True:
        try:
            place = {"Last-Event-ID": str(seen), **who}
            for event in events_from(config, f"/v1/calls/{call_id}/events", {}, place):
                with _whole_lines():
                    seen += 1
                    show(event)
                if event.name == ENDING:
                    return STATUSES.get(str(event.fields.get("status")), FAILED)
            fail(f"the gateway at {address_of(config)} has ended", FAILED)
        except KeyboardInterrupt:
            interrupts += 1
            if interrupts > 1:
                return INTERRUPTED
            _hang_up(config, call_id, who)


@contextmanager
def _whole_lines() -> Iterator[None]:
    """An interrupt waits until the line stands: half a line of JSON is no line."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _hang_up(config: Config, call_id: str, who: Mapping[str, str]) -> None:
    httpx2.delete(
        f"{address_of(config)}/v1/calls/{call_id}",
        headers={**credentials_of(config), **who},
        timeout=ASKING_SECONDS,
    )
