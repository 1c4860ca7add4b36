"""How a call that is followed looks on a terminal: one short line an event, with the seconds so far."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from rich.console import Console
from rich.text import Text

from gateway.events.bus import Event, Sink
from gateway.events.legible import legible
from gateway.events.recall import ENDING

OBVIOUS = {"call_id", "workspace_id", "direction"}
"Fields that say what whoever follows one call knows."
STYLES = {"warning": "yellow", "error": "red"}


def line_sink(console: Console) -> Sink:
    """Prints the events of one call."""
    began: datetime | None = None

    def show(event: Event) -> None:
        nonlocal began
        if began is None:
            began = event.time
            head = f"{legible(str(event.call_id))}, an interrupt hangs up"
            console.print(head, style="bold", highlight=False)
        seconds = (event.time - began).total_seconds()
        name = event.name.removeprefix("call.")
        line = f"{seconds:6.1f} s  {name:<16}  {said(event)}".rstrip()
        console.print(Text(legible(line), style=STYLES.get(event.level, "")), soft_wrap=True)

    return show


def said(event: Event) -> str:
    """What an event says beside its name."""
    if event.name == ENDING:
        return _ending(event.fields)
    return "  ".join(_fields(event.fields))


def _fields(fields: Mapping[str, object]) -> Iterator[str]:
    for name, value in fields.items():
        if name not in OBVIOUS and value not in (None, "", False) and not isinstance(value, dict | list):
            yield f"{name} {value}" if value is not True else name


def _ending(fields: Mapping[str, object]) -> str:
    why = f"{fields.get('status')}: {fields.get('reason')}, by {fields.get('by')}"
    detail = f": {fields['detail']}" if fields.get("detail") else ""
    duration = fields.get("duration_ms")
    lasted = f" ({duration / 1000:.1f} s connected)" if isinstance(duration, int) and duration else ""
    return f"{why}{detail}{lasted}"
