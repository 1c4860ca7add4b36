"""Hosts with their ports, as people write them."""

import pytest

from gateway.routing.host_port import HostPort
from gateway.routing.outbound import way_out
from gateway.routing.table import PhoneNumber, Trunk

GOOD = [
    ("sip.example.com", HostPort("sip.example.com")),
    ("sip.example.com:5080", HostPort("sip.example.com", 5080)),
    ("192.0.2.7:1", HostPort("192.0.2.7", 1)),
    ("[2001:db8::7]:5061", HostPort("2001:db8::7", 5061)),
    ("[2001:db8::7]", HostPort("2001:db8::7")),
    ("trunk_1", HostPort("trunk_1")),
]
BAD = [
    "",
    ":5060",
    "a b",
    "a:0",
    "a:65536",
    "a:x",
    "a@b",
    "a/b",
    "a?b",
    "[::1",
    "-a",
    "a\n",
    "x" * 256,
    "sip:a",
]


@pytest.mark.parametrize(("text", "parsed"), GOOD)
def test_there_and_back(text: str, parsed: HostPort) -> None:
    """What is read is written as it was."""
    assert HostPort.parse(text) == parsed
    assert str(parsed) == text


@pytest.mark.parametrize("text", BAD)
def test_no_host(text: str) -> None:
    """What is no host, or more than one, is refused."""
    with pytest.raises(ValueError):
        HostPort.parse(text)


def test_a_trunk_has_it_parsed() -> None:
    """Once, when the row is read; a row that is wrong stops nothing, and no call goes out by it."""
    trunk = Trunk("trunk_1", "org_1", "A", termination_uri="sip.example.com:5080")
    assert trunk.termination == HostPort("sip.example.com", 5080)
    assert Trunk("trunk_1", "org_1", "A").termination is None
    wrong = Trunk("trunk_1", "org_1", "A", termination_uri="a b")
    assert wrong.termination is None
    number = PhoneNumber("phn_1", "org_1", "+442079460018")
    assert way_out([wrong], number) == (None, "the termination URI of trunk “A” is no host or host:port")
    assert way_out([wrong, trunk], number) == (trunk, "")
