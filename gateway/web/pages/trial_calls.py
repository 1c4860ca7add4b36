"""Test calls of one number: what the latest one each way is like, and what one can begin from the page."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gateway.routing.decision import Decision
from gateway.routing.table import PhoneNumber
from gateway.store.configuration.number_list import VersionLabel
from gateway.store.records.calls import CallFilter, CallRow
from gateway.web.page import Visit

RECENT = timedelta(minutes=15)
"A call that began longer ago is not the one that somebody is waiting for."


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of asking for an outbound test call."""

    to: str = ""
    problem: str = ""
    decision: Decision | None = None


NOT_TRIED = Tried()


@dataclass(frozen=True, slots=True)
class Seen:
    """The latest call in one direction, in words."""

    call: CallRow
    who: str
    "The agent version that has it."
    tone: str
    title: str
    text: str


async def tests_of(visit: Visit, number: PhoneNumber) -> dict[str, Any]:
    """What the page shows of test calls."""
    labels = await visit.site.parts.store.number_list.labels(visit.workspace.id)
    return {
        "seen": {one: await _latest(visit, number, one, labels) for one in ("inbound", "outbound")},
        "can_ring_from_here": can_ring_from_here(visit, number),
    }


async def _latest(
    visit: Visit, number: PhoneNumber, direction: str, labels: Mapping[str, VersionLabel]
) -> Seen | None:
    """The newest call of the last minutes, running or over."""
    since = visit.site.parts.now() - RECENT
    running = [
        record.row()
        for record in visit.site.parts.switchboard.running()
        if record.number_id == number.id and record.direction == direction
    ]
    which = CallFilter(
        visit.workspace.id, number_ids=(number.id,), direction=direction, created_from=since, limit=1
    )
    kept = (await visit.site.parts.store.list_calls(which)).calls
    # Running ones first: of two that are as new, the first is taken, and what is kept of one is older.
    newest = max([*running, *kept], key=lambda row: row.created_at, default=None)
    return None if newest is None else seen(newest, str(labels.get(newest.version_id or "") or "nobody"))


def seen(call: CallRow, who: str) -> Seen:
    """A call as somebody sees it who is waiting for it."""
    heard, spoke = call.first_audio_in_at is not None, call.first_audio_out_at is not None
    if call.ended_at is None:
        if call.answered_at is None:
            return Seen(call, who, "wait", "It is ringing", f"{call.from_number} calls {call.to_number}")
        return Seen(call, who, "good", f"{who} has answered", _sound(heard, spoke))
    if call.answered_at is not None and heard and spoke:
        return Seen(call, who, "good", f"It went well: {who}", "It was answered, with sound both ways.")
    if call.answered_at is not None:
        return Seen(call, who, "bad", f"{who} had it, but not all was heard", _sound(heard, spoke))
    return Seen(call, who, "bad", "It was not answered", call.detail)


def _sound(heard: bool, spoke: bool) -> str:
    said = {True: "is heard", False: "is not heard yet"}
    return f"The telephone {said[heard]}; the agent {said[spoke]}."


def can_ring_from_here(visit: Visit, number: PhoneNumber) -> bool:
    """Whether the gateway's own telephone may call it: a trunk takes calls from there, without a password."""
    source = visit.site.parts.house_phone.source
    if source is None:
        return False
    # The narrowest network decides, as it does for every call.
    trunks = [trunk for _, trunk in visit.site.parts.store.trunks().at(source) if trunk.enabled]
    return any(
        trunk.username is None
        and trunk.workspace_id in (None, number.workspace_id)
        and number.trunk_id in (None, trunk.id)
        for trunk in trunks
    )
