"""The queue between the agent and the RTP clock."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media.playout import Playout

SILENCE = b"\xff" * 160


def speech(size: int) -> bytes:
    """Bytes that tell where in the stream they stand."""
    return bytes(i * 7 % 251 for i in range(size))


def read_all(playout: Playout) -> bytes:
    frames = []
    while (frame := playout.read()) is not None:
        frames.append(frame)
    return b"".join(frames)


def test_nothing_queued_is_nothing_to_send() -> None:
    """An empty queue gives no frame."""
    playout = Playout()
    assert playout.read() is None
    assert playout.empty
    assert playout.underruns == 0


@pytest.mark.parametrize("size", [1, 7, 159, 160, 161, 1000, 240000])
def test_audio_comes_out_as_it_went_in(size: int) -> None:
    """Crumbs and lumps come out identical, in whole frames, the last one filled with silence."""
    audio = speech(240000)
    playout = Playout()
    for start in range(0, len(audio), size):
        assert playout.write(audio[start : start + size]) == 0
    assert playout.queued_ms == 30000
    assert read_all(playout) == audio


def test_a_short_end_is_filled_up_with_silence() -> None:
    """What is left over goes out in a whole frame."""
    playout = Playout()
    playout.write(b"\x01" * 170)
    assert playout.read() == b"\x01" * 160
    assert playout.read() == b"\x01" * 10 + SILENCE[10:]
    assert playout.read() is None
    assert playout.queued_ms == 0


@given(st.lists(st.one_of(st.binary(max_size=400), st.none()), max_size=40))
def test_any_mixture_of_writes_and_reads_keeps_the_stream(steps: list[bytes | None]) -> None:
    """Reading in between changes nothing but where silence fills a frame up."""
    playout = Playout(frame_bytes=160)
    expected = bytearray()
    heard = bytearray()
    waiting = bytearray()
    for step in steps:
        if step is not None:
            playout.write(step)
            waiting += step
            continue
        frame = playout.read()
        wanted = bytes(waiting[:160])
        del waiting[:160]
        expected += wanted + SILENCE[len(wanted) :] if wanted else b""
        heard += frame or b""
        assert playout.queued == len(waiting)
        assert playout.empty == (not waiting)
    assert heard == expected


def test_a_mark_comes_due_when_the_frame_with_the_last_sample_before_it_was_sent() -> None:
    """Neither the read before nor the write alone is enough."""
    playout = Playout()
    playout.write(speech(321))
    playout.mark("end")
    for _ in range(2):
        playout.read()
        assert list(playout.played()) == []
    playout.read()
    assert list(playout.played()) == ["end"]
    assert list(playout.played()) == []


def test_marks_come_in_order_and_together_when_they_stand_together() -> None:
    """Several marks in one frame are told by one call, in the order in which they were set."""
    playout = Playout()
    playout.mark("first")
    playout.write(speech(10))
    playout.mark("second")
    playout.mark("third")
    playout.write(speech(160))
    playout.mark("fourth")
    assert list(playout.played()) == ["first"]
    playout.read()
    assert list(playout.played()) == ["second", "third"]
    playout.read()
    assert list(playout.played()) == ["fourth"]


def test_a_mark_in_an_empty_queue_is_due_at_once() -> None:
    """There is nothing to wait for."""
    playout = Playout()
    playout.write(speech(160))
    playout.read()
    playout.mark("now")
    assert list(playout.played()) == ["now"]


def test_clear_drops_audio_and_tells_the_marks_in_order() -> None:
    """The next read is silent, and a dropped mark is never told as played."""
    playout = Playout()
    playout.write(speech(480000))
    playout.mark("one")
    playout.write(b"")
    playout.mark("two")
    playout.read()
    assert playout.clear() == ["one", "two"]
    assert playout.read() is None
    assert playout.empty
    assert playout.queued_ms == 0
    assert list(playout.played()) == []


def test_clear_leaves_the_mark_whose_audio_was_read() -> None:
    """Its audio is on its way: it was played, not dropped."""
    playout = Playout()
    playout.write(speech(160))
    playout.mark("said")
    playout.write(speech(160))
    playout.mark("unsaid")
    playout.read()
    assert playout.clear() == ["unsaid"]
    assert list(playout.played()) == ["said"]


def test_audio_after_clear_starts_with_its_first_sample() -> None:
    """Nothing of the dropped audio, crumbs included, gets in front of it."""
    playout = Playout()
    playout.write(b"\x01" * 1000)
    playout.write(b"\x02" * 7)
    playout.read()
    playout.clear()
    playout.write(b"\x03" * 160)
    playout.mark("new")
    assert playout.read() == b"\x03" * 160
    assert list(playout.played()) == ["new"]


def test_the_queue_is_bounded_and_says_what_it_dropped() -> None:
    """Beyond the limit the end of a write is dropped, and the mark behind it still comes."""
    playout = Playout(limit_seconds=1.0)
    assert playout.write(speech(7000)) == 0
    assert playout.write(speech(2000)) == 1000
    assert playout.write(b"x") == 1
    playout.mark("end")
    assert playout.queued_ms == 1000
    assert playout.dropped_ms == 125
    assert len(read_all(playout)) == 8000
    assert list(playout.played()) == ["end"]
    assert playout.write(speech(8000)) == 0


def test_running_dry_counts_once_and_not_behind_a_mark() -> None:
    """An end that the agent marked is no gap."""
    playout = Playout()
    playout.write(speech(170))
    read_all(playout)
    playout.read()
    assert playout.underruns == 1
    playout.write(speech(160))
    playout.mark("end")
    playout.read()
    playout.played()
    playout.read()
    assert playout.underruns == 1


def test_frames_may_change_their_length() -> None:
    """A new packet time holds from the next read on."""
    playout = Playout()
    playout.write(speech(400))
    playout.read()
    playout.reframe(240, b"\xd5" * 240)
    assert playout.read() == speech(400)[160:]
    with pytest.raises(ValueError, match="silence"):
        playout.reframe(320, SILENCE)


def test_a_lump_costs_nothing_per_read() -> None:
    """Reading from a full minute takes no longer than reading from a second of audio."""
    assert time_of_reads(480000) < 20 * time_of_reads(8000) + 0.001


def time_of_reads(queued: int) -> float:
    """Seconds that 50 reads take, at best, with so much queued."""
    best = 1.0
    for _ in range(5):
        playout = Playout()
        playout.write(bytes(queued))
        began = time.perf_counter()
        for _ in range(50):
            playout.read()
        best = min(best, time.perf_counter() - began)
    return best


def test_marks_that_wait_are_bounded() -> None:
    """An agent that queues audio and then marks without end is refused the thousand and first."""
    playout = Playout()
    playout.write(b"\x00" * 160)
    assert all(playout.mark(str(number)) for number in range(1000))
    assert not playout.mark("one too many")
    playout.read()
    told = [playout.played() for _ in range(21)]
    assert [len(names) for names in told] == [50] * 20 + [0], "and told a few at a time"
    assert [name for names in told for name in names] == [str(number) for number in range(1000)]
