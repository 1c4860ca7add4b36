"""The phone's audio over real sockets, with a codec that is none of G.711."""

import asyncio
from array import array
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from gateway.call.legs.phone_media import PhoneMedia
from gateway.config.settings import MediaSettings
from gateway.media.audio import L16_16K, loudness
from gateway.media.codecs import PCMU, Codec
from gateway.net.rtp_ports import PortRange, RtpPorts

HOST = "127.0.0.1"


def swapped(audio: bytes) -> bytes:
    """16 bit in network byte order (RFC 3551 section 4.5.11)."""
    samples = array("h", audio[: len(audio) & ~1])
    samples.byteswap()
    return samples.tobytes()


L16 = Codec("L16", None, 16000, L16_16K, lambda _: swapped, lambda _: swapped)

TONE = array("h", [8000, -8000] * 160).tobytes()
"20 ms of 8 kHz, which G.711 cannot carry."


class Pair:
    """Two sides of a call: the one that offers, and the one that answers."""

    def __init__(self, ports: RtpPorts) -> None:
        self.now = asyncio.get_running_loop().time
        self.ours, self.theirs = (
            PhoneMedia(ports.open(HOST, self.now()), HOST, codecs, MediaSettings(), self.now(), user=self)
            for codecs in ([L16, PCMU], [PCMU, L16])
        )
        self.heard, self.digits = bytearray(), list[tuple[str, int]]()

    def tell(self, name: str, /, *, level: str = "info", **fields: object) -> None:
        """It has no log."""

    def pressed(self, digit: str, milliseconds: int) -> None:
        """A key, which nobody but ours presses."""
        self.digits.append((digit, milliseconds))

    def agree(self, change: Callable[[bytes], bytes] = lambda offer: offer) -> None:
        """An offer of ours, as it arrives there, and its answer."""
        answer = self.theirs.answer(change(self.ours.offer()), self.now())
        self.ours.take_answer(answer, self.now())
        self.theirs.sink = self.heard.extend

    async def talk(self, packets: int) -> None:
        """Both send a tone; what was heard there is kept."""
        due = self.now()
        for _ in range(packets):
            for media in (self.ours, self.theirs):
                media.step(self.now(), lambda media=media: self._say(media))  # type: ignore[misc]
            due += 0.02
            await asyncio.sleep(max(0.0, due - self.now()))

    def _say(self, media: PhoneMedia) -> bytes:
        media.send(TONE)
        return TONE


@asynccontextmanager
async def pair() -> AsyncIterator[Pair]:
    """One, closed in the end."""
    ports = RtpPorts(PortRange(20_000, 29_998), 0)
    made = Pair(ports)
    try:
        yield made
    finally:
        made.ours.close(made.now())
        made.theirs.close(made.now())


async def test_a_wide_codec() -> None:
    """16 kHz from end to end, to the bit, and digits; a re-INVITE goes on with G.711, another goes back."""
    async with pair() as call:
        call.agree()
        assert call.ours.codec is call.theirs.codec is L16
        assert call.theirs.format == L16_16K
        assert call.theirs.frame_bytes == 640
        await call.talk(10)
        assert 4 * TONE in call.heard
        assert call.ours.press("42")
        assert call.ours.pressing
        await call.talk(30)
        assert [digit for digit, _ in call.digits] == ["4", "2"]
        assert all(abs(ms - 160) <= 40 for _, ms in call.digits)

        call.agree(lambda offer: offer.replace(b"RTP/AVP 96 0", b"RTP/AVP 0 96"))
        assert call.ours.codec is call.theirs.codec is PCMU
        assert call.theirs.format == L16_16K, "that of the call's other parts stays"
        del call.heard[:]
        await call.talk(10)
        assert len(call.heard) > 3000
        assert loudness(bytes(call.heard[2000:]), L16_16K) < 500, "8 kHz do not get through"

        call.agree()
        assert call.theirs.codec is L16
        del call.heard[:]
        await call.talk(10)
        assert 4 * TONE in call.heard
        figures = call.theirs.figures()["in"]
        assert isinstance(figures, dict)
        assert (figures["lost"], figures["malformed"]) == (0, 0)
