"""A gateway process killed in mid-call: what is on the disk, and what the next start makes of it."""

import asyncio
import signal
import wave
from pathlib import Path

import numpy as np
import pytest

from gateway.sip.target import Target
from tests.call.phone import Phone, until
from tests.call.process import serve
from tests.call.runtime import Runtime
from tests.call.world import NUMBER, World
from tests.interop.sipp import free_port
from tests.interop.sound import compare_pieces, speech_like, ulaw

# The gateway is a process of its own, with the loop that it has.
pytestmark = pytest.mark.one_loop

SEED = """
[[workspaces]]
name = "Acme"

[[trunks]]
name = "Carrier"
sources = ["127.0.0.1"]

[[agents]]
name = "Reception"

[[agents.versions]]
state = "published"
runtime_url = "{url}"
dialect = "native"
recording = "inbound"

[[numbers]]
e164 = "{number}"
inbound = "Reception"
"""


async def test_a_killed_gateway_leaves_a_recording_that_can_be_played(
    agent: Runtime, phone: Phone, tmp_path: Path
) -> None:
    """All but the last second or two; the next start finishes it and says so in the call's record."""
    port = free_port()
    seed = SEED.format(url=agent.url(), number=NUMBER)
    process = await asyncio.to_thread(serve, tmp_path, seed, port, RECORDINGS__MIN_FREE_MB=0)
    log = tmp_path / "gateway.log"
    try:
        await until(lambda: b"gateway.started" in log.read_bytes(), 60)
        leg = phone.invite(Target("UDP", "127.0.0.1", port), NUMBER)
        await leg.answered()
        speech = speech_like(4.0)
        await phone.sound.speak(ulaw(speech))
        unfinished = tmp_path / "data" / "recordings" / "unfinished"
        await until(lambda: [one for one in unfinished.iterdir() if one.stat().st_size > 64_000])
    finally:
        process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(process.wait)
    folder = tmp_path / "data" / "recordings"
    (left,) = (folder / "unfinished").iterdir()
    with wave.open(str(left)) as file:
        assert file.getnframes() >= 8000, "it can be played as it is"
    started = World(tmp_path / "data", agent, {"RECORDINGS__MIN_FREE_MB": 0})
    await started.gateway.start()
    try:
        (told,) = started.told("recording.recovered")
        assert told.call_id is not None
        row = await started.gateway.store.get_call(told.call_id)
        assert row is not None
        assert row.recording is not None
        assert (row.end_reason, row.recording_status) == ("gateway_restarted", "recovered")
        store, key = started.gateway.keeping.recordings, str(row.recording["key"])
        wav = b"".join(store.read(key, 0, store.size(key)))
    finally:
        await started.gateway.close()
    assert not list((folder / "unfinished").iterdir())
    seconds = row.recording["seconds"]
    assert isinstance(seconds, float)
    assert seconds >= 2.0
    caller = np.frombuffer(wav[44:], "<i2")[0::2] / 32_768
    # On a busy machine the test's phone stumbles, and a piece or two with it.
    assert max(piece.likeness for piece in compare_pieces(speech, caller)) > 0.9
