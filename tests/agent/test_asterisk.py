"""The asterisk dialect: commands and events of chan_websocket, in plain text and in JSON."""

import json
import uuid

import pytest

from gateway.agent.asterisk import AUDIO_FORMATS, XOFF, XON, AsteriskDialect
from gateway.agent.notices import Cleared, Digit, Dropped, MarkPlayed, Misunderstood
from gateway.agent.protocol import Audio, CallStart, Clear, Frame, Hangup, Mark, Pause, Reply
from gateway.media.audio import L16_16K, ULAW_8K
from tests.agent.frames import command, read, say, why

FRAME = 160


@pytest.fixture
def plain(call: CallStart) -> AsteriskDialect:
    dialect = AsteriskDialect()
    dialect.start(call)
    return dialect


@pytest.fixture
def in_json(call: CallStart) -> AsteriskDialect:
    dialect = AsteriskDialect(control="json")
    dialect.start(call)
    return dialect


def words(frames: list[Frame]) -> list[str]:
    assert all(text for text, _ in frames)
    return [payload.decode() for _, payload in frames]


class Queue:
    """As much of the gateway's queue as a dialect can see: marks come back when they are reached."""

    def __init__(self, dialect: AsteriskDialect) -> None:
        self.dialect = dialect
        self.told: list[str] = []
        self._queued: list[int | str] = []

    def send(self, text: bool, payload: bytes) -> None:
        for event in self.dialect.receive(text, payload):
            match event:
                case Audio(audio):
                    self._queued.append(len(audio))
                case Mark(name):
                    self._queued.append(name)
                case Clear():
                    names = [item for item in self._queued if isinstance(item, str)]
                    self._queued.clear()
                    self.told += words(self.dialect.notice(Cleared(names, 0)))
                case Reply(frames):
                    self.told += words(list(frames))
        self._reach_marks()

    def play(self, frames: int) -> None:
        """So many frames leave."""
        left = frames * FRAME
        while left and self._queued:
            head = self._queued[0]
            assert isinstance(head, int)
            taken = min(left, head)
            left -= taken
            self._queued[:1] = [head - taken] if head > taken else []
            self._reach_marks()

    def _reach_marks(self) -> None:
        while self._queued and isinstance(self._queued[0], str):
            self.told += words(self.dialect.notice(MarkPlayed(str(self._queued.pop(0)))))


def test_media_start_in_plain_text(call: CallStart) -> None:
    """One line of words, in Asterisk's order."""
    (frame,) = AsteriskDialect().start(call)
    line = frame[1].decode()
    connection = line.split("connection_id:")[1].split()[0]
    assert line == (
        f"MEDIA_START connection_id:{connection} channel:WebSocket/trunkline/{connection[:8]}"
        " channel_id:call_8d1f format:ulaw optimal_frame_size:160 ptime:20"
    )
    assert uuid.UUID(connection).version == 4


def test_media_start_in_json(call: CallStart) -> None:
    """The same as an object, with the parameters and numbers as channel variables."""
    start = read(*AsteriskDialect(L16_16K, control="json").start(call))
    assert start == {
        "event": "MEDIA_START",
        "connection_id": start["connection_id"],
        "channel": start["channel"],
        "channel_id": "call_8d1f",
        "format": "slin16",
        "optimal_frame_size": 640,
        "ptime": 20,
        "channel_variables": {
            "MEDIA_WEBSOCKET_CONNECTION_ID": start["connection_id"],
            "tier": "gold",
            "from_number": "+442079460018",
            "to_number": "+14155550100",
        },
    }


def test_formats_have_asterisks_names(call: CallStart) -> None:
    """And frames of 20 ms in each."""
    named = {
        name: read(*AsteriskDialect(each, control="json").start(call)) for name, each in AUDIO_FORMATS.items()
    }
    assert {name: (start["format"], start["optimal_frame_size"]) for name, start in named.items()} == {
        "ulaw_8k": ("ulaw", 160),
        "alaw_8k": ("alaw", 160),
        "l16_8k": ("slin", 320),
        "l16_16k": ("slin16", 640),
        "l16_24k": ("slin24", 960),
        "l16_48k": ("slin48", 1920),
    }


def test_audio_is_bare(plain: AsteriskDialect) -> None:
    """Binary both ways, of any length, without a frame around it."""
    assert plain.audio(b"\1\2") == (False, b"\1\2")
    assert list(plain.receive(False, b"\1\2\3")) == [Audio(b"\1\2\3")]
    assert list(plain.receive(False, b"")) == []


def test_digits(plain: AsteriskDialect, in_json: AsteriskDialect) -> None:
    """DTMF_END in both writings."""
    assert words(plain.notice(Digit("5", 100))) == ["DTMF_END digit:5 channel_id:call_8d1f"]
    assert read(*in_json.notice(Digit("5", 100))) == {
        "event": "DTMF_END",
        "channel_id": "call_8d1f",
        "digit": "5",
    }


def test_marks_come_back_with_their_ids(plain: AsteriskDialect, in_json: AsteriskDialect) -> None:
    """MEDIA_MARK_PROCESSED when the audio before it has left, with the id that was given, or none."""
    queue = Queue(plain)
    queue.send(False, bytes(2 * FRAME))
    queue.send(True, b"MARK_MEDIA a:b c")
    queue.send(True, b"MARK_MEDIA")
    queue.play(1)
    assert queue.told == []
    queue.play(1)
    assert queue.told == ["MEDIA_MARK_PROCESSED a:b c", "MEDIA_MARK_PROCESSED"]
    queue = Queue(in_json)
    queue.send(True, b'{"command":"MARK_MEDIA","correlation_id":"x"}')
    assert json.loads(queue.told[0]) == {
        "event": "MEDIA_MARK_PROCESSED",
        "channel_id": "call_8d1f",
        "correlation_id": "x",
    }


def test_bulk_is_told_when_it_was_sent(plain: AsteriskDialect) -> None:
    """MEDIA_BUFFERING_COMPLETED follows the last frame; a flush takes it away."""
    queue = Queue(plain)
    queue.send(True, b"START_MEDIA_BUFFERING")
    queue.send(False, bytes(FRAME // 2))
    queue.send(False, bytes(FRAME // 2))
    queue.send(True, b"STOP_MEDIA_BUFFERING 7")
    assert queue.told == []
    queue.play(1)
    assert queue.told == ["MEDIA_BUFFERING_COMPLETED 7"]
    queue.send(False, bytes(FRAME))
    queue.send(True, b"STOP_MEDIA_BUFFERING 8")
    queue.send(True, b"FLUSH_MEDIA")
    assert queue.told == ["MEDIA_BUFFERING_COMPLETED 7"]


@pytest.mark.parametrize("message", [1, 50, 400])
def test_full_queue_stops_the_application(plain: AsteriskDialect, message: int) -> None:
    """XOFF from 900 frames on, once; XON below 800, half a second late at most."""
    queue = Queue(plain)
    sent = 0
    while sent < XOFF:
        assert queue.told == []
        queue.send(False, bytes(message * FRAME))
        sent += message
        if message == 1 and sent >= XOFF + 25:
            break
    if message > 1:
        assert queue.told == ["MEDIA_XOFF"]
    queue.send(False, bytes(message * FRAME))
    assert queue.told.count("MEDIA_XOFF") <= 1
    if not queue.told:
        queue.send(False, bytes(25 * FRAME))
        sent += 25
    assert queue.told == ["MEDIA_XOFF"]
    sent += message
    queue.play(sent - XON)
    assert queue.told == ["MEDIA_XOFF"]
    queue.play(50)
    assert queue.told == ["MEDIA_XOFF", "MEDIA_XON"]


def test_flush_opens_a_full_queue(plain: AsteriskDialect) -> None:
    """What was dropped counts no more: XON, and QUEUE_DRAINED where it was asked for; no marks."""
    queue = Queue(plain)
    queue.send(False, bytes(1000 * FRAME))
    queue.send(True, b"MARK_MEDIA lost")
    queue.send(True, b"REPORT_QUEUE_DRAINED")
    queue.send(True, b"FLUSH_MEDIA")
    assert queue.told == ["MEDIA_XOFF", "MEDIA_XON", "QUEUE_DRAINED"]


def test_drained_queue_is_told_once_and_only_when_empty(plain: AsteriskDialect) -> None:
    """More audio behind the request belongs to the queue as well."""
    queue = Queue(plain)
    queue.send(False, bytes(2 * FRAME))
    queue.send(True, b"REPORT_QUEUE_DRAINED")
    queue.send(False, bytes(2 * FRAME))
    queue.play(3)
    assert queue.told == []
    queue.play(1)
    assert queue.told == ["QUEUE_DRAINED"]
    queue.send(False, bytes(FRAME))
    queue.play(1)
    assert queue.told == ["QUEUE_DRAINED"]
    queue.send(True, b"REPORT_QUEUE_DRAINED")
    assert queue.told == ["QUEUE_DRAINED"] * 2


def test_status_in_both_writings(plain: AsteriskDialect, in_json: AsteriskDialect) -> None:
    """The queue, its levels and what is going on."""
    queue = Queue(plain)
    queue.send(False, bytes(30 * FRAME))
    queue.send(True, b"START_MEDIA_BUFFERING")
    queue.send(True, b"PAUSE_MEDIA")
    queue.send(True, b"GET_STATUS")
    assert queue.told == [
        "STATUS channel_id:call_8d1f queue_length:30 xon_level:800 xoff_level:900"
        " queue_full:false bulk_media:true media_paused:true"
    ]
    (reply,) = say(in_json, command="GET_STATUS")
    assert isinstance(reply, Reply)
    assert read(*reply.frames) == {
        "event": "STATUS",
        "channel_id": "call_8d1f",
        "queue_length": 0,
        "xon_level": XON,
        "xoff_level": XOFF,
        "queue_full": False,
        "bulk_media": False,
        "media_paused": False,
    }


def test_what_the_gateway_dropped_is_not_in_the_queue(plain: AsteriskDialect) -> None:
    """Audio past the gateway's own limit does not keep the queue full for ever."""
    list(plain.receive(False, bytes(100 * FRAME)))
    plain.notice(Dropped(1000))
    (reply,) = command(plain, "GET_STATUS")
    assert isinstance(reply, Reply)
    assert b"queue_length:50 " in reply.frames[0][1]


def test_the_other_commands(plain: AsteriskDialect) -> None:
    """Answer, hang-up, pause and flush; a flush ends a pause."""
    assert command(plain, "ANSWER") == []
    assert command(plain, "HANGUP") == [Hangup("HANGUP")]
    assert command(plain, "FLUSH_MEDIA") == [Clear()]
    assert command(plain, "PAUSE_MEDIA") == [Pause(True)]
    assert command(plain, "CONTINUE_MEDIA") == [Pause(False)]
    command(plain, "PAUSE_MEDIA")
    assert command(plain, "FLUSH_MEDIA") == [Clear(), Pause(False)]


def test_direction(plain: AsteriskDialect) -> None:
    """`in` has what the application sends dropped; `out` is refused, since the caller is always sent."""
    assert command(plain, "SET_MEDIA_DIRECTION in") == []
    assert list(plain.receive(False, b"\1")) == []
    assert say(plain, command="SET_MEDIA_DIRECTION", direction="both") == []
    assert list(plain.receive(False, b"\1")) == [Audio(b"\1")]
    assert "out" in why(command(plain, "SET_MEDIA_DIRECTION out"))


@pytest.mark.parametrize(
    "line", ["hangup", "", "NO_SUCH x", "{", '{"command":7}', "[]", "MARK_MEDIA " + "x" * 257, "x" * 4097]
)
def test_what_makes_no_sense_is_an_error(plain: AsteriskDialect, in_json: AsteriskDialect, line: str) -> None:
    """Commands are case-sensitive and bounded; ERROR says what was wrong, a hundred times."""
    reason = why(command(plain, line))
    assert words(plain.notice(Misunderstood(reason)))[0].startswith("ERROR channel_id:call_8d1f error_text:")
    assert read(*in_json.notice(Misunderstood(reason)))["error_text"] == reason
    assert [len(plain.notice(Misunderstood("x"))) for _ in range(100)] == [1] * 99 + [0]


def test_the_end_is_the_connections(plain: AsteriskDialect) -> None:
    """Asterisk says nothing before it closes."""
    assert plain.stop("completed", "caller") == []
    assert plain.subprotocols == ("media",)
    assert AsteriskDialect(ULAW_8K, "s").headers("ws://a/") == [("Authorization", "Bearer s")]
