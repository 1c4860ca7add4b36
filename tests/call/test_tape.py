"""The tape in virtual time: both channels on one clock, to the sample, whatever happens to either."""

import os

import pytest

from gateway.call.recording.stereo_tape import StereoTape
from gateway.media.audio import L16_16K, ULAW_8K, AudioFormat
from gateway.media.codecs import CODECS
from gateway.media.rtp import RtpReceiver
from gateway.net.clock import MediaClock
from tests.call.phone import babble
from tests.call.test_bridge import Stage, Timers

QUIET = b"\xff"
FRAME = 160


class Reel:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.left = bytearray()
        self.right = bytearray()
        self.pieces = 0
        self.formats: list[AudioFormat] = []

    def give(self, audio_format: AudioFormat, left: bytes, right: bytes) -> None:
        """Keep it, both channels being as long as each other."""
        assert len(left) == len(right)
        self.left += left
        self.right += right
        self.pieces += 1
        self.formats.append(audio_format)


class Desk:
    """A tape on a clock whose time is a number."""

    def __init__(self, audio_format: AudioFormat = ULAW_8K) -> None:
        self.timers = Timers()
        self.clock = MediaClock(_raise)
        self.clock.start(self.timers)
        self.reel = Reel()
        self.tape = StereoTape(audio_format, 20, self.clock, self.reel.give)
        self.sent: list[bytes | None] = []
        self.said = bytearray()
        self.clock.join(self._tick, 20)

    def run(self, milliseconds: float) -> None:
        """Let time go by."""
        self.timers.run(self.timers.now + milliseconds / 1000)

    def stall(self, milliseconds: float) -> None:
        """The whole process stands still: the timer that was due fires that much later."""
        self.timers.now += milliseconds / 1000
        self.timers._due = [(self.timers.now, callback) for _, callback in self.timers._due]

    def _tick(self, now: float) -> None:
        frame = self.sent.pop(0) if self.sent else None
        self.said += frame or QUIET * FRAME
        self.tape.said(frame)


def _raise(error: Exception) -> None:
    raise error


def test_both_channels_keep_their_places() -> None:
    """What was heard in a frame's time stands beside what was said in it."""
    desk = Desk()
    desk.run(100)
    for number in range(1, 200):
        desk.sent.append(bytes([number]) * FRAME)
        desk.tape.hear(bytes([number]) * FRAME)
        desk.run(20)
    desk.tape.cut()
    assert desk.reel.left.strip(QUIET) == desk.reel.right.strip(QUIET)
    assert desk.reel.left.index(1) == desk.reel.right.index(1)
    assert desk.reel.pieces <= 5, "a second at a time"


def test_a_caller_who_comes_late_is_put_where_the_clock_is() -> None:
    """Five seconds without a packet are five seconds of silence on the left."""
    desk = Desk()
    desk.run(5000)
    desk.tape.hear(babble(100))
    desk.run(1000)
    desk.tape.cut()
    assert abs(desk.reel.left.index(babble(100)) - 40_000) <= FRAME


def test_jitter_cuts_nothing() -> None:
    """Packets 100 ms late, then all at once, are a whole word in the recording."""
    desk = Desk()
    word = babble(3000)
    desk.tape.hear(word[:FRAME])
    at = FRAME
    while at < len(word):
        desk.run(100)
        desk.tape.hear(word[at : at + 800])
        at += 800
    desk.run(200)
    desk.tape.cut()
    assert word in desk.reel.left


def test_a_stall_of_the_clock_moves_nothing() -> None:
    """The beats that were skipped are silence; what comes behind them is where it belongs."""
    desk = Desk()
    desk.sent = [babble(20)]
    desk.run(1000)
    desk.stall(730)
    desk.run(270)
    desk.sent = [babble(20, seed=2)]
    desk.run(40)
    desk.tape.cut()
    assert desk.clock.skipped_beats
    assert desk.reel.right.index(babble(20)) == 0
    assert abs(desk.reel.right.index(babble(20, seed=2)) / 8 - 2000) <= 20


def test_a_pause_is_silence_on_both_sides_to_the_sample() -> None:
    """Nothing of it is in the recording, and all behind it is in its place."""
    desk = Desk()
    for number in range(300):
        if number == 100:
            desk.tape.pause()
        if number == 200:
            desk.tape.resume()
        desk.tape.hear(b"\x10" * FRAME)
        desk.sent.append(b"\x20" * FRAME)
        desk.run(20)
    desk.tape.cut()
    left, right = bytes(desk.reel.left), bytes(desk.reel.right)
    assert len(left) == len(right) == 300 * FRAME
    assert left == b"\x10" * 100 * FRAME + QUIET * 100 * FRAME + b"\x10" * 100 * FRAME
    assert right == b"\x20" * 100 * FRAME + QUIET * 100 * FRAME + b"\x20" * 100 * FRAME


def test_what_belongs_into_a_pause_stays_out_of_the_recording_however_late_it_comes() -> None:
    """The network is 100 ms late: the caller's last words of the pause come after its end."""
    desk = Desk()
    for number in range(300):
        desk.run(20)
        if number == 100:
            desk.tape.pause()
            start = desk.tape.position_ms
        if number == 200:
            desk.tape.resume()
            end = desk.tape.position_ms
        if number >= 5:
            desk.tape.hear(b"\x10" * FRAME)
        if number == 5:
            desk.tape._heard = desk.tape._heard[
                -FRAME:
            ]  # as a stream that began in time and then fell behind
    desk.tape.cut()
    assert set(desk.reel.left[8 * start : 8 * end]) == {0xFF}
    assert len(desk.reel.left) == len(desk.reel.right)


def test_pieces_of_odd_lengths_are_kept_whole() -> None:
    """A clock's drift makes pieces of any number of samples."""
    desk = Desk()
    heard = bytearray()
    for number in range(500):
        piece = os.urandom(159 + number % 3)
        heard += piece
        desk.tape.hear(piece)
        desk.run(20)
    desk.tape.cut()
    assert bytes(desk.reel.left[: len(heard) - 1000]) == bytes(
        heard[: len(desk.reel.left[: len(heard) - 1000])]
    )


def test_a_flood_without_ticks_is_bounded() -> None:
    """Whoever floods a call whose clock stands still fills no memory."""
    desk = Desk()
    for _ in range(10_000):
        desk.tape.hear(bytes(FRAME))
    desk.tape.cut()
    assert len(desk.reel.left) < 8000


def test_another_format_in_mid_call_keeps_the_time() -> None:
    """After two seconds narrow, one second wide: the pieces say what they are, and position goes on."""
    desk = Desk()
    desk.run(2000)
    desk.tape.retune(L16_16K, 20)
    for _ in range(50):
        desk.tape.hear(bytes(640))
        desk.run(20)
    assert abs(desk.tape.position_ms - 3000) <= 20
    desk.tape.cut()
    assert set(desk.reel.formats) == {ULAW_8K, L16_16K}
    narrow = 16_000
    assert abs(len(desk.reel.left) - narrow - 32_000) <= 2 * 640


@pytest.mark.parametrize("lost", [0.0, 0.05, 0.3], ids=lambda share: f"{share:.0%} lost")
def test_loss_and_reordering_move_nothing(lost: float) -> None:
    """Through the real receiver: every packet that came is where it was sent, to the sample."""
    desk = Desk()
    receiver = RtpReceiver({0: CODECS["PCMU"]}, sink=desk.tape.hear)
    packets = [bytes([1 + number % 120]) * FRAME for number in range(500)]
    order = list(range(500))
    for number in range(10, 490, 7):
        order[number], order[number + 1] = order[number + 1], order[number]
    gone = {number for number in range(5, 495) if (number * 7919) % 1000 < lost * 1000}
    for number in order:
        header = b"\x80\x00" + number.to_bytes(2, "big") + (number * FRAME).to_bytes(4, "big") + bytes(4)
        if number not in gone:
            receiver.receive(header + packets[number], desk.timers.now)
        desk.run(20)
        receiver.tick(desk.timers.now)
    desk.run(500)
    desk.tape.cut()
    left = bytes(desk.reel.left)
    start = left.index(packets[0])
    # The beginning of a packet behind a lost one is blended with what was made up for that one.
    ends = [left[start + number * FRAME :][80:FRAME] == packets[number][80:] for number in range(490)]
    came = [ends[number] for number in range(490) if number not in gone]
    assert sum(came) >= 0.98 * len(came)
    assert ends[489], "the last one too, so nothing was gained or lost on the way"


def test_the_bridge_tapes_what_leaves_and_not_what_waits() -> None:
    """Of speech that the agent takes back, only what the caller heard is recorded; hold is silence."""
    stage, reel = Stage(), Reel()
    tape = StereoTape(ULAW_8K, 20, stage.clock, reel.give)
    stage.bridge.tap(tape)
    speech = babble(3000)
    stage.bridge.play(speech)
    stage.run(500)
    stage.bridge.clear()
    stage.run(500)
    stage.phone.may_send = False
    stage.bridge.play(babble(100, seed=2))
    stage.run(500)
    stage.phone.may_send = True
    stage.run(500)
    tape.cut()
    right = bytes(reel.right)
    heard = b"".join(frame or QUIET * FRAME for frame in stage.phone.sent)
    assert right.strip(QUIET)[:1000] == speech[:1000]
    assert speech[: 8 * 480] in right
    assert speech[: 8 * 540] not in right
    again = right.index(babble(100, seed=2))
    assert 1500 <= again / 8 <= 1560, "what waited while on hold was recorded when it left"
    assert len(right) == len(heard) + stage.phone.skipped * FRAME
