"""One call's events as a stream: what has happened so far, then what happens, to its ending."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import datetime

from gateway.api.event_stream import STILL_HERE, next_event, server_sent
from gateway.api.refusal import Answer, Declined
from gateway.call.lookup import Lookup
from gateway.events.bus import PRIVATE, Event, EventBus
from gateway.events.recall import ENDING, Recall
from gateway.store.records.calls import CallRow

LOOK_SECONDS = 1.0
"How often the record of a call that runs on another gateway is looked at."


class CallStreams:
    """The streams that are open, bounded in number."""

    def __init__(
        self, bus: EventBus, recall: Recall, lookup: Lookup, limit: int, limit_of_workspace: int
    ) -> None:
        self._bus = bus
        self._recall = recall
        self._lookup = lookup
        self._limit = limit
        self._limit_of_workspace = limit_of_workspace
        self._open_of: Counter[str | None] = Counter()
        "Streams that somebody reads, by the workspace of their call."

    def stream(self, row: CallRow, after: int) -> AsyncIterator[bytes]:
        """A call's events without the first `after`; raises `Declined` where too many streams are open."""
        taken, most = self._open_of[row.workspace_id], self._limit_of_workspace
        if self.open >= self._limit:
            taken, most = self.open, self._limit
        if taken >= most:
            message = f"Too many event streams: {most} are open"
            raise Declined(Answer(429, message, "too_many_streams", retry_after=5))
        return self._counted(row.workspace_id, self.events(row), after)

    @property
    def open(self) -> int:
        """Streams that somebody reads."""
        return self._open_of.total()

    async def _counted(
        self, workspace_id: str | None, events: AsyncIterator[Event | None], after: int
    ) -> AsyncIterator[bytes]:
        self._open_of[workspace_id] += 1
        try:
            number = 0
            yield b": following\n\n"
            async for event in events:
                if event is None:
                    yield STILL_HERE
                    continue
                number += 1
                if number > after:
                    yield server_sent(_public(event), number)
        finally:
            self._open_of[workspace_id] -= 1
            if not self._open_of[workspace_id]:
                del self._open_of[workspace_id]

    async def events(self, row: CallRow) -> AsyncIterator[Event | None]:
        """A call's events to its ending; None where nothing happened for so long that it has to be said."""
        with self._bus.follow(row.id) as follower:
            # No await between these two: nothing can happen that is in neither, or in both.
            past = self._recall.of(row.id)
            if past is None:
                async for event in self._from_record(row):
                    yield event
                return
            for event in past:
                yield event
            over = bool(past) and past[-1].name == ENDING
            while not over:
                happened = await next_event(follower)
                yield happened
                over = happened is not None and happened.name == ENDING

    async def _from_record(self, row: CallRow) -> AsyncIterator[Event | None]:
        """The call is over, or runs on another gateway: its record says what has happened."""
        told = set[str]()
        looked = 0
        current: CallRow | None = row
        while current is not None:
            for event in recorded(current):
                if event.name not in told:
                    told.add(event.name)
                    yield event
            if current.ended_at is not None or current.workspace_id is None:
                return
            await asyncio.sleep(LOOK_SECONDS)
            looked += 1
            if looked % 15 == 0:
                yield None
            current = await self._lookup.find(row.id, current.workspace_id)


def recorded(row: CallRow) -> Iterator[Event]:
    """A call's events as far as its record tells them."""
    received = row.direction == "inbound" and row.type == "phone"
    begin = "call.received" if received else "call.created"
    numbers = {"from": row.from_number, "to": row.to_number}
    yield _event(row, begin, row.created_at, direction=row.direction, **numbers)
    moments = (
        (row.ringing_at, "call.ringing"),
        (row.answered_at, "call.answered"),
        (row.first_audio_in_at, "call.first_audio_in"),
        (row.first_audio_out_at, "call.first_audio_out"),
    )
    happened = [(at, name) for at, name in moments if at is not None]
    for at, name in sorted(happened, key=lambda moment: moment[0]):
        yield _event(row, name, at)
    if row.ended_at is not None:
        yield _event(
            row,
            ENDING,
            row.ended_at,
            status=row.status,
            reason=row.end_reason,
            by=row.ended_by,
            detail=row.detail,
            sip_status=row.sip_status,
            **numbers,
            duration_ms=row.duration_ms,
            decision=row.decision,
        )


def _event(row: CallRow, name: str, at: datetime, **fields: object) -> Event:
    return Event(name, {"call_id": row.id, **fields}, "info", at)


def _public(event: Event) -> Event:
    if not PRIVATE & event.fields.keys():
        return event
    fields = {name: value for name, value in event.fields.items() if name not in PRIVATE}
    return Event(event.name, fields, event.level, event.time)
