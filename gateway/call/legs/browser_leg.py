"""The browser's side of a web call: one WebSocket in the place of a dialog and its RTP."""

import json
from collections.abc import Callable

import msgspec

from gateway.call.legs.browser_media import BrowserMedia
from gateway.call.legs.phone import Party, PhoneUser
from gateway.call.legs.phone_media import drop
from gateway.call.one_shot import OneShot
from gateway.call.record import Ending, EndReason, Status
from gateway.media.dtmf import DIGITS
from gateway.net.connection import Connection

MESSAGES_A_SECOND = 200
"What a browser may send: frames of 5 ms, ten times finer than it should."
BURST_SECONDS = 2.0
"How much of that may come at once, behind a stall."
MAX_TEXT = 1024
MAX_MALFORMED = 100
"Messages without sense after which a browser is cut off."
DIGIT_MS = 100

CLEAN = frozenset({1000, 1001, 1005})
"Close codes of a page that hangs up, or that is left (RFC 6455 section 7.4.1)."


class _Digit(msgspec.Struct, tag_field="type", tag="dtmf"):
    digit: str
    duration_ms: int = DIGIT_MS


class _HangUp(msgspec.Struct, tag_field="type", tag="hangup"):
    pass


_decoder: msgspec.json.Decoder[_Digit | _HangUp] = msgspec.json.Decoder(_Digit | _HangUp)


class BrowserLeg:
    """The caller's side of a web call: `enter` when its socket comes, `ring`, `accept`, `close`."""

    party: Party = "caller"

    def __init__(self, user: PhoneUser, now: Callable[[], float]) -> None:
        self.here = OneShot()
        "Set when the browser has connected."
        self.connected = OneShot()
        "Set with the answer: what is sent over TCP arrives."
        self.media = BrowserMedia(now())
        self._user: PhoneUser | None = user
        "None once it is closed."
        self._now = now
        self._connection: Connection | None = None
        self._due = 0.0

    def enter(self, connection: Connection, peer: str) -> None:
        """The browser has connected, from this address."""
        self._connection = connection
        self.media.open(connection, peer, self._now())
        self.here.set()

    def ring(self) -> None:
        """Tell the browser that its agent is being connected to."""
        self._say(type="ringing")

    def accept(self, call_id: str) -> None:
        """Begin: the agent is there, and audio flows both ways."""
        media = self.media
        self._say(type="start", call_id=call_id, sample_rate=media.format.rate, frame_ms=media.ptime_ms)
        media.may_send = True
        self.connected.set()

    def close(self, ending: Ending) -> None:
        """Say how it ended, and goodbye."""
        self._say(type="end", reason=ending.reason.value, by=ending.by, detail=ending.detail)
        if self._connection is not None:
            self._connection.close(1000, ending.reason.value)
            self._connection = None
        self._user = None
        self.media.sink = drop

    def figures(self) -> dict[str, object]:
        """What became of the audio; nothing where no browser came."""
        return self.media.figures() if self.here.is_set() else {}

    def receive(self, text: bool, payload: bytes) -> None:
        """HOT: a message of the browser's."""
        now = self._now()
        self._due = max(self._due, now - BURST_SECONDS) + 1 / MESSAGES_A_SECOND
        if self._due > now:
            self._cut_off("too many messages")
        elif not text:
            self.media.take(payload, now)
        else:
            self._understand(payload)
        if self.media.malformed > MAX_MALFORMED:
            self._cut_off("too many messages without sense")

    def lost(self, code: int | None, why: str) -> None:
        """The socket is gone."""
        detail = "the caller hung up"
        if code not in CLEAN:
            detail = f"the browser's connection broke: {why}" if why else "the browser's connection broke"
        self._hung_up(detail)

    def _understand(self, payload: bytes) -> None:
        try:
            message = _decoder.decode(payload) if len(payload) <= MAX_TEXT else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            message = None
        if isinstance(message, _HangUp):
            self._hung_up("the caller hung up")
        elif message is not None and len(message.digit) == 1 and message.digit in DIGITS:
            if self._user is not None:
                self._user.pressed(message.digit, min(max(message.duration_ms, 40), 5000))
        else:
            self.media.malformed += 1

    def _hung_up(self, detail: str) -> None:
        if self._user is None:
            return
        if self.connected.is_set():
            self._user.end(Ending(Status.COMPLETED, EndReason.USER_DISCONNECTED, "caller", detail))
        else:
            self._user.end(Ending(Status.CANCELLED, EndReason.CALLER_CANCELLED, "caller", detail))

    def _cut_off(self, why: str) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close(1008, why)
            self._hung_up(f"the browser was cut off: {why}")

    def _say(self, **message: object) -> None:
        if self._connection is not None:
            self._connection.send(True, json.dumps(message, separators=(",", ":")).encode())
