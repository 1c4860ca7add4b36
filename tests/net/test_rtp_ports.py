"""Pairs of RTP ports: from a range, in no order, with a quarantine."""

import asyncio
import socket
from itertools import pairwise

import pytest

from gateway.net.rtp_ports import NoPortFree, PortRange, RtpPorts

LOOPBACK = "127.0.0.1"


def test_a_range_holds_even_ports_with_their_neighbours() -> None:
    """A range that begins odd starts one higher; the last port may be an RTCP port."""
    odd = PortRange(20_001, 20_006)
    assert [odd.pair(index) for index in range(odd.pairs)] == [20_002, 20_004]
    assert PortRange(20_000, 20_003).pairs == 2


async def test_a_taken_port_is_passed_over() -> None:
    """Where another program has a port of the pair (EADDRINUSE), the next pair is taken."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((LOOPBACK, 24_101))
        pool = RtpPorts(PortRange(24_100, 24_103), 0)
        opened = pool.open(LOOPBACK, 0.0)
        assert opened.port == 24_102
        with pytest.raises(NoPortFree):
            pool.open(LOOPBACK, 0.0)
        opened.close()


async def test_a_freed_pair_rests_before_it_is_used_again() -> None:
    """Within its quarantine a pair is not handed out; afterwards it is."""
    pool = RtpPorts(PortRange(24_200, 24_201), 5.0)
    opened = pool.open(LOOPBACK, 0.0)
    assert pool.in_use == 1
    opened.close()
    opened.close()
    assert pool.in_use == 0
    now = asyncio.get_running_loop().time()
    with pytest.raises(NoPortFree):
        pool.open(LOOPBACK, now + 4)
    pool.open(LOOPBACK, now + 6).close()


async def test_pairs_come_in_no_order() -> None:
    """Each pair once, until none is left, by the numbers drawn and not one after the other."""
    drawn: list[int] = []

    def below(bound: int) -> int:
        drawn.append(bound)
        return bound // 2

    pool = RtpPorts(PortRange(24_300, 24_315), 0.0, below)
    opened = [pool.open(LOOPBACK, 0.0) for _ in range(8)]
    ports = [one.port for one in opened]
    assert ports[:3] == [24_308, 24_306, 24_312]
    assert set(ports) == set(range(24_300, 24_316, 2))
    assert drawn == [8, 7, 6, 5, 4, 3, 2, 1]
    with pytest.raises(NoPortFree):
        pool.open(LOOPBACK, 0.0)
    assert pool.in_use == 8
    for one in opened:
        one.close()
    assert pool.in_use == 0
    again = pool.open(LOOPBACK, asyncio.get_running_loop().time())
    assert again.port in ports
    again.close()


async def test_the_last_pair_says_nothing_of_the_next() -> None:
    """By default no run of ports is a sequence."""
    pool = RtpPorts(PortRange(24_320, 24_519), 0.0)
    opened = [pool.open(LOOPBACK, 0.0) for _ in range(50)]
    steps = {second.port - first.port for first, second in pairwise(opened)}
    for one in opened:
        one.close()
    assert len(steps) > 20


async def test_a_pair_that_another_program_has_is_free_again_when_it_lets_go() -> None:
    """It is only passed over: it stays among those to be drawn."""
    pool = RtpPorts(PortRange(24_520, 24_521), 0.0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((LOOPBACK, 24_521))
        for _ in range(3):
            with pytest.raises(NoPortFree):
                pool.open(LOOPBACK, 0.0)
    assert pool.in_use == 0
    pool.open(LOOPBACK, 0.0).close()
