"""Whose word counts for where somebody comes from."""

import json

import pytest

from gateway.web.pages.login import _network
from tests.call.conftest import Build
from tests.call.world import World
from tests.web.visitor import Visitor

FREE = 5


async def waits(world: World, forwarded: list[str]) -> bool:
    """Whether so many wrong passwords, each said to come from the next address, end in a wait."""
    visitor = Visitor(world.gateway.http.port)
    status = 0
    try:
        for address in forwarded:
            page = await visitor.get("/login")
            token = page.text.partition('name="csrf" value="')[2].partition('"')[0]
            form = {"csrf": token, "how": "account", "name": "anna@example.com", "password": "wrong password"}
            answer = await visitor.http.post(
                "/login", data=form, headers={"origin": visitor.origin, "x-forwarded-for": address}
            )
            status = answer.status_code
            assert status in (401, 429), answer.text
    finally:
        await visitor.http.aclose()
    return status == 429


async def test_nobody_is_believed(world: World) -> None:
    """Without a proxy named, whoever says to come from elsewhere each time is slowed down all the same."""
    assert await waits(world, [f"203.0.113.{number}" for number in range(FREE + 2)])


async def test_a_proxy_is_believed(build: Build) -> None:
    """With one, each of its clients is counted apart; what a client wrote before it counts for nothing."""
    world = await build(HTTP__PROXIES=json.dumps(["127.0.0.0/8"]))
    assert not await waits(world, [f"203.0.113.{number}" for number in range(FREE + 2)])
    assert await waits(world, [f"198.51.100.{number}, 203.0.113.99" for number in range(FREE + 2)])


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::"),
        ("", ""),
        ("unknown", "unknown"),
    ],
)
def test_what_is_counted(host: str, counted: str) -> None:
    """An address, of IPv6 its /64, which one subscriber has whole."""
    assert _network(host) == counted
