"""What has happened in the calls that are running: for whoever begins to follow one in its middle."""

from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta

from gateway.events.bus import Event

BEGINNINGS = {"call.received", "call.created"}
ENDING = "call.ended"
MAX_EVENTS = 500
"Events of one call that are kept; what comes later is only heard live, but for the ending."
KEPT_AFTER = timedelta(seconds=60)
"How long a call's events are kept after its end; by then its record is in the database."


class Recall:
    """A sink that remembers the events of each running call from its beginning."""

    def __init__(self) -> None:
        self._calls: dict[str, list[Event]] = {}
        self._ended: deque[tuple[datetime, str]] = deque()

    def hear(self, event: Event) -> None:
        """Keep an event if it is of a call whose beginning was heard."""
        call_id = event.call_id
        if call_id is None:
            return
        if event.name in BEGINNINGS:
            self._calls.setdefault(call_id, [])
        events = self._calls.get(call_id)
        if events is None:
            return
        if len(events) < MAX_EVENTS or event.name == ENDING:
            events.append(event)
        if event.name == ENDING:
            self._ended.append((event.time, call_id))
            self._forget(event.time)

    def of(self, call_id: str) -> Sequence[Event] | None:
        """What has happened in a call so far; None where it did not begin here, or is long over."""
        events = self._calls.get(call_id)
        return None if events is None else tuple(events)

    def _forget(self, now: datetime) -> None:
        while self._ended and now - self._ended[0][0] > KEPT_AFTER:
            self._calls.pop(self._ended.popleft()[1], None)
