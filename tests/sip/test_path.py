"""Where a dialog's requests go, and what a peer may not make of that."""

import pytest

from gateway.sip.path import target_of
from gateway.sip.target import Target
from gateway.sip.uri import parse_uri

PUBLIC = "8.8.8.8"
CARRIER = Target("UDP", PUBLIC, 5060, "udp-1", heard=True)
DIALLED = Target("UDP", "carrier.example", None, "udp-1")


def reaches(host: str) -> bool:
    """The public network, as far as these tests know it."""
    return host in (PUBLIC, "1.1.1.1")


@pytest.mark.parametrize("peer", [CARRIER, DIALLED], ids=["heard", "dialled"])
@pytest.mark.parametrize(
    "named",
    [
        "sip:x@10.0.0.1",
        "sip:x@127.0.0.1:8080;transport=tcp",
        "sip:x@169.254.169.254",
        "sip:x@8.8.8.8;maddr=10.0.0.1",
        "sip:x@[::1]",
        "sip:x@[::ffff:10.0.0.1]",
        "sips:x@192.168.0.1",
    ],
)
def test_out_of_reach(peer: Target, named: str) -> None:
    """An address that may not be reached is taken for one behind a NAT: the way goes back to the peer."""
    assert target_of(parse_uri(named), peer, reaches) is peer


def test_within_reach() -> None:
    """Another public address is followed, and nobody has been heard from there; the peer's own has been."""
    other = target_of(parse_uri("sip:x@1.1.1.1:5070"), CARRIER, reaches)
    assert (other.host, other.port, other.heard) == ("1.1.1.1", 5070, False)
    same = target_of(parse_uri("sip:x@8.8.8.8:5070"), CARRIER, reaches)
    assert (same.host, same.port, same.heard) == (PUBLIC, 5070, True)


def test_a_private_peer() -> None:
    """A peer that called from a private address, as its trunk says it may, is found there again."""
    peer = Target("UDP", "10.0.0.5", 5060, "udp-1", heard=True)
    found = target_of(parse_uri("sip:x@10.0.0.5:5080"), peer, reaches)
    assert (found.host, found.port, found.heard) == ("10.0.0.5", 5080, True)
    assert target_of(parse_uri("sip:x@10.0.0.6"), peer, reaches) is peer
