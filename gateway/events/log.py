"""The structured log: one line an event; JSON for machines, readable on a terminal."""

import sys
from typing import TextIO

import orjson
import structlog

from gateway.events.bus import Event, Sink

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def log_sink(level: str = "info", style: str = "auto", stream: TextIO | None = None) -> Sink:
    """A sink that writes events to `stream` (default: standard output).

    `style` is `json`, `console`, or `auto`: readable when the stream is a terminal.
    """
    out = stream or sys.stdout
    readable = style == "console" or (style == "auto" and out.isatty())
    logger = structlog.wrap_logger(
        structlog.PrintLogger(out),
        processors=_readable(out.isatty()) if readable else _json(),
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        cache_logger_on_first_use=True,
    )

    def write(event: Event) -> None:
        moment = event.time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        getattr(logger, event.level)(event.name, time=moment, **event.fields)

    return write


def _json() -> list[structlog.typing.Processor]:
    return [
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(_dumps),
    ]


def _dumps(event: object, **_: object) -> str:
    return orjson.dumps(event, default=str).decode()


def _readable(colours: bool) -> list[structlog.typing.Processor]:
    renderer = structlog.dev.ConsoleRenderer(
        colors=colours, timestamp_key="time", pad_event_to=20, sort_keys=False
    )
    return [structlog.processors.add_log_level, _shorten, renderer]


def _shorten(logger: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """On a terminal a decision is its summary; the whole of it stands in the call's record."""
    decision = event.get("decision")
    if isinstance(decision, dict):
        event["decision"] = decision.get("summary")
    return event
