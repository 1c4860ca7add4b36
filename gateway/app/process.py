"""The process that `gateway serve` is: its event loop, its signals, its end."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable

from gateway.app.gateway import Gateway
from gateway.config.settings import Config
from gateway.events.log import log_sink
from gateway.net.open_files import needed, raise_limit


def new_event_loop() -> asyncio.AbstractEventLoop:
    """uvloop's where there is one (Linux), else the standard library's."""
    if sys.platform == "linux":
        import uvloop

        return uvloop.new_event_loop()
    return asyncio.new_event_loop()


def run(config: Config) -> None:
    """Serve until SIGTERM or SIGINT, drain, and return."""
    raise_limit(needed(config))
    # One matrix product a frame is too small a job for BLAS threads (measured: twice the time with them).
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Names are looked up in libuv's threads. It has four, which one tenant's slow name server would hold.
    os.environ.setdefault("UV_THREADPOOL_SIZE", "32")
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_main(config))
        # The process ends here: looking through its whole memory once more only makes its exit late.
        gc.freeze()


async def _main(config: Config) -> None:
    gateway = Gateway(config, log_sink(config.log.level, config.log.format))
    stop_on_signals(gateway.stop)
    try:
        if await _started(gateway):
            spare_the_collector()
            await gateway.serve()
    finally:
        await gateway.close()


async def _started(gateway: Gateway) -> bool:
    """Start; False where it is told to stop before it is up, as by whoever waits for a database in vain."""
    starting = asyncio.create_task(gateway.start())
    stopping = asyncio.create_task(gateway.stopping.wait())
    await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if starting.done():
        await starting
        return True
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    return False


COLLECT_AFTER = 2000, 10, 100
"New objects until the collector looks at the youngest, and how many times until it looks at older ones."


def spare_the_collector() -> None:
    """For a process that does nothing but serve, once all is up: what lives now lives for long.

    The collector need not look at it again. An ended call is freed without it (`Call._let_go`), so it may
    come seldom: at 200 new calls a second its looking at everything there is took up to 100 ms, in which no
    audio is sent.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def stop_on_signals(stop: Callable[[], None]) -> None:
    """Call `stop` on SIGTERM and SIGINT."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
