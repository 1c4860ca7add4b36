"""Recorded calls over real sockets: what is in the file, who may do what, and what the record says."""

import asyncio
import hashlib
from array import array
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.media.audio import ALAW_8K, L16_8K, ULAW_8K, converter, wav_bytes
from gateway.recordings.protocol import key_of
from gateway.routing.table import RecordingMode
from gateway.store.records.calls import CallRow
from tests.call.conftest import Build
from tests.call.phone import Leg, Phone, babble, sdp, until
from tests.call.runtime import Runtime, Talk
from tests.call.test_audio import connected
from tests.call.world import World
from tests.interop.sound import came_back, compare, speech_like, ulaw

# What is in the files comes from the clock and a thread; the loop carries it in the tests of audio.
pytestmark = pytest.mark.one_loop

BOTH = RecordingMode.BOTH
ASKED = RecordingMode.ON_DEMAND
ALIKE, UNLIKE = 0.75, 0.3
"Likeness of the same speech, a frame or two of which a busy machine may have repaired; and of any other."

Samples = np.ndarray[Any, np.dtype[np.float64]]


@pytest.fixture
async def world(build: Build) -> World:
    """A gateway that records however little room this machine's disk has."""
    return await build(RECORDINGS__MIN_FREE_MB=0)


async def recorded(world: World) -> tuple[CallRow, bytes]:
    """The only call's record when its recording is finished, and the file."""
    await until(lambda: world.told("recording.saved") or world.told("recording.failed"))
    row = await world.record()
    assert row.recording is not None
    key = str(row.recording["key"])
    assert key == key_of(row.id, row.created_at)
    store = world.gateway.keeping.recordings
    return row, b"".join(store.read(key, 0, store.size(key)))


def channels(wav: bytes) -> tuple[Samples, Samples]:
    """Left and right, within ±1."""
    both = np.frombuffer(wav[44:], "<i2") / 32_768
    return both[0::2], both[1::2]


async def hang_up(world: World, leg: Leg) -> None:
    """The caller's BYE, and the call's end."""
    leg.bye()
    await world.hears("call.ended")


def is_in(said: Samples, heard: Samples) -> bool:
    """Whether half of it, piece by piece, can be found where it begins.

    The test's phone is late now and then on a busy machine, and the receiver makes up for it: not all pieces
    are whole then. Nothing of another voice is like one of them.
    """
    begins = max(0, round(compare(said, heard).delay_ms * 8) - 2000)
    return came_back(said, heard[begins:], share=0.5)


@pytest.mark.parametrize("at_rest", ["plain", "sealed"])
async def test_both_sides_are_in_the_file_each_on_its_channel(
    build: Build, agent: Runtime, phone: Phone, at_rest: str
) -> None:
    """Caller left, agent right; both as they were said, and the record and the event tell the same of it."""
    world = await build(RECORDINGS__AT_REST=at_rest, RECORDINGS__MIN_FREE_MB=0)
    caller, speaker = speech_like(3.0, seed=1), speech_like(3.0, seed=2)
    _, talk = await connected(world, agent, phone, dialect="native", recording=BOTH)
    phone.sound.hush()
    await talk.say(ulaw(speaker))
    await phone.sound.speak(ulaw(caller))
    await until(lambda: phone.sound.voice().endswith(ulaw(speaker)[-400:]), 15)
    await talk.close()
    row, wav = await recorded(world)
    left, right = channels(wav)
    assert is_in(caller, left)
    assert compare(speaker, right).likeness > ALIKE
    assert compare(caller, right).likeness < UNLIKE
    assert compare(speaker, left).likeness < UNLIKE
    assert not is_in(caller, right)
    saved = world.told("recording.saved")[0].fields
    facts = row.recording
    assert facts is not None
    assert row.recording_status == "saved"
    assert facts["sha256"] == saved["sha256"] == hashlib.sha256(wav).hexdigest()
    assert facts["bytes"] == saved["bytes"] == len(wav)
    assert saved["workspace_id"] == world.workspace.id
    assert (facts["channels"], facts["sample_rate"], facts["by"], facts["gap_ms"]) == (2, 8000, "rule", 0)
    assert abs(len(left) / 8 - row.duration_ms) < 400, "as long as the call"


@pytest.mark.parametrize("mode", [RecordingMode.OUTBOUND, RecordingMode.INBOUND])
async def test_outbound_calls_have_the_callee_on_the_left(
    world: World, agent: Runtime, phone: Phone, mode: RecordingMode
) -> None:
    """The far end is left and the agent right, whoever called; `inbound` says nothing of these calls."""
    await world.way_out(phone.uri(), dialect="native", recording=mode)
    await world.place()
    leg = await phone.called()
    leg.ring()
    leg.accept()
    talk = await agent.talk()
    await talk.message("start")
    callee, speaker = speech_like(1.5, seed=12), speech_like(1.5, seed=13)
    await talk.say(ulaw(speaker))
    await phone.sound.speak(ulaw(callee))
    await until(lambda: phone.sound.voice().endswith(ulaw(speaker)[-400:]), 15)
    await hang_up(world, leg)
    if mode is RecordingMode.INBOUND:
        row = await world.record()
        assert row.recording_status is None
        return
    row, wav = await recorded(world)
    left, right = channels(wav)
    assert is_in(callee, left)
    assert compare(speaker, right).likeness > ALIKE
    checks: Any = (row.decision or {})["checks"]
    assert ("recording", "outbound") in [(one["name"], one["looked_at"]) for one in checks]


async def test_nothing_is_recorded_where_nobody_asks_for_it(
    world: World, agent: Runtime, phone: Phone
) -> None:
    """No file, no status, and the agent's wish is refused with the reason."""
    leg, talk = await connected(world, agent, phone, dialect="native")
    await talk.tell(type="recording.start")
    said = await talk.message("recording")
    assert said == {"type": "recording", "state": "idle", "why": "this call is not to be recorded"}
    await hang_up(world, leg)
    row = await world.record()
    assert (row.recording_status, row.recording) == (None, None)
    assert not world.told("recording.started")
    assert not world.config.recordings_folder.exists()


async def test_a_card_number_is_in_neither_channel(world: World, agent: Runtime, phone: Phone) -> None:
    """The agent pauses; what both say meanwhile is silence, and the record says from when to when."""
    leg, talk = await connected(world, agent, phone, dialect="native", recording=BOTH)
    phone.sound.hush()
    before, card, after = (speech_like(1.0, seed=seed) for seed in (3, 4, 5))
    await phone.sound.speak(ulaw(before))
    await talk.tell(type="recording.pause")
    await until(lambda: [one["state"] for one in talk.all("recording")][-1:] == ["paused"])
    await talk.say(ulaw(card))
    phone.sound.press(7)
    await phone.sound.speak(ulaw(card))
    await talk.message("digit")
    await asyncio.sleep(0.4)
    await talk.tell(type="recording.resume")
    await until(lambda: [one["state"] for one in talk.all("recording")][-1:] == ["recording"])
    await phone.sound.speak(ulaw(after))
    await asyncio.sleep(0.3)
    await hang_up(world, leg)
    row, wav = await recorded(world)
    left, right = channels(wav)
    assert compare(before, left).likeness > ALIKE
    assert compare(after, left).likeness > ALIKE
    assert compare(card, left).likeness < UNLIKE
    assert compare(card, right).likeness < UNLIKE
    assert row.recording is not None
    pauses: Any = row.recording["pauses"]
    start, end = 8 * pauses[0]["from_ms"], 8 * pauses[0]["to_ms"]
    assert len(pauses) == 1
    assert end - start > 8000
    assert not left[start + 160 : end - 160].any()
    assert not right[start + 160 : end - 160].any()


async def test_on_demand(world: World, agent: Runtime, phone: Phone) -> None:
    """Nothing before the agent asks; `start` twice is one recording; after `stop` it is over."""
    leg, talk = await connected(world, agent, phone, dialect="native", recording=ASKED)
    phone.sound.hush()
    early, late = speech_like(1.0, seed=6), speech_like(1.0, seed=7)
    await phone.sound.speak(ulaw(early))
    await talk.tell(type="recording.pause")
    refused = await talk.message("recording")
    assert refused["why"] == "cannot pause a recording that is idle"
    await talk.tell(type="recording.start")
    await talk.tell(type="recording.start")
    await talk.message("recording", 2)
    await phone.sound.speak(ulaw(late))
    await asyncio.sleep(0.2)
    await talk.tell(type="recording.stop")
    await world.hears("recording.saved")
    await talk.tell(type="recording.start")
    await until(lambda: "why" in talk.all("recording")[-1])
    assert talk.all("recording")[-1]["why"] == "cannot start a recording that is stopped"
    await hang_up(world, leg)
    row, wav = await recorded(world)
    left, _ = channels(wav)
    assert compare(late, left).likeness > ALIKE
    assert compare(early, left).likeness < UNLIKE
    assert len(world.told("recording.started")) == 1
    assert row.recording is not None
    assert row.recording["by"] == "agent"


async def test_the_announcement_is_heard_first_and_not_recorded(
    world: World, agent: Runtime, phone: Phone, tmp_path: Path
) -> None:
    """Whole, before the agent's first word, which waits for it; the recording begins behind it."""
    notice, greeting = speech_like(1.0, seed=8), speech_like(1.0, seed=9)
    file = tmp_path / "notice.wav"
    file.write_bytes(wav_bytes(L16_8K, (notice * 32_000).astype("<i2").tobytes()))

    async def greet(talk: Talk) -> None:
        await talk.say(ulaw(greeting))
        await talk.clear()
        await talk.say(ulaw(greeting))

    agent.on_connect = greet
    leg, _ = await connected(
        world, agent, phone, dialect="native", recording=BOTH, recording_announcement=str(file)
    )
    await until(lambda: phone.sound.voice().endswith(ulaw(greeting)[-400:]), 10)
    await hang_up(world, leg)
    decode = converter(ULAW_8K, L16_8K)
    assert decode is not None
    heard = np.frombuffer(decode(phone.sound.heard()), "<i2") / 32_768
    first, second = compare(notice, heard), compare(greeting, heard)
    assert min(first.likeness, second.likeness) > 0.95
    assert second.delay_ms >= first.delay_ms + 1000
    _, wav = await recorded(world)
    _, right = channels(wav)
    assert compare(greeting, right).likeness > ALIKE
    assert compare(notice, right).likeness < UNLIKE


async def test_who_cannot_announce_does_not_record(world: World, agent: Runtime, phone: Phone) -> None:
    """The file of the announcement is gone: the call goes on, unrecorded, and the reason is told."""
    leg, talk = await connected(
        world, agent, phone, dialect="native", recording=BOTH, recording_announcement="/nowhere/notice.wav"
    )
    await talk.say(babble(100))
    await until(lambda: babble(100) in phone.sound.heard())
    await hang_up(world, leg)
    row = await world.record()
    assert row.recording_status == "failed"
    assert "notice.wav cannot be played" in str(row.recording)
    assert not world.told("recording.started")


async def test_hold_and_another_codec_move_nothing(world: World, agent: Runtime, phone: Phone) -> None:
    """A held second is silence on both sides; speech behind it, in A-law by now, is where it was said."""
    leg, talk = await connected(world, agent, phone, dialect="native", recording=BOTH)
    phone.sound.hush()
    first, second = speech_like(1.0, seed=10), speech_like(1.0, seed=11)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await phone.sound.speak(ulaw(first))
    await leg.reinvite(sdp(phone.sound.port, direction="sendonly"))
    await talk.message("hold")
    await asyncio.sleep(1.0)
    await leg.reinvite(sdp(phone.sound.port, payload_types="8 101"))
    await talk.message("resume")
    again = loop.time()
    recode = converter(ULAW_8K, ALAW_8K)
    assert recode is not None
    await phone.sound.speak(recode(ulaw(second)), 8)
    await asyncio.sleep(0.3)
    await hang_up(world, leg)
    _, wav = await recorded(world)
    left, _ = channels(wav)
    one, two = compare(first, left), compare(second, left)
    assert min(one.likeness, two.likeness) > 0.8
    assert abs((two.delay_ms - one.delay_ms) / 1000 - (again - began)) < 0.25


async def test_a_call_is_over_before_anything_was_recorded(
    world: World, agent: Runtime, phone: Phone
) -> None:
    """On demand, started and hung up in one breath: whatever came of it, the call's record says so."""
    leg, talk = await connected(world, agent, phone, dialect="native", recording=ASKED)
    await talk.tell(type="recording.start")
    leg.bye()
    await world.hears("call.ended")
    row = await world.record()
    assert row.recording_status in (None, "recording", "saved", "failed")
    await asyncio.sleep(0.2)


async def test_a_recording_that_fails_costs_no_call(world: World, agent: Runtime, phone: Phone) -> None:
    """The folder cannot be written: told to the log and to the agent, and both still hear each other."""
    world.config.recordings_folder.write_text("a file where a folder should be")
    leg, talk = await connected(world, agent, phone, dialect="native", recording=BOTH)
    failed = await world.hears("recording.failed")
    assert failed.level == "error"
    await until(lambda: talk.all("recording")[-1]["state"] == "failed")
    await talk.say(babble(200))
    await until(lambda: babble(200) in phone.sound.heard())
    await hang_up(world, leg)
    row = await world.ended("completed", "user_disconnected", "caller")
    assert row.recording_status == "failed"
    assert row.recording is not None
    assert row.recording["key"] is None


def test_sixteen_bits_of_silence_are_zeros() -> None:
    """What the tests above take for silence is silence."""
    decode = converter(ULAW_8K, L16_8K)
    assert decode is not None
    assert not any(array("h", decode(ULAW_8K.silence(20))))
