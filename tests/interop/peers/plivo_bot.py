"""A bot on Plivo's own stream SDK that says what it hears; nothing of the SDK is changed.

Runs in an environment of its own: `plivo_bot.py PORT`. Listens on 127.0.0.1 and prints one JSON line for each
event. The digit 5 has it say a second of noise with a checkpoint behind it; # has it say ten, and clear them.
"""

import asyncio
import json
import os
import sys

import websockets
from plivo_stream.types import DtmfEvent, MediaEvent, PlayedStreamEvent, StartEvent
from plivo_stream.websockets import PlivoWebsocketStreamingHandler


def tell(event: str, **fields: object) -> None:
    """Print one line for the test to read."""
    print(json.dumps({"event": event, **fields}), flush=True)


async def converse(websocket: websockets.ServerConnection) -> None:
    """One call, with all that the SDK can tell of it."""
    handler = PlivoWebsocketStreamingHandler()
    chunks: list[int] = []

    async def on_start(event: StartEvent) -> None:
        headers = dict(websocket.request.headers) if websocket.request else {}
        tell("start", call=handler.get_call_id(), extra=event.extra_headers, headers=headers)

    async def on_media(event: MediaEvent) -> None:
        chunks.append(event.media.chunk)
        await handler.send_media(event.get_raw_media())

    async def on_dtmf(event: DtmfEvent) -> None:
        tell("dtmf", digit=event.dtmf.digit)
        if event.dtmf.digit == "5":
            await handler.send_media(os.urandom(8000))
            await handler.send_checkpoint("second")
        elif event.dtmf.digit == "#":
            await handler.send_media(os.urandom(80_000))
            await handler.send_checkpoint("never")
            await handler.send_clear_audio()

    async def on_played_stream(event: PlayedStreamEvent) -> None:
        tell("played", name=event.name)

    async def on_cleared_audio(event: object) -> None:
        tell("cleared")

    async def on_error(error: Exception) -> None:
        # Who hangs up while this bot sends does nothing wrong.
        if not isinstance(error, websockets.ConnectionClosedOK):
            tell("error", error=repr(error))

    for callback in (on_start, on_media, on_dtmf, on_played_stream, on_cleared_audio, on_error):
        getattr(handler, callback.__name__)(callback)
    await handler.handle(websocket)
    tell("disconnected", whole=chunks == list(range(1, len(chunks) + 1)), chunks=len(chunks))


async def main(port: int) -> None:
    """Serve until the test ends this process."""
    async with websockets.serve(converse, "127.0.0.1", port):
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
