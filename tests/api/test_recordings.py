"""Recordings over HTTP: controlled while they run, fetched whole or in part, by key or by link, deleted."""

import asyncio
import hashlib
import io
import wave
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

from gateway.api.recording_link import RecordingLinks
from gateway.cli import app
from gateway.routing.table import RecordingMode
from gateway.store.records.calls import CallRow
from tests.api.conftest import NUMBER, Api, furnished, opened
from tests.call.conftest import Build
from tests.call.phone import Leg, Phone, until


@pytest.fixture
async def api(build: Build) -> AsyncIterator[Api]:
    """The API of a gateway that records every call to its number."""
    world = await furnished(build, RECORDINGS__MIN_FREE_MB=0)
    there = world.store.configuration
    await there.numbers.change("phn_test", {"recording": RecordingMode.BOTH}, "test")
    async for made in opened(world):
        yield made


@pytest.fixture
async def call(api: Api, phone: Phone) -> Leg:
    """An answered call that is being recorded."""
    leg = phone.invite(api.world.at(), NUMBER)
    await leg.answered()
    phone.sound.murmur()
    await until(lambda: api.world.told("recording.started"))
    return leg


async def path_of(api: Api) -> str:
    """The path of the recording of the only call."""
    calls = (await api.client.get("/v1/calls")).json()
    if not calls:
        return f"/v1/calls/{api.world.told('call.received')[0].call_id}/recording"
    return f"/v1/calls/{calls[0]['id']}/recording"


async def over(api: Api, call: Leg) -> str:
    """Hang up, and wait for the file; the recording's path."""
    path = await path_of(api)
    await asyncio.sleep(0.3)
    call.bye()
    await until(lambda: api.world.told("recording.saved"))
    return path


def test_links_run_out_and_cannot_be_made() -> None:
    """Only for its call, only with its signature, only in its time."""
    links = RecordingLinks(b"k" * 32, 7)
    now = datetime(2026, 11, 26, 12, 30, tzinfo=UTC)
    row = CallRow("call_1", "inbound", "completed", now, recording={"key": "2026/11/26/call_1.wav"})
    link = links.link("http://gw/", row, now)
    assert link is not None
    path, _, query = link.partition("?")
    assert path == "http://gw/recordings/call_1.wav"
    given = dict(pair.split("=") for pair in query.split("&"))
    expires, signature = given["expires"], given["signature"]
    assert links.opens("call_1", expires, signature, now + timedelta(days=6, hours=23))
    assert not links.opens("call_1", expires, signature, now + timedelta(days=7, hours=2))
    assert not links.opens("call_2", expires, signature, now)
    assert not links.opens("call_1", str(int(expires) + 1), signature, now)
    assert not links.opens("call_1", "soon", signature, now)
    assert not links.opens("call_1", expires, "é", now)
    assert not RecordingLinks(b"o" * 32, 7).opens("call_1", expires, signature, now)
    assert links.link("http://gw/", CallRow("call_1", "inbound", "completed", now), now) is None


async def test_a_recording_is_fetched_whole_and_in_parts(api: Api, call: Leg) -> None:
    """With length and digest as the record and the event say; players may seek."""
    path = await over(api, call)
    answer = await api.client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/wav")
    whole = answer.content
    with wave.open(io.BytesIO(whole)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (2, 8000, 2)
    facts = (await api.client.get(path.removesuffix("/recording"))).json()
    assert facts["recording_status"] == "saved"
    assert facts["recording"]["sha256"] == hashlib.sha256(whole).hexdigest()
    head = await api.client.head(path)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(whole)), b"")
    for wanted, start, end in (
        ("bytes=0-43", 0, 44),
        ("bytes=100-", 100, len(whole)),
        ("bytes=-10", len(whole) - 10, len(whole)),
        ("bytes=0-999999999", 0, len(whole)),
    ):
        part = await api.client.get(path, headers={"Range": wanted})
        assert (part.status_code, part.content) == (206, whole[start:end])
        assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{len(whole)}"
    beyond = await api.client.get(path, headers={"Range": f"bytes={len(whole)}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(whole)}")
    for strange in ("bytes=5-2,7-9", "lines=1-2", "bytes=-", "x" * 1000):
        assert (await api.client.get(path, headers={"Range": strange})).content == whole


async def test_the_link_works_without_a_key(api: Api, call: Leg) -> None:
    """For whoever has it, and as long as nobody touches it."""
    path = await over(api, call)
    url = (await api.client.get(path.removesuffix("/recording"))).json()["recording_url"]
    parts = urlsplit(url)
    link = f"{parts.path}?{parts.query}"
    nobody = api.with_key("")
    async with nobody:
        whole = (await nobody.get(link)).content
        assert whole == (await api.client.get(path)).content
        assert (await nobody.head(link)).headers["content-length"] == str(len(whole))
        assert (await nobody.get(link, headers={"Range": "bytes=0-3"})).content == b"RIFF"
        for wrong in (link[:-1], link + "0", parts.path, link.replace("call_", "call_0")):
            assert (await nobody.get(wrong)).status_code == 404
        assert (await nobody.get(path)).status_code == 401


async def test_a_recording_is_paused_by_the_api(api: Api, call: Leg) -> None:
    """Each action once, again without effect, and refused where it makes no sense."""
    path = await path_of(api)
    for action, status, state in (
        ("pause", 200, "paused"),
        ("pause", 200, "paused"),
        ("resume", 200, "recording"),
        ("stop", 200, "stopped"),
        ("start", 409, None),
    ):
        answer = await api.client.post(path, json={"action": action})
        assert (answer.status_code, answer.json().get("state")) == (status, state)
    assert (await api.client.post(path, json={"action": "rewind"})).status_code == 400
    assert api.world.told("recording.paused")[0].fields["by"] == f"api:{api.key.id}"
    call.bye()
    await api.world.record()
    assert (await api.client.post(path, json={"action": "pause"})).json()["message"] == "The call is over"


async def test_other_workspaces_hear_nothing(api: Api, call: Leg) -> None:
    """Not even that there is a recording."""
    path = await over(api, call)
    for answer in (
        await api.stranger.get(path),
        await api.stranger.head(path),
        await api.stranger.delete(path),
        await api.stranger.post(path, json={"action": "stop"}),
    ):
        assert answer.status_code == 404
    assert (await api.client.head(path)).status_code == 200


async def test_a_recording_is_deleted_and_the_record_says_so(api: Api, call: Leg) -> None:
    """Not while it is written; then for good, with the time and whose wish it was."""
    path = await path_of(api)
    assert (await api.client.delete(path)).status_code == 409
    await over(api, call)
    assert (await api.client.delete(path)).status_code == 204
    facts = (await api.client.get(path.removesuffix("/recording"))).json()
    assert (facts["recording_status"], facts["recording_url"]) == ("deleted", None)
    assert facts["recording"]["deleted_by"] == f"api:{api.key.id}"
    assert datetime.fromisoformat(facts["recording"]["deleted_at"]) <= datetime.now(UTC)
    assert [(await api.client.request(verb, path)).status_code for verb in ("GET", "HEAD", "DELETE")] == [
        404
    ] * 3
    assert not list(api.world.gateway.config.recordings_folder.rglob("*.wav"))


async def test_what_is_too_old_is_deleted(api: Api, call: Leg) -> None:
    """After 90 days unless the workspace says otherwise; then nothing is left but the record."""
    await over(api, call)
    keeping, there = api.world.gateway.keeping, api.world.store.configuration
    created = (await api.world.record()).created_at
    assert await keeping.sweep(created + timedelta(days=89)) == 0
    await there.workspaces.change("org_test", {"recording_keep_days": 30}, "test")
    assert await keeping.sweep(created + timedelta(days=29)) == 0
    assert await keeping.sweep(created + timedelta(days=31)) == 1
    assert await keeping.sweep(created + timedelta(days=31)) == 0
    row = await api.world.record()
    assert row.recording is not None
    assert (row.recording_status, row.recording["deleted_by"]) == ("deleted", "retention")
    assert not list(api.world.gateway.config.recordings_folder.rglob("*.wav"))


async def test_the_command_line_fetches_it_too(api: Api, call: Leg, tmp_path: Path) -> None:
    """Into a file that is not there yet."""
    path = await over(api, call)
    whole = (await api.client.get(path)).content
    call_id, out = path.split("/")[3], tmp_path / "out.wav"
    environ = {
        "TRUNKLINE_GATEWAY__DATA_DIR": str(api.world.gateway.config.gateway.data_dir),
        "TRUNKLINE_CONFIG": "",
    }
    await api.world.store.flush()

    def ask(*arguments: str) -> Any:
        return CliRunner().invoke(app, ["calls", "recording", *arguments], env=environ)

    first = await asyncio.to_thread(ask, call_id, "--out", str(out))
    assert first.exit_code == 0, first.output
    assert out.read_bytes() == whole
    again = await asyncio.to_thread(ask, call_id, "--out", str(out))
    assert again.exit_code != 0
    assert (await asyncio.to_thread(ask, "call_nobody", "--out", str(out))).exit_code != 0
