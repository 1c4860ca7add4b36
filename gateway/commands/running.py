"""One call of the running gateway: where it stands, following it, hanging it up."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx2

from gateway.commands.asking import address_of, asked, events_from, has_token
from gateway.commands.output import FAILED, fail
from gateway.commands.session import Session, user_name
from gateway.config.loading import Config
from gateway.events.bus import Sink
from gateway.events.recall import ENDING
from gateway.store.engine.errors import NotFound

ASKING_SECONDS = 10.0

Call = Mapping[str, Any]
"A call's `id`, `status`, `end_reason`, and `ended_at`, which is None while it goes on."


async def standing(session: Session, call_id: str) -> Call:
    """How a call stands by its record; one that has just begun may be known to the running gateway alone."""
    row = await session.store.get_call(call_id)
    if row is not None:
        names = ("id", "workspace_id", "status", "end_reason", "ended_at", "instance")
        return {name: getattr(row, name) for name in names}
    asks = has_token(session.config)
    for workspace in await session.configuration.workspaces.list_all() if asks else ():
        found = _asked(session.config, "GET", call_id, workspace.id)
        if found is not None and found.is_success:
            said = found.json()
            return {**said, "workspace_id": workspace.id, "ended_at": said["endedAt"]}
    raise NotFound("call", call_id, "there is no such call; gateway calls list shows those that there are")


def refuse_ended(call: Call) -> None:
    """Say so, and end the command, where there is nothing to follow or to hang up any more."""
    if call["ended_at"] is not None:
        how = ": ".join(filter(None, (call["status"], call["end_reason"])))
        fail(f"{call['id']} has ended ({how}): gateway calls show {call['id']}", FAILED)


def hang_up(config: Config, call: Call) -> Mapping[str, Any]:
    """Have the gateway end a call; the call as it answers, 202 or not."""
    answer = _asked(config, "DELETE", call["id"], call["workspace_id"])
    if answer is None:
        fail(f"no gateway to ask at {address_of(config)}: is it running?", FAILED)
    said: Mapping[str, Any] = answer.json()
    if not answer.is_success:
        fail(str(said["message"]), FAILED)
    refuse_ended({**said, "ended_at": said["endedAt"]} if answer.status_code != 202 else {"ended_at": None})
    return said


def _asked(config: Config, method: str, call_id: str, workspace_id: str | None) -> httpx2.Response | None:
    """The gateway's answer about a call; None: there is no gateway to ask."""
    who = {"X-Operator": user_name()} | ({"X-Workspace": workspace_id} if workspace_id else {})
    try:
        return asked(config, method, f"/v1/calls/{quote(call_id, safe='')}", who, ASKING_SECONDS)
    except httpx2.HTTPError:
        return None


def follow(config: Config, call: Call | None, show: Sink) -> None:
    """Show what happens: of one call from its beginning to its ending, of all until the gateway ends."""
    path, who = "/events", dict[str, str]()
    if call is not None:
        path, who = f"/v1/calls/{call['id']}/events", {"X-Workspace": str(call["workspace_id"])}
    try:
        for event in events_from(config, path, {}, who):
            show(event)
            if call is not None and event.name == ENDING:
                return
    except (httpx2.ReadError, httpx2.RemoteProtocolError):
        pass
    except httpx2.HTTPError as error:
        fail(f"no gateway to follow at {address_of(config)}: {error}", FAILED)
    fail(f"the gateway at {address_of(config)} has ended", FAILED)
