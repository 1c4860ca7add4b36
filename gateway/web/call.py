"""One call: what happened when, what was said on the wire, why, how it sounded, and what it cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from starlette.responses import Response

from gateway.store.calls import CallRow
from gateway.web.drawing import LADDER_STEP, LADDER_TOP, Curve, curve, moments, rungs
from gateway.web.page import Page, Visit, get
from gateway.web.told import told
from gateway.web.waveform import waveform

CHARTS = (
    ("Opinion (MOS)", "", 5.0, (("from the caller", "mos_in"), ("to the caller", "mos_out"))),
    ("Loss", "%", 5.0, (("from the caller", "loss_in"), ("to the caller", "loss_out"))),
    ("Jitter", "ms", 20.0, (("from the caller", "jitter_in"), ("to the caller", "jitter_out"))),
)
"What is drawn of a call over time: title, unit, least height, and the columns of `media.quality`."

STILL_TOLD = timedelta(minutes=3)
"So long after a call its page looks whether the agent's runtime has posted something about it."

DIRECTIONS = (("in", "From the caller to the agent"), ("out", "From the agent to the caller"))
FIGURES = (
    ("packets", "Packets", ""),
    ("lost", "Lost", ""),
    ("jitter_ms", "Jitter", "ms"),
    ("late", "Late", ""),
    ("reordered", "Reordered", ""),
    ("duplicate", "Duplicate", ""),
    ("concealed_ms", "Made up", "ms"),
    ("discarded_ms", "Left out", "ms"),
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
        "trunk": await _trunk_name(visit, row),
        "moments": moments(row),
        "rungs": drawn,
        "ladder_height": LADDER_TOP + len(drawn) * LADDER_STEP,
        "decision": row.decision,
        "directions": [
            (title, figures) for key, title in DIRECTIONS if (figures := _figures(row.media, key))
        ],
        "charts": charts(row.media),
        "waveform": None if is_live else await waveform(visit.site.parts.keeping, row),
        "told": told(texts),
        "is_live": is_live,
        "is_fresh": row.ended_at is None or visit.site.parts.now() - row.ended_at < STILL_TOLD,
        "can_hang_up": any(record.id == row.id for record in visit.site.parts.switchboard.running()),
    }


@dataclass(frozen=True, slots=True)
class Chart:
    """Some curves in one box."""

    title: str
    unit: str
    top: float
    "The value at the upper edge."
    curves: tuple[Curve, ...]
    seconds: float
    "How long the box is."


def charts(media: Mapping[str, object]) -> list[Chart]:
    """How the call sounded over time, where it was long enough to tell."""
    quality = media.get("quality")
    if not isinstance(quality, Mapping) or len(quality.get("points") or ()) < 2:
        return []
    step, columns, points = quality["step_seconds"], list(quality["columns"]), quality["points"]
    drawn = []
    for title, unit, least, wanted in CHARTS:
        series = {
            name: [
                (step * (number + 1), float(point[columns.index(column)]))
                for number, point in enumerate(points)
                if column in columns and point[columns.index(column)] is not None
            ]
            for name, column in wanted
        }
        top = max([least, *(value for samples in series.values() for _, value in samples)])
        span = (step, step * len(points))
        curves = tuple(
            made
            for name, samples in series.items()
            if (made := curve(name, unit, samples, top, span)) is not None
        )
        if curves:
            drawn.append(Chart(title, unit, top, curves, step * len(points)))
    return drawn


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


async def _trunk_name(visit: Visit, row: CallRow) -> str:
    trunks = visit.site.parts.store.trunks().by_id
    trunk = trunks.get(row.trunk_id or "")
    return "" if trunk is None else trunk.name


PAGES: tuple[Page, ...] = (
    get("/calls/{id}", show),
    get("/calls/{id}/body", fresh),
)
