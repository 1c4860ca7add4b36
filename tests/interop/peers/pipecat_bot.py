"""A Pipecat bot that says what it hears, with Pipecat's own Twilio serializer; nothing of it is changed.

Runs in an environment of its own: `pipecat_bot.py PORT`. Listens on 127.0.0.1 and prints one JSON line for
each thing that happens. `/ws` goes on until the caller hangs up, `/bye` says goodbye after a moment. The
Twilio API that the serializer asks to end the call is played by this process too.
"""

import asyncio
import json
import sys

import uvicorn
from fastapi import FastAPI, Request, WebSocket
from pipecat.frames.frames import EndFrame, Frame, InputAudioRawFrame, InputDTMFFrame, OutputAudioRawFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.runner.utils import parse_telephony_websocket
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport
from pipecat.workers.runner import WorkerRunner

PORT = int(sys.argv[1])
GOODBYE_AFTER = 1.5
"Seconds after which the bot at `/bye` ends the call by itself."

app = FastAPI()


def tell(event: str, **fields: object) -> None:
    """Print one line for the test to read."""
    print(json.dumps({"event": event, **fields}), flush=True)


class Echo(FrameProcessor):  # type: ignore[misc]  # Pipecat is not installed where types are checked
    """Sends the caller's audio back, and reports the digits."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Turn input audio into output audio; pass everything else on."""
        await super().process_frame(frame, direction)
        if isinstance(frame, InputDTMFFrame):
            tell("digit", digit=frame.button.value)
        if isinstance(frame, InputAudioRawFrame):
            await self.push_frame(OutputAudioRawFrame(frame.audio, frame.sample_rate, frame.num_channels))
        else:
            await self.push_frame(frame, direction)


@app.post("/2010-04-01/Accounts/{account}/Calls/{call}.json")
async def end_call(account: str, call: str, request: Request) -> dict[str, str]:
    """What Twilio's API answers when the serializer asks it to hang up."""
    tell("hang_up_asked", call=call, body=(await request.body()).decode())
    return {"sid": call, "status": "completed"}


@app.websocket("/ws")
async def converse(websocket: WebSocket) -> None:
    """Echo until the caller is gone."""
    await run_bot(websocket, goodbye_after=None)


@app.websocket("/bye")
async def converse_briefly(websocket: WebSocket) -> None:
    """Echo for a moment, then end the call."""
    await run_bot(websocket, goodbye_after=GOODBYE_AFTER)


async def run_bot(websocket: WebSocket, goodbye_after: float | None) -> None:
    """The bot as Pipecat's own examples have it, with an echo where they have a model."""
    await websocket.accept()
    kind, call = await parse_telephony_websocket(websocket)
    tell("call", kind=kind, **{"from": call.from_number, "to": call.to_number, "body": call.body})
    serializer = TwilioFrameSerializer(
        stream_sid=call["stream_id"],
        call_sid=call["call_id"],
        account_sid="AC" + "0" * 32,
        auth_token="dummy",
        base_url=f"http://127.0.0.1:{PORT}",
    )
    transport = FastAPIWebsocketTransport(
        websocket,
        FastAPIWebsocketParams(audio_in_enabled=True, audio_out_enabled=True, serializer=serializer),
    )
    worker = PipelineWorker(
        Pipeline([transport.input(), Echo(), transport.output()]),
        params=PipelineParams(audio_in_sample_rate=8000, audio_out_sample_rate=8000),
    )

    @transport.event_handler("on_client_disconnected")  # type: ignore[untyped-decorator]  # likewise
    async def on_client_disconnected(transport: FastAPIWebsocketTransport, websocket: WebSocket) -> None:
        tell("disconnected")
        await worker.cancel()

    async def say_goodbye(seconds: float) -> None:
        await asyncio.sleep(seconds)
        await worker.queue_frame(EndFrame())

    goodbye = asyncio.create_task(say_goodbye(goodbye_after)) if goodbye_after else None
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()
    if goodbye:
        goodbye.cancel()
    tell("done")


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=PORT, log_level="warning")
