"""The table of dialects."""

from typing import get_args

import pytest

from gateway.agent.dialects import DIALECTS, dialect_named
from gateway.agent.notices import (
    Abandoned,
    Answered,
    BalanceLow,
    Cleared,
    Digit,
    Dropped,
    Flooding,
    Held,
    MarkPassed,
    MarkPlayed,
    Misunderstood,
    Notice,
    Quality,
    RecordingIs,
    TransferFailed,
)
from gateway.agent.protocol import CallStart
from gateway.media.audio import L16_8K, ULAW_8K


def test_every_dialect_is_found_by_the_name_it_has() -> None:
    """The table's key is the dialect's own name."""
    assert {name: dialect_named(name).name for name in DIALECTS} == {name: name for name in DIALECTS}


def test_audio_format_counts_only_where_there_is_a_choice() -> None:
    """native takes the format asked for, twilio has but one."""
    assert dialect_named("native", audio="l16_8k").format == L16_8K
    assert dialect_named("twilio", audio="l16_8k").format == ULAW_8K
    with pytest.raises(KeyError):
        dialect_named("morse")


def test_each_call_has_counters_of_its_own(call: CallStart) -> None:
    """Two calls in one dialect do not share a sequence."""
    first, second = dialect_named("twilio"), dialect_named("twilio")
    first.start(call)
    second.start(call)
    first.audio(b"\xff" * 160)
    assert b'"sequenceNumber":"2"' in second.audio(b"\xff" * 160)[1]


NOTICES: tuple[Notice, ...] = (
    Answered(),
    Digit("1", 80),
    MarkPlayed("m"),
    MarkPassed("m"),
    Cleared(["m"], 20),
    Abandoned(["m"], 20),
    Dropped(20),
    Held(True),
    Held(False),
    Quality({"in": {}, "out": {}}),
    BalanceLow(14.6),
    RecordingIs("paused"),
    TransferFailed("+15550100", "user_busy", "486 Busy Here"),
    Misunderstood("why"),
    Flooding("why"),
)


def test_every_notice_works_in_every_dialect(call: CallStart) -> None:
    """Call control says everything to everyone: nothing raises, all returns frames."""
    assert {type(notice) for notice in NOTICES} == set(get_args(Notice))
    for name in DIALECTS:
        dialect = dialect_named(name)
        spoken = [*dialect.start(call), dialect.audio(b"\xff" * 160)]
        spoken += [frame for notice in NOTICES for frame in dialect.notice(notice)]
        spoken += dialect.stop("completed", "agent")
        assert all(isinstance(text, bool) and isinstance(payload, bytes) for text, payload in spoken)


@pytest.mark.parametrize(
    ("name", "answers"),
    [
        ("native", 3),
        ("twilio", 2),
        ("telnyx", 2),
        ("exotel", 2),
        ("plivo", 0),
        ("asterisk", 0),
        ("audiosocket", 0),
        ("sip", 0),
    ],
)
def test_marks_that_a_hang_up_overtakes(call: CallStart, name: str, answers: int) -> None:
    """Answered where the vendor answers those that are dropped; else the end of the connection says it."""
    dialect = dialect_named(name)
    dialect.start(call)
    dialect.receive(True, b"REPORT_QUEUE_DRAINED")
    assert len(dialect.notice(Abandoned(["one", "two"], 400))) == answers


def test_nothing_unheard_needs_no_word(call: CallStart) -> None:
    """A call that ends when all was heard says nothing of it."""
    for name in DIALECTS:
        dialect = dialect_named(name)
        dialect.start(call)
        assert dialect.notice(Abandoned([], 0)) == []
