"""What has happened in the calls that are running: for whoever begins to follow one in its middle.

Of a call that has ended its events stay for a while as one text, which is a fraction of what they take as
values; so many seconds, so many calls and so many bytes at most, whatever else happens.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson

from gateway.events.bus import Event

BEGINNINGS = {"call.received", "call.created"}
ENDING = "call.ended"
MAX_EVENTS = 500
"Events of one call that are kept; what comes later is only heard live, but for the ending."
KEPT_AFTER = timedelta(seconds=60)
"How long a call's events are kept after its end; by then its record is in the database."
MOST_ENDED = 2000
"Ended calls whose events are kept: with more in a minute, the oldest are read from their records sooner."
MOST_BYTES = 16 << 20
"What they may take together."
SWEEP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Ended:
    """A call that is over."""

    at: datetime
    events: bytes
    "In JSON, a list."


class Recall:
    """A sink that remembers the events of each running call from its beginning; `run` it beside."""

    def __init__(self) -> None:
        self._running: dict[str, list[Event]] = {}
        self._ended: OrderedDict[str, _Ended] = OrderedDict()
        self._bytes = 0

    def hear(self, event: Event) -> None:
        """Keep an event if it is of a call whose beginning was heard."""
        call_id = event.call_id
        if call_id is None:
            return
        if event.name in BEGINNINGS:
            self._running.setdefault(call_id, [])
        events = self._running.get(call_id)
        if events is None:
            return
        if len(events) < MAX_EVENTS or event.name == ENDING:
            events.append(event)
        if event.name == ENDING:
            self._keep(call_id, event.time)

    def of(self, call_id: str) -> Sequence[Event] | None:
        """What has happened in a call so far; None where it did not begin here, or is long over."""
        running = self._running.get(call_id)
        if running is not None:
            return tuple(running)
        ended = self._ended.get(call_id)
        return None if ended is None else tuple(map(_event, orjson.loads(ended.events)))

    def forget(self, now: datetime) -> None:
        """Forget the calls that have been over for long enough."""
        while self._ended and now - next(iter(self._ended.values())).at >= KEPT_AFTER:
            self._forget_oldest()

    async def run(self) -> None:
        """Forget in time, until cancelled, though no other call ends."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self.forget(datetime.now(UTC))

    def _keep(self, call_id: str, at: datetime) -> None:
        events = self._running.pop(call_id)
        try:
            text = orjson.dumps(events, default=str)
        except TypeError:
            return  # what no JSON can say is nothing to be told over HTTP either: the record has to do
        self._ended[call_id] = _Ended(at, text)
        self._bytes += len(text)
        while len(self._ended) > MOST_ENDED or self._bytes > MOST_BYTES:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        _, oldest = self._ended.popitem(last=False)
        self._bytes -= len(oldest.events)


def _event(told: dict[str, object]) -> Event:
    fields, level = told["fields"], told["level"]
    assert isinstance(fields, dict)
    return Event(str(told["name"]), fields, str(level), datetime.fromisoformat(str(told["time"])))
