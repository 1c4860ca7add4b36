"""Events: one value each, told once, heard by every sink.

The log line, the line of `gateway tail` and what later goes to webhooks and MQTT are the same event under
the same name, so that they can never disagree. Names and fields are listed in `docs/logging.md`.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLLOWER_BACKLOG = 1000
"Events that a follower who does not read may leave with us; older ones are dropped and counted."

PRIVATE = frozenset({"exc_info", "said"})
"For the operator's log alone: how the gateway is made; what a server said that may be an internal one."


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, worth telling."""

    name: str
    "`call.answered`, `agent.connected`, …"
    fields: Mapping[str, object]
    "JSON types only."
    level: str = "info"
    time: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def call_id(self) -> str | None:
        """The call that this is about, if it is about one."""
        found = self.fields.get("call_id")
        return found if isinstance(found, str) else None

    @property
    def batch_id(self) -> str | None:
        """The batch of calls that this is about, or belongs to, if there is one."""
        found = self.fields.get("batch_id")
        return found if isinstance(found, str) else None


Sink = Callable[[Event], None]
"Hears every event; must not block and must not raise."


class Follower:
    """A bounded queue of events for one listener, of one call or of all."""

    def __init__(self, call_id: str | None) -> None:
        self._call_id = call_id
        self._queue: asyncio.Queue[Event] = asyncio.Queue(FOLLOWER_BACKLOG)
        self.dropped = 0
        "Events that this follower was too slow for."

    def hear(self, event: Event) -> None:
        """Queue an event if it is this follower's."""
        if self._call_id not in (None, event.call_id):
            return
        if self._queue.full():
            self._queue.get_nowait()
            self.dropped += 1
        self._queue.put_nowait(event)

    async def next(self) -> Event:
        """Wait for the next event."""
        return await self._queue.get()


class EventBus:
    """Tells each event to every sink and follower."""

    def __init__(self, *sinks: Sink) -> None:
        self._sinks = list(sinks)
        self._followers: list[Follower] = []

    def add(self, sink: Sink) -> None:
        """Let one more sink hear all further events."""
        self._sinks.append(sink)

    def drop(self, sink: Sink) -> None:
        """Let a sink hear nothing more; one that never did is no mistake."""
        if sink in self._sinks:
            self._sinks.remove(sink)

    def tell(self, name: str, /, *, level: str = "info", **fields: object) -> None:
        """Tell that something happened."""
        event = Event(name, fields, level)
        for sink in self._sinks:
            sink(event)
        for follower in self._followers:
            follower.hear(event)

    @contextmanager
    def follow(self, call_id: str | None = None) -> "Iterator[Follower]":
        """Follow one call's events, or all, until the context is left."""
        follower = Follower(call_id)
        self._followers.append(follower)
        try:
            yield follower
        finally:
            self._followers.remove(follower)
