"""The gateway of the benchmark: as `gateway serve`, on one UDP port, saying when it is ready."""

import asyncio
import os
import sys

from gateway.app.gateway import Gateway
from gateway.app.process import new_event_loop, spare_the_collector, stop_on_signals
from gateway.config.loading import load_config
from gateway.config.sip_settings import ListenerSettings
from gateway.events.log import log_sink
from scripts.benchmark.watched import watched


async def main(port: int, log: str) -> None:
    """Serve until the process is told to stop."""
    config = load_config(None, {k: v for k, v in os.environ.items() if k.startswith("TRUNKLINE_")})
    listener = config.sip.listeners[0].model_copy(update={"port": port, "advertised_port": port})
    sip = config.sip.model_copy(update={"listeners": (ListenerSettings(**listener.model_dump()),)})
    with open(log, "w") as file:  # noqa: ASYNC230 - before anything runs
        gateway = Gateway(config.model_copy(update={"sip": sip}), log_sink(config.log.level, "json", file))
        stop_on_signals(gateway.stop)
        await gateway.start()
        spare_the_collector()
        print("ready", flush=True)
        async with watched(os.environ.get("BENCH_STATEMENTS", "")):
            await gateway.serve()
        await gateway.close()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main(int(sys.argv[1]), sys.argv[2]))
