"""The log: a line an event, for machines and for people."""

import io
import json
from datetime import UTC, datetime

import pytest

from gateway.events.bus import Event
from gateway.events.log import log_sink

AT = datetime(2026, 3, 4, 5, 6, 7, 89_000, UTC)


def logged(*events: Event, level: str = "info", style: str = "json") -> list[str]:
    """The lines of some events."""
    stream = io.StringIO()
    sink = log_sink(level, style, stream)
    for event in events:
        sink(event)
    return stream.getvalue().splitlines()


def test_a_line_of_json_has_time_fields_event_and_level() -> None:
    """In this order, times to the millisecond and in UTC."""
    (line,) = logged(Event("call.ended", {"call_id": "call_1", "by": None, "at": AT.date()}, "warning", AT))
    assert line == (
        '{"time":"2026-03-04T05:06:07.089Z","call_id":"call_1","by":null,"at":"2026-03-04",'
        '"event":"call.ended","level":"warning"}'
    )


def test_an_exception_is_told_with_its_traceback() -> None:
    """Under `exception`, as text."""
    try:
        raise ValueError("what went wrong")
    except ValueError as error:
        (line,) = logged(Event("call.crashed", {"exc_info": error}, "error"))
    told = json.loads(line)
    assert "exc_info" not in told
    assert told["exception"].startswith("Traceback")
    assert told["exception"].endswith("ValueError: what went wrong")


@pytest.mark.parametrize("style", ["json", "console"])
@pytest.mark.parametrize(("level", "count"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_what_is_less_than_the_level_is_left_out(style: str, level: str, count: int) -> None:
    """For machines and for people alike."""
    events = [Event(one, {}, one) for one in ("debug", "info", "warning", "error")]
    assert len(logged(*events, level=level, style=style)) == count


def test_a_line_is_there_as_soon_as_it_is_told() -> None:
    """Whoever kills the process afterwards finds it."""
    flushed: list[str] = []

    class Stream(io.StringIO):
        def flush(self) -> None:
            flushed.append(self.getvalue())

    log_sink("info", "json", Stream())(Event("gateway.started", {}))
    assert "gateway.started" in flushed[-1]
