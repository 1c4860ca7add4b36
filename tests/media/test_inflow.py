"""Audio that comes by TCP, made into frames of real time."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.media.audio import L16_16K
from gateway.media.inflow import Inflow

FRAME = 640
SILENCE = bytes(FRAME)


def loud(frames: float, value: int = 9) -> bytes:
    """So many frames of something."""
    return bytes([value, value]) * int(FRAME * frames / 2)


def test_nothing_before_anything_came() -> None:
    """Whoever listens hears nothing, not silence, until something came."""
    assert Inflow(L16_16K).read() is None


@given(st.lists(st.integers(1, 2000), max_size=60))
def test_pieces_of_any_size_become_frames(sizes: list[int]) -> None:
    """All of what came is read, in order and in whole frames, but for what waits for its frame's end."""
    inflow = Inflow(L16_16K)
    written, heard = bytearray(), bytearray()
    for count, size in enumerate(sizes):
        piece = bytes([count % 250 + 1, 1]) * size
        written += piece
        inflow.write(piece)
        while (frame := inflow.read()) not in (None, SILENCE):
            assert frame is not None
            assert len(frame) == FRAME
            heard += frame
    assert written.startswith(heard)
    assert len(written) - len(heard) < 9 * FRAME
    assert inflow.discarded == 0


def test_a_stretch_begins_when_a_little_waits() -> None:
    """One frame alone is not read at once: the next would be late. What is missing is silence."""
    inflow = Inflow(L16_16K)
    inflow.write(loud(1))
    assert inflow.read() == SILENCE
    inflow.write(loud(1))
    assert [inflow.read() for _ in range(3)] == [loud(1), loud(1), SILENCE]
    inflow.write(loud(1))
    assert inflow.read() == SILENCE
    assert inflow.filled == 3 * FRAME


def test_whoever_is_late_again_and_again_is_waited_for() -> None:
    """Behind each gap a frame more waits, so that who sends in lumps of 100 ms is soon heard without gaps."""
    inflow = Inflow(L16_16K)
    gaps = []
    for tick in range(500):
        if tick % 10 in (0, 6):
            inflow.write(loud(5))
        if inflow.read() == SILENCE:
            gaps.append(tick)
    assert max(gaps) < 50


def test_ten_calm_seconds_let_a_frame_less_wait() -> None:
    """What was learnt of lateness is forgotten step by step, down to where it began."""
    inflow = Inflow(L16_16K)
    for _ in range(10):
        inflow.write(loud(8))
        while inflow.read() != SILENCE:
            pass
    inflow.write(loud(7))
    assert inflow.read() == SILENCE
    for _ in range(60):
        inflow.second()
    assert inflow.read() == loud(1)


def test_more_than_real_time_is_dropped() -> None:
    """The newest 400 ms stay, whatever comes."""
    inflow = Inflow(L16_16K)
    inflow.write(loud(100, 1))
    inflow.write(loud(20, 2))
    assert inflow.discarded == 100 * FRAME
    assert inflow.read() == loud(1, 2)


def test_what_waits_too_long_is_taken_out_of_silence() -> None:
    """Behind a burst the call catches up: silence goes first, and 40 ms stay."""
    inflow = Inflow(L16_16K)
    inflow.write(loud(2, 40) + bytes(10 * FRAME))
    for _ in range(50):
        inflow.read()
        inflow.write(loud(1, 0))
    inflow.second()
    inflow.second()
    for _ in range(50):
        inflow.read()
        inflow.write(loud(1, 0))
    inflow.second()
    waiting = 0
    while inflow.read() != SILENCE and waiting < 20:
        waiting += 1
    assert inflow.discarded >= 8 * FRAME


def test_a_call_that_is_not_late_loses_nothing() -> None:
    """In real time, second after second, every byte is heard."""
    inflow = Inflow(L16_16K)
    inflow.write(loud(2))
    for count in range(500):
        assert inflow.read() == loud(1)
        inflow.write(loud(1))
        if count % 50 == 49:
            inflow.second()
    assert (inflow.discarded, inflow.filled) == (0, 0)
