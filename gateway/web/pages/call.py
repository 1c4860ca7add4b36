"""One call: what happened when, what was said on the wire, why, how it sounded, and what it cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from starlette.responses import Response

from gateway.store.records.calls import CallRow
from gateway.web.drawing import (
    LADDER_STEP,
    LADDER_TOP,
    PLOT,
    Curve,
    Tick,
    curve,
    heights,
    moments,
    party,
    rounded_up,
    rungs,
    times,
)
from gateway.web.page import Page, Visit, get
from gateway.web.pages.call_texts import shown_texts
from gateway.web.waveform import waveform
from gateway.web.who import who_of

CHARTS = (
    ("Opinion (MOS)", "1 bad, 5 excellent", "", (1.0, 5.0), ("mos_in", "mos_out")),
    ("Loss, % of packets", "", "%", (0.0, 5.0), ("loss_in", "loss_out")),
    ("Jitter, ms", "", "ms", (0.0, 20.0), ("jitter_in", "jitter_out")),
)
"""What is drawn of a call over time: title, how to read it, unit, the least span of its axis, and the columns
of `media.quality`: what came from the other side, and what went to it."""

STILL_TOLD = timedelta(minutes=3)
"So long after a call its page looks whether the agent's runtime has posted something about it."

DIRECTIONS = (("in", "From the {party} to the agent"), ("out", "From the agent to the {party}"))
FIGURES = (
    ("packets", "Packets", ""),
    ("lost", "Lost", ""),
    ("jitter_ms", "Jitter", "ms"),
    ("late", "Late", ""),
    ("reordered", "Reordered", ""),
    ("duplicate", "Duplicate", ""),
    ("concealed_ms", "Concealed", "ms"),
    ("discarded_ms", "Discarded", "ms"),
    ("send_errors", "Not sent", ""),
)


async def show(visit: Visit) -> Response:
    """The page."""
    row = await own_call(visit)
    return visit.page("call.html", "calls", **await _seen(visit, row))


async def fresh(visit: Visit) -> Response:
    """What changes while the call goes on, for the script that keeps it fresh."""
    row = await own_call(visit)
    return visit.part("call_body.html", **await _seen(visit, row))


async def _seen(visit: Visit, row: CallRow) -> dict[str, Any]:
    labels = await visit.site.parts.store.number_list.labels(visit.workspace.id)
    drawn = rungs(row.ladder)
    texts = await visit.site.parts.store.texts.get(row.id)
    is_live = row.ended_at is None
    return {
        "call": row,
        "label": labels.get(row.version_id or ""),
        "trunk": visit.site.parts.store.trunks().by_id.get(row.trunk_id or ""),
        "asked_by": (await who_of(visit)).name(row.requested_by or ""),
        "moments": moments(row),
        "rungs": drawn,
        "ladder_height": LADDER_TOP + len(drawn) * LADDER_STEP,
        "decision": row.decision,
        "directions": [
            (title.format(party=party(row)), figures)
            for key, title in DIRECTIONS
            if (figures := _figures(row.media, key))
        ],
        "charts": charts(row.media, party(row)),
        "plot": PLOT,
        "party": party(row),
        "is_outbound": row.direction == "outbound",
        "waveform": None if is_live else await waveform(visit.site.parts.keeping, row),
        "texts": shown_texts(texts),
        "is_live": is_live,
        "is_fresh": row.ended_at is None or visit.site.parts.now() - row.ended_at < STILL_TOLD,
        "can_hang_up": any(record.id == row.id for record in visit.site.parts.switchboard.running()),
    }


@dataclass(frozen=True, slots=True)
class Chart:
    """Some curves between two axes."""

    title: str
    about: str
    curves: tuple[Curve, ...]
    heights: tuple[Tick, ...]
    times: tuple[Tick, ...]
    seconds: float
    "How long the axis of time is."


def charts(media: Mapping[str, object], other: str = "caller") -> list[Chart]:
    """How the call sounded over time, where it was long enough to tell; `other` is who the agent talks to."""
    quality = media.get("quality")
    if not isinstance(quality, Mapping) or len(quality.get("points") or ()) < 2:
        return []
    seconds = quality["step_seconds"] * len(quality["points"])
    drawn = []
    for title, about, unit, (low, least), columns in CHARTS:
        names = (f"from the {other}", f"to the {other}")
        series = {name: _samples(quality, column) for name, column in zip(names, columns, strict=True)}
        most = max((value for samples in series.values() for _, value in samples), default=least)
        top = least if most <= least else rounded_up(most)
        curves = tuple(
            made
            for name, samples in series.items()
            if (made := curve(name, unit, samples, (low, top), seconds)) is not None
        )
        if curves:
            drawn.append(Chart(title, about, curves, heights(low, top), times(seconds), seconds))
    return drawn


def _samples(quality: Mapping[str, Any], column: str) -> list[tuple[float, float]]:
    """A column's values, each at the end of the seconds that it is about."""
    columns = list(quality["columns"])
    if column not in columns:
        return []
    values = (point[columns.index(column)] for point in quality["points"])
    step = quality["step_seconds"]
    return [(step * at, float(value)) for at, value in enumerate(values, 1) if value is not None]


def _figures(media: Mapping[str, object], key: str) -> list[tuple[str, str]]:
    found = media.get(key)
    if not isinstance(found, Mapping):
        return []
    return [
        (name, f"{found[field]} {unit}".strip())
        for field, name, unit in FIGURES
        if found.get(field) is not None
    ]


async def own_call(visit: Visit) -> CallRow:
    """The call as it stands: live where it runs here, else as it was saved."""
    call_id = visit.path["id"]
    running = {record.id: record for record in visit.site.parts.switchboard.running()}
    record = running.get(call_id)
    row = record.row() if record is not None else await visit.site.parts.store.get_call(call_id)
    visit.own("call", call_id, None if row is None else row.workspace_id)
    assert row is not None, "what is not there belongs to no workspace"
    return row


PAGES: tuple[Page, ...] = (
    get("/calls/{id}", show),
    get("/calls/{id}/body", fresh),
)
