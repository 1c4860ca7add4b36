"""Placing a call through the running gateway, and following it to its end."""

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Any

import httpx2
import typer
from rich.console import Console

from gateway.commands.asking import address_of, asked, events_from
from gateway.commands.output import BAD_INPUT, FAILED, INTERRUPTED, escaped, fail
from gateway.config.loading import Config
from gateway.events.bus import Sink
from gateway.events.recall import ENDING

REFUSED = 3
NOT_ANSWERED = 4
STATUSES = {"completed": 0, "cancelled": NOT_ANSWERED, "did_not_pick": NOT_ANSWERED} | {
    "busy": NOT_ANSWERED,
    "no_answer": NOT_ANSWERED,
}
"What the command exits with, by the call's status; 1 for any other."
ASKED_WRONGLY = {400, 404, 409, 413}
"HTTP statuses that mean a wrong argument, not a rule."
PAGE = 100
ASKING_SECONDS = 60.0
"A call may wait for its trunk's pace before the gateway answers."
MARKS = {"pass": "[green]✓[/green]", "fail": "[red]✗[/red]", "grant": "◆"}


def place_and_follow(
    config: Config, agent: str | None, body: dict[str, object], who: Mapping[str, str], show: Sink
) -> int:
    """Place the call and follow it; what the command exits with."""
    try:
        if agent is not None:
            body["agent_id"] = agent_id_of(config, agent, who)
        call_id = _place(config, body, who)
        return _follow(config, call_id, who, show)
    except (httpx2.ReadError, httpx2.RemoteProtocolError):
        fail(f"the gateway at {address_of(config)} has ended", FAILED)
    except httpx2.HTTPError as error:
        fail(f"no gateway to ask at {address_of(config)}: {error}", FAILED)


def agent_id_of(config: Config, agent: str, who: Mapping[str, str]) -> str:
    """The id of the workspace's agent of this name; what is no name of one is taken for an id."""
    for page in count(1):
        which = {"page": page, "limit": PAGE}
        answer = asked(config, "GET", "/v1/agents", who, ASKING_SECONDS, params=which)
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
    answer = asked(config, "POST", "/v1/calls", who, ASKING_SECONDS, json=dict(body))
    said = answer.json()
    if answer.is_success:
        return str(said["id"])
    show_refusal(said)
    raise typer.Exit(BAD_INPUT if answer.status_code in ASKED_WRONGLY else REFUSED)


def show_refusal(said: Mapping[str, Any]) -> None:
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
            headers = {"Last-Event-ID": str(seen), **who}
            for event in events_from(config, f"/v1/calls/{call_id}/events", {}, headers):
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
    asked(config, "DELETE", f"/v1/calls/{call_id}", who, ASKING_SECONDS)
