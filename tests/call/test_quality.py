"""How a call sounds: told to the agent, kept in the record, and alarming where one side hears nothing."""

import asyncio
import socket
from typing import Any

import pytest

import gateway.call.legs.media_watch
from gateway.media.rtcp import ReceiverReport, ReportBlock
from tests.call.conftest import Build
from tests.call.phone import Phone, until
from tests.call.runtime import Runtime
from tests.call.test_audio import connected
from tests.call.world import NUMBER, World
from tests.interop.sound import speech_like, ulaw
from tests.media.test_extended_report import METRICS, report

# Figures, and when they alarm.
pytestmark = pytest.mark.one_loop


class Reports:
    """Speaks RTCP as the phone would: from its address, to the port above our RTP."""

    def __init__(self, phone: Phone) -> None:
        assert phone.sound.remote is not None
        host, port = phone.sound.remote
        self._to = host, port + 1
        self._phone = phone
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, 0))

    @property
    def ours(self) -> int:
        """The SSRC of what the gateway sends."""
        return self._phone.sound.packets[-1].packet.ssrc

    def say(self, fraction_lost: int = 0, more: bytes = b"") -> None:
        """One receiver report, and whatever else."""
        block = ReportBlock(self.ours, fraction_lost, 3, 1000, 24)
        self.send(bytes(ReceiverReport(self._phone.sound.ssrc, (block,))) + more)

    def send(self, data: bytes) -> None:
        """Anything."""
        self._socket.sendto(data, self._to)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


@pytest.fixture
def every_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """A point of quality every second instead of every five."""
    monkeypatch.setattr(gateway.call.legs.media_watch, "STEP_SECONDS", 1)


@pytest.mark.usefixtures("every_second")
async def test_the_agent_and_the_record_are_told(world: World, agent: Runtime, phone: Phone) -> None:
    """What came and what the peer reports of what it got, garbage among its reports notwithstanding."""
    leg, talk = await connected(world, agent, phone, dialect="native")
    await until(lambda: phone.sound.packets)
    reports = Reports(phone)
    reports.send(b"\x80\xc9\xff\xff garbage")
    reports.say(
        fraction_lost=13, more=report(METRICS.replace(b"\0\0\0\x07", reports.ours.to_bytes(4, "big"), 1))
    )
    told = await talk.message("quality", 2)
    assert told["in"]["mos"] > 4.0
    assert told["out"]["loss_percent"] == pytest.approx(5.08)
    assert told["out"]["jitter_ms"] == 3.0
    leg.bye()
    row = await world.ended("completed", "user_disconnected", "caller")
    media: Any = row.media
    assert media["in"]["loss_percent"] == 0.0
    assert media["in"]["mos"] > 4.0
    assert media["out"]["lost"] == 3
    assert media["out"]["peer"]["mos"] == 4.1
    assert media["quality"]["columns"][0] == "loss_in"
    assert len(media["quality"]["points"]) >= 2
    ended = world.told("call.ended")[0].fields
    assert ended["mos_in"] == media["in"]["mos"]
    assert not world.told("call.one_way")
    reports.close()


async def test_a_network_that_loses_packets(world: World, agent: Runtime, phone: Phone) -> None:
    """One in eleven is lost: as much audio is made up, and the record says so; it still is no bad call."""
    leg, _ = await connected(world, agent, phone, dialect="native")
    phone.sound.hush()
    lost = range(5, 200, 11)
    await phone.sound.speak(ulaw(speech_like(4.0, seed=3)), lost=lost)
    phone.sound.murmur()
    await asyncio.sleep(0.3)
    leg.bye()
    row = await world.ended("completed", "user_disconnected", "caller")
    media: Any = row.media
    figures = media["in"]
    assert figures["lost"] == len(lost)
    assert figures["concealed_ms"] >= 20 * len(lost) - 60
    assert 4 < figures["loss_percent"] < 9.1
    assert 3.0 < figures["mos"] < 4.1


@pytest.mark.usefixtures("every_second")
async def test_a_dialect_without_a_word_for_it_says_nothing(
    world: World, agent: Runtime, phone: Phone
) -> None:
    """Twilio's messages stay Twilio's."""
    leg, talk = await connected(world, agent, phone)
    await asyncio.sleep(1.3)
    assert set(talk.kinds) == {"connected", "start"}
    leg.bye()
    await world.ended("completed", "user_disconnected", "caller")


async def test_a_phone_that_is_not_heard(build: Build, agent: Runtime, phone: Phone) -> None:
    """One warning, with where packets should come from."""
    world = await build(MEDIA__ONE_WAY_SECONDS="1")
    await world.line()
    leg = phone.invite(world.at(), NUMBER)
    await leg.answered()
    told = await world.hears("call.one_way")
    assert (told.level, told.fields["missing"]) == ("warning", "in")
    assert told.fields["theirs"] == told.fields["sending_to"] == f"127.0.0.1:{phone.sound.port}"
    assert told.fields["packets_in"] == 0
    sent: Any = told.fields["packets_out"]
    assert sent > 10
    await asyncio.sleep(1.2)
    assert len(world.told("call.one_way")) == 1
    leg.bye()
    await world.ended("completed", "user_disconnected", "caller")


async def test_a_phone_that_hears_nothing(build: Build, agent: Runtime, phone: Phone) -> None:
    """It says so by RTCP, over and over."""
    world = await build(MEDIA__ONE_WAY_SECONDS="1")
    leg, _ = await connected(world, agent, phone)
    await until(lambda: phone.sound.packets)
    reports = Reports(phone)
    reports.say(fraction_lost=255)
    told = await world.hears("call.one_way")
    assert told.fields["missing"] == "out"
    leg.bye()
    await world.ended("completed", "user_disconnected", "caller")
    reports.close()


async def test_a_phone_whose_port_is_closed(build: Build, agent: Runtime, phone: Phone) -> None:
    """The kernel tells of ICMP errors: what we send goes nowhere, and what comes is from somewhere else."""
    world = await build(MEDIA__ONE_WAY_SECONDS="1")
    leg, _ = await connected(world, agent, phone)
    phone.sound.close()
    told = await world.hears("call.one_way")
    assert told.fields["missing"] in ("in", "out")
    leg.bye()
    await world.ended("completed", "user_disconnected", "caller")


async def test_a_phone_that_is_silent_on_purpose(build: Build, agent: Runtime, phone: Phone) -> None:
    """Comfort noise, then nothing: no alarm, and not the end of the call that lost media would be."""
    world = await build(MEDIA__ONE_WAY_SECONDS="1", MEDIA__NO_MEDIA_SECONDS="1")
    leg, talk = await connected(world, agent, phone)
    phone.sound.hush()
    await asyncio.sleep(0.05)
    phone.sound.send(b"\x2d", 13)
    before = len(talk.audio)
    await asyncio.sleep(2.6)
    heard = bytes(talk.audio[before + 800 :])
    assert len(heard) > 12_000, "the agent hears the pause, as noise"
    assert len(set(heard)) > 4
    assert not world.told("call.one_way")
    leg.bye()
    row = await world.ended("completed", "user_disconnected", "caller")
    media: Any = row.media
    assert (media["in"]["lost"], media["in"]["loss_percent"], media["in"]["concealed_ms"]) == (0, 0.0, 0)
