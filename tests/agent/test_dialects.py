"""The table of dialects."""

import pytest

from gateway.agent.dialects import DIALECTS, dialect_named
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


def test_every_verb_works_in_every_dialect(call: CallStart) -> None:
    """Call control says everything to everyone: no verb raises, each returns frames."""
    for name in DIALECTS:
        dialect = dialect_named(name)
        spoken = [
            *dialect.start(call),
            dialect.audio(b"\xff" * 160),
            *dialect.digit("1", 80),
            *dialect.mark_played("m"),
            *dialect.cleared(["m"], 20),
            *dialect.abandoned(["m"], 20),
            *dialect.dropped(20),
            *dialect.answered(),
            *dialect.hold(),
            *dialect.resume(),
            *dialect.quality({"in": {}, "out": {}}),
            *dialect.balance_low(14.6),
            *dialect.malformed("why"),
            *dialect.stop("completed", "agent"),
        ]
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
    assert len(dialect.abandoned(["one", "two"], 400)) == answers


def test_nothing_unheard_needs_no_word(call: CallStart) -> None:
    """A call that ends when all was heard says nothing of it."""
    for name in DIALECTS:
        dialect = dialect_named(name)
        dialect.start(call)
        assert dialect.abandoned([], 0) == []
