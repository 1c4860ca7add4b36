"""Calls as a person reads them on a terminal: a list that fits its width, and one call in sections."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from gateway.call.refusal import mend_for
from gateway.commands.price_quotes import money
from gateway.commands.session import Session
from gateway.events.legible import legible
from gateway.store.engine.errors import InvalidInput
from gateway.store.records.call_texts import CallTexts
from gateway.store.records.calls import CallRow, whole_seconds

COLUMNS = ("time (UTC)", "direction", "from", "to", "how it went", "seconds", "id")
MOST_COLUMNS = 10_000
"Wider than any table."
TONES = {"completed": "green", "failed": "red", "busy": "yellow", "no_answer": "yellow"} | {
    "did_not_pick": "yellow",
    "cancelled": "yellow",
}
MARKS = {"pass": ("✓", "green"), "fail": ("✗", "red"), "grant": ("◆", "cyan")}
DIRECTIONS = {"in": "from the caller", "out": "to the caller"}
FIGURES = {"packets": "packets", "lost": "lost", "jitter_ms": "ms jitter", "late": "late"}

Line = tuple[str, Text | str | int | None]
"What it is, and what there is to say of it; nothing is not shown."


def listed_calls(calls: Sequence[CallRow], console: Console) -> RenderableType:
    """The calls on one line each where the terminal is wide enough for that, else on two or more."""
    table = Table(
        "time (UTC)", "direction", "from", "to", "how it went", "seconds", "id", header_style="bold"
    )
    for call in calls:
        ends = (_said(call.from_number), _said(call.to_number))
        seconds = str(whole_seconds(call.duration_ms))
        table.add_row(_time(call.created_at), _way(call), *ends, _how(call), seconds, call.id)
    roomy = console.options.update(max_width=MOST_COLUMNS)
    fits = console.measure(table, options=roomy).maximum <= console.width
    return table if fits else Group(*map(_card, calls))


def _card(call: CallRow) -> Text:
    head = Text.assemble((call.id, "bold"), "  ", _time(call.created_at), "  ", _way(call))
    ends = Text.assemble("  ", _said(call.from_number), " → ", _said(call.to_number), "  ", _how(call))
    if call.duration_ms:
        ends.append(f"  {whole_seconds(call.duration_ms)} s")
    return Text("\n").join((head, ends))


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


def _way(call: CallRow) -> str:
    return "web" if call.type == "web" else call.direction


def _how(call: CallRow) -> Text:
    """The status, and why where that says more."""
    if call.ended_at is None:
        return Text(f"{call.status}, goes on", style="cyan")
    why = f": {call.end_reason}" if call.end_reason else ""
    return Text(_said(f"{call.status}{why}"), style=TONES.get(call.status, ""))


def _said(text: str) -> str:
    return legible(text) or "–"


@dataclass(frozen=True, slots=True)
class Names:
    """What a call's ids stand for."""

    workspace: str
    trunk: str
    agent: str
    texts: CallTexts | None


async def names_of(session: Session, row: CallRow) -> Names:
    """The names, where what they name is still there, and what the agent posted of the call."""
    configuration = session.configuration
    workspaces = {each.id: each.name for each in await configuration.workspaces.list_all()}
    trunks = {each.id: each.name for each in await configuration.trunks.list_all()}
    agents = {each.id: each.name for each in await configuration.agents.list_all()}
    try:
        version = None if row.version_id is None else await configuration.agents.version(row.version_id)
    except InvalidInput:
        version = None
    number = row.version_number if version is None else version.number
    agent = agents.get(row.agent_id or "") or row.agent_id or ""
    return Names(
        workspace=workspaces.get(row.workspace_id or "", row.workspace_id or ""),
        trunk=trunks.get(row.trunk_id or "", row.trunk_id or ""),
        agent=f"{agent}/{number}" if agent and number is not None else agent,
        texts=await session.store.texts.get(row.id),
    )


def page_of(row: CallRow, names: Names, caller: str | None) -> RenderableType:
    """All about one call, in sections; those with nothing to say are left out."""
    sections = (
        ("", _head(row, names, caller)),
        ("Ending", _ending(row)),
        ("Timeline", _timeline(row)),
        ("Decision", _decision(row.decision or {})),
        ("SIP messages", _ladder(row)),
        ("Audio", _audio(row.media)),
        ("Money", _money(row)),
        ("Recording", _recording(row)),
        ("Said about it", _posted(row, names.texts)),
    )
    blocks: list[RenderableType] = []
    for title, lines in sections:
        configuration = [(name, value) for name, value in lines if value not in (None, "")]
        if configuration:
            blocks += [Text(), Text(title, style="bold underline")] if title else []
            blocks.append(_block(configuration))
    return Group(*blocks)


def _block(lines: Iterable[Line]) -> Table:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", min_width=12)
    table.add_column(overflow="fold")
    for name, value in lines:
        table.add_row(Text(name), value if isinstance(value, Text) else Text(_said(str(value))))
    return table


def _head(row: CallRow, names: Names, caller: str | None) -> Iterator[Line]:
    yield "call", Text(row.id, style="bold")
    yield "status", _how(row)
    yield "direction", _way(row)
    yield "from", row.from_number
    yield "asked to be nobody", caller
    yield "to", row.to_number
    yield "agent", names.agent
    yield "trunk", names.trunk
    yield "workspace", names.workspace
    yield "asked for by", row.requested_by
    yield "after call", row.parent_call_id
    yield "category", " ".join(filter(None, (row.category, row.category_id)))
    yield "SIP Call-ID", row.sip_call_id
    yield "gateway", row.instance


def _ending(row: CallRow) -> Iterator[Line]:
    yield "reason", row.end_reason
    yield "by", row.ended_by
    yield "detail", row.detail
    yield "SIP status", row.sip_status
    yield "Q.850 cause", row.q850
    mend = None if row.end_reason is None or row.status == "completed" else mend_for(row.end_reason)
    if mend is not None:
        yield "what mends it", Text(mend.owner, style="yellow")
        yield "command", mend.command


def _timeline(row: CallRow) -> Iterator[Line]:
    named = {
        "created": row.created_at,
        "ringing": row.ringing_at,
        "answered": row.answered_at,
        "first audio from the caller": row.first_audio_in_at,
        "first audio from the agent": row.first_audio_out_at,
        "ended": row.ended_at,
    }
    happened = sorted(((at, name) for name, at in named.items() if at is not None), key=lambda pair: pair[0])
    for at, name in happened:
        yield _offset(at, row.created_at), f"{name}  ({_time(at)})"
    if row.answered_at is not None:
        yield "connected", f"{row.duration_ms / 1000:.1f} s"
    if row.latency_ms is not None:
        yield (
            "latency",
            f"{row.latency_ms} ms from the caller's last word to the agent's first, at the median",
        )


def _offset(at: datetime, start: datetime) -> str:
    return f"+{(at - start).total_seconds():.3f} s"


def _decision(decision: Mapping[str, Any]) -> Iterator[Line]:
    for check in decision.get("checks", ()):
        mark, style = MARKS.get(str(check.get("outcome")), ("·", ""))
        yield (
            str(check.get("name")),
            Text(_said(f"{mark} {check.get('looked_at')} → {check.get('found')}"), style),
        )
    for miss in decision.get("near_misses", ()):
        yield "almost", miss
    yield "summary", decision.get("summary")


def _ladder(row: CallRow) -> Iterator[Line]:
    for step in row.ladder:
        at = datetime.fromisoformat(str(step["at"]))
        line = str(step["line"])
        yield (
            _offset(at, row.created_at),
            Text(f"{'→' if step['sent'] else '←'} {legible(line)}", _tone(line)),
        )
    if row.ladder:
        yield "", Text("→ from us  ← to us", style="dim")


def _tone(line: str) -> str:
    """Requests as they are; answers by their class."""
    return {"1": "cyan", "2": "green", "3": "yellow", "4": "red", "5": "red", "6": "red"}.get(line[:1], "")


def _audio(media: Mapping[str, Any]) -> Iterator[Line]:
    for key, name in DIRECTIONS.items():
        figures = media.get(key)
        if isinstance(figures, Mapping):
            told = [
                f"{figures[field]} {unit}"
                for field, unit in FIGURES.items()
                if figures.get(field) is not None
            ]
            yield name, ", ".join(told)
    yield "codec", media.get("codec")


def _money(row: CallRow) -> Iterator[Line]:
    if row.price is None and row.rate is None:
        return
    unit = row.currency or ""
    yield "price", None if row.price is None else f"{money(row.price)} {unit}"
    prefix = f", by the prefix {row.rate_prefix}" if row.rate_prefix else ""
    yield "rate", None if row.rate is None else f"{money(row.rate)} {unit} a minute{prefix}"
    yield "connection", f"{money(row.connection_fee)} {unit}" if row.connection_fee else None
    by = f", by {row.increment} s" if row.increment else ""
    yield "billed", None if row.billed_seconds is None else f"{row.billed_seconds} s{by}"
    yield "paid", "in advance, out of the workspace's wallet" if row.prepaid else None


def _recording(row: CallRow) -> Iterator[Line]:
    if row.recording_status is None:
        return
    facts = dict(row.recording or {})
    yield "status", row.recording_status
    yield "length", None if facts.get("seconds") is None else f"{facts['seconds']} s"
    yield "fetch it", f"gateway calls recording {row.id} --out {row.id}.wav" if facts.get("key") else None


def _posted(row: CallRow, texts: CallTexts | None) -> Iterator[Line]:
    for title, pairs in (("metadata", row.metadata), ("notes", row.notes)):
        for name, value in pairs.items():
            yield title, f"{name}: {value}"
    if texts is not None:
        yield "summary", texts.summary
        yield "sentiment", texts.sentiment
        for name, value in (texts.extracted or {}).items():
            yield "found out", f"{name}: {value}"
        turns = len(texts.transcript or ())
        yield "transcript", f"{turns} turns; --json has them" if turns else None
