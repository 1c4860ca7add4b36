"""The structured log: one line an event; JSON for machines, readable on a terminal."""

import sys
from typing import TextIO

import structlog

from gateway.events.bus import Event, Sink
from gateway.events.legible import legible_json, legible_lines, legible_values

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def log_sink(level: str = "info", style: str = "auto", stream: TextIO | None = None) -> Sink:
    """A sink that writes events to `stream` (default: standard output).

    `style` is `json`, `console`, or `auto`: readable when the stream is a terminal.
    """
    out = stream or sys.stdout
    readable = style == "console" or (style == "auto" and out.isatty())
    least = LEVELS[level]
    return _console_sink(least, out) if readable else _json_sink(least, out)


def _json_sink(least: int, out: TextIO) -> Sink:
    """Without structlog, which takes as long for a line as a call has for its whole ladder."""

    def write(event: Event) -> None:
        if LEVELS[event.level] >= least:
            out.write(_line_of(event))
            out.flush()  # a line that was told is there, even if we are killed now

    return write


def _line_of(event: Event) -> str:
    line: structlog.typing.EventDict = {"time": _moment(event), **event.fields}
    line["event"], line["level"] = event.name, event.level
    if "exc_info" in line:
        line = structlog.processors.format_exc_info(None, event.level, line)
    return legible_json(line) + "\n"


def _moment(event: Event) -> str:
    return event.time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _console_sink(least: int, out: TextIO) -> Sink:
    logger = structlog.wrap_logger(
        structlog.PrintLogger(out),
        processors=_readable(out.isatty()),
        wrapper_class=structlog.make_filtering_bound_logger(least),
        cache_logger_on_first_use=True,
    )

    def write(event: Event) -> None:
        getattr(logger, event.level)(event.name, time=_moment(event), **event.fields)

    return write


def _readable(colours: bool) -> list[structlog.typing.Processor]:
    renderer = structlog.dev.ConsoleRenderer(
        colors=colours,
        timestamp_key="time",
        pad_event_to=20,
        sort_keys=False,
        exception_formatter=structlog.dev.plain_traceback,
    )
    trace = structlog.processors.format_exc_info
    return [structlog.processors.add_log_level, _shorten, trace, _legible, renderer]


def _legible(logger: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """What a terminal would obey is written out; the renderer's own colours come after."""
    trace = event.pop("exception", None)
    shown: structlog.typing.EventDict = legible_values(event)
    if trace is not None:
        shown["exception"] = legible_lines(str(trace))
    return shown


def _shorten(logger: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """On a terminal a decision is its summary; the whole of it stands in the call's record."""
    decision = event.get("decision")
    if isinstance(decision, dict):
        event["decision"] = decision.get("summary")
    return event
