"""Whose audio a call hears, whole: early keys, attackers, NAT, ports that move, names in SDPs."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.call.conftest import Build
from tests.call.phone import Leg, Phone, Sound, babble, sdp, share_heard, until
from tests.call.runtime import Runtime, Talk
from tests.call.world import NUMBER, World

# Which source is heard is no matter of the loop's.
pytestmark = pytest.mark.one_loop

ELSEWHERE = "127.0.0.2"
"A host that neither the SDP nor the signalling names."


@pytest.fixture
async def attacker() -> AsyncIterator[Sound]:
    """Somebody at another address."""
    made = Sound(ELSEWHERE)
    yield made
    made.close()


@pytest.fixture
async def other() -> AsyncIterator[Sound]:
    """Another port of the phone's host."""
    made = Sound()
    yield made
    made.close()


async def answered(
    world: World, agent: Runtime, phone: Phone, body: bytes | None = None, **version: Any
) -> tuple[Leg, Talk]:
    """An answered call with a native agent; no audio yet."""
    await world.line(dialect="native", **version)
    leg = phone.invite(world.at(), NUMBER, body)
    await leg.answered()
    talk = await agent.talk()
    await talk.message("start")
    return leg, talk


def offer(phone: Phone, *, events: int = 101, host: str = "127.0.0.1") -> bytes:
    """The phone's offer, with another number for events, and another host for its audio."""
    body = sdp(phone.sound.port, payload_types=f"0 {events}").decode()
    body = body.replace("rtpmap:101 ", f"rtpmap:{events} ")
    return body.replace("c=IN IP4 127.0.0.1", f"c=IN IP4 {host}").encode()


async def is_heard(sound: Sound, talk: Talk, seed: int) -> bool:
    """Whether the agent hears what is said there."""
    said = babble(300, seed=seed)
    await sound.speak(said)
    await asyncio.sleep(0.1)
    return share_heard(said, bytes(talk.audio)) > 0.5


async def hang_up(leg: Leg, world: World) -> Any:
    """The call ends well."""
    leg.bye()
    return await world.ended("completed", "user_disconnected", "caller")


@pytest.mark.parametrize("events", [101, 96, 127, 73])
async def test_a_key_is_the_first_that_comes(world: World, agent: Runtime, phone: Phone, events: int) -> None:
    """Of a phone that is muted, whatever number its events have; its audio is heard when it comes."""
    leg, talk = await answered(world, agent, phone, offer(phone, events=events))
    phone.sound.press(5, payload_type=events)
    assert (await talk.message("digit"))["digit"] == "5"
    await asyncio.sleep(0.3)
    phone.sound.press(1, payload_type=events)
    await talk.until(lambda: len(talk.all("digit")) == 2)
    phone.sound.timestamp += 4000
    assert await is_heard(phone.sound, talk, 3)
    row = await hang_up(leg, world)
    assert row.media["in"]["foreign"] == 0


async def test_a_key_before_the_ack(world: World, agent: Runtime, phone: Phone) -> None:
    """The 200 is there, its ACK is not: the agent is told of the key all the same."""
    await world.line(dialect="native")
    leg = phone.invite(world.at(), NUMBER)
    await leg.answered(ack=False)
    talk = await agent.talk()
    await talk.message("start")
    phone.sound.press(7)
    assert (await talk.message("digit"))["digit"] == "7"
    leg.ack()
    await hang_up(leg, world)


async def test_comfort_noise_is_the_first_that_comes(world: World, agent: Runtime, phone: Phone) -> None:
    """Of a phone that sends nothing while nobody speaks: its port is known from it, and keys are heard."""
    body = offer(phone, host="10.1.2.3").replace(b"RTP/AVP 0 101", b"RTP/AVP 0 13 101")
    leg, talk = await answered(world, agent, phone, body)
    phone.sound.send(b"\x2d", 13)
    await until(lambda: phone.sound.packets)
    phone.sound.press(9)
    assert (await talk.message("digit"))["digit"] == "9"
    await hang_up(leg, world)


async def test_a_callee_presses_before_it_speaks(world: World, agent: Runtime, phone: Phone) -> None:
    """ "Press 1 to be connected", the other way round."""
    await world.way_out(phone.uri(), dialect="native")
    await world.place()
    leg = await phone.called()
    leg.accept()
    talk = await agent.talk()
    await talk.message("start")
    phone.sound.press(1)
    assert (await talk.message("digit"))["digit"] == "1"
    leg.bye()
    await world.ended("completed", "user_disconnected", "callee")


@pytest.mark.parametrize("host", ["127.0.0.1", "10.1.2.3"])
async def test_an_attacker_who_is_first(
    world: World, agent: Runtime, phone: Phone, attacker: Sound, host: str
) -> None:
    """Before, beside and after the caller: neither heard nor sent to, also where the caller is behind NAT."""
    leg, talk = await answered(world, agent, phone, offer(phone, host=host))
    attacker.remote = phone.sound.remote
    assert not await is_heard(attacker, talk, 4)
    attacker.press(3)
    attacker.murmur()
    assert await is_heard(phone.sound, talk, 5)
    words = babble(300, seed=6)
    await talk.say(words)
    phone.sound.murmur()
    await until(lambda: share_heard(words, phone.sound.heard()) > 0.8)
    attacker.ssrc, attacker.sequence = phone.sound.ssrc, phone.sound.sequence
    phone.sound.hush()
    await asyncio.sleep(1.5)
    assert not attacker.packets
    assert not talk.all("digit")
    assert not await is_heard(attacker, talk, 7)
    await hang_up(leg, world)
    assert not world.told("call.media_moved")


async def test_the_sdp_address_takes_its_call_back(
    world: World, agent: Runtime, phone: Phone, other: Sound
) -> None:
    """From another port of its host that spoke first, and long enough to be locked to."""
    leg, talk = await answered(world, agent, phone)
    other.remote = phone.sound.remote
    for seed in range(4):
        assert await is_heard(other, talk, 10 + seed)
    other.murmur()
    phone.sound.murmur()
    await world.hears("call.media_moved")
    phone.sound.hush()
    assert await is_heard(phone.sound, talk, 20)
    assert not await is_heard(other, talk, 21)
    words = babble(300, seed=6)
    await talk.say(words)
    await until(lambda: share_heard(words, phone.sound.heard()) > 0.8)
    assert world.told("call.media_moved")[0].fields["standing"] == "address"
    await hang_up(leg, world)


async def test_a_stranger_alone(build: Build, agent: Runtime, phone: Phone, attacker: Sound) -> None:
    """Is named in the log, with what would let it in, and in the call's ending."""
    world = await build(MEDIA__NO_MEDIA_SECONDS="2")
    _, talk = await answered(world, agent, phone)
    attacker.remote = phone.sound.remote
    attacker.murmur()
    told = await world.hears("call.media_ignored")
    assert told.fields["source"] == f"{ELSEWHERE}:{attacker.port}"
    assert "media.networks" in str(told.fields["mend"])
    row = await world.ended("completed", "media_lost", "gateway")
    assert ELSEWHERE in str(row.detail)
    assert len(world.told("call.media_ignored")) == 1
    assert not talk.audio


@pytest.mark.parametrize("where", ["configuration", "trunk"])
async def test_a_network_that_is_told_of_is_believed(
    build: Build, agent: Runtime, phone: Phone, attacker: Sound, where: str
) -> None:
    """A carrier whose media servers are hosts of their own."""
    settings = {"MEDIA__NETWORKS": f'["{ELSEWHERE}/32"]'} if where == "configuration" else {}
    world = await build(**settings)
    if where == "trunk":
        await world.change_trunk(sources=("127.0.0.1", f"{ELSEWHERE}/32"))
    leg, talk = await answered(world, agent, phone, offer(phone, host="10.1.2.3"))
    attacker.remote = phone.sound.remote
    assert await is_heard(attacker, talk, 4)
    assert attacker.packets
    assert not world.told("call.media_ignored")
    await hang_up(leg, world)


@pytest.mark.parametrize("host", ["127.0.0.1", "10.1.2.3"])
async def test_a_port_that_moves(world: World, agent: Runtime, phone: Phone, host: str) -> None:
    """A NAT binds it anew: within a second the stream is heard again, answered there, and told of."""
    leg, talk = await answered(world, agent, phone, offer(phone, host=host))
    assert await is_heard(phone.sound, talk, 4)
    moved = Sound(goes_on_from=phone.sound)
    moved.murmur()
    began = phone.now()
    await world.hears("call.media_moved")
    assert phone.now() - began < 0.9
    moved.hush()
    assert await is_heard(moved, talk, 5)
    words = babble(300, seed=6)
    await talk.say(words)
    await until(lambda: share_heard(words, moved.heard()) > 0.8)
    moved.close()
    row = await hang_up(leg, world)
    assert row.media["remote"] == f"127.0.0.1:{moved.port}"


async def test_a_port_that_moves_with_another_stream(
    world: World, agent: Runtime, phone: Phone, other: Sound
) -> None:
    """A phone that begins anew elsewhere waits a little longer."""
    leg, talk = await answered(world, agent, phone)
    assert await is_heard(phone.sound, talk, 4)
    other.remote = phone.sound.remote
    other.murmur()
    began = phone.now()
    await world.hears("call.media_moved")
    assert 0.8 < phone.now() - began < 1.5
    other.hush()
    assert await is_heard(other, talk, 5)
    await hang_up(leg, world)


async def test_an_injector_beside_the_caller(
    world: World, agent: Runtime, phone: Phone, other: Sound
) -> None:
    """From the same host, with the same stream, while the caller lives: nobody."""
    leg, talk = await answered(world, agent, phone)
    assert await is_heard(phone.sound, talk, 4)
    phone.sound.murmur()
    injector = Sound(goes_on_from=phone.sound)
    try:
        for seed in range(6):
            assert not await is_heard(injector, talk, 10 + seed)
    finally:
        injector.close()
    assert not world.told("call.media_moved")
    await hang_up(leg, world)


async def test_who_took_over_from_a_silence_gives_way(
    world: World, agent: Runtime, phone: Phone, other: Sound
) -> None:
    """The old source was only silent: when it speaks again beside the new one, it is heard."""
    leg, talk = await answered(world, agent, phone)
    assert await is_heard(phone.sound, talk, 4)
    other.remote = phone.sound.remote
    other.murmur()
    await world.hears("call.media_moved")
    phone.sound.murmur()
    await world.hears("call.media_moved", 2)
    phone.sound.hush()
    assert await is_heard(phone.sound, talk, 5)
    await hang_up(leg, world)


async def test_a_port_that_moves_during_hold(world: World, agent: Runtime, phone: Phone) -> None:
    """Nothing comes on hold; after it the stream goes on from elsewhere, and is heard at once."""
    leg, talk = await answered(world, agent, phone, offer(phone, host="10.1.2.3"))
    assert await is_heard(phone.sound, talk, 4)
    body = offer(phone, host="10.1.2.3")
    await leg.reinvite(body.replace(b"sendrecv", b"inactive"))
    await asyncio.sleep(1.5)
    await leg.reinvite(body)
    moved = Sound(goes_on_from=phone.sound)
    moved.timestamp += 12_000
    heard = await is_heard(moved, talk, 5)
    moved.close()
    assert heard
    await hang_up(leg, world)


async def test_another_stream_of_the_same_source(world: World, agent: Runtime, phone: Phone) -> None:
    """A new SSRC without a word costs a tenth of a second of it."""
    leg, talk = await answered(world, agent, phone)
    assert await is_heard(phone.sound, talk, 4)
    phone.sound.ssrc ^= 1
    phone.sound.sequence, phone.sound.timestamp = 7, 99
    said = babble(600, seed=5)
    await phone.sound.speak(said)
    await asyncio.sleep(0.1)
    assert share_heard(said, bytes(talk.audio)) > 0.7
    await hang_up(leg, world)


@pytest.mark.parametrize("name", ["localhost", "media.nowhere.invalid"])
async def test_a_name_in_the_offer(world: World, agent: Runtime, phone: Phone, name: str) -> None:
    """The call waits for no look-up, and audio flows both ways, wherever the name leads."""
    began = phone.now()
    leg, talk = await answered(world, agent, phone, offer(phone, host=name))
    assert phone.now() - began < 1
    await until(lambda: phone.sound.packets)
    assert await is_heard(phone.sound, talk, 4)
    again = await leg.reinvite(offer(phone, host=name).replace(b"phone 1 1", b"phone 1 2"))
    assert again.status == 200
    assert await is_heard(phone.sound, talk, 5)
    row = await hang_up(leg, world)
    assert row.media["remote"] == f"127.0.0.1:{phone.sound.port}"


async def test_a_name_that_comes_later(world: World, agent: Runtime, phone: Phone) -> None:
    """In a re-INVITE."""
    leg, talk = await answered(world, agent, phone)
    assert await is_heard(phone.sound, talk, 4)
    again = await leg.reinvite(offer(phone, host="localhost").replace(b"phone 1 1", b"phone 1 2"))
    assert again.status == 200
    assert await is_heard(phone.sound, talk, 5)
    await hang_up(leg, world)


async def test_a_name_in_an_answer(world: World, agent: Runtime, phone: Phone) -> None:
    """Of a callee, to our offer."""
    await world.way_out(phone.uri(), dialect="native")
    await world.place()
    leg = await phone.called()
    leg.accept(offer(phone, host="localhost"))
    talk = await agent.talk()
    await talk.message("start")
    await until(lambda: phone.sound.packets)
    assert await is_heard(phone.sound, talk, 4)
    leg.bye()
    await world.ended("completed", "user_disconnected", "callee")
