"""Names in SDPs, looked up beside the call."""

import asyncio

import pytest

from gateway.call.legs.media_name import MediaName

OURS = "198.51.100.9"


class Zone:
    """Answers when it is told to."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)
        self.asked: list[str] = []
        self.may_answer = asyncio.Event()

    async def resolve(self, name: str) -> list[str]:
        """The addresses, in time."""
        self.asked.append(name)
        await self.may_answer.wait()
        if not self.addresses:
            raise OSError(f"{name}: it has no address")
        return self.addresses


def watched(zone: Zone) -> tuple[MediaName, list[str], list[tuple[str, str]]]:
    """A name, a list for what is found, and what is not."""
    found: list[str] = []
    unknown: list[tuple[str, str]] = []
    name = MediaName(zone.resolve, OURS, lambda host, why: unknown.append((host, why)))
    return name, found, unknown


async def answer(zone: Zone) -> None:
    """Let the zone answer."""
    zone.may_answer.set()
    for _ in range(3):
        await asyncio.sleep(0)


async def test_an_address_comes_later() -> None:
    """Nothing is known at first; then the first address that may be sent to."""
    zone = Zone("0.0.0.0", "233.252.0.1", "2001:db8::1", "192.0.2.7", "192.0.2.8")
    name, found, unknown = watched(zone)
    assert name.address_of("media.example.com", found.append) == ""
    await answer(zone)
    assert (found, unknown) == (["192.0.2.7"], [])


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("0.0.0.0", "nobody's"),
        ("233.252.0.1", "not one host"),
        ("255.255.255.255", "not one host"),
        ("2001:db8::1", "IPv6"),
    ],
)
async def test_a_name_leads_nowhere_that_an_address_may_not(address: str, why: str) -> None:
    """What is refused as an address is refused behind a name."""
    zone = Zone(address)
    name, found, unknown = watched(zone)
    name.address_of("media.example.com", found.append)
    await answer(zone)
    assert not found
    ((host, reason),) = unknown
    assert host == "media.example.com"
    assert why in reason


async def test_a_name_that_is_none() -> None:
    """It is told, once."""
    zone = Zone()
    name, found, unknown = watched(zone)
    name.address_of("nowhere.example", found.append)
    await answer(zone)
    assert (found, unknown) == ([], [("nowhere.example", "nowhere.example: it has no address")])


async def test_another_order_is_no_other_address() -> None:
    """The same name again: what is known counts meanwhile, and stays while DNS has it among others."""
    zone = Zone("192.0.2.7", "192.0.2.8")
    name, found, _ = watched(zone)
    name.address_of("media.example.com", found.append)
    await answer(zone)
    zone.addresses.reverse()
    assert name.address_of("media.example.com", found.append) == "192.0.2.7"
    await answer(zone)
    zone.addresses = ["192.0.2.9"]
    name.address_of("media.example.com", found.append)
    await answer(zone)
    assert found == ["192.0.2.7", "192.0.2.9"]
    assert name.address_of("other.example.com", found.append) == ""


async def test_who_is_gone_waits_for_nothing() -> None:
    """The call is over, or has another SDP."""
    zone = Zone("192.0.2.7")
    name, found, unknown = watched(zone)
    name.address_of("media.example.com", found.append)
    await asyncio.sleep(0)
    name.forget()
    await answer(zone)
    assert (zone.asked, found, unknown) == (["media.example.com"], [], [])
