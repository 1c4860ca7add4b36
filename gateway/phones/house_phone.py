"""The gateway's own telephone, for owners without one: a real SIP call into the gateway, from 127.0.0.1."""

import asyncio
from collections.abc import Sequence
from functools import cache

from gateway.phones.speech import speech
from gateway.phones.telephone import Telephone
from gateway.sip.target import Listener
from gateway.tell import Tell

HERE = "127.0.0.1"
WITHIN_REACH = frozenset({HERE, "0.0.0.0"})  # noqa: S104 - compared, not bound
MOST_AT_ONCE = 2
LEAD_SECONDS = 2.5
"Silence before it speaks, while the agent greets."
SPEECH_SECONDS = 8.0


class HousePhone:
    """Calls numbers of this gateway; `close` it at the end."""

    def __init__(self, listeners: Sequence[Listener], tell: Tell) -> None:
        reachable = (one for one in listeners if one.transport == "UDP" and one.host in WITHIN_REACH)
        self._listener = next(reachable, None)
        self._tell = tell
        self._calls: set[asyncio.Task[None]] = set()

    @property
    def source(self) -> str | None:
        """The address that it calls from; None where no listener can be reached from there."""
        return None if self._listener is None else HERE

    def call(self, to: str, caller: str) -> bool:
        """Begin to call a number; False: it cannot, or has calls enough."""
        if self._listener is None or len(self._calls) >= MOST_AT_ONCE:
            return False
        task = asyncio.create_task(self._call(self._listener.port, to, caller), name="house phone")
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        return True

    async def close(self) -> None:
        """Break off the calls that go on."""
        for task in self._calls:
            task.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    async def _call(self, port: int, to: str, caller: str) -> None:
        try:
            said = await asyncio.to_thread(_speech)
            await Telephone().call(HERE, port, to, caller, said)
        except (TimeoutError, OSError) as error:
            self._tell("house_phone.failed", level="warning", to=to, why=str(error) or "no answer in time")


@cache
def _speech() -> bytes:
    """What it says, in μ-law; made of nothing, which takes a moment."""
    return b"\xff" * round(LEAD_SECONDS * 8000) + speech(SPEECH_SECONDS)
