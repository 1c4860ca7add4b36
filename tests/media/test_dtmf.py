"""Telephone digits: RFC 4733 events, and the bodies of SIP INFO."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media.dtmf import (
    DIGITS,
    RELAY,
    EventDetector,
    Press,
    TelephoneEvent,
    event_code,
    info_body,
    parse_info,
)

Told = list[tuple[str, int]]


def detector() -> tuple[EventDetector, Told]:
    told: Told = []
    return EventDetector(lambda digit, ms: told.append((digit, ms))), told


def press(
    detector: EventDetector,
    digit: str,
    timestamp: int,
    ms: int,
    now: float = 0.0,
    *,
    marker: bool = True,
    ends: int = 3,
) -> float:
    """The packets of one key, every 20 ms; returns the time of the last."""
    code = DIGITS.index(digit)
    for elapsed in range(20, ms, 20):
        first = marker and elapsed == 20
        detector.receive(timestamp, bytes(TelephoneEvent(code, False, elapsed * 8)), first, now)
        now += 0.02
    for _ in range(ends):
        detector.receive(timestamp, bytes(TelephoneEvent(code, True, ms * 8)), False, now)
        now += 0.02
    return now


@given(st.integers(0, 255), st.booleans(), st.integers(0, 0xFFFF), st.integers(0, 63))
def test_events_read_as_they_were_written(code: int, end: bool, duration: int, volume: int) -> None:
    """parse and bytes are inverses."""
    event = TelephoneEvent(code, end, duration, volume)
    assert TelephoneEvent.parse(bytes(event)) == event


def test_a_digit_is_told_once_with_its_duration() -> None:
    """However often its end is repeated."""
    detect, told = detector()
    press(detect, "5", 1000, 160)
    assert told == [("5", 160)]


def test_all_sixteen_digits() -> None:
    """0 to 9, star, hash and A to D."""
    detect, told = detector()
    now = 0.0
    for number, digit in enumerate(DIGITS):
        now = press(detect, digit, 8000 * number, 100, now)
    assert told == [(digit, 100) for digit in DIGITS]


def test_the_marker_bit_is_not_needed() -> None:
    """Senders forget it; the timestamp tells two presses of one key apart."""
    detect, told = detector()
    now = press(detect, "1", 0, 100, marker=False)
    press(detect, "1", 1600, 100, now, marker=False)
    assert told == [("1", 100), ("1", 100)]


def test_a_lost_end_is_made_up_for_by_time() -> None:
    """A key of which nothing more is heard is up again, and what comes late of it is nothing new."""
    detect, told = detector()
    now = press(detect, "7", 0, 120, ends=0)
    detect.tick(now)
    assert told == []
    assert detect.pressed
    detect.tick(now + 0.25)
    assert told == [("7", 100)]
    assert not detect.pressed
    detect.receive(0, bytes(TelephoneEvent(7, True, 960)), False, now + 0.3)
    assert told == [("7", 100)]


def test_a_lost_end_is_made_up_for_by_the_next_digit() -> None:
    """Digits stay in order."""
    detect, told = detector()
    now = press(detect, "7", 0, 120, ends=0)
    press(detect, "8", 1600, 100, now)
    assert told == [("7", 100), ("8", 100)]


def test_only_an_end_is_enough() -> None:
    """All packets but the last may be lost."""
    detect, told = detector()
    detect.receive(0, bytes(TelephoneEvent(3, True, 800)), False, 0.0)
    assert told == [("3", 100)]


def test_a_long_press_in_segments_is_one_digit() -> None:
    """Beyond 65535 units a press goes on under a new timestamp (RFC 4733 section 2.5.1.3)."""
    detect, told = detector()
    now = 0.0
    for segment in range(2):
        start = (0xFFFFFF00 + segment * 0xFFFF) & 0xFFFFFFFF
        for duration in [*range(800, 0xFFFF, 800), 0xFFFF]:
            detect.receive(
                start, bytes(TelephoneEvent(9, False, duration)), segment == 0 and duration == 800, now
            )
            now += 0.1
    start = (start + 0xFFFF) & 0xFFFFFFFF
    for _ in range(3):
        detect.receive(start, bytes(TelephoneEvent(9, True, 400)), False, now)
    assert told == [("9", (2 * 0xFFFF + 400) // 8)]


def test_a_segment_whose_predecessor_lost_its_last_packets_goes_on() -> None:
    """The timestamps are a whole segment apart, which says enough."""
    detect, told = detector()
    detect.receive(0, bytes(TelephoneEvent(9, False, 64000)), True, 8.0)
    detect.receive(0xFFFF, bytes(TelephoneEvent(9, False, 160)), False, 8.2)
    assert told == []


def test_a_moving_timestamp_does_not_multiply_a_digit() -> None:
    """Some senders step the timestamp with every packet, the repeated end included."""
    detect, told = detector()
    for step in range(8):
        event = TelephoneEvent(4, step >= 5, 160 * min(step + 1, 6))
        detect.receive(160 * step, bytes(event), step == 0, 0.02 * step)
    assert [digit for digit, _ in told] == ["4"]


def test_an_older_digit_is_never_told_behind_a_newer() -> None:
    """A packet that comes after its successor began is dropped."""
    detect, told = detector()
    press(detect, "2", 8000, 100)
    detect.receive(4000, bytes(TelephoneEvent(1, True, 800)), False, 0.2)
    assert told == [("2", 100)]


def test_a_sender_may_begin_its_clock_anew() -> None:
    """When nothing was heard for a while an earlier timestamp is a new one."""
    detect, told = detector()
    now = press(detect, "2", 80000, 100)
    press(detect, "3", 1000, 100, now + 2)
    assert told == [("2", 100), ("3", 100)]


def test_what_is_no_digit_is_counted() -> None:
    """Flash-hook, tones and short payloads are no digits."""
    detect, told = detector()
    detect.receive(0, bytes(TelephoneEvent(16, True, 800)), True, 0.0)
    detect.receive(0, b"\x05\x80\x00", True, 0.0)
    assert told == []
    assert detect.ignored == 2


@given(st.lists(st.integers(0, 11), max_size=60))
def test_no_order_or_repetition_tells_a_digit_twice(order: list[int]) -> None:
    """Two presses of one key are at most two digits."""
    detect, told = detector()
    packets = [(0, bytes(TelephoneEvent(5, i >= 4, 160 * min(i + 1, 5)))) for i in range(6)]
    packets += [(2400, data) for _, data in packets]
    for step, index in enumerate(order):
        timestamp, data = packets[index]
        detect.receive(timestamp, data, False, step * 0.005)
    assert len(told) <= 2


@pytest.mark.parametrize(
    ("content_type", "body", "press"),
    [
        ("application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n", Press("5", 160)),
        ("application/dtmf-relay", b"Signal= # \nDuration= 250", Press("#", 250)),
        ("Application/DTMF-Relay; charset=utf-8", b"duration=90\r\nsignal=a", Press("A", 90)),
        ("application/dtmf-relay", b"Signal=11\r\n", Press("#", 160)),
        ("application/dtmf-relay", b"Signal=1\r\nDuration=999999", Press("1", 60000)),
        ("application/dtmf-relay", b"Signal=1\r\nDuration=9999999999", Press("1", 160)),
        ("application/dtmf", b"*", Press("*", 160)),
        ("application/dtmf", b" 7\r\n", Press("7", 160)),
        ("application/dtmf", b"10", Press("*", 160)),
        ("application/dtmf", b"", None),
        ("application/dtmf", b"16", None),
        ("application/dtmf", "٣".encode(), None),
        ("application/dtmf-relay", b"Duration=160", None),
        ("application/dtmf-relay", b"Signal=hello", None),
        ("application/dtmf-relay", b"Signal=1\r\n" + b"x" * 300, None),
        ("text/plain", b"5", None),
    ],
)
def test_info_bodies(content_type: str, body: bytes, press: Press | None) -> None:
    """The digit is found in whatever spelling is about, and nothing where there is none."""
    assert parse_info(content_type, body) == press


@given(st.sampled_from(DIGITS), st.integers(1, 60000))
def test_our_info_body_reads_as_it_was_written(digit: str, duration: int) -> None:
    """info_body and parse_info are inverses."""
    assert parse_info(RELAY, info_body(digit, duration)) == Press(digit, duration)


@pytest.mark.parametrize("digit", ["", "12", "E", "x", "٣"])
def test_what_is_no_digit_has_no_event(digit: str) -> None:
    """The error names it."""
    with pytest.raises(ValueError, match="not a telephone digit"):
        event_code(digit)
