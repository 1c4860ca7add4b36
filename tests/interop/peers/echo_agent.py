"""An agent runtime on the `websockets` library, which shares no code with the gateway's client.

`echo_agent.py PORT`. The path of the connection says the dialect and what to do: `/twilio/echo`,
`/native/echo`, `/twilio/bye/2` (speak what came in, then close after two seconds), `/twilio/slow/3` (let the
caller ring for three seconds), `/twilio/refuse`, `/twilio/die/1`. Prints one JSON line for each thing that
is not audio.
"""

import asyncio
import json
import sys
from dataclasses import dataclass
from http import HTTPStatus

import uvloop
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol


@dataclass(frozen=True, slots=True)
class Part:
    """What the path asks this agent to play."""

    dialect: str
    behaviour: str
    seconds: float

    @classmethod
    def parse(cls, path: str) -> "Part":
        """`/dialect/behaviour/seconds`; the seconds can be left out."""
        dialect, behaviour, *rest = path.strip("/").split("/")
        return cls(dialect, behaviour, float(rest[0]) if rest else 0.0)


def tell(connection: ServerConnection, event: str, **fields: object) -> None:
    """Print one line for the test to read."""
    print(json.dumps({"event": event, "connection": str(connection.id), **fields}), flush=True)


async def answer_handshake(connection: ServerConnection, request: Request) -> Response | None:
    """Take the connection, late or not at all where the path says so."""
    part = Part.parse(request.path)
    if part.behaviour == "refuse":
        return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "not today\n")
    if part.behaviour == "slow":
        await asyncio.sleep(part.seconds)
    return None


async def end_after(connection: ServerConnection, part: Part) -> None:
    """Hang up properly (`bye`), or vanish (`die`)."""
    await asyncio.sleep(part.seconds)
    if part.behaviour == "bye":
        await connection.close()
    elif part.behaviour == "die":
        connection.transport.abort()


def reply_to(connection: ServerConnection, dialect: str, message: str | bytes) -> str | bytes | None:
    """The caller's own audio, told in the dialect it came in; what is no audio is printed."""
    if isinstance(message, bytes):
        return message
    parsed = json.loads(message)
    if dialect == "twilio" and parsed["event"] == "media":
        media = {"payload": parsed["media"]["payload"]}
        return json.dumps({"event": "media", "streamSid": parsed["streamSid"], "media": media})
    tell(connection, "message", message=parsed)
    return None


async def converse(connection: ServerConnection) -> None:
    """One call, until either side closes."""
    assert connection.request
    part = Part.parse(connection.request.path)
    tell(connection, "connected", path=connection.request.path)
    ending = asyncio.create_task(end_after(connection, part))
    try:
        async for message in connection:
            reply = reply_to(connection, part.dialect, message)
            if reply is not None:
                await connection.send(reply)
    except ConnectionClosed:
        pass  # one of us vanished; the line below says how it ended
    finally:
        ending.cancel()
        tell(connection, "closed", code=connection.close_code)


async def main(port: int) -> None:
    """Serve until the test ends this process."""
    async with serve(
        converse,
        "127.0.0.1",
        port,
        process_request=answer_handshake,
        compression=None,
        # Taken from whoever offers it; the Twilio dialect offers none.
        select_subprotocol=lambda _, offered: Subprotocol("trunkline.v1") if offered else None,
    ) as server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
