"""A Pipecat bot that says what it hears, with Pipecat's own serializers; nothing of it is changed.

Runs in an environment of its own: `pipecat_bot.py PORT`. Listens on 127.0.0.1 and prints one JSON line for
each thing that happens. `/ws` goes on until the caller hangs up, `/bye` says goodbye after a moment; both
speak Twilio's dialect, as does `/rest`, which ends its call by the gateway's API;
otherwise the Twilio API that the serializer asks to end the call is played by this process.

`/any`, `/any/bye` and `/any/interrupt` are as Pipecat's quickstart has it: `create_transport` finds out the
dialect, with dummy credentials from the environment. The vendors' own APIs are out of reach here.
"""

import asyncio
import json
import math
import os
import socket
import struct
import sys
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, WebSocket
from pipecat.frames.frames import (
    EndFrame,
    Frame,
    InputAudioRawFrame,
    InputDTMFFrame,
    InterruptionFrame,
    OutputAudioRawFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.runner.types import WebSocketRunnerArguments
from pipecat.runner.utils import create_transport, parse_telephony_websocket
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport
from pipecat.workers.runner import WorkerRunner

PORT = int(sys.argv[1])
GOODBYE_AFTER = 1.5
"Seconds after which the bot at `/bye` ends the call by itself."
INTERRUPTED_AFTER = 1.0
"Seconds after which the bot at `/any/interrupt` stops in the middle of what it says."

os.environ |= {
    "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
    "TWILIO_AUTH_TOKEN": "dummy",
    "PLIVO_AUTH_ID": "dummy",
    "PLIVO_AUTH_TOKEN": "dummy",
    "TELNYX_API_KEY": "dummy",
}

app = FastAPI()


def tell(event: str, **fields: object) -> None:
    """Print one line for the test to read."""
    print(json.dumps({"event": event, **fields}), flush=True)


class Echo(FrameProcessor):  # type: ignore[misc]  # Pipecat is not installed where types are checked
    """Sends the caller's audio back, where it is not silent, and reports the digits."""

    def __init__(self, kind: str, silent: bool) -> None:
        super().__init__()
        self._kind = kind
        self._silent = silent

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Turn input audio into output audio; pass everything else on."""
        await super().process_frame(frame, direction)
        if isinstance(frame, InputDTMFFrame):
            tell("digit", digit=frame.button.value, kind=self._kind)
        if isinstance(frame, InputAudioRawFrame) and self._silent:
            pass
        elif isinstance(frame, InputAudioRawFrame):
            await self.push_frame(OutputAudioRawFrame(frame.audio, frame.sample_rate, frame.num_channels))
        else:
            await self.push_frame(frame, direction)


@app.post("/2010-04-01/Accounts/{account}/Calls/{call}.json")
async def end_call(account: str, call: str, request: Request) -> dict[str, str]:
    """What Twilio's API answers when the serializer asks it to hang up."""
    tell("hang_up_asked", call=call, body=(await request.body()).decode())
    return {"sid": call, "status": "completed"}


@app.post("/gateway/{port}")
async def learn_gateway(port: int) -> None:
    """Where the bot at `/rest` finds the API of its gateway."""
    app.state.gateway = f"http://127.0.0.1:{port}"


@app.websocket("/any")
async def converse_in_any_dialect(websocket: WebSocket) -> None:
    """Echo until the caller is gone."""
    await run_any_bot(websocket)


@app.websocket("/any/bye")
async def converse_briefly_in_any_dialect(websocket: WebSocket) -> None:
    """Echo for a moment, then end the call."""
    await run_any_bot(websocket, goodbye_after=GOODBYE_AFTER)


@app.websocket("/any/interrupt")
async def be_interrupted_in_any_dialect(websocket: WebSocket) -> None:
    """Say something long, and be interrupted in the middle of it."""
    await run_any_bot(websocket, interrupted_after=INTERRUPTED_AFTER)


async def run_any_bot(
    websocket: WebSocket, goodbye_after: float | None = None, interrupted_after: float | None = None
) -> None:
    """The bot as Pipecat's quickstart has it, with an echo where that has a model."""
    await websocket.accept()
    arguments = WebSocketRunnerArguments(websocket=websocket)
    params = {
        name: lambda: FastAPIWebsocketParams(audio_in_enabled=True, audio_out_enabled=True)
        for name in ("twilio", "plivo", "telnyx", "exotel")
    }
    transport = await create_transport(arguments, params)
    call: Any = arguments.call_data
    numbers = {"from": call.from_number, "to": call.to_number}
    tell("any_call", kind=arguments.transport_type, path=websocket.url.path, **numbers)
    await run_pipeline(transport, str(arguments.transport_type), goodbye_after, interrupted_after)


@app.websocket("/ws")
async def converse(websocket: WebSocket) -> None:
    """Echo until the caller is gone."""
    await run_bot(websocket, goodbye_after=None)


@app.websocket("/bye")
async def converse_briefly(websocket: WebSocket) -> None:
    """Echo for a moment, then end the call."""
    await run_bot(websocket, goodbye_after=GOODBYE_AFTER)


@app.websocket("/rest")
async def converse_and_end(websocket: WebSocket) -> None:
    """Echo for a moment, then end the call by the gateway's API."""
    await run_bot(websocket, goodbye_after=GOODBYE_AFTER, api=app.state.gateway)


async def run_bot(
    websocket: WebSocket, goodbye_after: float | None, api: str = f"http://127.0.0.1:{PORT}"
) -> None:
    """The bot as Pipecat's own examples have it, with an echo where they have a model."""
    await websocket.accept()
    kind, call = await parse_telephony_websocket(websocket)
    tell("call", kind=kind, **{"from": call.from_number, "to": call.to_number, "body": call.body})
    serializer = TwilioFrameSerializer(
        stream_sid=call["stream_id"],
        call_sid=call["call_id"],
        account_sid="AC" + "0" * 32,
        auth_token="dummy",
        base_url=api,
    )
    transport = FastAPIWebsocketTransport(
        websocket,
        FastAPIWebsocketParams(audio_in_enabled=True, audio_out_enabled=True, serializer=serializer),
    )
    await run_pipeline(transport, "own", goodbye_after, None)


async def run_pipeline(
    transport: Any, kind: str, goodbye_after: float | None, interrupted_after: float | None
) -> None:
    """Echo, and do what the path asks for."""
    echo = Echo(kind, silent=interrupted_after is not None)
    worker = PipelineWorker(
        Pipeline([transport.input(), echo, transport.output()]),
        params=PipelineParams(audio_in_sample_rate=8000, audio_out_sample_rate=8000),
    )

    @transport.event_handler("on_client_disconnected")  # type: ignore[untyped-decorator]  # likewise
    async def on_client_disconnected(transport: FastAPIWebsocketTransport, websocket: WebSocket) -> None:
        tell("disconnected", kind=kind)
        await worker.cancel()

    async def say_goodbye(seconds: float) -> None:
        await asyncio.sleep(seconds)
        await worker.queue_frame(EndFrame())

    async def be_interrupted(seconds: float) -> None:
        await worker.queue_frame(OutputAudioRawFrame(tone(10), 8000, 1))
        await asyncio.sleep(seconds)
        await worker.queue_frame(InterruptionFrame())

    goodbye = asyncio.create_task(say_goodbye(goodbye_after)) if goodbye_after else None
    interruption = asyncio.create_task(be_interrupted(interrupted_after)) if interrupted_after else None
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()
    for task in (goodbye, interruption):
        if task:
            task.cancel()
    tell("done", kind=kind)


def tone(seconds: float) -> bytes:
    """Something loud."""
    samples = (round(9000 * math.sin(2 * math.pi * 440 * n / 8000)) for n in range(int(seconds * 8000)))
    return b"".join(struct.pack("<h", sample) for sample in samples)


def shut_off(host: Any, *arguments: Any, **options: Any) -> Any:
    """No name resolves but our own address: no test asks anything of a vendor."""
    if host not in ("127.0.0.1", b"127.0.0.1", None):
        raise socket.gaierror(socket.EAI_NONAME, "out of reach")
    return RESOLVE(host, *arguments, **options)


RESOLVE = socket.getaddrinfo
socket.getaddrinfo = shut_off


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=PORT, log_level="warning")
