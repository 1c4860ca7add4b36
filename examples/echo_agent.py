"""An agent for Trunkline: it says what it hears, and hangs up when the caller presses #.

pip install websockets; python echo_agent.py 8765. Runtime URL ws://127.0.0.1:8765/, dialect native.
"""

import asyncio
import json
import logging
import sys

from websockets.asyncio.server import ServerConnection, serve


async def converse(call: ServerConnection) -> None:
    async for message in call:
        if isinstance(message, bytes):  # the caller's voice, 20 ms of it
            await call.send(message)  # queued at the gateway, which plays it in real time
            continue
        event = json.loads(message)
        logging.info("%s", event)
        if event["type"] == "digit" and event["digit"] == "#":
            await call.send(json.dumps({"type": "hangup", "reason": "the caller pressed #"}))


async def main(port: int) -> None:
    async with serve(converse, "127.0.0.1", port, subprotocols=["trunkline.v1"]) as server:
        await server.serve_forever()


logging.basicConfig(level=logging.INFO)
asyncio.run(main(int(sys.argv[1])))
