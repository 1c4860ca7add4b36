"""Something of our own that the phone hears before anything else: that the call is recorded."""

import asyncio

from gateway.call.legs.phone import Media
from gateway.net.clock import MediaClock


async def announce(phone: Media, clock: MediaClock, audio: bytes) -> None:
    """Play audio in the phone's format to its end, before a bridge has begun to send; on hold it waits."""
    waiting = bytearray(audio)
    over = asyncio.Event()

    def tick(now: float) -> None:
        try:
            phone.step(now, speak)
        except Exception:
            over.set()
            raise

    def speak() -> bytes | None:
        size = phone.frame_bytes
        frame, waiting[:size] = bytes(waiting[:size]), b""
        if not frame:
            phone.send(None)
            over.set()
            return None
        frame += phone.format.silence(phone.ptime_ms)[len(frame) :]
        phone.send(frame)
        return frame

    beat = clock.join(tick, phone.ptime_ms)
    try:
        await over.wait()
    finally:
        clock.leave(beat)
