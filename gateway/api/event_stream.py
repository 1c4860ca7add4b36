"""Events as server-sent events (the WHATWG's HTML standard, section 9.2)."""

import asyncio

from gateway.events.bus import Event, Follower
from gateway.events.legible import legible_json

MEDIA_TYPE = "text/event-stream"
KEEP_ALIVE_SECONDS = 15.0
"A stream says something at least so often, so that a dead follower is noticed."
SERVER_SENT = {
    "type": "object",
    "description": "One event of the stream",
    "required": ["event", "data"],
    "properties": {
        "id": {"type": "string", "description": "Its place among the call's events, for `Last-Event-ID`"},
        "event": {"type": "string", "description": "Its name: `call.answered`"},
        "data": {
            "type": "string",
            "description": "A JSON object: `event`, `level`, `time`, `call_id` and more",
        },
    },
}
"How a stream's events are described."
STREAM = {
    "description": "Server-sent events; `event` is the name, `data` a JSON object",
    "content": {MEDIA_TYPE: {"schema": SERVER_SENT}},
}
"The answer that is a stream."
STILL_HERE = b": still here\n\n"


async def next_event(follower: Follower) -> Event | None:
    """The next event, or None when it is time to say that we are still here."""
    try:
        async with asyncio.timeout(KEEP_ALIVE_SECONDS):
            return await follower.next()
    except TimeoutError:
        return None


def server_sent(event: Event, number: int | None = None) -> bytes:
    """An event on the wire; `number` becomes its id, by which a follower can go on where it was cut off."""
    fields = {"event": event.name, "level": event.level, "time": event.time, **event.fields}
    numbered = b"" if number is None else b"id: %d\n" % number
    data = legible_json(fields).encode()
    return b"%bevent: %b\ndata: %b\n\n" % (numbered, event.name.encode(), data)
