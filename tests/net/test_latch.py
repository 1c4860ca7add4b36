"""Whose RTP is the peer's: by address, by time, and by what is sent."""

import pytest

from gateway.net.latch import Address, Latch, Standing, canonical, networks_of

SAID = ("10.0.0.5", 4000)
"What the SDP says: behind NAT."
SAID_HOST = ("10.0.0.5", 4444)
PUBLIC = ("203.0.113.9", 61_000)
"Where the signalling comes from."
MOVED = ("203.0.113.9", 61_002)
CARRIER = ("198.51.100.20", 9000)
"In the carrier's networks."
STRANGER = ("192.0.2.66", 4000)


def never() -> bool:
    """The packet is of another stream."""
    return False


def always() -> bool:
    """The packet goes on with the stream."""
    return True


@pytest.fixture
def latch() -> Latch:
    """One that knows what the SDP says, who signals, and the carrier's networks."""
    made = Latch()
    made.restrict(networks_of(("198.51.100.0/24", "not a network")), 0.5)
    made.signalled_by("203.0.113.9")
    made.expect(SAID, 0.0)
    return made


def test_the_order(latch: Latch) -> None:
    """SDP address, SDP host, signalling, networks, strangers."""
    order = [latch.standing_of(one) for one in (STRANGER, CARRIER, PUBLIC, SAID_HOST, SAID)]
    assert order == list(Standing)


@pytest.mark.parametrize("first", [SAID_HOST, PUBLIC, CARRIER])
def test_whoever_is_believed_is_heard_at_once(latch: Latch, first: Address) -> None:
    """Nothing of the first packet is lost."""
    assert latch.hears(first, 1.0, never)
    assert latch.source == first
    assert not latch.final


def test_a_stranger_is_never_believed(latch: Latch) -> None:
    """Not alone, not for long, not with the stream of the call."""
    for second in range(100):
        assert not latch.hears(STRANGER, float(second), always)
    assert latch.source is None
    latch.hears(PUBLIC, 100.0, never)
    latch.silent_since = 100.0
    assert not latch.hears(STRANGER, 1000.0, always)


@pytest.mark.parametrize(("worse", "better"), [(CARRIER, PUBLIC), (PUBLIC, SAID_HOST), (SAID_HOST, SAID)])
def test_a_better_one_takes_over_at_any_time(latch: Latch, worse: Address, better: Address) -> None:
    """And the worse one does not come back beside it."""
    latch.hears(worse, 0.0, never)
    assert latch.hears(better, 3600.0, never)
    assert not latch.hears(worse, 3600.02, always)
    assert latch.source == better


def test_beside_a_living_source_an_equal_one_is_nobody(latch: Latch) -> None:
    """Whatever stream it sends."""
    latch.hears(PUBLIC, 0.0, never)
    for step in range(1000):
        assert latch.hears(PUBLIC, 0.02 * step, always)
        assert not latch.hears(MOVED, 0.02 * step, always)


def test_a_port_that_moved_is_followed(latch: Latch) -> None:
    """When the old one has been silent for `patience`, with the first packet of the same stream."""
    latch.hears(PUBLIC, 10.0, never)
    latch.silent_since = 10.0
    assert not latch.hears(MOVED, 10.49, always)
    assert latch.hears(MOVED, 10.5, always)
    assert latch.source == MOVED


def test_a_new_stream_has_to_be_one_and_waits_longer(latch: Latch) -> None:
    """Three packets, and twice the silence."""
    latch.hears(PUBLIC, 10.0, never)
    latch.silent_since = 10.0
    heard = [latch.hears(MOVED, 10.5 + 0.02 * step, never) for step in range(26)]
    assert heard == [False] * 25 + [True]
    latch.silent_since = 11.0
    assert [latch.hears(PUBLIC, 20.0 + step, never) for step in range(3)] == [False, False, True]


def test_who_is_silent_on_purpose_is_waited_for(latch: Latch) -> None:
    """A stream of its own has to wait twenty times as long; the same stream does not."""
    latch.hears(PUBLIC, 0.0, never)
    latch.silent_since, latch.on_purpose = 0.0, True
    assert not any(latch.hears(MOVED, 0.1 * step, never) for step in range(100))
    assert latch.hears(MOVED, 10.0, never)
    latch.silent_since, latch.on_purpose = 10.0, True
    assert not latch.hears(("203.0.113.9", 61_004), 10.4, always)
    assert latch.hears(("203.0.113.9", 61_004), 10.6, always)


def test_who_was_only_silent_is_taken_back(latch: Latch) -> None:
    """After three packets, so that one that was under way for long changes nothing."""
    latch.hears(PUBLIC, 0.0, never)
    latch.silent_since = 0.0
    assert latch.hears(MOVED, 1.0, always)
    assert not latch.hears(PUBLIC, 1.1, never)
    assert latch.hears(MOVED, 1.12, never)
    assert not latch.hears(PUBLIC, 1.14, never)
    assert latch.hears(PUBLIC, 1.16, never)
    assert latch.source == PUBLIC
    assert not latch.hears(MOVED, 1.18, always)


def test_the_sdp_address_is_taken_back_likewise(latch: Latch) -> None:
    """It was left because it was silent."""
    latch.hears(SAID, 0.0, never)
    latch.silent_since = 0.0
    assert latch.hears(SAID_HOST, 0.6, always)
    assert [latch.hears(SAID, 1.0 + step, never) for step in range(3)] == [False, False, True]


def test_many_newcomers_are_no_stream(latch: Latch) -> None:
    """Three packets from as many ports of a believed host are nobody's."""
    latch.hears(PUBLIC, 0.0, never)
    latch.silent_since = 0.0
    assert not any(latch.hears(("203.0.113.9", port), 5.0, never) for port in range(2000, 3000))


def test_a_source_that_is_heard_again_is_missed_by_nobody(latch: Latch) -> None:
    """Its silence counts from anew."""
    latch.hears(PUBLIC, 0.0, never)
    latch.silent_since = 0.0
    latch.hears(PUBLIC, 0.6, always)
    assert not latch.hears(MOVED, 0.7, always)


def test_after_a_negotiation_an_equal_source_takes_over_from_the_old_one(latch: Latch) -> None:
    """For two seconds: packets of the old one are still under way."""
    latch.hears(PUBLIC, 0.0, never)
    latch.expect(("10.0.0.5", 4002), 10.0)
    assert latch.hears(PUBLIC, 10.01, never)
    assert latch.hears(MOVED, 10.05, never)
    assert not latch.hears(PUBLIC, 10.06, never)
    latch.expect(("10.0.0.5", 4004), 20.0)
    assert latch.hears(MOVED, 20.0, never)
    assert not latch.hears(PUBLIC, 22.1, never)


def test_hosts_of_earlier_sdps_are_no_strangers(latch: Latch) -> None:
    """A peer that says that its audio moves, and does not move it; a few of them are remembered."""
    for number in range(1, 20):
        latch.expect((f"192.0.2.{number}", 4000), float(number))
    assert latch.standing_of(("192.0.2.19", 4000)) is Standing.ADDRESS
    assert latch.standing_of(("192.0.2.18", 1)) is Standing.NETWORK
    assert latch.standing_of(("192.0.2.15", 1)) is Standing.NETWORK
    assert latch.standing_of(("192.0.2.14", 1)) is Standing.STRANGER


def test_a_name_that_becomes_an_address(latch: Latch) -> None:
    """What was learnt meanwhile stays, and is final only where it is that address."""
    latch.hears(PUBLIC, 0.0, never)
    latch.refine(SAID_HOST)
    assert not latch.final
    latch.refine(PUBLIC)
    assert latch.final


def test_addresses_in_other_writings() -> None:
    """The kernel's is what they are compared in; a name is none."""
    assert canonical("2001:DB8:0::1") == "2001:db8::1"
    assert canonical("::ffff:192.0.2.1") == "192.0.2.1"
    assert canonical("[2001:db8::1]") == "2001:db8::1"
    assert canonical("media.example.com") == canonical("") == ""
